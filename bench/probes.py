"""The probes: small loads on one and three processes, from which the unit costs are derived (`unit_costs.py`)."""

from __future__ import annotations

import time

from bench import roomlog
from bench.grid import (
    INFLIGHT,
    OURS,
    POSTGRESQL,
    QUIET_MS,
    Grid,
    Installation,
    Used,
    Wrong,
    opened,
    published,
    run,
)
from bench.loader import Idled, Loader
from bench.servers import paths
from bench.unit_costs import Costs, Probe, derive

ROOM = 300
BUSY_ROOMS = 15
"""So many things go on at once that a turn of the loop has several of them, as where it counts."""
ROOMS = 4_000
"""That are there beside the prepared ones, to see what a room costs at which nobody looks."""
HOUSE_ROOMS = roomlog.ROOMS + 4
WARM = 10
"""Connections before memory is looked at: what a process loads once is no connection's."""
PACED_PER_SECOND = 33.0


def unit_costs(grid: Grid) -> Costs:
    """Runs the probes and derives the costs."""
    probes: dict[str, Probe] = {}
    given: dict[str, float] = {}
    for name, count in (("busy", 1), ("busy3", 3)):
        with opened(grid, POSTGRESQL, count, BUSY_ROOMS, rooms=BUSY_ROOMS) as (there, loader):
            probes[name] = probe(there, loader, rest(there, loader), 1, senders=1, window=1)
    with opened(grid, POSTGRESQL, 1, 1) as (there, loader):
        idle = lone = rest(there, loader)
        memory = there.servers[0].memory_bytes()
        probes["one"] = probe(there, loader, idle, 1, senders=1, window=1)
        probes["many"] = probe(there, loader, idle, 1, senders=1, window=32)
    with grid.loaded(POSTGRESQL, 1, paths(OURS, ROOM)) as (there, loader):
        given |= connecting(there, loader)
        idle = rest(there, loader)
        probes["room"] = probe(there, loader, idle, ROOM, senders=1, rate=PACED_PER_SECOND)
        probes["full"] = probe(there, loader, idle, ROOM, senders=4, window=8)
    with opened(grid, POSTGRESQL, 1, 1, further_rooms=ROOMS) as (there, loader):
        more = rest(there, loader)
        given |= {
            "room_us": (more.nodes[0] - lone.nodes[0]) / ROOMS,
            "database_room_us": (more.postgresql - lone.postgresql) / ROOMS,
            "room_kib": (there.servers[0].memory_bytes() - memory) / ROOMS / 1024,
        }
    given["idle_us"] = lone.nodes[0] - HOUSE_ROOMS * given["room_us"]
    for name, members in (("alone3", 1), ("shown3", 3)):
        with opened(grid, POSTGRESQL, 3, members) as (there, loader):
            idle = rest(there, loader)
            probes[name] = probe(there, loader, idle, members, senders=1, window=1)
            if members == 1:
                probes["many3"] = probe(there, loader, idle, 1, senders=1, window=32)
    return derive(probes, given)


def rest(there: Installation, loader: Loader) -> Used:
    """CPU in a second in which nothing happens."""
    before, started = there.used(loader), time.monotonic()
    loader.tell("idle 2000")
    loader.wait(Idled)
    used, seconds = there.used(loader).since(before), time.monotonic() - started
    return Used(
        tuple(each / seconds for each in used.nodes), used.postgresql / seconds, used.redis / seconds, 0.0
    )


def connecting(there: Installation, loader: Loader) -> dict[str, float]:
    """What a process is before anybody comes, and what each connection adds."""
    server = there.servers[0]
    base = server.memory_bytes()
    loader.connect(WARM, inflight=INFLIGHT)
    loader.settle(QUIET_MS)
    memory, before = server.memory_bytes(), there.used(loader)
    done = loader.connect(ROOM - WARM, inflight=INFLIGHT)
    if done.up != ROOM or done.failed:
        raise Wrong(str(done))
    used = there.used(loader).since(before)
    loader.settle(QUIET_MS)
    fresh = ROOM - WARM
    return {
        "connect_us": used.nodes[0] / fresh,
        "connection_kib": (server.memory_bytes() - memory) / fresh / 1024,
        "process_mib": base / 2**20,
    }


def probe(
    there: Installation,
    loader: Loader,
    idle: Used,
    members: int,
    *,
    senders: int,
    window: int = 0,
    rate: float = 0.0,
) -> Probe:
    """One load, without what is used at rest, for each message."""
    before = _told(there)
    done = run(there, loader, senders=senders, window=window, rate=rate)
    commits, changes, hints, messages_told = (
        now - then for now, then in zip(_told(there), before, strict=True)
    )
    seconds, messages = done.counted.seconds, done.counted.deliveries / members
    own, *others = (used - quiet * seconds for used, quiet in zip(done.used.nodes, idle.nodes, strict=True))
    return Probe(
        own_us=own / messages,
        others_us=sum(others) / messages,
        database_us=(done.used.postgresql - idle.postgresql * seconds) / messages,
        redis_us=(done.used.redis - idle.redis * seconds) / messages,
        client_us=done.used.loader / messages,
        per_commit=max(1.0, changes / max(1.0, commits)),
        per_publish=max(1.0, hints / max(1.0, messages_told)),
        per_read=max(1.0, done.counted.deliveries / max(1, done.counted.reads)),
        deliveries=float(members),
        commit_ms=done.commit_ms,
    )


def _told(there: Installation) -> tuple[float, float, float, float]:
    """Of all processes so far: transactions, changes in them, hints, and what was published with these in it."""
    names = "chat_commit_seconds_count", "chat_changes_committed_total", "chat_hints_sent_total"
    commits, changes, hints = (
        sum(there.metric(number, name) for number in range(len(there.servers))) for name in names
    )
    assert there.redis is not None
    return commits, changes, hints, published(there.redis)
