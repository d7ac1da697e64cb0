"""`--processes`: what it refuses."""

from pathlib import Path

import pytest

from tests.processes import Server, command


def refused(data: Path, *flags: str, **variables: str) -> str:
    done = command("serve", "--port", "0", "--data", str(data), *flags, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("roomlog: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("count", ["0", "-1", "65", "several", "1.5"])
def test_a_count_that_makes_no_sense_is_refused(tmp_path: Path, count: str) -> None:
    told = refused(tmp_path / "data", f"--processes={count}")
    assert f"CHAT_PROCESSES (--processes): {count!r} is not a whole number from 1 to 64." in told


def test_a_sqlite_file_has_one_process_and_the_reason_is_said(tmp_path: Path) -> None:
    told = refused(tmp_path / "data", CHAT_PROCESSES="3")
    assert "one process alone writes a SQLite file; set DATABASE_URL and REDIS_URL" in told
    assert not (tmp_path / "data").exists()


def test_nobody_becomes_a_worker_by_accident(tmp_path: Path) -> None:
    assert "CHAT_WORKER is for the processes" in refused(tmp_path / "data", CHAT_WORKER="3,4")
    assert not (tmp_path / "data").exists()


def test_one_process_has_no_supervisor(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--processes", "1") as server:
        pid = server.process.pid
        assert Path(f"/proc/{pid}/task/{pid}/children").read_text() == ""
        assert '"process"' not in server.log
