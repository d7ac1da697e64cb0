"""Checks everything: `python -m tests`; with arguments it only passes them on to pytest.

The first argument may be the name of a folder here: `python -m tests faults --long`.

Makes `.venv` with the test extra when needed, as root installs missing Debian packages, with npm what the
browser code's tests need (`tests/js/package.json`), then checks format, lint and types and runs the browser
code's unit tests and pytest with branch coverage. One that fails does not keep the others from running; the
exit code tells whether all passed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator

if sys.version_info < (3, 11):  # noqa: UP036  (this line is what an older Python gets to say)
    sys.stderr.write(
        "roomlog: Python 3.11 or newer is needed; this is Python {}.{}\n".format(*sys.version_info)
    )
    sys.exit(2)

from chat_app import bootstrap

# What the tests need beside Python, by the program that shows it is there.
PACKAGES = {"chromium": "chromium", "redis-server": "redis-server"}
SCRIPTS = bootstrap.ROOT / "tests" / "js"
MODULES = SCRIPTS / "node_modules"
PROJECTS = (
    "jsconfig",
    "jsconfig.worker",
    "jsconfig.tests",
)  # what the browser, its service worker and node run


def main(arguments: list[str]) -> int:
    os.chdir(bootstrap.ROOT)
    bootstrap.enter(["-m", "tests", *arguments], extra="test")
    install_packages()
    install_modules()
    if arguments == ["security", "--long"]:
        return finish(name for name, command in long_steps() if run(name, command) != 0)
    if arguments:
        return run("tests", [sys.executable, "-m", "pytest", *in_folder(arguments)])
    return finish(name for name, command in steps() if run(name, command) != 0)


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


def steps() -> Iterator[tuple[str, list[str]]]:
    python = [sys.executable, "-m"]
    yield "format", [*python, "ruff", "format", "--check", "."]
    yield "lint", [*python, "ruff", "check", "."]
    yield "types", [*python, "mypy"]
    yield "security", [*python, "bandit", "-q", "-c", "pyproject.toml", "-r", "chat_app", "run.py"]
    if not shutil.which("node") and not strict():
        print("\nNo node here: the browser code's types and unit tests are left out.", flush=True)
    else:
        if modules_are_there() or strict():
            compiler = str(MODULES / "typescript" / "bin" / "tsc")
            for project in PROJECTS:
                yield "script types", ["node", compiler, "--project", str(SCRIPTS / f"{project}.json")]
        yield "scripts", ["node", "--test", *sorted(map(str, SCRIPTS.glob("*.test.mjs")))]
    yield "tests", [*python, "pytest", "--cov", "--cov-report=term"]


def run(name: str, command: list[str]) -> int:
    print(f"\n== {name}", flush=True)
    try:
        return subprocess.run(command, cwd=bootstrap.ROOT, check=False).returncode
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", flush=True)
        return 1


def install_packages() -> None:
    """Installs missing Debian packages when run as root, else tells how; in CI a missing one ends the run."""
    lacking = missing_packages()
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for action in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *lacking]):
            subprocess.run(["apt-get", *action], env=environment, stdout=subprocess.DEVNULL, check=False)
        lacking = missing_packages()
    if lacking and strict():
        bootstrap.fail(f"the tests need {' '.join(lacking)}, which cannot be installed here")
    if lacking:
        print(f"Some tests need more: sudo apt-get install -y {' '.join(lacking)}", flush=True)


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


def missing_packages() -> list[str]:
    return [package for program, package in PACKAGES.items() if not shutil.which(program)]


def strict() -> bool:
    """Whether a missing service is a failure: on the machine that decides."""
    return os.environ.get("CI", "").lower() in ("1", "true")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
