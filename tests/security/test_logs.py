"""Nothing that people wrote and nothing that opens a door is ever in the log, at any level; the cookie secret."""

import base64
import http.client
import json
import re
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.commands.test_contract import PASSWORD, made, on, one_line, opened, sign_in, sockets
from tests.processes import MODULE, Server, command

__all__ = ["sockets"]

DEBUG = (
    sys.executable,
    "-c",
    "import logging, runpy; from chat_app import logs; configure = logs.configure\n"
    "def loudly(**fields): configure(level=logging.DEBUG, **fields); logging.getLogger('probe').debug('probe')\n"
    "logs.configure = loudly; runpy.run_module('chat_app', run_name='__main__')",
)


@pytest.mark.parametrize("program", [MODULE, DEBUG], ids=["info", "debug"])
def test_no_log_line_holds_what_people_wrote_or_what_opens_a_door(
    tmp_path: Path, sockets: ExitStack, program: tuple[str, ...]
) -> None:
    data = tmp_path / "data"
    with Server(data, program=program, variables={"CHAT_METRICS_TOKEN": "canary-metrics"}) as running:
        made(data, "Ada", "owner")
        setup = running.setup_url
        assert setup is not None
        cookie = sign_in(running, "Ada")
        assert sign_in(running, "canary-name", "canary-password") == "401"
        client = opened(sockets, running, cookie)
        for event in (
            {"type": "message", "text": "canary-text", "nonce": "canary-nonce"}, {"type": "message", "text": "canary\0"},
            {"type": "canary"}, {"type": "edit", "id": "canary-id", "text": "canary"}, {"type": "join", "room": "canary room"},
        ):  # fmt: skip
            client.send(json.dumps(event))
        client.send("{canary")
        while json.loads(client.recv(60)).get("code") != "bad_json":
            pass
        client.close()
        for path in (
            "/canary",
            "/login?next=/canary",
            "/join/canary-code",
            "/link/canary-link",
            "/setup?token=canary-token",
            "/chat?room=canary",
        ):
            with closing(http.client.HTTPConnection("localhost", running.port, timeout=60)) as connection:
                headers = {
                    "Cookie": "session=canary-cookie",
                    "User-Agent": "canary-agent",
                    "Referer": "canary",
                    "Authorization": "Bearer canary",
                }
                connection.request("GET", path, headers=headers)
                connection.getresponse().read()
        link = on(data, "user", "link", "Ada").stdout.strip().rpartition("/")[2]
        form = {"Origin": running.url, "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        devices = ""
        for path, body in (
            ("/account/password", f"current={PASSWORD}&password=canary-new-password"), ("/account/name", "name=canary%0d%0a%1b[31m"),
            (f"/link/{link}", ""), ("/rooms", "slug=canary&title=canary"), ("/account", ""), ("/logout", ""),
        ):  # fmt: skip
            with closing(http.client.HTTPConnection("localhost", running.port, timeout=60)) as connection:
                connection.request("POST" if path != "/account" else "GET", path, body, form)
                answer = connection.getresponse()
                devices += " ".join(answer.headers.get_all("Set-Cookie") or ())
                answer.read()
        tokens = [
            base64.b64decode(held).decode()
            for held in re.findall(r"[|]\d+:([A-Za-z0-9+/=]{24,})[|]", cookie + devices)
        ]
        assert len(tokens) >= 2
        assert running.stop() == 0
        lines = running.log.splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert {"connection.open", "connection.close", "sign_in.ok", "sign_in.refused"} <= set(events)
    log = running.log
    levels = {json.loads(line)["level"] for line in lines}
    assert ("debug" in levels) == (program is DEBUG)
    for secret in (
        link,
        *(token.partition(".")[0] for token in tokens),
        "canary",
        PASSWORD,
        "\x1b",
        cookie.partition("=")[2].strip('"'),
        setup.partition("=")[2],
        "Traceback",
    ):
        assert secret not in log, secret


def status(server: Server, cookie: str) -> int:
    with closing(http.client.HTTPConnection("localhost", server.port, timeout=60)) as connection:
        connection.request("GET", "/session", headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        return answer.status


def test_keys_are_rotated_without_signing_anybody_out(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made(data, "Ada", "owner")
    old, new = "o" * 32, "n" * 32
    with Server(data, variables={"CHAT_COOKIE_SECRET": old}) as server:
        first = sign_in(server, "Ada")
    with Server(data, variables={"CHAT_COOKIE_SECRET": f"{new},{old}"}) as server:
        assert status(server, first) == 200, "an older key is read"
        second = sign_in(server, "Ada")
    with Server(data, variables={"CHAT_COOKIE_SECRET": new}) as server:
        assert status(server, second) == 200, "the newest one signs"
        assert status(server, first) == 401, "a dropped one is worth nothing"
        assert old not in server.log + new


@pytest.mark.parametrize(
    "secret", ["x" * 31, f"{'x' * 32},short", ","], ids=["short", "short older one", "none"]
)
def test_a_weak_secret_keeps_the_server_from_starting_and_is_not_shown(tmp_path: Path, secret: str) -> None:
    refused = command("serve", "--port", "0", "--data", str(tmp_path / "data"), CHAT_COOKIE_SECRET=secret)
    assert "32 bytes" in one_line(refused) and secret not in refused.stderr


def test_a_secret_that_others_can_read_keeps_the_server_from_starting(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made(data, "Ada", "owner")
    secret = data / "cookie_secret"
    if not secret.exists():
        with Server(data):
            pass
    content = secret.read_text().strip()
    assert secret.stat().st_mode & 0o777 == 0o600 and len(bytes.fromhex(content)) >= 32
    for wide in (0o640, 0o604, 0o620):
        secret.chmod(wide)
        refused = command("serve", "--port", "0", "--data", str(data))
        assert "chmod 600" in one_line(refused) and content not in refused.stderr
