"""From samples to figures: medians, spreads, ratios within a run, and the targets they are held against.

Pure functions over what the scenarios returned; `report` writes them down.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.servers import NODE_WS, ROOMLOG


@dataclass(frozen=True)
class Sample:
    """One figure of one server in one run."""

    run: int
    scenario: str
    server: str
    name: str
    value: float


class Results:
    """All samples of a benchmark."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self.samples = list(samples)

    def add(self, run: int, scenario: str, server: str, figures: dict[str, float]) -> None:
        """What one scenario returned."""
        self.samples += [Sample(run, scenario, server, name, value) for name, value in figures.items()]

    def scenarios(self) -> list[str]:
        """In the order in which they came."""
        return list(dict.fromkeys(sample.scenario for sample in self.samples))

    def servers(self, scenario: str) -> list[str]:
        """Who took part."""
        return list(dict.fromkeys(s.server for s in self.samples if s.scenario == scenario))

    def names(self, scenario: str) -> list[str]:
        """The figures of a scenario."""
        return list(dict.fromkeys(s.name for s in self.samples if s.scenario == scenario))

    def values(self, scenario: str, server: str, name: str) -> dict[int, float]:
        """By run."""
        return {
            s.run: s.value for s in self.samples if (s.scenario, s.server, s.name) == (scenario, server, name)
        }

    def ratios(self, scenario: str, server: str, name: str, to: str = NODE_WS) -> list[float]:
        """To another server in the same run: what holds on a noisy machine."""
        own, other = self.values(scenario, server, name), self.values(scenario, to, name)
        return [own[run] / other[run] for run in own if other.get(run)]


@dataclass(frozen=True)
class Summary:
    """The median with the lowest and the highest."""

    median: float
    low: float
    high: float
    count: int


def summarise(values: Iterable[float]) -> Summary | None:
    """None without values."""
    found = sorted(values)
    return Summary(statistics.median(found), found[0], found[-1], len(found)) if found else None


@dataclass(frozen=True)
class Target:
    """A row of "To reach": the figure may be at most `limit` (at least, where `least`)."""

    title: str
    limit: float
    unit: str
    measure: Callable[[Results], list[float]]
    least: bool = False


@dataclass(frozen=True)
class Verdict:
    """A target with what was measured; `reached` None: it was not measured."""

    target: Target
    summary: Summary | None

    @property
    def reached(self) -> bool | None:
        if self.summary is None:
            return None
        if self.target.least:
            return self.summary.median >= self.target.limit
        return self.summary.median <= self.target.limit


def judge(results: Results) -> list[Verdict]:
    """Every target against the median."""
    return [Verdict(target, summarise(target.measure(results))) for target in TARGETS]


def _ratio(scenario: str, name: str, to: str = NODE_WS) -> Callable[[Results], list[float]]:
    return lambda results: results.ratios(scenario, ROOMLOG, name, to)


def _value(scenario: str, name: str, scale: float = 1.0) -> Callable[[Results], list[float]]:
    return lambda results: [
        value * scale
        for other in results.scenarios()
        if other.startswith(scenario)
        for value in results.values(other, ROOMLOG, name).values()
    ]


def _longest_turn(results: Results) -> list[float]:
    runs: dict[int, float] = {}
    for sample in results.samples:
        if sample.server == ROOMLOG and sample.name == "longest_turn_ms":
            runs[sample.run] = max(runs.get(sample.run, 0.0), sample.value)
    return list(runs.values())


_MANY = "50 rooms of 10, each 1 unreturned"
TARGETS = (
    Target("CPU per delivery, 1,000 members, w32", 1 / 25, "× Node ws", _ratio("1,000 members, w32", "cpu_us")),
    Target("the same, to Bun", 1.5, "× Bun", _ratio("1,000 members, w32", "cpu_us", "Bun")),
    Target("CPU per delivery, 1,000 members, w4", 1 / 4, "× Node ws", _ratio("1,000 members, w4", "cpu_us")),
    Target("CPU per delivery, 1,000 members, low", 0.7, "× Node ws", _ratio("1,000 members, low", "cpu_us")),
    Target("CPU per delivery, 100 members, w32", 1 / 6, "× Node ws", _ratio("100 members, w32", "cpu_us")),
    Target("CPU per delivery, 100 members, w4", 1 / 3, "× Node ws", _ratio("100 members, w4", "cpu_us")),
    Target("CPU per delivery, 100 members, low", 0.9, "× Node ws", _ratio("100 members, low", "cpu_us")),
    Target("messages a second, durable, 50 rooms of 10", 1.0, "× Node ws", _ratio(_MANY, "messages_per_s"), True),
    Target("memory per idle connection, 1,000", 12, "KiB", _value("1,000 members, idle", "memory_bytes", 1 / 1024)),
    Target("memory per idle connection, 5,000", 12, "KiB", _value("5,000 members, idle", "memory_bytes", 1 / 1024)),
    Target("5,000 reconnect at once, each resuming", 10, "s", _value("5,000 connect at once", "seconds")),
    Target("heartbeat of 5,000, longest turn", 20, "ms", _value("heartbeat of 5,000", "longest_turn_ms")),
    Target("longest turn of the loop in any scenario", 20, "ms", _longest_turn),
    Target("first page of a large room", 1.5, "× an empty room", _value("a room with", "first_page_ratio")),
    Target("the same, to a room with one page", 1.5, "×", _value("a room with", "first_page_ratio_60")),
    Target("resume of 1,000 behind in a large room", 20, "ms", _value("a room with", "resume_1000_ms")),
    Target("p99 of quick readers beside slow ones", 1.2, "× without them", _value("50 slow readers", "p99_ratio")),
)  # fmt: skip
