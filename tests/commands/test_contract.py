"""The commands as the contract has them, on a real server: what takes effect at once, and one line for all that fails."""

import http.client
import json
import os
import re
import resource
import socket
import sqlite3
import stat
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.processes import Server, command

PASSWORD = "correct horse battery"


def on(data: Path, *arguments: str, typed: str = "", **variables: str) -> CompletedProcess[str]:
    return command(*arguments, "--data", str(data), typed=typed, **variables)


def made(data: Path, name: str, role: str) -> None:
    done = on(data, "user", "add", name, "--role", role, "--password-stdin", typed=f"{PASSWORD}\n")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """One running server with an owner, for all that leaves it as it was."""
    data = tmp_path_factory.mktemp("server") / "data"
    made(data, "Ada", "owner")
    with Server(data) as running:
        yield running, data
        assert running.stop() == 0
    assert "Traceback" not in running.log and '"level": "error"' not in running.log


def sign_in(server: Server, name: str, password: str = PASSWORD) -> str:
    """The Cookie header of a new session; the status where there is none."""
    with closing(http.client.HTTPConnection("localhost", server.port, timeout=60)) as connection:
        form = urllib.parse.urlencode({"name": name, "password": password})
        headers = {"Origin": server.url, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/login", form, headers)
        answer = connection.getresponse()
        answer.read()
        return (answer.getheader("Set-Cookie") or str(answer.status)).partition(";")[0]


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    """Closes what a test opened."""
    with ExitStack() as stack:
        yield stack


def opened(sockets: ExitStack, server: Server, cookie: str) -> ClientConnection:
    connection = sockets.enter_context(
        connect(
            f"ws://localhost:{server.port}/chat",
            origin=server.url,
            additional_headers={"Cookie": cookie},
            proxy=None,
        )
    )
    assert json.loads(connection.recv(60))["type"] == "system"
    return connection


def close_code(connection: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            connection.recv(60)
    return closed.value.rcvd and closed.value.rcvd.code


def one_line(done: CompletedProcess[str]) -> str:
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert (
        done.stderr.startswith("roomlog: ") and done.stderr.endswith("\n") and done.stderr.count("\n") == 1
    ), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_disabling_and_a_new_password_close_open_sockets_at_once(
    server: tuple[Server, Path], sockets: ExitStack
) -> None:
    running, data = server
    made(data, "Bo", "member")
    cookie = sign_in(running, "Bo")
    both = [opened(sockets, running, cookie), opened(sockets, running, sign_in(running, "Bo"))]
    assert on(data, "user", "password", "Bo", "--password-stdin", typed="another good one\n").returncode == 0
    assert [close_code(connection) for connection in both] == [4401, 4401]
    assert sign_in(running, "Bo") == "401"
    last = opened(sockets, running, sign_in(running, "Bo", "another good one"))
    assert on(data, "user", "disable", "Bo").returncode == 0
    assert close_code(last) == 4403
    assert sign_in(running, "Bo", "another good one") == "401"


def test_a_role_counts_on_an_open_socket_at_once(server: tuple[Server, Path], sockets: ExitStack) -> None:
    running, data = server
    made(data, "Cy", "member")
    made(data, "Di", "member")
    cy, di = (
        opened(sockets, running, sign_in(running, "Cy")),
        opened(sockets, running, sign_in(running, "Di")),
    )
    cy.send(json.dumps({"type": "message", "text": "x", "nonce": "n"}))
    while (frame := json.loads(cy.recv(60)))["type"] != "ack":
        pass

    def delete() -> str:
        di.send(json.dumps({"type": "delete", "id": frame["id"]}))
        while (answer := json.loads(di.recv(60)))["type"] not in ("error", "deleted"):
            pass
        return str(answer.get("code") or answer["type"])

    assert delete() == "forbidden"
    assert on(data, "user", "role", "Di", "moderator").returncode == 0
    assert delete() == "deleted"


def test_an_account_added_while_it_runs_signs_in_at_once_and_is_listed(server: tuple[Server, Path]) -> None:
    running, data = server
    for role in ("owner", "admin", "moderator", "member"):
        made(data, f"The {role}", role)
        assert sign_in(running, f"the {role.upper()}").startswith("session=")
        assert re.search(rf"^The {role} +{role} +enabled", on(data, "user", "list").stdout, re.MULTILINE)


@pytest.mark.parametrize("name", ["x" * 25, " ", "a\u202eb", "<b>", "ａda", "e" + "\u0301" * 9])
def test_a_bad_or_taken_name_is_one_line(server: tuple[Server, Path], name: str) -> None:
    one_line(
        on(server[1], "user", "add", name, "--role", "member", "--password-stdin", typed=f"{PASSWORD}\n")
    )


@pytest.mark.parametrize("typed", ["", "\n", "short\n", "1234567890\n", "x" * 1_025 + "\n"])
def test_a_bad_password_is_one_line_that_does_not_show_it(server: tuple[Server, Path], typed: str) -> None:
    told = one_line(on(server[1], "user", "add", "Eve", "--role", "member", "--password-stdin", typed=typed))
    assert len(typed) < 3 or typed.strip() not in told


def test_a_command_on_a_folder_that_is_none_is_one_line_and_makes_none(tmp_path: Path) -> None:
    for arguments in (
        ["user", "list"],
        ["user", "disable", "Bo"],
        ["user", "link", "Bo"],
        ["backup", str(tmp_path / "copy.db")],
    ):
        one_line(on(tmp_path / "none", *arguments))
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("")
    for arguments in (["serve", "--port", "0"], ["user", "list"], ["user", "add", "Bo", "--role", "member"]):
        one_line(on(tmp_path / "file", *arguments, typed=f"{PASSWORD}\n"))
    one_line(on(Path("/proc/none"), "serve", "--port", "0"))


def test_the_secret_has_32_bytes_and_is_nobody_elses(tmp_path: Path) -> None:
    data = tmp_path / "data"
    told = one_line(on(data, "serve", "--port", "0", CHAT_COOKIE_SECRET="canary-" + "x" * 24))
    assert "32 bytes" in told and "canary" not in told
    made(data, "Ada", "owner")
    secret = data / "cookie_secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    for content, mode in (
        (b"short", 0o600),
        (b"", 0o600),
        (b"\xff" * 64, 0o600),
        (b"x" * 64, 0o640),
        (b"x" * 64, 0o604),
    ):
        secret.write_bytes(content)
        secret.chmod(mode)
        one_line(on(data, "serve", "--port", "0"))
    secret.unlink()
    secret.mkdir()
    one_line(on(data, "serve", "--port", "0"))
    with Server(data, variables={"CHAT_COOKIE_SECRET": "x" * 32}) as running:
        assert sign_in(running, "Ada").startswith("session=")


def test_a_database_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made(data, "Ada", "owner")
    database = data / "chat.db"
    whole = database.read_bytes()

    def foreign() -> None:
        with closing(sqlite3.connect(database)) as other:
            other.execute("CREATE TABLE recipes (name TEXT)")
            other.commit()

    def newer() -> None:
        database.write_bytes(whole)
        with closing(sqlite3.connect(database)) as later:
            later.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
            later.commit()

    for spoil in (
        lambda: database.write_bytes(whole[: len(whole) // 2]), lambda: database.write_bytes(os.urandom(8_192)),
        lambda: database.write_bytes(b"SQLite format 3\0" + os.urandom(8_000)), database.mkdir, foreign, newer,
    ):  # fmt: skip
        for leftover in data.glob("chat.db*"):
            leftover.unlink() if leftover.is_file() else leftover.rmdir()
        spoil()
        for arguments in (["serve", "--port", "0"], ["user", "list"]):
            one_line(on(data, *arguments))
    assert database.exists()


def test_restoring_into_a_new_folder_brings_the_accounts_along(
    server: tuple[Server, Path], tmp_path: Path
) -> None:
    running, data = server
    copy, other = tmp_path / "copy.db", tmp_path / "other"
    assert on(data, "backup", str(copy)).returncode == 0
    assert on(other, "restore", str(copy)).returncode == 0
    assert stat.S_IMODE(other.stat().st_mode) == 0o700
    with Server(other) as restored:
        assert restored.setup_url is None
        assert sign_in(restored, "Ada").startswith("session=")
    assert one_line(on(data, "restore", str(copy)))
    assert running.process.poll() is None


def test_smoke_says_why_and_exits_1(server: tuple[Server, Path]) -> None:
    running, _ = server

    def smoke(url: str, *more: str, name: str = "Ada", typed: str = f"{PASSWORD}\n") -> CompletedProcess[str]:
        patient = ("--timeout", "60", *more)  # the last one counts
        return command("smoke", "--url", url, "--name", name, "--password-stdin", *patient, typed=typed)

    good = smoke(running.url)
    assert (good.returncode, good.stderr) == (0, "")
    assert smoke(running.url + "/").returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        failures = [
            smoke(running.url, name="Nobody"), smoke(running.url, typed="wrong password\n"), smoke(running.url, "--room", "nowhere"),
            smoke(running.url, "--room", "a b"), smoke("http://localhost:1"), smoke(silent_url, "--timeout", "0.3"), smoke("nonsense"),
            smoke("http://nowhere.invalid", "--timeout", "5"), smoke(running.url, typed=""),
        ]  # fmt: skip
    for failure in failures:
        assert (failure.returncode, failure.stdout, failure.stderr.count("\n")) == (1, "", 1), failure
        assert PASSWORD not in failure.stderr and "wrong password" not in failure.stderr


def descriptors(server: Server) -> int:
    """For how many there is room without waiting (proc(5), FDSize)."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("FDSize:")[2].split()[0])


def test_every_limit_at_0_still_serves(tmp_path: Path, sockets: ExitStack) -> None:
    data = tmp_path / "data"
    made(data, "Ada", "owner")
    flags = (
        "history-limit", "max-message-length", "rate-limit", "rate-window-seconds", "account-rate-limit", "address-rate-limit",
        "frame-rate-limit", "account-connections", "address-connections", "failed-handshakes", "heartbeat-seconds",
    )  # fmt: skip
    with Server(data, *(part for flag in flags for part in (f"--{flag}", "0"))) as running:
        client = opened(sockets, running, sign_in(running, "Ada"))
        for number in range(120):
            client.send(json.dumps({"type": "message", "text": "x" * 600, "nonce": str(number)}))
        while json.loads(client.recv(60)).get("nonce") != "119":
            pass
        assert descriptors(running) >= min(1_024, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        client.close()
        assert running.stop() == 0


def test_a_flag_wins_over_its_variable_and_the_variable_over_the_default(
    tmp_path: Path, sockets: ExitStack
) -> None:
    variables = {
        "CHAT_MAX_MESSAGE_LENGTH": "7",
        "CHAT_RATE_LIMIT": "3",
        "CHAT_HEARTBEAT_SECONDS": "9",
        "CHAT_REGISTRATION": "open",
    }
    data = tmp_path / "data"
    made(data, "Ada", "owner")
    with Server(data, "--rate-limit", "4", variables=variables) as running:
        client = sockets.enter_context(
            connect(
                f"ws://localhost:{running.port}/chat",
                origin=running.url,
                additional_headers={"Cookie": sign_in(running, "Ada")},
                proxy=None,
            )
        )
        limits = json.loads(client.recv(60))["limits"]
        assert limits == {
            "maxMessageLength": 7,
            "rateLimit": 4,
            "rateWindowSeconds": 10,
            "heartbeatSeconds": 9,
        }
        assert "/register" in running.get("/login")
