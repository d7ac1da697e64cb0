"""What several processes are measured by: the hop between two, one to three beside one on SQLite, and unit costs.

`__main__` calls `measure`; `nodes_report.py` writes down what it returns, `heal.py` measures the faults.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import heal
from bench.grid import POSTGRESQL, SQLITE, Grid, opened, run
from bench.probes import unit_costs
from bench.unit_costs import Costs

MEMBERS = 600
HOPS_PER_SECOND = 100
PROCESSES = ((SQLITE, 1), (POSTGRESQL, 1), (POSTGRESQL, 2), (POSTGRESQL, 3))


@dataclass(frozen=True)
class Load:
    """What is asked of an installation; the figures of a row."""

    title: str
    members: int
    rooms: int
    senders: int
    window: int


LOADS = (
    Load(f"one room of {MEMBERS}, 4 senders with 8 unreturned each", MEMBERS, 1, 4, 8),
    Load("50 rooms of 10, each member 1 unreturned", 500, 50, 10, 1),
)


@dataclass
class Measured:
    """Everything, for the report. Figures by (load, kind, processes), several where there were runs."""

    figures: dict[tuple[str, str, int], list[dict[str, float]]] = field(default_factory=dict)
    hop: dict[str, float] = field(default_factory=dict)
    costs: Costs | None = None
    heal: list[tuple[str, dict[str, float]]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def measure(grid: Grid, *, runs: int) -> Measured:
    """All of it; what fails is named and the rest goes on."""
    found = Measured()
    steps: list[tuple[str, Callable[[], None]]] = [
        ("hop", lambda: found.hop.update(hop(grid))),
        ("unit costs", lambda: setattr(found, "costs", unit_costs(grid))),
    ]
    for _ in range(runs):
        for kind, count in PROCESSES:
            for asked in LOADS:
                key = (asked.title, kind, count)
                steps.append(
                    (f"{asked.title}, {count} × {kind}", lambda k=key, a=asked: compare(grid, found, k, a))
                )
    steps.append(("heal", lambda: found.heal.extend(heal.measure(grid))))
    for name, step in steps:
        started = time.monotonic()
        try:
            step()
        except Exception as error:  # the report names it
            found.failures.append(f"{name}: {type(error).__name__}: {error}")
            sys.stderr.write(f"{found.failures[-1]}\n")
        sys.stderr.write(f"{name}: {time.monotonic() - started:.0f} s\n")
    return found


def hop(grid: Grid) -> dict[str, float]:
    """Two members, one on each process: how long a message takes to its own process and to the other."""
    with opened(grid, POSTGRESQL, 2, 2) as (there, loader):
        loaded = run(there, loader, senders=1, rate=HOPS_PER_SECOND).loaded
    return {
        "near_p50_ms": loaded.near_p50_ms, "near_p99_ms": loaded.near_p99_ms,
        "far_p50_ms": loaded.far_p50_ms, "far_p99_ms": loaded.far_p99_ms,
    }  # fmt: skip


def compare(grid: Grid, found: Measured, key: tuple[str, str, int], asked: Load) -> None:
    _, kind, count = key
    with opened(grid, kind, count, asked.members, rooms=asked.rooms) as (there, loader):
        done = run(there, loader, senders=asked.senders, window=asked.window)
    messages, deliveries = max(1, done.counted.returned), max(1, done.counted.deliveries)
    nodes = sum(done.used.nodes)
    found.figures.setdefault(key, []).append({
        "deliveries_per_s": deliveries / done.counted.seconds,
        "messages_per_s": messages / done.counted.seconds,
        "cpu_us": nodes / deliveries,
        "cpu_us_all": (nodes + done.used.postgresql + done.used.redis) / deliveries,
        "cores": nodes / 1e6 / done.counted.seconds,
        "postgresql_us_per_message": done.used.postgresql / messages,
        "redis_us_per_message": done.used.redis / messages,
        "p50_ms": done.loaded.p50_ms, "p99_ms": done.loaded.p99_ms,
    })  # fmt: skip
