"""`python run.py` on a clone and an interpreter that has nothing: what a new user sees.

One clone is installed for real, over the network; the further cases go on from there, in their order.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import Server, command, environment

NO_NETWORK = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null"}
VERSION = "roomlog 0.1.0\n"
INSTALLING = "roomlog: installing what is needed into .venv"


@pytest.fixture(scope="session")
def installed(clone: Path, bare_python: Path) -> Path:
    """The clone after its first start."""
    first = command("--version", program=[str(bare_python), "run.py"], cwd=clone)
    assert first.returncode == 0, first.stderr
    announced, told = first.stdout.splitlines(keepends=True)
    assert announced.startswith(INSTALLING)
    assert (told, first.stderr) == (VERSION, "")
    return clone


def test_second_start_installs_nothing(installed: Path, bare_python: Path) -> None:
    second = command("--version", program=[str(bare_python), "run.py"], cwd=installed, **NO_NETWORK)
    assert (second.returncode, second.stdout, second.stderr) == (0, VERSION, "")


def test_it_serves_from_its_own_environment(installed: Path, bare_python: Path, tmp_path: Path) -> None:
    with Server(tmp_path / "data", program=[str(bare_python), "run.py"], cwd=installed) as server:
        assert '"ok"' in server.get("/healthz")
        assert "<form" in server.get("/login")
        assert server.stop(signal.SIGINT) == 0, server.log


def test_arguments_reach_the_program_as_they_are(installed: Path, bare_python: Path) -> None:
    odd = command(
        "user", "add", "a b$c", "--role", "king", program=[str(bare_python), "run.py"], cwd=installed
    )
    assert odd.returncode == 2
    assert "invalid choice: 'king'" in odd.stderr


def test_changed_setup_cfg_is_installed_and_without_network_told(installed: Path, bare_python: Path) -> None:
    program = [str(bare_python), "run.py"]
    with (installed / "setup.cfg").open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    refused = command("--version", program=program, cwd=installed, **NO_NETWORK)
    assert refused.returncode == 2
    assert "is there a network?" in refused.stderr
    again = command("--version", program=program, cwd=installed)
    assert again.stdout.startswith(INSTALLING) and again.stdout.endswith(f"\n{VERSION}"), again.stderr
    assert command("--version", program=program, cwd=installed).stdout == VERSION


def test_lost_python_of_the_environment_is_healed(installed: Path, bare_python: Path) -> None:
    for link in (installed / ".venv" / "bin").glob("python*"):
        link.unlink()
    healed = command("--version", program=[str(bare_python), "run.py"], cwd=installed)
    assert healed.stdout.endswith(VERSION), healed.stderr


def test_without_network_a_first_start_is_told_and_the_next_one_starts_over(
    fresh_clone: Path, bare_python: Path
) -> None:
    program = [str(bare_python), "run.py"]
    for _ in range(2):
        refused = command("--version", program=program, cwd=fresh_clone, **NO_NETWORK)
        assert refused.returncode == 2
        assert refused.stdout.startswith(INSTALLING) and refused.stdout.count("\n") == 1
        (told,) = refused.stderr.splitlines()
        assert told.startswith("roomlog: the dependencies cannot be installed (is there a network?): ")
    assert (fresh_clone / ".venv" / "roomlog-installed").read_text() == "unfinished"


def test_environment_cut_short_while_it_is_made_is_made_again(fresh_clone: Path, bare_python: Path) -> None:
    half = fresh_clone / ".venv"
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").symlink_to("/bin/false")
    (half / "pyvenv.cfg").write_text("home = nowhere\n")
    (half / "leftover").write_text("")
    command("--version", program=[str(bare_python), "run.py"], cwd=fresh_clone, **NO_NETWORK)
    assert not (half / "leftover").exists()
    whole = subprocess.run([half / "bin" / "python", "-c", "import pip"], env=environment(), check=False)
    assert whole.returncode == 0


def test_missing_venv_module_is_told_with_the_package_that_has_it(fresh_clone: Path, tmp_path: Path) -> None:
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "hidden = ('ensurepip', 'tornado')\n"
        "util.find_spec = lambda name, *rest: None if name in hidden else find(name, *rest)\n"
    )
    told = command(
        "--version", program=[sys.executable, "run.py"], cwd=fresh_clone, PYTHONPATH=str(tmp_path / "hide")
    )
    assert told.returncode == 2
    assert told.stderr.startswith("roomlog: Python's venv module is missing: ")
    assert "apt install python3-venv" in told.stderr
    assert told.stderr.count("\n") == 1
    assert not (fresh_clone / ".venv").exists()


def test_interpreter_that_has_everything_needs_no_environment(fresh_clone: Path) -> None:
    done = command("--version", program=[sys.executable, "run.py"], cwd=fresh_clone, **NO_NETWORK)
    assert (done.stdout, done.stderr) == (VERSION, "")
    assert not (fresh_clone / ".venv").exists()
