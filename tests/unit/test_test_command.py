"""`python -m tests`: what it installs, what it runs, and when it says no."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chat_app import bootstrap
from tests import __main__ as suite, lanes, packages
from tests.lanes import Step

EVERYTHING = (
    "chromium", "chromium-headless-shell", "redis-server", "postgres", "nginx", "haproxy", "caddy", "systemd-analyze",
    "node",
)  # fmt: skip
PACKAGES = {"postgres": "postgresql", "systemd-analyze": "systemd"}


class Machine:
    """Stands for the machine: which programs it has, what was run on it, and how that ended."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *programs: str, root: bool = False, modules: bool = True
    ) -> None:
        self.programs = set(programs)
        self.modules = modules
        self.runs: list[list[str]] = []
        self.variables: list[dict[str, str]] = []
        self.codes: dict[str, int] = {}
        self.apt_works = True
        monkeypatch.setattr(
            shutil, "which", lambda name: f"/usr/bin/{name}" if name in self.programs else None
        )
        monkeypatch.setattr(suite, "modules_are_there", lambda: self.modules)
        monkeypatch.setattr(packages, "postgresql_programs", lambda: shutil.which("postgres"))
        monkeypatch.setattr(packages, "WHILE_INSTALLING", {})
        monkeypatch.setattr(packages, "BOOTED", Path("/nowhere"))
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(subprocess, "run", self.run)
        monkeypatch.setattr(bootstrap, "enter", lambda command, *, extra: self.runs.append([extra, *command]))
        monkeypatch.delenv("CI", raising=False)

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.runs.append(command)
        self.variables.append(options.get("env") or {})
        if command[:2] == ["apt-get", "install"] and self.apt_works:
            self.programs |= {name for name in EVERYTHING if PACKAGES.get(name, name) in command}
        code = next((code for word, code in self.codes.items() if word in command), 0)
        return subprocess.CompletedProcess(command, code)


def names_of_checks() -> list[str]:
    return [step.name for step in suite.checks()]


def test_root_installs_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, "apt-get", "chromium", "nginx", root=True)
    packages.install()
    update, install, quicker = machine.runs
    assert update[:2] == ["apt-get", "update"]
    assert install[:2] == ["apt-get", "install"]
    assert install[-5:] == ["redis-server", "haproxy", "caddy", "systemd", "postgresql"]
    assert quicker[-1] == "chromium-headless-shell"
    assert packages.missing() == []


@pytest.mark.parametrize("decides", [False, True])
def test_a_quicker_browser_is_tried_for_and_the_other_does_as_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, decides: bool
) -> None:
    """The lists of packages are fetched for it on the machine that decides only."""
    machine = Machine(monkeypatch, "apt-get", *(set(EVERYTHING) - {"chromium-headless-shell"}), root=True)
    machine.apt_works = False
    monkeypatch.setenv("CI", "true" if decides else "")
    packages.install()
    assert [command[1] for command in machine.runs] == ["update", "install"][not decides :]
    assert machine.runs[-1][-1] == "chromium-headless-shell"
    assert packages.chromium() == "/usr/bin/chromium"
    assert capsys.readouterr().out == ""
    machine.apt_works = True
    packages.install()
    assert packages.chromium() == "/usr/bin/chromium-headless-shell"


def test_what_is_installed_for_the_tests_is_no_service_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing starts, now or with the machine, and what keeps it from that is gone afterwards."""
    machine = Machine(
        monkeypatch, "apt-get", *(set(EVERYTHING) - {"redis-server", "systemd-analyze"}), root=True
    )
    policy, cluster = tmp_path / "policy-rc.d", tmp_path / "new" / "folder" / "cluster.conf"
    monkeypatch.setattr(packages, "WHILE_INSTALLING", {policy: "exit 101\n", cluster: "false\n"})
    monkeypatch.setattr(packages, "BOOTED", tmp_path)
    seen = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if command[0] == "apt-get":
            seen.append((policy.read_text(), os.access(policy, os.X_OK), cluster.read_text()))
        return machine.run(command, **options)

    monkeypatch.setattr(subprocess, "run", run)
    packages.install()
    assert seen == [("exit 101\n", True, "false\n")] * 2
    assert machine.runs[-1] == ["systemctl", "disable", "--quiet", "redis-server"]
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_is_there_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Machine(monkeypatch, "apt-get", root=True)
    policy = tmp_path / "policy-rc.d"
    policy.write_text("exit 0\n")
    monkeypatch.setattr(packages, "WHILE_INSTALLING", {policy: "exit 101\n"})
    packages.install()
    assert policy.read_text() == "exit 0\n"


def test_others_are_told_the_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(monkeypatch, "apt-get", "nginx", "haproxy", "caddy")
    packages.install()
    assert machine.runs == []
    assert capsys.readouterr().out == (
        "Some tests need more: sudo apt-get install -y chromium redis-server systemd postgresql\n"
    )


def test_nothing_is_installed_or_said_when_all_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(monkeypatch, "apt-get", *EVERYTHING, root=True)
    packages.install()
    assert (machine.runs, capsys.readouterr().out) == ([], "")


def test_missing_service_fails_the_machine_that_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(monkeypatch, "apt-get", root=True)
    machine.apt_works = False
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit) as ended:
        packages.install()
    assert ended.value.code == 2
    assert "chromium redis-server" in capsys.readouterr().err


def test_without_arguments_everything_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, *EVERYTHING)
    monkeypatch.setattr(lanes, "lanes", lambda: 1)
    assert suite.main([]) == 0
    entered, *runs = machine.runs
    assert entered == ["test", "-m", "tests"]
    lines = [" ".join(command).removeprefix(f"{sys.executable} -m ") for command in runs]
    assert lines[0].startswith("pytest ") and lines[0].endswith(" tests/e2e")
    assert lines[1:4] == ["ruff format --check .", "ruff check .", "mypy"]
    assert lines[4] == "bandit -q -c pyproject.toml -r chat_app run.py"
    assert [line.rpartition("/")[2] for line in lines[5:8]] == [f"{name}.json" for name in suite.PROJECTS]
    assert lines[8].startswith("node --test ")
    assert all(line.startswith("pytest ") for line in lines[9:-2])
    assert [line.partition(" /")[0] for line in lines[-2:]] == ["coverage combine --quiet", "coverage report"]


def test_every_test_is_run_once_and_pytests_side_by_side_share_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Machine(monkeypatch, *EVERYTHING)
    steps = list(suite.pytests(tmp_path))
    run = [argument for step in steps for argument in step.command if argument.startswith("tests/")]
    files = {f"tests/{path.relative_to(suite.TESTS).parts[0]}" for path in suite.TESTS.rglob("test_*.py")}
    assert sorted(run) == sorted(files)
    caches = [argument for step in steps for argument in step.command if argument.startswith("cache_dir=")]
    measured = [step for step in steps if "--cov" in step.command]
    assert len(set(caches)) == len(steps)
    assert len({step.variables["COVERAGE_FILE"] for step in measured}) == len(measured) > 1
    assert [step.name for step in steps if step not in measured] == [
        "tests of e2e", "tests of faults", "tests of packaging",
    ]  # fmt: skip


def test_steps_run_side_by_side_and_each_is_shown_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Two that wait for each other in the middle of what they say."""
    code = (
        "import pathlib, sys; own, other = map(pathlib.Path, sys.argv[1:3])\n"
        "print('first', own.name, flush=True); own.touch()\n"
        "while not other.exists(): pass\n"
        "print('last', own.name, file=sys.stderr); sys.exit(int(sys.argv[3]))"
    )
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    monkeypatch.setattr(lanes, "lanes", lambda: 2)
    outcomes = lanes.run_all(
        [
            Step("one", [sys.executable, "-c", code, a, b, "0"]),
            Step("two", [sys.executable, "-c", code, b, a, "3"]),
            Step("none", [str(tmp_path / "missing")]),
        ]
    )
    assert {outcome.step.name: outcome.code for outcome in outcomes} == {"one": 0, "two": 3, "none": 1}
    shown = capsys.readouterr().out
    assert re.search(r"== one: passed in \d+ s\nfirst a\nlast a\n", shown)
    assert re.search(r"== two: FAILED with 3 in \d+ s\nfirst b\nlast b\n", shown)
    assert f"{tmp_path / 'missing'}: No such file or directory" in shown


@pytest.mark.parametrize(
    "failing",
    ["format", "check", "mypy", "bandit", "--project", "node", "tests/e2e", "tests/web", "combine", "report"],
)
def test_one_failure_fails_it_and_the_rest_still_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failing: str
) -> None:
    machine = Machine(monkeypatch, *EVERYTHING)
    machine.codes[failing] = 1
    assert suite.main([]) == 1
    assert "report" in machine.runs[-1]
    assert sum("pytest" in command for command in machine.runs) == len(suite.groups())
    shown = capsys.readouterr().out
    assert "Failed: " in shown
    assert re.search(r"What took how long:\n(?: +[\d.]+ s  .+\n){10,}", shown)


def test_arguments_go_to_pytest_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, *EVERYTHING)
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
    machine = Machine(monkeypatch, *(set(EVERYTHING) - {"node"}))
    assert suite.main(given) == 0
    assert machine.runs[-1] == [sys.executable, "-m", "pytest", *passed_on]


def test_the_long_run_of_security_fuzzes_and_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, *EVERYTHING)
    machine.codes["fuzz"] = 77
    assert suite.main(["security", "--long"]) == 1
    lines = [" ".join(command).removeprefix(f"{sys.executable} -m ") for command in machine.runs[1:]]
    assert lines == ["pytest tests/security", "tests.security.long fuzz", "tests.security.long wapiti"]


def test_without_node_its_tests_are_left_out_but_not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, *(set(EVERYTHING) - {"node"}))
    assert "scripts" not in names_of_checks()
    monkeypatch.setenv("CI", "true")
    assert "scripts" in names_of_checks()


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
    assert "script types: jsconfig" not in names_of_checks()
    assert "scripts" in names_of_checks()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit):
        suite.install_modules()
    assert "script types: jsconfig" in names_of_checks()
