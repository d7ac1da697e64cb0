"""Makes `.venv` beside run.py and keeps it installed, so that a fresh clone needs nothing but Python.

`run.py` and `python -m tests` call `enter` before they import anything else; it uses the standard library
only. It goes on in the running interpreter when the dependencies import there, else in `.venv` through execv.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = "roomlog-installed"  # in .venv: a digest of what was installed, then the extras
UNFINISHED = "unfinished"  # stands there while .venv is being made

# What setup.cfg's install_requires and its extra `test` bring, by the names they are imported by.
MODULES = (
    "tornado", "jinja2", "msgspec", "sqlalchemy", "greenlet", "asyncpg", "redis", "alembic", "argon2",
    "prometheus_client", "markdown_it", "linkify_it", "nh3", "babel", "emoji",
)  # fmt: skip
TEST_MODULES = (
    *MODULES, "pytest", "pytest_tornado", "pkg_resources", "pytest_cov", "pytest_benchmark", "coverage",
    "hypothesis", "playwright", "websockets", "mypy", "ruff", "bandit", "check_jsonschema", "uvloop",
)  # fmt: skip

_NETWORK_SIGNS = (
    "connection", "timed out", "name resolution", "no matching distribution", "unreachable", "proxy",
)  # fmt: skip


def enter(command: Sequence[str], *, extra: str = "") -> None:
    """Returns when this interpreter has everything; else makes `.venv` and runs `command` in it.

    `command` is what stands after the interpreter's name, `extra` one of setup.cfg's extras. Ends the
    process with exit code 2 and one line on standard error when the environment cannot be made.
    """
    if Path(sys.prefix).resolve() == VENV.resolve():
        if missing(extra) or _stamp() not in (None, _digest()):
            _install(extra)
        return
    if not missing(extra):
        return
    python = VENV / "bin" / "python"
    if not python.exists() or (_stamp() != _digest() and not _usable(python)):
        _make()
    try:
        os.execv(python, [str(python), *command])  # nosec B606 # our own arguments, no shell
    except OSError as error:
        fail(f"{python} does not start ({error.strerror}); remove the folder .venv and try again")


def missing(extra: str = "") -> list[str]:
    """The modules this interpreter cannot import, found without importing any."""
    return [name for name in (TEST_MODULES if extra else MODULES) if importlib.util.find_spec(name) is None]


def fail(sentence: str) -> NoReturn:
    """Ends the process the way every command does: one line on standard error, exit code 2."""
    sys.stderr.write(f"roomlog: {' '.join(sentence.split())}\n")
    sys.exit(2)


def _make() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
        fail("Python's venv module is missing: install it (on Debian and Ubuntu: apt install python3-venv)")
    try:
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir()
        (VENV / STAMP).write_text(UNFINISHED, encoding="utf-8")
    except OSError as error:
        fail(f"the folder .venv cannot be made: {error}")
    _run([sys.executable, "-m", "venv", str(VENV)], "the folder .venv cannot be made")


def _install(extra: str) -> None:
    """Installs the project and what it needs into `.venv`, in which this runs."""
    if importlib.util.find_spec("pip") is None:
        fail("the folder .venv is not whole; remove it and try again")
    # On standard output: what goes wrong is one line, and the only one on standard error.
    sys.stdout.write("roomlog: installing what is needed into .venv (once; this takes a minute) …\n")
    sys.stdout.flush()
    extras = sorted({extra, *_stamped_extras()} - {""})
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2"]
    what = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    _run([*pip, "--editable", what], "the dependencies cannot be installed")
    importlib.invalidate_caches()
    if lacking := missing(extra):
        fail(f"the installation lacks {', '.join(lacking)}; remove the folder .venv and try again")
    (VENV / STAMP).write_text("\n".join([_digest(), *extras]) + "\n", encoding="utf-8")


def _run(command: list[str], failure: str) -> None:
    """Runs a step quietly; on failure the tool's own reason becomes one line."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PIP_USER", "PIP_TARGET")}
    done = subprocess.run(  # nosec B603 # pip and venv with fixed arguments, no shell
        command, capture_output=True, text=True, errors="replace", env=environment, check=False
    )
    if done.returncode == 0:
        return
    output = (done.stdout + done.stderr).strip()
    lines = [line.strip() for line in output.splitlines() if "subprocess-exited" not in line]
    reasons = [line for line in lines if line.lower().startswith("error:")] or lines[-1:]
    if any(sign in output.lower() for sign in _NETWORK_SIGNS):
        failure += " (is there a network?)"
    fail(f"{failure}: {reasons[-1] if reasons else f'exit code {done.returncode}'}")


def _usable(python: Path) -> bool:
    """Whether `.venv` is whole: neither was its making interrupted nor is its Python gone or too old."""
    if _stamp() == UNFINISHED or not (VENV / "pyvenv.cfg").exists():
        return False
    check = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    # A fixed command.
    done = subprocess.run([str(python), "-c", check], capture_output=True, check=False)  # nosec B603
    return done.returncode == 0


def _stamp() -> str | None:
    """What was installed into `.venv` the last time; None for a `.venv` made by hand, or none at all."""
    return next(iter(_stamp_lines()), None)


def _stamped_extras() -> list[str]:
    return [line for line in _stamp_lines()[1:] if line.isidentifier()]


def _stamp_lines() -> list[str]:
    try:
        return (VENV / STAMP).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return []


def _digest() -> str:
    content = b"".join((ROOT / name).read_bytes() for name in ("setup.cfg", "pyproject.toml"))
    return hashlib.sha256(content).hexdigest()
