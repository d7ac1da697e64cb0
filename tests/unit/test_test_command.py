"""`python -m tests`: what it installs, what it runs, and when it says no."""

import shutil
import subprocess
import sys
from typing import Any

import pytest

from chat_app import bootstrap
from tests import __main__ as suite


class Machine:
    """Stands for the machine: which programs it has, what was run on it, and how that ended."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *programs: str, root: bool = False, modules: bool = True
    ) -> None:
        self.programs = set(programs)
        self.modules = modules
        self.runs: list[list[str]] = []
        self.codes: dict[str, int] = {}
        self.apt_works = True
        monkeypatch.setattr(
            shutil, "which", lambda name: f"/usr/bin/{name}" if name in self.programs else None
        )
        monkeypatch.setattr(suite, "modules_are_there", lambda: self.modules)
        monkeypatch.setattr(suite.os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(subprocess, "run", self.run)
        monkeypatch.setattr(bootstrap, "enter", lambda command, *, extra: self.runs.append([extra, *command]))
        monkeypatch.delenv("CI", raising=False)

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.runs.append(command)
        if command[:2] == ["apt-get", "install"] and self.apt_works:
            self.programs |= set(command)
        code = next((code for word, code in self.codes.items() if word in command), 0)
        return subprocess.CompletedProcess(command, code)


def test_root_installs_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, "apt-get", "chromium", root=True)
    suite.install_packages()
    update, install = machine.runs
    assert update[:2] == ["apt-get", "update"]
    assert install[:2] == ["apt-get", "install"]
    assert "redis-server" in install
    assert "chromium" not in install


def test_others_are_told_the_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(monkeypatch, "apt-get")
    suite.install_packages()
    assert machine.runs == []
    assert capsys.readouterr().out == (
        "Some tests need more: sudo apt-get install -y chromium redis-server\n"
    )


def test_nothing_is_installed_or_said_when_all_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(monkeypatch, "apt-get", "chromium", "redis-server", root=True)
    suite.install_packages()
    assert (machine.runs, capsys.readouterr().out) == ([], "")


def test_missing_service_fails_the_machine_that_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(monkeypatch, "apt-get", root=True)
    machine.apt_works = False
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit) as ended:
        suite.install_packages()
    assert ended.value.code == 2
    assert "chromium redis-server" in capsys.readouterr().err


def test_without_arguments_everything_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, "chromium", "redis-server", "node")
    assert suite.main([]) == 0
    entered, *runs = machine.runs
    assert entered == ["test", "-m", "tests"]
    lines = [" ".join(command).removeprefix(f"{sys.executable} -m ") for command in runs]
    assert lines[:3] == ["ruff format --check .", "ruff check .", "mypy"]
    assert lines[3] == "bandit -q -c pyproject.toml -r chat_app run.py"
    assert [line.rpartition("/")[2] for line in lines[4:7]] == [f"{name}.json" for name in suite.PROJECTS]
    assert lines[7].startswith("node --test ")
    assert lines[8] == "pytest --cov --cov-report=term"


@pytest.mark.parametrize("failing", ["format", "check", "mypy", "bandit", "--project", "node", "pytest"])
def test_one_failure_fails_it_and_the_rest_still_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failing: str
) -> None:
    machine = Machine(monkeypatch, "chromium", "redis-server", "node")
    machine.codes[failing] = 1
    assert suite.main([]) == 1
    assert "pytest" in machine.runs[-1]
    assert "Failed: " in capsys.readouterr().out


def test_arguments_go_to_pytest_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, "chromium", "redis-server", "node")
    machine.codes["pytest"] = 5
    assert suite.main(["-k", "word", "-x"]) == 5
    assert machine.runs == [
        ["test", "-m", "tests", "-k", "word", "-x"],
        [sys.executable, "-m", "pytest", "-k", "word", "-x"],
    ]


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        (["faults", "--long"], ["tests/faults", "-rP", "--long"]),
        (["web", "-x"], ["tests/web", "-x"]),
        (["-k", "web"], ["-k", "web"]),
        (["tests/web"], ["tests/web"]),
        (["nothing"], ["nothing"]),
    ],
)
def test_the_name_of_a_folder_stands_for_its_tests(
    monkeypatch: pytest.MonkeyPatch, given: list[str], passed_on: list[str]
) -> None:
    machine = Machine(monkeypatch, "chromium", "redis-server")
    assert suite.main(given) == 0
    assert machine.runs[-1] == [sys.executable, "-m", "pytest", *passed_on]


def test_the_long_run_of_security_fuzzes_and_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, "chromium", "redis-server", "node")
    machine.codes["fuzz"] = 77
    assert suite.main(["security", "--long"]) == 1
    lines = [" ".join(command).removeprefix(f"{sys.executable} -m ") for command in machine.runs[1:]]
    assert lines == ["pytest tests/security", "tests.security.long fuzz", "tests.security.long wapiti"]


def test_without_node_its_tests_are_left_out_but_not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, "chromium", "redis-server")
    assert "scripts" not in dict(suite.steps())
    monkeypatch.setenv("CI", "true")
    assert "scripts" in dict(suite.steps())


def test_what_the_scripts_tests_need_is_installed_with_npm_once(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, "node", "npm", modules=False)
    suite.install_modules()
    assert [command[:3] for command in machine.runs] == [["npm", "ci", "--prefix"]]
    machine.modules = True
    suite.install_modules()
    assert len(machine.runs) == 1


@pytest.mark.parametrize("programs", [["node"], ["node", "npm"]])
def test_without_npm_or_a_network_it_is_left_out_but_not_in_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], programs: list[str]
) -> None:
    machine = Machine(monkeypatch, *programs, modules=False)
    machine.codes["npm"] = 1
    suite.install_modules()
    assert capsys.readouterr().out == (
        "No npm here, or no network: axe-core and the types of the browser code are left out.\n"
    )
    names = [name for name, _ in suite.steps()]
    assert "script types" not in names
    assert "scripts" in names
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit):
        suite.install_modules()
    assert "script types" in dict(suite.steps())
