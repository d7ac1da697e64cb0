"""The arithmetic to a million connections, from the measured unit costs, and the simulation beside it.

`python -m bench scaling` writes its tables into docs/scaling.md, between the marks; tests/bench holds that the page
has what comes out here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import nodes_report
from bench.nodes import LOADS, Load
from bench.simulation import Setup, simulate
from bench.unit_costs import REPORT, Costs, read

PAGE = REPORT.parent.parent / "scaling.md"
CONNECTIONS = (1_000, 10_000, 100_000, 1_000_000)
MESSAGES_A_MINUTE = 0.5
"""Of one connection: everybody in the house types every other minute."""
AUDIENCE = 50
"""Connections that a message is delivered to."""
ROOMS_A_CONNECTION = 0.2
"""Rooms that exist, direct ones too, with people or not."""
BUSY = 0.6
"""How much of a core may be used: the rest is for peaks."""
HINTS_SHARE = 0.2
"""Of a process's core for hints of others, beyond which more processes help little."""
DATABASE_CORES = 16
DATABASE_CONNECTIONS = 600
"""That one PostgreSQL keeps open; each is a process of it."""
CONNECTIONS_A_PROCESS = 13
"""Eight that write, four that read, and the one with the lock (docs/adr/0010)."""
HEARTBEAT_S = 30.0
RECONNECTS_A_SECOND = 1 / 1_800
"""Of one connection: half an hour without a change of the network."""
RESTART_S = 30.0
"""After a restart of everything, everybody is to be back within this, by `BUSY` of the processes' cores."""
PROCESSES_LIMIT = 10_000


@dataclass(frozen=True)
class Plan:
    """One group: its processes on one Redis and one database, and what each part has to do."""

    connections: int
    processes: int
    messages_per_s: float
    deliveries_per_s: float
    hints_share: float
    """Of a process's core."""
    heads_share: float
    """Of the same, for comparing the heads of all rooms every second."""
    process_share: float
    redis_share: float
    database_cores: float
    memory_gib: float

    @property
    def holds(self) -> bool:
        """Whether one Redis and one database carry it, and hints leave the processes time."""
        return (
            self.process_share <= BUSY
            and self.redis_share <= BUSY
            and self.processes * CONNECTIONS_A_PROCESS <= DATABASE_CONNECTIONS
            and self.database_cores <= DATABASE_CORES * BUSY
            and self.hints_share + self.heads_share <= HINTS_SHARE
        )


def plan(costs: Costs, connections: int) -> Plan:
    """The fewest processes that take everybody back within `RESTART_S` and of which none is busier than `BUSY`; at
    `PROCESSES_LIMIT` none were enough.
    """
    messages = connections * MESSAGES_A_MINUTE / 60
    count = math.ceil(connections * costs.connect_us / (RESTART_S * BUSY * 1e6))
    while count < PROCESSES_LIMIT and _share(costs, connections, count) > BUSY:
        count = min(PROCESSES_LIMIT, count + max(1, count // 50))
    redis = messages * (costs.redis_hint_us + count * costs.redis_copy_us) / 1e6 if count > 1 else 0.0
    return Plan(
        connections=connections, processes=count, messages_per_s=messages, deliveries_per_s=messages * AUDIENCE,
        hints_share=_hints(costs, messages, count), process_share=_share(costs, connections, count),
        redis_share=redis,
        heads_share=_heads(costs, connections),
        database_cores=(
            messages * (costs.database_commit_us + costs.database_message_us)
            + count * connections * ROOMS_A_CONNECTION * costs.database_room_us
        ) / 1e6,
        memory_gib=(connections * costs.connection_kib / 2**20)
            + count * (costs.process_mib / 1024 + connections * ROOMS_A_CONNECTION * costs.room_kib / 2**20),
    )  # fmt: skip


def groups(costs: Costs, connections: int) -> tuple[int, Plan]:
    """Into how many groups of processes, Redis and database the rooms have to be divided, and one of them."""
    count = 1
    while not (found := plan(costs, math.ceil(connections / count))).holds:
        count += 1
    return count, found


def _hints(costs: Costs, messages: float, processes: int) -> float:
    """What hearing the others takes of a process. Somebody of a room's audience is there more or less often."""
    shown = 1 - (1 - 1 / processes) ** AUDIENCE
    each = costs.heard_us + shown * costs.hint_shown_us + (1 - shown) * costs.hint_us
    return messages * (1 - 1 / processes) * each / 1e6


def _heads(costs: Costs, connections: int) -> float:
    return connections * ROOMS_A_CONNECTION * costs.room_us / 1e6


def _share(costs: Costs, connections: int, processes: int) -> float:
    """How busy a process is, when no two messages share a transaction or a write: the dearest case."""
    messages = connections * MESSAGES_A_MINUTE / 60
    own = costs.message_us + costs.commit_us + AUDIENCE * costs.send_us
    lines = connections * (costs.send_us / HEARTBEAT_S + costs.connect_us * RECONNECTS_A_SECOND)
    return (
        (messages * own + lines) / processes / 1e6 + _hints(costs, messages, processes) + costs.idle_us / 1e6
    )


# -- the tables --------------------


def compared(costs: Costs, report: str) -> list[str]:
    """What the simulation says of the loads that were measured."""
    lines = [
        "| load | processes | deliveries/s simulated | measured | CPU µs per delivery simulated | measured |",
        "|---|---|---|---|---|---|",
    ]
    for load in LOADS:
        for count, row in nodes_report.measured(report, load.title).items():
            found = simulate(costs, setup(load, count))
            lines.append(
                f"| {load.title} | {count} | {found.deliveries_per_s:,.0f} | {row.deliveries_per_s:,.0f}"
                f" | {found.cpu_us:.2f} | {row.cpu_us:.2f} |"
            )
    return lines


def setup(load: Load, processes: int, *, cores: int | None = 2) -> Setup:
    """A load of `nodes.py` as the simulation knows it."""
    return Setup(
        processes,
        load.rooms,
        load.members // load.rooms,
        senders=load.senders,
        window=load.window,
        cores=cores,
    )


def planned(costs: Costs) -> list[str]:
    """One group, by connections."""
    lines = [
        "| connections | messages/s | deliveries/s | processes | a process is busy | of it with hints | with heads | Redis, of a core"
        " | PostgreSQL, cores | memory of the processes, GiB | |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for connections in CONNECTIONS:
        found = plan(costs, connections)
        lines.append(_row(found) + (" holds |" if found.holds else " **does not hold** |"))
    return lines


def divided(costs: Costs) -> list[str]:
    """A million in groups."""
    count, found = groups(costs, CONNECTIONS[-1])
    return [
        f"{CONNECTIONS[-1]:,} connections in {count} groups of {found.connections:,}, each with its own Redis and PostgreSQL:"
        f" {count * found.processes} processes in all. One group:",
        "",
        *planned(costs)[:2],
        _row(found) + " holds |",
    ]


def _row(found: Plan) -> str:
    if found.process_share > BUSY:
        return (
            f"| {found.connections:,} | {found.messages_per_s:,.0f} | {found.deliveries_per_s:,.0f} | no number is enough"
            f" | | {found.hints_share:.0%} | {found.heads_share:.0%} | | | |"
        )
    return (
        f"| {found.connections:,} | {found.messages_per_s:,.0f} | {found.deliveries_per_s:,.0f} | {found.processes:,}"
        f" | {found.process_share:.0%} | {found.hints_share:.0%} | {found.heads_share:.0%} | {found.redis_share:.0%} | {found.database_cores:.1f}"
        f" | {found.memory_gib:.1f} |"
    )


def limits(costs: Costs) -> list[str]:
    """The message rate at which each part is at its bound, whatever the others do."""
    database = DATABASE_CORES * BUSY * 1e6 / (costs.database_commit_us + costs.database_message_us)
    unseen, shown = (costs.heard_us + each for each in (costs.hint_us, costs.hint_shown_us))
    most_rooms = HINTS_SHARE * 1e6 / costs.room_us
    rows: dict[str, float | None] = {
        f"hints heard by a process with nobody there, {HINTS_SHARE:.0%} of its core": HINTS_SHARE
        * 1e6
        / unseen,
        f"the same with somebody there, {HINTS_SHARE:.0%}": HINTS_SHARE * 1e6 / shown,
        f"Redis with 10 processes, {BUSY:.0%} of its core": _redis_limit(costs, 10),
        f"Redis with 50 processes, {BUSY:.0%}": _redis_limit(costs, 50),
        f"Redis with 200 processes, {BUSY:.0%}": _redis_limit(costs, 200),
        f"PostgreSQL with {DATABASE_CORES} cores, {BUSY:.0%} of them": database,
        f"comparing heads, {HINTS_SHARE:.0%} of every process's core: at {most_rooms:,.0f} rooms": None,
        f"PostgreSQL's {DATABASE_CONNECTIONS} connections: with {DATABASE_CONNECTIONS // CONNECTIONS_A_PROCESS} processes": None,
        "one room: transactions one after another, with one message each": 1000 / costs.commit_ms,
    }
    return [
        "| what is full | at messages/s |",
        "|---|---|",
        *(f"| {name} | {'any' if value is None else f'{value:,.0f}'} |" for name, value in rows.items()),
    ]


def _redis_limit(costs: Costs, processes: int) -> float:
    return BUSY * 1e6 / (costs.redis_hint_us + processes * costs.redis_copy_us)


def checked(costs: Costs) -> list[str]:
    """The arithmetic of one group beside what the simulation finds when things wait for each other."""
    _, group = groups(costs, CONNECTIONS[-1])
    lines = [
        "| | a process, for messages and hints | Redis | PostgreSQL for messages, cores | p50 ms | p99 ms |",
        "|---|---|---|---|---|---|",
    ]
    for found in (plan(costs, CONNECTIONS[1]), group):
        messages, processes = found.messages_per_s, found.processes
        own = costs.message_us + costs.commit_us + AUDIENCE * costs.send_us
        share = messages * own / processes / 1e6 + found.hints_share
        database = messages * (costs.database_commit_us + costs.database_message_us) / 1e6
        lines.append(
            f"| {found.connections:,}, arithmetic | {share:.1%} | {found.redis_share:.1%} | {database:.2f} | | |"
        )
        rooms = found.connections // AUDIENCE
        out = simulate(
            costs, Setup(processes, rooms, AUDIENCE, rate=messages, cores=None), warm_s=0.1, seconds=0.5
        )
        redis = out.redis_share if processes > 1 else 0.0
        lines.append(
            f"| {found.connections:,}, simulated | {out.process_share:.1%} | {redis:.1%} | {out.database_cores:.2f}"
            f" | {out.p50_ms:.1f} | {out.p99_ms:.1f} |"
        )
    return lines


def blocks(report: str) -> dict[str, list[str]]:
    """Every table of the page by its mark."""
    costs = read(report)
    tables: dict[str, Callable[[], list[str]]] = {
        "compared": lambda: compared(costs, report), "planned": lambda: planned(costs), "limits": lambda: limits(costs),
        "divided": lambda: divided(costs), "checked": lambda: checked(costs),
    }  # fmt: skip
    return {mark: table() for mark, table in tables.items()}


def page(text: str, report: str) -> str:
    """The page with its tables as the report has them. Raises KeyError for a mark that is unknown."""
    found = blocks(report)

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}\n\n" + "\n".join(found[match[2]]) + f"\n\n{match[3]}"

    return re.sub(r"(<!-- simulated: (\w+) -->)\n.*?(<!-- end -->)", table, text, flags=re.DOTALL)


def write(page_path: Path = PAGE, report_path: Path = REPORT) -> None:
    """Writes the tables anew."""
    text = page(page_path.read_text(encoding="utf-8"), report_path.read_text(encoding="utf-8"))
    page_path.write_text(text, encoding="utf-8")
