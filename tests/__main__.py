"""Checks everything: `python -m tests`; with arguments it only passes them on to pytest.

The first argument may be the name of a folder here: `python -m tests faults --long`.

Makes `.venv` with the test extra when needed, as root installs missing Debian packages, with npm what the
browser code's tests need (`tests/js/package.json`), then checks format, lint and types and runs the browser
code's unit tests and pytest, with branch coverage where that can be reached without a browser or a fault. All of
it runs side by side (`tests/lanes.py`), ends with what took how long, and the exit code tells whether all passed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  (this line is what an older Python gets to say)
    sys.stderr.write(
        "roomlog: Python 3.11 or newer is needed; this is Python {}.{}\n".format(*sys.version_info)
    )
    sys.exit(2)

from chat_app import bootstrap
from tests import lanes, packages
from tests.lanes import Step
from tests.packages import strict

TESTS = bootstrap.ROOT / "tests"
SCRIPTS = TESTS / "js"
MODULES = SCRIPTS / "node_modules"
PROJECTS = (
    "jsconfig",
    "jsconfig.worker",
    "jsconfig.tests",
)  # what the browser, its service worker and node run

# Each is one pytest, in an order in which three lanes end together; what stands in none is the last one.
GROUPS = (
    ("e2e",), ("faults",), ("commands",), ("web", "security"), ("packaging",), ("contracts", "nodes"),
)  # fmt: skip
UNMEASURED = {
    "e2e",
    "faults",
    "packaging",
}  # a browser, and servers that are killed: what they reach others reach


def main(arguments: list[str]) -> int:
    os.chdir(bootstrap.ROOT)
    bootstrap.enter(["-m", "tests", *arguments], extra="test")
    packages.install()
    install_modules()
    if arguments == ["security", "--long"]:
        return finish(name for name, command in long_steps() if run(name, command) != 0)
    if arguments:
        return run("tests", [sys.executable, "-m", "pytest", *in_folder(arguments)])
    return everything()


def everything() -> int:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="roomlog-coverage-") as folder:
        outcomes = lanes.run_all(steps(Path(folder)))
        for step in coverage(Path(folder)):
            outcomes.append(lanes.run(step))
            lanes.show(outcomes[-1])
    print("\nWhat took how long:")
    for outcome in sorted(outcomes, key=lambda outcome: -outcome.seconds):
        print(f"{outcome.seconds:7.1f} s  {outcome.step.name}")
    print(f"{time.monotonic() - started:7.1f} s  in all, {lanes.lanes()} at a time", flush=True)
    return finish(outcome.step.name for outcome in outcomes if outcome.code != 0)


def finish(names: Iterable[str]) -> int:
    """Runs to the end, then says which failed."""
    failed = list(names)
    print(f"\nFailed: {', '.join(failed)}." if failed else "\nEverything passed.", flush=True)
    return 1 if failed else 0


def long_steps() -> Iterator[tuple[str, list[str]]]:
    """`security --long`: its tests, a minute of the fuzzer, and a scanner against a running server."""
    python = [sys.executable, "-m"]
    yield "tests", [*python, "pytest", "tests/security"]
    yield "fuzz", [*python, "tests.security.long", "fuzz"]
    yield "wapiti", [*python, "tests.security.long", "wapiti"]


def in_folder(arguments: list[str]) -> list[str]:
    """`faults` first stands for `tests/faults`; the numbers that a fault test prints are shown then."""
    first, *rest = arguments
    if not first.isidentifier() or not (bootstrap.ROOT / "tests" / first).is_dir():
        return arguments
    return [f"tests/{first}", *(["-rP"] if first == "faults" else []), *rest]


def steps(folder: Path) -> Iterator[Step]:
    """All but the sum of the coverage, which is measured into `folder`; the longest goes beside the checks."""
    suites = list(pytests(folder))
    yield suites[0]
    yield from checks()
    yield from suites[1:]


def checks() -> Iterator[Step]:
    python = [sys.executable, "-m"]
    yield Step("format", [*python, "ruff", "format", "--check", "."])
    yield Step("lint", [*python, "ruff", "check", "."])
    yield Step("types", [*python, "mypy"])
    yield Step("security", [*python, "bandit", "-q", "-c", "pyproject.toml", "-r", "chat_app", "run.py"])
    if not shutil.which("node") and not strict():
        print("\nNo node here: the browser code's types and unit tests are left out.", flush=True)
        return
    if modules_are_there() or strict():
        compiler = str(MODULES / "typescript" / "bin" / "tsc")
        for project in PROJECTS:
            yield Step(
                f"script types: {project}", ["node", compiler, "--project", str(SCRIPTS / f"{project}.json")]
            )
    yield Step("scripts", ["node", "--test", *sorted(map(str, SCRIPTS.glob("*.test.mjs")))])


def pytests(folder: Path) -> Iterator[Step]:
    """They keep out of each other's way: a cache each, and a file of coverage where it is measured."""
    for group in groups():
        label = "-".join(group)
        command = [sys.executable, "-m", "pytest", "-o", f"cache_dir=.pytest_cache/{label}", "--durations=5"]
        variables = {}
        if not UNMEASURED.intersection(group):
            command += ["--cov", "--cov-report=", "--cov-fail-under=0"]
            variables["COVERAGE_FILE"] = str(folder / f".coverage.{label}")
        names = [f"tests/{name}" for name in group]
        yield Step(f"tests of {', '.join(group)}", [*command, *names], variables)


def groups() -> list[tuple[str, ...]]:
    named = {name for group in GROUPS for name in group}
    found = {path.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")}
    return [*GROUPS, tuple(sorted(found - named))]


def coverage(folder: Path) -> Iterator[Step]:
    """What was measured by all of them, against the floor of setup.cfg. What a server wrote after the end of its
    pytest, or only in part since it was killed, lies beside the files of these and is left there.
    """
    python = [sys.executable, "-m", "coverage"]
    files = [step.variables["COVERAGE_FILE"] for step in pytests(folder) if step.variables]
    yield Step("sum of the coverage", [*python, "combine", "--quiet", *files])
    yield Step("coverage", [*python, "report"])


def run(name: str, command: list[str]) -> int:
    print(f"\n== {name}", flush=True)
    try:
        return subprocess.run(command, cwd=bootstrap.ROOT, check=False).returncode
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", flush=True)
        return 1


def install_modules() -> None:
    """What `tests/js` needs of npm, again when its lock is newer; without npm or a network it is left out."""
    if modules_are_there():
        return
    if shutil.which("npm"):
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent")
        command = ["npm", "ci", "--prefix", str(SCRIPTS), *quiet]
        if subprocess.run(command, cwd=bootstrap.ROOT, check=False).returncode == 0:
            return
    if strict():
        bootstrap.fail("the tests need npm and its registry")
    print("No npm here, or no network: axe-core and the types of the browser code are left out.", flush=True)


def modules_are_there() -> bool:
    lock, installed = SCRIPTS / "package-lock.json", MODULES / ".package-lock.json"
    return installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
