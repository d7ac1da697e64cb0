"""Runs steps side by side, one more than there are processors: `python -m tests` calls `run_all`.

What a step writes is shown whole when it has ended, so that a log can be read from top to bottom.
"""

import os
import subprocess
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from chat_app import bootstrap

MOST = 4  # tests of faults and of pages have deadlines


@dataclass(frozen=True)
class Step:
    name: str
    command: list[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    step: Step
    output: str
    code: int
    seconds: float


def lanes() -> int:
    """One more than processors: installing, databases and faults wait for most of their time."""
    return min(MOST, 1 + len(os.sched_getaffinity(0)))


def run_all(steps: Iterable[Step]) -> list[Outcome]:
    """In their order as lanes become free; one that fails does not keep the others from running."""
    outcomes = []
    with ThreadPoolExecutor(lanes()) as pool:
        running: list[Future[Outcome]] = [pool.submit(run, step) for step in steps]
        try:
            for done in as_completed(running):
                outcomes.append(done.result())
                show(outcomes[-1])
        except BaseException:  # Ctrl-C reaches the running ones by itself
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return outcomes


def run(step: Step) -> Outcome:
    started = time.monotonic()
    print(f"-- {step.name} begins", flush=True)
    try:
        done = subprocess.run(
            step.command,
            cwd=bootstrap.ROOT,
            env={**os.environ, **step.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        output, code = done.stdout or "", done.returncode
    except OSError as error:
        output, code = f"{step.command[0]}: {error.strerror}\n", 1
    return Outcome(step, output, code, time.monotonic() - started)


def show(outcome: Outcome) -> None:
    says = "passed" if outcome.code == 0 else f"FAILED with {outcome.code}"
    head = f"\n== {outcome.step.name}: {says} in {outcome.seconds:.0f} s\n"
    print(head + outcome.output.rstrip("\n"), flush=True)  # at once: another one may say that it begins
