"""What docs/operations.md says of a lost PostgreSQL: a standby is promoted, and the server goes on there by itself."""

import json
import os
import shutil
import signal
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.processes import Server, command
from tests.services import PostgreSQL, missing_postgresql, need

PASSWORD = "correct horse battery"


class Standby(PostgreSQL):
    """Follows `primary`, which acknowledges a commit when it is here too."""

    def __init__(self, primary: PostgreSQL) -> None:
        self._programs, self._as, self._options = primary._programs, primary._as, primary._options
        self._folder = primary._folder / "standby"
        self._folder.mkdir(mode=0o711)
        self._data = self._folder / "data"
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(self._data, "postgres")
        self.port = free_port()
        self._run("pg_basebackup", "-D", str(self._data), "-R", "-c", "fast", "-d", primary.url)
        self.start()
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.sql("SELECT pg_reload_conf()")


@pytest.fixture
def pair() -> Iterator[tuple[PostgreSQL, Standby]]:
    """A primary, which may be killed, and its standby."""
    need(missing_postgresql())
    primary = PostgreSQL()
    try:
        standby = Standby(primary)
        yield primary, standby
        standby.stop()
    finally:
        primary.close()


def until_ready(server: Server, ready: bool) -> None:
    """Asked again and again: nobody is told. A server that never gets there fails by its own log."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            if bool(json.loads(server.get("/readyz"))["ok"]) is ready:
                return
        except urllib.error.HTTPError as error:
            assert error.code == 503
            if not ready:
                return
    raise AssertionError(server.log)


def said(server: Server) -> None:
    """Somebody signs in, and what is said is stored and comes back."""
    done = command("smoke", "--url", server.url, "--name", "ada", "--password-stdin", "--timeout", "30",
                   typed=f"{PASSWORD}\n")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_promoted_standby_has_everything_and_is_found_by_who_names_both(
    pair: tuple[PostgreSQL, Standby], tmp_path: Path
) -> None:
    primary, standby = pair
    name = primary.database().rpartition("/")[2]
    hosts = ",".join(f"127.0.0.1:{one.port}" for one in pair)
    told = {"DATABASE_URL": f"postgresql:///{name}?user=roomlog&host={hosts}&target_session_attrs=primary"}
    made = command("user", "add", "ada", "--role", "owner", "--password-stdin", "--data", str(tmp_path / "none"),
                   typed=f"{PASSWORD}\n", **told)  # fmt: skip
    assert made.returncode == 0, made.stderr
    with Server(tmp_path / "data", variables=told) as server:
        said(server)
        stored = primary.sql("SELECT id, seq, text FROM messages ORDER BY room_id, seq", name)
        assert stored
        primary.stop(signal.SIGQUIT)
        until_ready(server, False)
        standby.sql("SELECT pg_promote()")
        until_ready(server, True)
        assert standby.sql("SELECT id, seq, text FROM messages ORDER BY room_id, seq", name) == stored
        said(server)
        assert server.stop() == 0, server.log
