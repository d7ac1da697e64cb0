"""docs/benchmarks/nodes.md: text from what `nodes.measure` returned. Pure; `scaling.py` reads the text again."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from bench.nodes import LOADS, PROCESSES, Measured
from bench.unit_costs import rows

COLUMNS = {
    "deliveries_per_s": "deliveries/s",
    "messages_per_s": "messages/s",
    "cpu_us": "CPU µs per delivery, the processes",
    "cpu_us_all": "with PostgreSQL and Redis",
    "cores": "cores used by the processes",
    "postgresql_us_per_message": "PostgreSQL µs per message",
    "redis_us_per_message": "Redis µs per message",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
}
HEAL = {
    "away_s": "away for s",
    "answer_p50_ms": "answer p50 ms",
    "answer_max_ms": "answer, longest ms",
    "hop_p50_ms": "to another process p50 ms",
    "hop_max_ms": "longest ms",
    "healed_s": "well again after s",
}


@dataclass(frozen=True)
class Row:
    """What was measured of one load on some processes."""

    deliveries_per_s: float
    cpu_us: float


def render(found: Measured, *, machine: Mapping[str, str], runs: int, when: str) -> str:
    """The whole report."""
    lines = [
        "# Several processes, measured",
        "",
        f"Made by `python -m bench nodes` on {when}; medians of {runs} interleaved runs, the lowest and highest in brackets.",
        "PostgreSQL (with `fsync`), Redis, the processes and the load generator share the machine, and nothing is pinned to a",
        "core: with two cores a third process can only show what it costs. CPU is that of each process by the scheduler's count;",
        "× is the ratio to one process on SQLite.",
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        *(f"- Failed: {failure}" for failure in found.failures),
    ]  # fmt: skip
    lines += ["", "## The hop over Redis", "", *_hop(found)]
    for load in LOADS:
        lines += ["", f"## {load.title}", "", *_compared(found, load.title)]
    lines += ["", "## How long a fault is felt", "", *_healed(found)]
    if found.costs is not None:
        lines += ["", "## Unit costs", "", *_explained(), *rows(found.costs)]
    return "\n".join(lines) + "\n"


def _hop(found: Measured) -> list[str]:
    if not found.hop:
        return ["Not measured."]
    near, far = (
        f"{found.hop[f'{where}_p50_ms']:.2f} | {found.hop[f'{where}_p99_ms']:.2f}"
        for where in ("near", "far")
    )
    return [
        "Two members on two processes, 100 messages a second; from sending to receiving.",
        "",
        "| | p50 ms | p99 ms |",
        "|---|---|---|",
        f"| on the same process | {near} |",
        f"| on the other one | {far} |",
    ]


def _compared(found: Measured, title: str) -> list[str]:
    lines = [f"| | {' | '.join(COLUMNS.values())} |", "|---|" + "---|" * len(COLUMNS)]
    alone = [run["cpu_us"] for run in found.figures.get((title, *PROCESSES[0]), [])]
    for kind, count in PROCESSES:
        runs = found.figures.get((title, kind, count), [])
        cells = [_cell([run[name] for run in runs]) for name in COLUMNS]
        if runs and alone:
            own = statistics.median(run["cpu_us"] for run in runs)
            cells[list(COLUMNS).index("cpu_us")] += f" ×{_number(own / statistics.median(alone))}"
        lines.append(f"| {count} × {kind} | {' | '.join(cells)} |")
    return lines


def _healed(found: Measured) -> list[str]:
    lines = [
        "A speaker on one of three processes posts every 50 ms, a listener is on another one.",
        "",
        f"| | {' | '.join(HEAL.values())} |",
        "|---|" + "---|" * len(HEAL),
    ]
    for name, figures in found.heal:
        cells = [_number(figures[key]) for key in HEAL]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _explained() -> list[str]:
    return [
        "Derived from probes on one and three processes (`bench/unit_costs.py`); `docs/scaling.md` is computed from them.",
        "",
    ]


def _cell(values: list[float]) -> str:
    if not values:
        return "–"
    median = _number(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({_number(min(values))}–{_number(max(values))})"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def measured(text: str, title: str) -> dict[int, Row]:
    """What the report says of a load on PostgreSQL, by the number of processes."""
    part = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    found = {}
    for count, cells in re.findall(r"^\| (\d) × PostgreSQL \| (.+) \|$", part, re.MULTILINE):
        values = dict(
            zip(COLUMNS, (cell.split(" ")[0].replace(",", "") for cell in cells.split(" | ")), strict=True)
        )
        if values["cpu_us"] != "–":
            found[int(count)] = Row(float(values["deliveries_per_s"]), float(values["cpu_us"]))
    return found
