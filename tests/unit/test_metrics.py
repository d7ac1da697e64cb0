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


def test_one_of_several_has_the_page_of_all_or_none() -> None:
    metrics = Metrics()
    found: list[bytes | None] = [b"all", None]

    async def everybodys() -> bytes | None:
        return found.pop(0)

    assert asyncio.run(metrics.page()) == metrics.render()
    metrics.everybodys = everybodys
    assert [asyncio.run(metrics.page()) for _ in range(2)] == [b"all", None]
