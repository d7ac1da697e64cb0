"""`python -m bench`: measures this server beside its peers and writes docs/benchmarks/latest.md.

    python -m bench [--quick] [--runs N] [--scenario NAME …] [--peer NAME …] [--output FILE]
    python -m bench micro [pytest arguments]
    python -m bench nodes [--runs N] [--output FILE]     several processes; docs/benchmarks/nodes.md, docs/scaling.md
    python -m bench scaling                              docs/scaling.md anew, from docs/benchmarks/nodes.md

Servers are started one at a time, on a core of their own, in turn within each run. --quick is for a look
while working: two runs of Node ws, Bun and this server, under three minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chat_app import bootstrap

QUICK_PEERS = ("Node ws", "Bun", "Roomlog")


@dataclass(frozen=True)
class Step:
    """A scenario with its parameters; `only`: the servers it makes sense for."""

    name: str
    run: Callable[..., dict[str, dict[str, float]]]
    arguments: tuple[int, ...] = ()
    only: tuple[str, ...] = ()
    quick: bool = True
    quick_arguments: tuple[int, ...] = field(default=())


def steps() -> list[Step]:
    from bench import scenarios as s

    ours, few = ("Roomlog",), ("Node ws", "websockets broadcast()", "Go gorilla", "Bun", "Roomlog")
    return [
        Step("fan-out-100", s.fan_out, (100,)),
        Step("fan-out-1000", s.fan_out, (1_000,)),
        Step("fan-out-5000", s.fan_out, (5_000,), few, quick=False),
        Step("rooms", s.many_rooms, (), ("Node ws", "Bun", "Roomlog")),
        Step("storm", s.storm, (5_000,), ("Node ws", "Roomlog")),
        Step("slow", s.slow_readers, (1_000, 50), ours, quick=False),
        Step("heartbeat", s.heartbeat, (5_000,), ours, quick=False),
        Step("big-room", s.big_room, (1_000_000,), ours, quick_arguments=(50_000,)),
    ]


def main(arguments: Sequence[str]) -> int:
    os.chdir(bootstrap.ROOT)
    if arguments[:1] == ["micro"]:
        bootstrap.enter(["-m", "bench", *arguments], extra="test")
        return subprocess.run(
            [sys.executable, "-m", "pytest", "bench/micro", "-q", "--benchmark-only", *arguments[1:]], check=False
        ).returncode  # fmt: skip
    if arguments[:1] in (["nodes"], ["scaling"]):
        bootstrap.enter(["-m", "bench", *arguments], extra="test")
        return _nodes(arguments[1:]) if arguments[0] == "nodes" else _scaling()
    bootstrap.enter(["-m", "bench", *arguments])
    options = _parse(arguments)
    from bench import install, loader

    missing = install.prepare()
    try:
        program = loader.build(install.CACHE)
    except loader.LoadFailed as error:
        bootstrap.fail(str(error))
    return _measure(options, program, missing)


def _nodes(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench nodes", description="Measures several processes.")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="interleaved runs [3]")
    parser.add_argument(
        "--output", default="docs/benchmarks/nodes.md", metavar="FILE", help="where the report goes"
    )
    options = parser.parse_args(arguments)
    from bench import install, loader, machine, nodes, nodes_report
    from bench.grid import Grid
    from tests.services import missing_postgresql, missing_redis

    for missing in (missing_postgresql(), missing_redis()):
        if missing is not None:
            bootstrap.fail(missing)
    try:
        program = loader.build(install.CACHE)
    except loader.LoadFailed as error:
        bootstrap.fail(str(error))
    about = machine.describe(machine.isolate())
    machine.raise_descriptors()
    started = time.monotonic()
    grid = Grid(load=program)
    try:
        found = nodes.measure(grid, runs=options.runs)
    finally:
        grid.close()
    about["Duration"] = f"{time.monotonic() - started:.0f} s"
    text = nodes_report.render(
        found, machine=about, runs=options.runs, when=time.strftime("%Y-%m-%d", time.gmtime())
    )
    Path(options.output).write_text(text, encoding="utf-8")
    print(text)
    if found.failures:
        return 1
    return _scaling() if options.output == parser.get_default("output") else 0


def _scaling() -> int:
    from bench import scaling

    scaling.write()
    return 0


def _measure(options: argparse.Namespace, program: Path, missing: dict[str, str]) -> int:
    from bench import machine, report
    from bench.figures import Results
    from bench.servers import PEERS, Arena

    network = machine.isolate()
    machine.raise_descriptors()
    about = machine.describe(network)
    peers = [peer for peer in PEERS if not options.peer or peer.name in options.peer]
    absent = {peer.name: missing[peer.kind] for peer in peers if peer.kind in missing}
    present = [peer for peer in peers if peer.name not in absent]
    results, failures = Results(), []
    arena = Arena(load=program, cores=machine.cores(), python=options.python)
    started = time.monotonic()
    try:
        for run in range(options.runs):
            for step in _chosen(options):
                for peer in present:
                    if not step.only or peer.name in step.only:
                        failures += _run(step, peer, run, results, arena, options)
    finally:
        arena.close()
    about["Duration"] = f"{time.monotonic() - started:.0f} s"
    text = report.render(
        results, machine=about, missing=absent, failures=list(dict.fromkeys(failures)), runs=options.runs,
        when=time.strftime("%Y-%m-%d", time.gmtime()),
    )  # fmt: skip
    output = Path(options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    print(text)
    return 1 if failures else 0


def _run(
    step: Step, peer: object, run: int, results: object, arena: object, options: argparse.Namespace
) -> list[str]:
    from bench import scenarios
    from bench.figures import Results
    from bench.loader import LoadFailed
    from bench.process import ServerFailed
    from bench.servers import Arena, Peer

    assert isinstance(peer, Peer) and isinstance(results, Results) and isinstance(arena, Arena)
    given = (options.quick and step.quick_arguments) or step.arguments
    durations = scenarios.QUICK if options.quick else scenarios.FULL
    sys.stderr.write(f"run {run + 1}: {step.name}, {peer.name}\n")
    try:
        for scenario, figures in step.run(arena, peer, durations, *given).items():
            results.add(run, scenario, peer.name, figures)
    except (scenarios.Wrong, LoadFailed, ServerFailed, OSError) as error:
        sys.stderr.write(f"  failed: {error}\n")
        return [f"{step.name}, {peer.name}: {error}"]
    return []


def _chosen(options: argparse.Namespace) -> list[Step]:
    return [
        step
        for step in steps()
        if (step.name in options.scenario if options.scenario else step.quick or not options.quick)
    ]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    from bench.servers import PEERS

    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measures this server and its peers."
    )
    names = [step.name for step in steps()]
    parser.add_argument("--quick", action="store_true", help="two short runs of three servers")
    parser.add_argument("--runs", type=int, default=0, metavar="N", help="interleaved runs [5; quick: 2]")
    parser.add_argument("--scenario", action="append", choices=names, help="only this; may be repeated")
    parser.add_argument("--peer", action="append", choices=[peer.name for peer in PEERS], metavar="NAME",
        help=f"only this; may be repeated: {', '.join(peer.name for peer in PEERS)}")  # fmt: skip
    parser.add_argument("--output", default="", metavar="FILE",
        help="where the report goes [docs/benchmarks/latest.md; quick: bench/.cache/quick.md]")  # fmt: skip
    parser.add_argument("--python", default="", metavar="FILE", help="another interpreter for this server")
    options = parser.parse_args(arguments)
    options.runs = options.runs or (2 if options.quick else 5)
    whole = not (options.quick or options.scenario or options.peer)
    options.output = options.output or ("docs/benchmarks/latest.md" if whole else "bench/.cache/report.md")
    if options.quick and not options.peer:
        options.peer = list(QUICK_PEERS)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
