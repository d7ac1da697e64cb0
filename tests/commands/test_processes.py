"""`--processes N`: what it refuses, and three processes on a real PostgreSQL and a real Redis. What they
survive: tests/faults/test_processes.py.
"""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.processes import Server, children_of, command
from tests.services import PostgreSQL, Redis

PASSWORD = "correct horse battery"
COUNT = 3


def refused(data: Path, *flags: str, **variables: str) -> str:
    done = command("serve", "--port", "0", "--data", str(data), *flags, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1 and lines[0].startswith("roomlog: "), done.stderr
    return lines[0]


@pytest.mark.parametrize("count", ["0", "-1", "65", "several", "1.5"])
def test_a_count_that_makes_no_sense_is_refused(tmp_path: Path, count: str) -> None:
    told = refused(tmp_path / "data", f"--processes={count}")
    assert f"CHAT_PROCESSES (--processes): {count!r} is not a whole number from 1 to 64." in told


def test_a_sqlite_file_has_one_process_and_the_reason_is_said(tmp_path: Path) -> None:
    told = refused(tmp_path / "data", CHAT_PROCESSES="3")
    assert "one process alone writes a SQLite file; set DATABASE_URL and REDIS_URL" in told
    assert not (tmp_path / "data").exists()


def test_several_without_redis_are_refused(tmp_path: Path) -> None:
    url = "postgresql://u:hunter2@127.0.0.1:1/chat"
    told = refused(tmp_path / "data", "--processes", "2", DATABASE_URL=url)
    assert told.endswith("2 processes tell each other over Redis what happens; set REDIS_URL.")


def test_a_database_out_of_reach_is_one_line_for_all(tmp_path: Path) -> None:
    url = f"postgresql://u:hunter2@127.0.0.1:{free_port()}/chat"
    told = refused(tmp_path / "data", "--processes", "3", DATABASE_URL=url, REDIS_URL="redis://127.0.0.1:1/0")
    assert "hunter2" not in told
    assert "cannot be" in told


def test_nobody_becomes_a_worker_by_accident(tmp_path: Path) -> None:
    assert "CHAT_WORKER is for the processes" in refused(tmp_path / "data", CHAT_WORKER="3,4")
    assert not (tmp_path / "data").exists()


def test_one_process_has_no_supervisor(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--processes", "1") as server:
        assert children_of(server.process.pid) == []
        assert '"process"' not in server.log


@pytest.fixture
def variables(postgresql: PostgreSQL, redis: Redis) -> dict[str, str]:
    return {"DATABASE_URL": postgresql.database(), "REDIS_URL": redis.url}


def on(data: Path, variables: Mapping[str, str], *arguments: str, typed: str = "") -> str:
    done = command(*arguments, "--data", str(data), typed=typed, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_three_are_set_up_administered_and_watched_as_one(
    tmp_path: Path, variables: dict[str, str], loop: str
) -> None:
    data = tmp_path / "data"
    with Server(data, "--processes", str(COUNT), "--loop", loop, variables=variables) as server:
        assert server.setup_url is not None
        assert len(server.printed) == 3, "two lines for the link, one that all serve"
        workers = children_of(server.process.pid)
        assert len(workers) == COUNT
        for _ in range(12):  # whichever process it is
            assert "setup" in server.get(server.setup_url.removeprefix(server.url))
        for name, role in (("Ada", "owner"), ("Bo", "member")):
            on(data, variables, "user", "add", name, "--role", role, typed=f"{PASSWORD}\n")
        for worker in workers:
            line = Path(f"/proc/{worker}/cmdline").read_text()
            assert variables["DATABASE_URL"] not in line and variables["REDIS_URL"] not in line
        os.kill(workers[0], signal.SIGKILL)
        assert "Bo" in on(data, variables, "user", "list"), "at once, by another one"
        smoke = ("smoke", "--url", server.url, "--name", "Ada", "--password-stdin", "--timeout", "60")
        for _ in range(3):
            assert command(*smoke, typed=f"{PASSWORD}\n").returncode == 0
        page = server.get("/metrics")
        for number in range(2, COUNT + 1):
            assert f'chat_connections{{process="{number}"}} ' in page
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.log.splitlines()]
    assert all(isinstance(line["process"], int) for line in lines)
    assert not [line for line in lines if line["level"] == "error"], server.log
    assert not (data / "control.sock").exists()
