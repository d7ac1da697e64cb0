"""The report as Markdown: the machine, the targets, a table for each scenario. Pure: text from results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.figures import Results, Summary, judge, summarise
from bench.servers import NODE_WS

COLUMNS: dict[str, tuple[str, float]] = {
    "cpu_us": ("CPU µs per delivery", 1),
    "deliveries_per_s": ("deliveries/s", 1),
    "messages_per_s": ("messages/s", 1),
    "cpu_us_per_message": ("CPU µs per message", 1),
    "p50_ms": ("p50 ms", 1),
    "p99_ms": ("p99 ms", 1),
    "p99_alone_ms": ("p99 ms without them", 1),
    "p99_ratio": ("p99 ratio", 1),
    "memory_bytes": ("KiB per connection", 1 / 1024),
    "connect_cpu_us": ("CPU µs per connect", 1),
    "connects_per_s": ("connects/s", 1),
    "seconds": ("seconds until all are served", 1),
    "served_p50_ms": ("served, p50 ms", 1),
    "served_p99_ms": ("served, p99 ms", 1),
    "longest_turn_ms": ("longest turn ms", 1),
    "cpu_us_per_ping": ("CPU µs per ping", 1),
    "event_bytes": ("bytes per event", 1),
}
"""Figures by name: heading, and by what to multiply. Others are shown under their own names."""
_ONLY_MANY_ROOMS = {"messages_per_s", "cpu_us_per_message"}


def render(
    results: Results, *, machine: Mapping[str, str], missing: Mapping[str, str], failures: Sequence[str],
    runs: int, when: str,
) -> str:  # fmt: skip
    """The whole report."""
    lines = [
        "# The latest benchmark",
        "",
        f"Made by `python -m bench` on {when}; {runs} interleaved run{'s' if runs != 1 else ''}. What each",
        "figure means and how to repeat it: [../performance.md](../performance.md). A cell is the median, the",
        f"lowest and highest in brackets, and × the ratio to {NODE_WS} in the same run.",
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        *(f"- Not measured: {name}: {reason}" for name, reason in missing.items()),
        *(f"- Failed: {failure}" for failure in failures),
        "",
        "## To reach, with everything on",
        "",
        *targets_table(results),
    ]
    for scenario in results.scenarios():
        lines += ["", f"## {scenario}", "", *scenario_table(results, scenario)]
    return "\n".join(lines) + "\n"


def targets_table(results: Results) -> list[str]:
    """Each target with what was measured."""
    lines = ["| | to reach | measured | |", "|---|---|---|---|"]
    for verdict in judge(results):
        target = verdict.target
        bound = f"{'at least' if target.least else 'at most'} {_number(target.limit)} {target.unit}"
        said = {True: "reached", False: "**not reached**", None: "not measured"}[verdict.reached]
        lines.append(f"| {target.title} | {bound} | {_cell(verdict.summary)} | {said} |")
    return lines


def scenario_table(results: Results, scenario: str) -> list[str]:
    """A row for each server, a column for each figure; one server alone: a row for each figure."""
    names = [
        name for name in results.names(scenario) if name not in _ONLY_MANY_ROOMS or "rooms of" in scenario
    ]
    servers = results.servers(scenario)
    if len(servers) == 1 and len(names) > 8:
        return [
            f"| {servers[0]} | |",
            "|---|---|",
            *(f"| {_title(name)} | {_figure(results, scenario, servers[0], name)} |" for name in names),
        ]
    lines = [f"| | {' | '.join(map(_title, names))} |", "|---|" + "---|" * len(names)]
    for server in servers:
        cells = [_figure(results, scenario, server, name) for name in names]
        lines.append(f"| {server} | {' | '.join(cells)} |")
    return lines


def _figure(results: Results, scenario: str, server: str, name: str) -> str:
    factor = COLUMNS.get(name, ("", 1))[1]
    values = [value * factor for value in results.values(scenario, server, name).values()]
    ratio = summarise(results.ratios(scenario, server, name))
    shown = _cell(summarise(values))
    if ratio is not None and server != NODE_WS and name != "event_bytes":
        shown += f" ×{_number(ratio.median)}"
    return shown


def _cell(summary: Summary | None) -> str:
    if summary is None:
        return "–"
    if summary.count == 1 or summary.low == summary.high:
        return _number(summary.median)
    return f"{_number(summary.median)} ({_number(summary.low)}–{_number(summary.high)})"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _title(name: str) -> str:
    return COLUMNS.get(name, (name.replace("_", " "), 1))[0]
