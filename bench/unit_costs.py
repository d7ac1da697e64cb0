"""What one thing costs: derived from the probes of `nodes.py`, kept in docs/benchmarks/nodes.md, read by `scaling.py`.

Pure. CPU is in µs of one core of the machine that was measured; what a probe cost at rest is taken off before.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks" / "nodes.md"
LEAST_US = 0.01
"""A difference of two measurements may come out below nothing."""
LEAST_SHARED = 0.05
"""With less of it shared between messages, nothing can be told of what is shared."""


@dataclass(frozen=True)
class Costs:
    """The unit costs. `MEANINGS` says what each is."""

    message_us: float
    commit_us: float
    send_us: float
    delivery_us: float
    heard_us: float
    hint_us: float
    hint_shown_us: float
    connect_us: float
    connection_kib: float
    process_mib: float
    idle_us: float
    room_us: float
    room_kib: float
    database_room_us: float
    database_commit_us: float
    database_message_us: float
    commit_ms: float
    redis_hint_us: float
    redis_copy_us: float
    client_read_us: float
    client_delivery_us: float


MEANINGS = {
    "message_us": "CPU of the process for a message, besides its transaction and its deliveries",
    "commit_us": "CPU of the process for a transaction and what goes with it once (its hint, its answer)",
    "send_us": "CPU of the process for writing once to one socket",
    "delivery_us": "CPU of the process for each further message in the same write",
    "heard_us": "CPU of a process for something heard from Redis, whatever number of hints is in it",
    "hint_us": "CPU of a process for a hint in it, of a room in which it has nobody",
    "hint_shown_us": "CPU of a process for a hint in it, of a room in which it has somebody, besides the writes",
    "connect_us": "CPU of the process for a connection that opens (cookie, session, history, presence)",
    "connection_kib": "memory of the process for an idle connection",
    "process_mib": "memory of a process before the first connection",
    "idle_us": "CPU of a process at rest in a second, without rooms (probes, timers)",
    "room_us": "CPU of a process in a second for a room that exists (its head is compared every second)",
    "room_kib": "memory of a process for a room that exists",
    "database_room_us": "CPU of PostgreSQL for telling one process a room's head, every second",
    "database_commit_us": "CPU of PostgreSQL for a transaction",
    "database_message_us": "CPU of PostgreSQL for each message in it",
    "commit_ms": "time from the statement to the commit, with one message",
    "redis_hint_us": "CPU of Redis for a hint that is published",
    "redis_copy_us": "CPU of Redis for handing it to one process",
    "client_read_us": "CPU of the load generator for a read",
    "client_delivery_us": "CPU of the load generator for a delivery in it",
}


@dataclass(frozen=True)
class Probe:
    """One load, for each message: CPU of the process it was posted on, of the others together, of the rest."""

    own_us: float
    others_us: float
    database_us: float
    redis_us: float
    client_us: float
    per_commit: float
    """Messages in a transaction."""
    per_publish: float
    """Hints in what is published."""
    per_read: float
    """Deliveries in a read."""
    deliveries: float
    commit_ms: float


def derive(probes: Mapping[str, Probe], given: Mapping[str, float]) -> Costs:
    """Unit costs from the probes.

    `busy` and `busy3`: one member in each of `probes.BUSY_ROOMS` rooms who waits for his message, on one process and
    spread over three; `one`: one such member alone; `many`: the same with 32 under way; `room`: 300 members and few
    messages; `full`: 300 members and 32 under way; `alone3` and `many3`: `one` and `many` on three processes, with
    nobody on the others; `shown3`: `one` with one member on each of them. `given`: what was measured as it stands.
    """
    busy, busy3, one, many = probes["busy"], probes["busy3"], probes["one"], probes["many"]
    room, full = probes["room"], probes["full"]
    send = _least((room.own_us - one.own_us) / (room.deliveries - one.deliveries))
    shared = max(LEAST_SHARED, 1 - 1 / many.per_commit)
    commit = _least((busy.own_us - many.own_us) / shared - send)
    message = _least(busy.own_us - commit - send)
    per_room = full.own_us - message - commit / full.per_commit
    delivery = _least(per_room / full.deliveries - send / full.per_read)
    database_commit = _least((busy.database_us - many.database_us) / shared)
    alone, heard_many, shown = probes["alone3"], probes["many3"], probes["shown3"]
    gathered = max(LEAST_SHARED, 1 / alone.per_publish - 1 / heard_many.per_publish)
    heard_alone = _least((alone.others_us - heard_many.others_us) / 2 / gathered)
    hint = _least(alone.others_us / 2 - heard_alone / alone.per_publish)
    heard = _least(((busy3.own_us + busy3.others_us - busy.own_us) / 2 - hint) * busy3.per_publish)
    # Beside waking up a copy is little: the dearer of a message with one hint and of one with many.
    copy = max(_copy_us(busy, busy3), _copy_us(many, heard_many))
    client_read = _least(
        (room.client_us / room.deliveries - full.client_us / full.deliveries) / (1 - 1 / full.per_read)
    )
    positive = {name: _least(value) for name, value in given.items()}
    return Costs(
        message_us=message, commit_us=commit, send_us=send, delivery_us=delivery,
        heard_us=heard, hint_us=hint,
        hint_shown_us=_least(shown.others_us / 2 - heard_alone / shown.per_publish - send),
        database_commit_us=database_commit, database_message_us=_least(busy.database_us - database_commit),
        commit_ms=one.commit_ms, redis_hint_us=_least(busy.redis_us * busy.per_publish - copy), redis_copy_us=copy,
        client_read_us=client_read,
        client_delivery_us=_least(full.client_us / full.deliveries - client_read / full.per_read),
        **positive,
    )  # fmt: skip


def _copy_us(one: Probe, three: Probe) -> float:
    """What Redis spends on a further process that listens."""
    return _least((three.redis_us * three.per_publish - one.redis_us * one.per_publish) / 2)


def _least(value: float) -> float:
    return max(LEAST_US, value)


def rows(costs: Costs) -> list[str]:
    """The table of the report."""
    lines = ["| cost | value | |", "|---|---|---|"]
    for name, value in dataclasses.asdict(costs).items():
        lines.append(f"| {name} | {value:.3f} | {MEANINGS[name]} |")
    return lines


def read(text: str) -> Costs:
    """The costs in the text of the report. Raises KeyError for one that is not there."""
    found = dict(re.findall(r"^\| (\w+) \| ([0-9.]+) \|", text, re.MULTILINE))
    return Costs(**{field.name: float(found[field.name]) for field in dataclasses.fields(Costs)})
