"""deploy/roomlog.service: systemd takes every word of it, and it leaves the service little."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chat_app.settings import SETTINGS
from tests.processes import ROOT
from tests.services import need

UNIT = ROOT / "deploy" / "roomlog.service"
EXPOSED_AT_MOST = 1.5  # of 10; below 2 systemd itself says OK

pytestmark = pytest.mark.usefixtures("systemd")


@pytest.fixture(scope="module")
def systemd() -> None:
    need(None if shutil.which("systemd-analyze") else "systemd is missing: sudo apt-get install -y systemd")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """With a program that this machine has."""
    text = UNIT.read_text(encoding="utf-8")
    assert text.count("ExecStart=/opt/roomlog/bin/roomlog serve\n") == 1
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("/opt/roomlog/bin/roomlog", "/bin/true"), encoding="utf-8")
    return copy


def verify(unit: Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


def test_systemd_takes_it_without_a_word(unit: Path) -> None:
    assert verify(unit) == ""
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in verify(unit), "it would say so"


def test_it_leaves_the_service_little(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for roomlog.service: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= EXPOSED_AT_MOST


def test_it_keeps_its_data_where_systemd_lets_it_and_has_time_to_drain() -> None:
    options = re.findall(r"^(\w+)=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    one = dict(options)
    given = dict(pair.partition("=")[::2] for pair in one["Environment"].split())
    assert set(given) - {"PYTHONDONTWRITEBYTECODE"} <= {setting.variable for setting in SETTINGS}
    assert given["CHAT_DATA"] == f"/var/lib/{one['StateDirectory']}"
    assert (one["KillMode"], one["TimeoutStopSec"], one["Restart"]) == ("mixed", "35", "on-failure")


@pytest.mark.parametrize(("processes", "ended"), [("", None), ("1", None), ("2", -signal.SIGHUP)])
def test_reloading_is_for_several_processes(processes: str, ended: int | None) -> None:
    """A process alone knows no SIGHUP: it would be gone, and systemd would think that it was told to."""
    (line,) = re.findall(r"^ExecReload=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    waits = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); print(flush=True); signal.pause()"
    main = subprocess.Popen([sys.executable, "-c", waits], stdout=subprocess.PIPE)
    assert main.stdout is not None and main.stdout.readline()
    variables = {**os.environ, "MAINPID": str(main.pid), "CHAT_PROCESSES": processes}
    done = subprocess.run(shlex.split(line.replace("$$", "$")), env=variables, check=False)
    try:
        assert (done.returncode == 0) == (ended is not None)
        if ended is not None:
            assert main.wait(30) == ended
        assert main.poll() == ended
    finally:
        main.kill()
        main.wait()
        main.stdout.close()
