"""The page of the metrics, of one process and of several."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from chat_app.metrics import Metrics, merged


def test_the_page_of_several_has_every_sample_of_each() -> None:
    one, two = Metrics(), Metrics()
    one.closed.labels("1012").inc(3)
    two.closed.labels("1012").inc(4)
    two.closed.labels("1000").inc()
    two.commit(0.01, 5)
    page = merged({"1": one.render().decode(), "2": two.render().decode()})
    families = {family.name: family for family in text_string_to_metric_families(page)}
    assert {name: family.type for name, family in families.items() if not name.endswith("_created")} == {
        family.name: family.type for family in one.registry.collect()
    }
    closed = {
        (sample.labels["process"], sample.labels["code"]): sample.value
        for sample in families["chat_connections_closed"].samples
    }
    assert closed == {("1", "1012"): 3, ("2", "1012"): 4, ("2", "1000"): 1}
    counts = [s for s in families["chat_commit_seconds"].samples if s.name.endswith("_count")]
    assert [(sample.labels, sample.value) for sample in counts] == [
        ({"process": "1"}, 0),
        ({"process": "2"}, 1),
    ]
    assert sum(len(family.samples) for family in families.values()) == sum(
        line[0] != "#" for each in (one, two) for line in each.render().decode().splitlines()
    )


def test_a_process_that_cannot_ask_the_others_shows_its_own() -> None:
    metrics = Metrics()

    async def nobody() -> bytes | None:
        return None

    async def all_of_them() -> bytes | None:
        return b"all"

    assert asyncio.run(metrics.page()).startswith(b"# HELP")
    metrics.everybodys = nobody
    assert asyncio.run(metrics.page()).startswith(b"# HELP")
    metrics.everybodys = all_of_them
    assert asyncio.run(metrics.page()) == b"all"
