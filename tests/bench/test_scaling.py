"""The arithmetic of docs/scaling.md: the costs behind it, the simulation beside it, and the page itself."""

import dataclasses
import math
from pathlib import Path

import pytest

from bench import nodes_report, scaling
from bench.nodes import LOADS, Measured
from bench.simulation import WRITER_SLOTS, Setup, simulate
from bench.unit_costs import MEANINGS, REPORT, Costs, Probe, derive, read, rows
from chat_app.backends.sql.postgresql_readers import CONNECTIONS as READING
from chat_app.backends.sql.postgresql_writer import CONNECTIONS as WRITING

COSTS = Costs(
    message_us=80, commit_us=250, send_us=8, delivery_us=0.25, heard_us=20, hint_us=5, hint_shown_us=30, connect_us=1_200,
    connection_kib=9, process_mib=70, idle_us=3_000, room_us=0.5, room_kib=2,
    database_room_us=0.25, database_commit_us=150, database_message_us=60, commit_ms=1.25,
    redis_hint_us=6, redis_copy_us=3, client_read_us=3, client_delivery_us=0.125,
)  # fmt: skip


def probe(
    *,
    per_commit: float = 1,
    per_publish: float = 1,
    members: int = 1,
    per_read: float = 1,
    copies: int = 1,
) -> Probe:
    """What a load would cost with `COSTS`."""
    c = COSTS
    shown = c.hint_us if members < 3 else c.hint_shown_us + c.send_us
    writes = members * (c.send_us / per_read + c.delivery_us * (per_read > 1))
    return Probe(
        own_us=c.message_us + c.commit_us / per_commit + writes,
        others_us=2 * (c.heard_us / per_publish + shown),
        database_us=c.database_message_us + c.database_commit_us / per_commit,
        redis_us=(c.redis_hint_us + copies * c.redis_copy_us) / per_publish,
        client_us=members * (c.client_read_us / per_read + c.client_delivery_us),
        per_commit=per_commit, per_publish=per_publish, per_read=per_read, deliveries=members, commit_ms=c.commit_ms,
    )  # fmt: skip


def test_unit_costs_are_found_again_in_what_probes_would_measure() -> None:
    many = dataclasses.replace(probe(per_commit=16))
    # With one member a transaction's messages are one write, too.
    many = dataclasses.replace(
        many, own_us=COSTS.message_us + (COSTS.commit_us + COSTS.send_us) / many.per_commit
    )
    probes = {
        "busy": probe(per_publish=2), "busy3": probe(per_publish=1.5, copies=3),
        "one": probe(), "many": many, "room": probe(members=300),
        "full": probe(members=300, per_commit=8, per_read=10),
        "alone3": probe(copies=3), "many3": probe(copies=3, per_publish=5), "shown3": probe(copies=3, members=3),
    }  # fmt: skip
    names = (
        "connect_us", "connection_kib", "process_mib", "idle_us", "room_us", "room_kib", "database_room_us",
    )  # fmt: skip
    found = derive(probes, {name: getattr(COSTS, name) for name in names})
    for name, value in dataclasses.asdict(COSTS).items():
        assert getattr(found, name) == pytest.approx(value, rel=0.01), name


def test_costs_are_read_from_the_report_that_they_were_written_to() -> None:
    assert read("\n".join(rows(COSTS))) == COSTS
    assert set(MEANINGS) == {field.name for field in dataclasses.fields(Costs)}
    with pytest.raises(KeyError):
        read("\n".join(rows(COSTS)[:-1]))


def test_one_member_who_waits_gets_the_sum_of_all_costs() -> None:
    """Nothing overlaps: a message takes the process, the database with its sync, the write and the reader."""
    found = simulate(COSTS, Setup(1, 1, 1, senders=1, window=1, cores=None))
    sync_us = COSTS.commit_ms * 1000 - COSTS.commit_us - COSTS.database_commit_us - COSTS.database_message_us
    turn_us = (
        COSTS.message_us + COSTS.database_commit_us + COSTS.database_message_us + sync_us + COSTS.commit_us
        + COSTS.send_us + COSTS.client_read_us + COSTS.client_delivery_us
    )  # fmt: skip
    assert found.messages_per_s == pytest.approx(1e6 / turn_us, rel=0.01)
    assert found.cpu_us == pytest.approx(COSTS.message_us + COSTS.commit_us + COSTS.send_us, rel=0.01)


def test_more_under_way_share_transactions_and_writes() -> None:
    alone, many = (simulate(COSTS, Setup(1, 1, 100, senders=1, window=w, cores=None)) for w in (1, 32))
    assert many.cpu_us < alone.cpu_us / 3
    assert many.messages_per_s > 3 * alone.messages_per_s


def test_a_room_is_stored_by_one_process_at_a_time_however_many_there_are() -> None:
    one = simulate(COSTS, Setup(1, 1, 2, senders=2, window=1, cores=None))
    three = simulate(COSTS, Setup(3, 1, 3, senders=3, window=1, cores=None))
    held_us = COSTS.commit_ms * 1000 - COSTS.commit_us
    assert three.messages_per_s <= 1e6 / held_us * 1.01
    assert one.messages_per_s <= 2e6 / held_us * 1.01


def test_what_shares_two_cores_does_not_use_three() -> None:
    found = simulate(COSTS, Setup(3, 50, 10, senders=10, window=1, cores=2))
    assert found.process_share * 3 + found.redis_share + found.database_cores < 2.01
    free = simulate(COSTS, Setup(3, 50, 10, senders=10, window=1, cores=None))
    assert free.deliveries_per_s > 1.3 * found.deliveries_per_s


def test_everything_that_is_sent_is_delivered_once_to_everybody() -> None:
    """At a rate that everything can keep up with: 3 processes, each room's members spread over them."""
    found = simulate(COSTS, Setup(3, 20, 7, rate=500, cores=None), seconds=2)
    assert found.messages_per_s == pytest.approx(500, rel=0.01)
    assert found.deliveries_per_s == pytest.approx(7 * 500, rel=0.01)
    assert 0 < found.p50_ms <= found.p99_ms < 20


def test_hints_and_copies_are_what_more_processes_cost() -> None:
    few, many = (scaling.plan(COSTS, count) for count in (100_000, 1_000_000))
    assert few.holds and not many.holds
    assert many.redis_share > 10 * few.redis_share
    assert many.process_share <= scaling.BUSY
    count, one = scaling.groups(COSTS, 1_000_000)
    assert count > 1 and one.holds and one.connections == math.ceil(1_000_000 / count)
    assert not scaling.plan(COSTS, math.ceil(1_000_000 / (count - 1))).holds


def test_the_report_is_read_as_it_was_written() -> None:
    found = Measured(
        costs=COSTS, hop=dict.fromkeys(("near_p50_ms", "near_p99_ms", "far_p50_ms", "far_p99_ms"), 1.5)
    )
    for number, load in enumerate(LOADS):
        for count in (1, 2, 3):
            figures = dict.fromkeys(nodes_report.COLUMNS, 1.0)
            figures |= {"deliveries_per_s": 1_000.0 * (number + count), "cpu_us": 2.5 * count}
            found.figures[load.title, "PostgreSQL", count] = [figures, {**figures, "cpu_us": 9.0}, figures]
    text = nodes_report.render(found, machine={"Processor": "one"}, runs=3, when="2026-01-01")
    assert read(text) == COSTS
    assert "| 1 × SQLite | – |" in text
    for number, load in enumerate(LOADS):
        rows_of = nodes_report.measured(text, load.title)
        assert rows_of == {
            count: nodes_report.Row(1_000.0 * (number + count), 2.5 * count) for count in (1, 2, 3)
        }
    assert len(scaling.compared(COSTS, text)) == 2 + 3 * len(LOADS)


def test_the_page_has_what_the_simulation_prints(tmp_path: Path) -> None:
    text = scaling.PAGE.read_text(encoding="utf-8")
    report = REPORT.read_text(encoding="utf-8")
    assert text == scaling.page(text, report), "python -m bench scaling"
    marks = set(scaling.blocks(report))
    assert all(f"<!-- simulated: {mark} -->" in text for mark in marks)
    copy = tmp_path / "scaling.md"
    copy.write_text("before\n<!-- simulated: limits -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")
    scaling.write(copy)
    assert copy.read_text(encoding="utf-8").splitlines()[-1] == "after"
    assert "old" not in copy.read_text(encoding="utf-8")
    assert "what is full" in copy.read_text(encoding="utf-8")


def test_the_simulation_has_the_slots_and_connections_of_the_server() -> None:
    assert WRITING == WRITER_SLOTS
    assert WRITING + READING + 1 == scaling.CONNECTIONS_A_PROCESS
