"""What is measured: each scenario starts a server, loads it and returns its figures by name.

Units stand in the names. Every load also checks that nothing was lost, doubled or out of order: a scenario
that saw such a thing raises `Wrong`, for a fast server that loses messages has not won.
"""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import roomlog
from bench.loader import Connected, Counted, Counting, Idled, Loaded, Loader, Stalled
from bench.process import Server
from bench.servers import ROOMLOG, Arena, Peer, Session, paths

Figures = dict[str, float]
WARM_CONNECTIONS = 10
"""Opened before memory is first looked at: what a process loads once is no connection's."""
INFLIGHT = 64
QUIET_MS = 1_200
"""Presence is gathered for a second."""
PACED_PER_SECOND = 10_000


class Wrong(Exception):
    """A server lost, doubled or disordered messages, or refused connections."""


@dataclass(frozen=True)
class Durations:
    """How long a load is warmed up and counted, in ms."""

    warmup_ms: int
    run_ms: int


FULL = Durations(500, 2_000)
QUICK = Durations(250, 800)


def load(
    session: Session, durations: Durations, *, senders: int, window: int = 0, rate: float = 0.0,
    lossless: bool = True,
) -> Figures:  # fmt: skip
    """One load on an open session."""
    loader, server = session.loader, session.server
    turns = roomlog.Turns(server.port) if session.peer.name == ROOMLOG else None
    stretch = 2 if rate else 1  # a paced load has the fewest ticks of CPU to count
    loader.tell(f"load {senders} {window} {rate} {durations.warmup_ms} {durations.run_ms * stretch}")
    loader.wait(Counting)
    before = server.cpu_us()
    counted = loader.wait(Counted)
    used_us = server.cpu_us() - before
    loaded = loader.wait(Loaded)
    if loaded.duplicated or (lossless and (loaded.lost or loaded.reset)) or loaded.closed:
        raise Wrong(f"{session.peer.name}: {loaded}")
    figures = _figures(counted, loaded, used_us)
    if turns is not None:
        figures["longest_turn_ms"] = turns.longest_ms()
    return figures


def _figures(counted: Counted, loaded: Loaded, used_us: float) -> Figures:
    return {
        "cpu_us": used_us / max(1, counted.deliveries),
        "deliveries_per_s": counted.deliveries / counted.seconds,
        "messages_per_s": counted.returned / counted.seconds,
        "cpu_us_per_message": used_us / max(1, counted.returned),
        "p50_ms": loaded.p50_ms,
        "p99_ms": loaded.p99_ms,
        "event_bytes": loaded.event_bytes,
    }


def connect(session: Session, count: int, *, inflight: int = INFLIGHT) -> Figures:
    """Opens `count` connections; what each costs in CPU and memory."""
    _opened(session.loader.connect(WARM_CONNECTIONS, inflight=INFLIGHT), WARM_CONNECTIONS)
    session.loader.settle(300)
    memory, used_us = session.server.memory_bytes(), session.server.cpu_us()
    fresh = count - WARM_CONNECTIONS
    done = _opened(session.loader.connect(fresh, inflight=inflight), count)
    used_us = session.server.cpu_us() - used_us
    session.loader.settle(QUIET_MS)
    return {
        "connect_cpu_us": used_us / fresh,
        "connects_per_s": fresh / done.seconds,
        "memory_bytes": (session.server.memory_bytes() - memory) / fresh,
    }


def _opened(done: Connected, expected: int) -> Connected:
    if done.up != expected or done.failed:
        raise Wrong(f"{done}, and {expected} were to be open")
    return done


def fan_out(arena: Arena, peer: Peer, durations: Durations, members: int) -> dict[str, Figures]:
    """One room: connecting, then the three loads on the same connections."""
    with arena.session(peer, paths(peer, members)) as session:
        title = f"{members:,} members"
        found = {f"{title}, idle": connect(session, members)}
        found[f"{title}, low"] = load(session, durations, senders=1, rate=PACED_PER_SECOND / members)
        found[f"{title}, w4"] = load(session, durations, senders=1, window=4)
        found[f"{title}, w32"] = load(session, durations, senders=4, window=8)
    return found


def many_rooms(arena: Arena, peer: Peer, durations: Durations) -> dict[str, Figures]:
    """50 rooms of 10, everybody sends and waits for his message to come back before the next."""
    found = {}
    with arena.session(peer, paths(peer, 500, rooms=50), per_room=10) as session:
        _opened(session.loader.connect(500, inflight=INFLIGHT), 500)
        session.loader.settle(QUIET_MS)
        found["50 rooms of 10, each 1 unreturned"] = load(session, durations, senders=10, window=1)
        found["50 rooms of 10, one sender with 4"] = load(session, durations, senders=1, window=4)
    return found


def storm(arena: Arena, peer: Peer, durations: Durations, count: int) -> dict[str, Figures]:
    """Everybody reconnects at once after a restart; to our server, each resuming 100 messages behind."""
    data = None
    asked = paths(peer, count)
    if peer.name == ROOMLOG:
        data = arena.copy()
        roomlog.fill(data, "lobby", 1_500)
        head, epoch = roomlog.position(data, "lobby")
        asked = [f"{path}&since={head - 100}&epoch={epoch}" for path in asked]
    try:
        with arena.session(peer, asked, data=data) as session:
            turns = roomlog.Turns(session.server.port) if data else None
            used_us = session.server.cpu_us()
            done = _opened(session.loader.connect(count, inflight=count), count)
            figures = {
                "seconds": done.seconds,
                "served_p50_ms": done.p50_ms,
                "served_p99_ms": done.p99_ms,
                "connect_cpu_us": (session.server.cpu_us() - used_us) / count,
            }
            if turns is not None:
                figures["longest_turn_ms"] = turns.longest_ms()
    finally:
        if data is not None:
            arena.drop(data)
    return {f"{count:,} connect at once": figures}


def slow_readers(arena: Arena, peer: Peer, durations: Durations, quick: int, slow: int) -> dict[str, Figures]:
    """The p99 of quick readers, without and beside readers that have stopped."""
    found = {}
    with arena.session(peer, paths(peer, quick + slow)) as session:
        _opened(session.loader.connect(quick, inflight=INFLIGHT), quick)
        session.loader.settle(QUIET_MS)
        load(session, durations, senders=4, window=8)
        alone = [load(session, durations, senders=1, window=4) for _ in range(3)]
        _opened(session.loader.connect(slow, inflight=INFLIGHT), quick + slow)
        session.loader.settle(QUIET_MS)
        session.loader.tell(f"stall {slow}")
        session.loader.wait(Stalled)
        # Until the system's buffers of who does not read are full.
        load(session, Durations(durations.warmup_ms, 2_000), senders=4, window=8)
        beside = [load(session, durations, senders=1, window=4) for _ in range(3)]
    one, other = (statistics.median(part["p99_ms"] for part in parts) for parts in (alone, beside))
    found[f"{slow} slow readers beside {quick:,}"] = {
        "p99_ms": other, "p99_alone_ms": one, "p99_ratio": other / one,
        "longest_turn_ms": max(part.get("longest_turn_ms", 0.0) for part in beside),
    }  # fmt: skip
    return found


def heartbeat(arena: Arena, peer: Peer, durations: Durations, count: int) -> dict[str, Figures]:
    """The longest turn of the loop while everybody is pinged, every five seconds."""
    with arena.session(peer, paths(peer, count), flags=("--heartbeat-seconds", "5")) as session:
        _opened(session.loader.connect(count, inflight=INFLIGHT), count)
        session.loader.settle(QUIET_MS, limit_ms=6_000)
        turns = roomlog.Turns(session.server.port)
        used_us = session.server.cpu_us()
        session.loader.tell("idle 11000")
        idled = session.loader.wait(Idled)
        if idled.pings < 2 * count or idled.closed:
            raise Wrong(f"{idled} with {count} connections")
        cpu_us = (session.server.cpu_us() - used_us) / idled.pings
        return {f"heartbeat of {count:,}": {"longest_turn_ms": turns.longest_ms(), "cpu_us_per_ping": cpu_us}}


def big_room(arena: Arena, peer: Peer, durations: Durations, count: int) -> dict[str, Figures]:
    """The first page, scroll-back and resuming in a large room, and the first page of rooms with none and 60."""
    data = arena.copy()
    try:
        for slug, size in (("big", count), ("page", 60)):
            roomlog.fill(data, slug, size)
        with arena.server(peer, data=data) as server:
            figures = _pages(server.port, arena.cookie(0), count)
            figures |= _joins(arena, peer, server, data)
        figures["first_page_ratio"] = figures["first_page_ms"] / figures["first_page_empty_ms"]
        figures["first_page_ratio_60"] = figures["first_page_ms"] / figures["first_page_60_ms"]
        return {f"a room with {count:,}": figures}
    finally:
        arena.drop(data)


def _pages(port: int, cookie: str, count: int) -> Figures:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Cookie": cookie, "Host": f"localhost:{port}"}

    def get(path: str) -> float:
        started = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise Wrong(f"GET {path}: {answer.status}")
        return (time.perf_counter() - started) * 1000

    get("/rooms/lobby")
    asked: dict[str, Callable[[int], str]] = {
        "first_page_ms": lambda n: "/rooms/big",
        "first_page_empty_ms": lambda n: "/rooms/empty",
        "first_page_60_ms": lambda n: "/rooms/page",
        "scroll_back_ms": lambda n: f"/rooms/big/messages?before={count - n * count // 40}&limit=100",
    }
    times: dict[str, list[float]] = {name: [] for name in asked}
    for n in range(30):
        for name, path in asked.items():
            times[name].append(get(path(n)))
    connection.close()
    return {name: statistics.median(values) for name, values in times.items()}


def _joins(arena: Arena, peer: Peer, server: Server, data: Path) -> Figures:
    figures: Figures = {}
    head, epoch = roomlog.position(data, "big")
    for name, path in {
        "join_ms": "/chat?room=big",
        "join_empty_ms": "/chat?room=empty",
        "resume_1000_ms": f"/chat?room=big&since={head - 1_000}&epoch={epoch}",
    }.items():
        times = []
        for _ in range(7):  # each time the room is read from the store anew
            with arena.loader(peer, server.port, [path]) as loader:
                times.append(_once(loader))
        figures[name] = statistics.median(times)
    return figures


def _once(loader: Loader) -> float:
    return _opened(loader.connect(1, inflight=1), 1).max_ms
