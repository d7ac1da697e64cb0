"""The commands on real processes and real files, with a server running and without."""

import http.client
import re
import shutil
import signal
import socket
import sqlite3
import stat
import urllib.parse
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from chat_app import cli, commands
from chat_app.data_folder import DataLock
from chat_app.web import control_client
from tests.processes import Server, command

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the owner Ada was made; each test has a copy."""
    folder = tmp_path_factory.mktemp("made") / "data"
    added = on(folder, "user", "add", "Ada", "--role", "owner", "--password-stdin", typed=f"{PASSWORD}\n")
    assert (added.returncode, added.stdout, added.stderr) == (0, "Added Ada as owner.\n", "")
    return folder


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """A folder in which the owner Ada was made, with no server running."""
    return Path(shutil.copytree(made, tmp_path / "data"))


def on(data: Path, *arguments: str, typed: str = "") -> CompletedProcess[str]:
    return command(*arguments, "--data", str(data), typed=typed)


def smoke(server: Server, name: str = "Ada", password: str = PASSWORD, *more: str) -> CompletedProcess[str]:
    told = ("--url", server.url, "--name", name, "--password-stdin", "--timeout", "60", *more)
    return command("smoke", *told, typed=f"{password}\n")


def status(server: Server, method: str, path: str, **form: str) -> int:
    connection = http.client.HTTPConnection("localhost", server.port, timeout=60)
    with closing(connection):
        body = urllib.parse.urlencode(form)
        headers = {"Origin": server.url, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, body if method == "POST" else None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def sign_in(server: Server, name: str, password: str) -> int:
    return status(server, "POST", "/login", name=name, password=password, next="/")


def test_server_prints_a_setup_link_until_there_is_an_owner(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        first = server.setup_url
        assert first is not None
        assert re.fullmatch(rf"{server.url}/setup\?token=[\w-]{{22,}}", first)
        assert status(server, "GET", first.removeprefix(server.url)) == 200
    with Server(data) as server:
        assert server.setup_url is not None
        assert server.setup_url.partition("=")[2] != first.partition("=")[2], "every start makes a fresh one"
        on(data, "user", "add", "Ada", "--role", "owner", typed=f"{PASSWORD}\n")
        assert status(server, "GET", server.setup_url.removeprefix(server.url)) == 404
    with Server(data) as server:
        assert server.setup_url is None


def test_folder_and_its_files_are_private(data: Path) -> None:
    with Server(data):
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in data.iterdir()}
    assert modes.keys() >= {"chat.db", "control.sock", "cookie_secret", "lock"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_server_cleanly(data: Path, number: signal.Signals) -> None:
    with Server(data) as server:
        assert server.stop(number) == 0, server.log
        assert "Traceback" not in server.log
    assert not (data / "control.sock").exists()


def test_all_of_it_works_with_uvloop(data: Path) -> None:
    with Server(data, "--loop", "uvloop") as server:
        assert smoke(server).returncode == 0
        assert "chat_loop_lag_seconds_count" in server.get("/metrics")
        assert server.stop() == 0
    assert "Traceback" not in server.log


def test_smoke_tells_success_and_failure(data: Path) -> None:
    with Server(data) as server:
        done = smoke(server)
        assert re.fullmatch(r"A message came back in \d+\.\d\d s\.\n", done.stdout), done.stderr
        assert done.returncode == 0
        wrong = smoke(server, "Ada", "wrong password")
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert wrong.stderr == "roomlog: the name 'Ada' or its password was refused\n"
        nowhere = smoke(server, "Ada", PASSWORD, "--room", "nowhere")
        assert nowhere.returncode == 1
        assert "there is no room 'nowhere'" in nowhere.stderr
    gone = smoke(server)
    assert gone.returncode == 1
    assert gone.stderr.count("\n") == 1


def test_administration_works_while_the_server_runs_and_takes_effect_at_once(data: Path) -> None:
    with Server(data) as server:
        assert on(data, "user", "add", "Bo", "--role", "member", typed="first password\n").returncode == 0
        assert sign_in(server, "Bo", "first password") == 303
        assert on(data, "user", "password", "bo", typed="second password\n").returncode == 0
        assert sign_in(server, "Bo", "first password") == 401
        assert sign_in(server, "Bo", "second password") == 303
        assert on(data, "user", "disable", "Bo").stdout == "Bo is shut out.\n"
        assert sign_in(server, "Bo", "second password") == 401
        assert on(data, "user", "enable", "Bo").returncode == 0
        assert sign_in(server, "Bo", "second password") == 303
        assert on(data, "user", "role", "Bo", "moderator").returncode == 0
        rows = [line.split() for line in on(data, "user", "list").stdout.splitlines()]
        assert [row[:3] for row in rows[1:]] == [["Ada", "owner", "enabled"], ["Bo", "moderator", "enabled"]]


def test_administration_works_without_a_server(data: Path) -> None:
    assert on(data, "user", "add", "Bo", "--role", "member", typed="first password\n").returncode == 0
    assert on(data, "user", "role", "Bo", "admin").stdout == "Bo is admin now.\n"
    assert on(data, "user", "disable", "Bo").returncode == 0
    rows = [line.split() for line in on(data, "user", "list").stdout.splitlines()]
    assert [row[:3] for row in rows[1:]] == [["Ada", "owner", "enabled"], ["Bo", "admin", "disabled"]]
    with Server(data) as server:
        assert sign_in(server, "Bo", "first password") == 401


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_link_signs_in_once_after_a_button_was_pressed(data: Path, running: bool) -> None:
    if running:
        with Server(data) as server:
            link = on(data, "user", "link", "Ada").stdout.strip()
            assert link.startswith(f"{server.url}/link/")
            assert consumed(server, link) == (200, 303, 404)
    else:
        link = on(data, "user", "link", "Ada").stdout.strip()
        assert link.startswith("http://localhost:8080/link/")
        with Server(data) as server:
            assert consumed(server, link) == (200, 303, 404)


def consumed(server: Server, link: str) -> tuple[int, int, int]:
    path = urllib.parse.urlsplit(link).path
    assert status(server, "GET", path) == 200
    return status(server, "GET", path), status(server, "POST", path), status(server, "GET", path)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["user", "add", "ADA", "--role", "member"], "taken"),
        (["user", "add", "Bo\x07", "--role", "member"], "name"),
        (["user", "role", "Ada", "member"], "last owner"),
        (["user", "disable", "Ada"], "last owner"),
        (["user", "link", "nobody"], "nobody"),
    ],
)
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_refusal_is_the_same_line_with_a_server_and_without(
    data: Path, arguments: list[str], told: str, running: bool
) -> None:
    if running:
        with Server(data):
            done = on(data, *arguments, typed="some password\n")
    else:
        done = on(data, *arguments, typed="some password\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr.lower()
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_backup_that_cannot_be_written_is_one_line(data: Path, running: bool) -> None:
    if running:
        with Server(data):
            done = on(data, "backup", "/proc/copy.db")
    else:
        done = on(data, "backup", "/proc/copy.db")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1


def epochs(data: Path) -> dict[str, str]:
    with closing(sqlite3.connect(data / "chat.db")) as database:
        return dict(database.execute("SELECT slug, epoch FROM rooms").fetchall())


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_backup_is_a_private_whole_copy(data: Path, tmp_path: Path, running: bool) -> None:
    copy = tmp_path / "copy.db"
    if running:
        with Server(data) as server:
            assert smoke(server).returncode == 0
            done = on(data, "backup", str(copy))
            again = on(data, "backup", str(copy))
    else:
        done = on(data, "backup", str(copy))
        again = on(data, "backup", str(copy))
    assert (done.returncode, done.stdout) == (0, f"The backup is in {copy}.\n"), done.stderr
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert again.returncode == 2
    assert "exists already" in again.stderr
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (1 if running else 0,)


def test_restore_brings_the_backup_back_with_new_epochs(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with Server(data) as server:
        assert on(data, "backup", str(copy)).returncode == 0
        assert smoke(server).returncode == 0
        refused = on(data, "restore", str(copy))
        assert refused.returncode == 2
        assert f"in use by process {server.process.pid}" in refused.stderr
    before = epochs(data)
    on(data, "user", "add", "Bo", "--role", "member", typed="some password\n")
    done = on(data, "restore", str(copy))
    assert (done.returncode, done.stderr) == (0, "")
    after = epochs(data)
    assert after.keys() == before.keys()
    assert all(after[slug] != before[slug] for slug in before)
    assert "Bo" not in on(data, "user", "list").stdout
    with Server(data) as server:
        assert smoke(server).returncode == 0


@pytest.mark.parametrize("content", [b"", b"not a database" * 100], ids=["empty", "other"])
def test_restoring_what_is_no_backup_changes_nothing(data: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.db").write_bytes(content)
    before = epochs(data)
    done = on(data, "restore", str(tmp_path / "bad.db"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert epochs(data) == before
    assert on(data, "restore", str(tmp_path / "none.db")).returncode == 2


def test_second_server_on_the_same_data_is_refused(data: Path) -> None:
    with Server(data) as server:
        done = on(data, "serve", "--port", "0")
        assert done.returncode == 2
        assert f"in use by process {server.process.pid}" in done.stderr
        assert done.stderr.count("\n") == 1
        assert status(server, "GET", "/healthz") == 200


def test_port_in_use_is_one_line(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = on(data, "serve", "--port", str(port))
    assert done.returncode == 2
    assert done.stderr == (f"roomlog: Port {port} of 127.0.0.1 is in use; choose another (PORT, --port).\n")


def test_address_of_another_machine_is_one_line(data: Path) -> None:
    done = on(data, "serve", "--port", "0", "--address", "192.0.2.1")
    assert done.returncode == 2
    assert done.stderr.startswith("roomlog: 192.0.2.1 is not an address of this machine")


@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["user", "list"]], ids=["serve", "list"])
def test_unreadable_database_is_one_line(data: Path, arguments: list[str]) -> None:
    (data / "chat.db").write_bytes(b"this is no database" * 100)
    done = on(data, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "file is not a database" in done.stderr
    assert done.stderr.count("\n") == 1


def test_secret_that_others_can_read_keeps_the_server_from_starting(data: Path) -> None:
    (data / "cookie_secret").chmod(0o644)
    done = on(data, "serve", "--port", "0")
    assert done.returncode == 2
    assert "chmod 600" in done.stderr


def test_holder_of_the_lock_that_does_not_answer_is_told(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "_STARTING_SECONDS", 0.0)
    with DataLock(data):
        assert cli.main(["user", "list", "--data", str(data)]) == 2
    assert "Its control socket does not answer." in capsys.readouterr().err


def test_command_that_meets_a_starting_server_waits_for_it(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[object] = [control_client.NoServer(), []]

    def ask(path: Path, name: str, arguments: object) -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(control_client, "ask", ask)
    with DataLock(data):
        assert cli.main(["user", "list", "--data", str(data)]) == 0
    assert answers == []
    assert capsys.readouterr().out.startswith("NAME")


def test_killed_server_leaves_nothing_in_the_way(data: Path) -> None:
    with Server(data) as server:
        assert on(data, "user", "list").returncode == 0
        server.stop(signal.SIGKILL)
    assert (data / "control.sock").exists(), "a killed server leaves its socket behind"
    assert on(data, "user", "list").returncode == 0
    with Server(data):
        assert on(data, "user", "list").returncode == 0


def test_long_data_path_works(tmp_path: Path) -> None:
    folder = tmp_path / ("a long name " * 12) / "data"
    folder.parent.mkdir()
    with Server(folder):
        assert on(folder, "user", "add", "Ada", "--role", "owner", typed=f"{PASSWORD}\n").returncode == 0
        assert "Ada" in on(folder, "user", "list").stdout


def test_log_is_json_lines_without_what_must_not_be_read(data: Path) -> None:
    with Server(data) as server:
        assert smoke(server).returncode == 0
        link = on(data, "user", "link", "Ada").stdout.strip()
        assert consumed(server, link) == (200, 303, 404)
        assert sign_in(server, "Ada", "canary password") == 401
        server.stop()
        lines = server.log.splitlines()
    assert lines
    assert all(line.startswith('{"ts": ') and line.endswith("}") for line in lines)
    assert "canary" not in server.log
    assert PASSWORD not in server.log
    assert "smoke test" not in server.log
    assert link.rpartition("/")[2] not in server.log
