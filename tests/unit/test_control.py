"""The control socket: a real socket in a real folder, with small dispatchers behind it."""

import asyncio
import gc
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from chat_app.errors import Forbidden
from chat_app.models import Account
from chat_app.web import control
from chat_app.web.control import ControlError, ControlServer, perform
from chat_app.web.control_client import LINE_LIMIT, CommandRefused, NoServer, ask

Dispatch = Callable[[str, Mapping[str, object]], Awaitable[object]]


async def echo(command: str, arguments: Mapping[str, object]) -> object:
    return {"command": command, **arguments}


def asked(folder: Path, dispatch: Dispatch, command: str, arguments: Mapping[str, object]) -> object:
    """What a client in a thread of its own gets."""

    async def run() -> object:
        async with ControlServer(folder, dispatch):
            return await asyncio.to_thread(ask, folder / "control.sock", command, arguments)

    return asyncio.run(run())


async def raw(folder: Path, request: bytes, *, end: bool = False) -> dict[str, Any]:
    async with ControlServer(folder, echo):
        reader, writer = await asyncio.open_unix_connection(str(folder / "control.sock"))
        writer.write(request)
        if end:
            writer.write_eof()
        answer = await reader.read()
        writer.close()
    assert answer.count(b"\n") == 1
    found: dict[str, Any] = json.loads(answer)
    return found


def test_a_command_goes_there_and_its_result_comes_back(tmp_path: Path) -> None:
    result = asked(tmp_path, echo, "user.role", {"name": "Ádá\n", "role": "admin"})
    assert result == {"command": "user.role", "name": "Ádá\n", "role": "admin"}


def test_an_answer_may_be_longer_than_a_request(tmp_path: Path) -> None:
    async def many(command: str, arguments: Mapping[str, object]) -> object:
        return ["x" * 100] * 10_000

    assert asked(tmp_path, many, "user.list", {}) == ["x" * 100] * 10_000


def test_a_refusal_is_its_own_sentence(tmp_path: Path) -> None:
    async def refuse(command: str, arguments: Mapping[str, object]) -> object:
        raise Forbidden("The last owner stays.")

    with pytest.raises(CommandRefused, match=r"^The last owner stays\.$"):
        asked(tmp_path, refuse, "user.role", {})


def test_a_mistake_is_logged_once_and_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def stumble(command: str, arguments: Mapping[str, object]) -> object:
        raise RuntimeError("the inner parts")

    with pytest.raises(CommandRefused, match="its log tells why") as caught:
        asked(tmp_path, stumble, "backup", {})
    assert "inner" not in str(caught.value)
    (record,) = caplog.records
    assert record.getMessage() == "control.failed"


def test_the_socket_is_its_owners_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    async def run() -> None:
        async with ControlServer(tmp_path, echo):
            state = (tmp_path / "control.sock").stat()
            assert stat.S_ISSOCK(state.st_mode)
            assert stat.S_IMODE(state.st_mode) == 0o600

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


def test_a_stale_socket_is_no_server_and_is_replaced(tmp_path: Path) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "control.sock"))
    stale.close()
    with pytest.raises(NoServer):
        ask(tmp_path / "control.sock", "user.list", {})
    assert asked(tmp_path, echo, "user.list", {}) == {"command": "user.list"}


def test_no_socket_and_no_folder_are_no_server(tmp_path: Path) -> None:
    with pytest.raises(NoServer):
        ask(tmp_path / "control.sock", "user.list", {})
    with pytest.raises(NoServer):
        ask(tmp_path / "none" / ("x" * 120) / "control.sock", "user.list", {})


def test_a_path_too_long_for_an_address_works(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 30)
    folder.mkdir()
    gc.collect()  # what earlier tests left
    descriptors = len(os.listdir("/proc/self/fd"))
    assert asked(folder, echo, "user.list", {}) == {"command": "user.list"}
    assert not (folder / "control.sock").exists()
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (b"not JSON\n", "not JSON"),
        (b"\xff\xfe\n", "not JSON"),
        (b"[" * 50_000 + b"\n", "not JSON"),
        (b"[]\n", "names no command"),
        (b"{}\n", "names no command"),
        (b'{"command": 1}\n', "names no command"),
        (b'{"command": "backup", "arguments": []}\n', "not an object"),
        (b'{"command": "' + b"x" * LINE_LIMIT + b'"}\n', "not valid"),
    ],
)
def test_what_makes_no_sense_is_answered_with_an_error(tmp_path: Path, request_: bytes, reason: str) -> None:
    answer = asyncio.run(raw(tmp_path, request_))
    assert answer["ok"] is False
    assert reason in answer["error"]


def test_a_line_cut_short_is_answered_with_an_error(tmp_path: Path) -> None:
    answer = asyncio.run(raw(tmp_path, b'{"command": "user.l', end=True))
    assert (answer["ok"], "not JSON" in answer["error"]) == (False, True)


def test_who_sends_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_READ_SECONDS", 0.01)
    assert "in time" in asyncio.run(raw(tmp_path, b""))["error"]


def test_one_who_hangs_does_not_keep_others_waiting_nor_the_server_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_READ_SECONDS", 3_600.0)

    async def run() -> object:
        async with ControlServer(tmp_path, echo):
            _, idle = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
            answer = await asyncio.to_thread(ask, tmp_path / "control.sock", "user.list", {})
        idle.close()
        return answer

    assert asyncio.run(asyncio.wait_for(run(), 60)) == {"command": "user.list"}


def test_a_server_that_ends_in_the_middle_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        begun, hang = asyncio.Event(), asyncio.Event()

        async def never(command: str, arguments: Mapping[str, object]) -> object:
            begun.set()
            await hang.wait()
            return None

        async with ControlServer(tmp_path, never):
            client = asyncio.create_task(asyncio.to_thread(ask, tmp_path / "control.sock", "backup", {}))
            await begun.wait()
        await client

    with pytest.raises(ConnectionResetError, match="before it answered"):
        asyncio.run(run())


def test_a_request_that_is_too_long_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="too long"):
        ask(tmp_path / "control.sock", "user.disable", {"name": "x" * LINE_LIMIT})


class Recorder:
    """In the place of `Administration`: remembers each call."""

    account = Account(
        id="7", name="Ada", name_key="ada", role="owner", disabled=False, created_ms=1_767_323_045_000
    )

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __getattr__(self, method: str) -> Callable[..., Awaitable[object]]:
        async def call(*arguments: object) -> object:
            self.calls.append((method, *arguments))
            return {
                "add_user": self.account,
                "list_users": [self.account],
                "sign_in_link": "/link/abc",
            }.get(method)

        return call


@pytest.mark.parametrize(
    ("command", "arguments", "call", "result"),
    [
        (
            "user.add",
            {"name": "Ada", "role": "owner", "password": "p"},
            ("add_user", "Ada", "owner", "p"),
            "Ada",
        ),
        ("user.password", {"name": "Ada", "password": "p"}, ("set_password", "Ada", "p"), None),
        ("user.role", {"name": "Ada", "role": "member"}, ("set_role", "Ada", "member"), None),
        ("user.disable", {"name": "Ada"}, ("disable", "Ada"), None),
        ("user.enable", {"name": "Ada"}, ("enable", "Ada"), None),
        ("user.link", {"name": "Ada"}, ("sign_in_link", "Ada"), "https://chat.example.org/link/abc"),
        ("backup", {"path": "/b.db"}, ("backup", Path("/b.db")), None),
        (
            "user.list",
            {},
            ("list_users",),
            [
                {
                    "id": "7",
                    "name": "Ada",
                    "role": "owner",
                    "disabled": False,
                    "created_at": "2026-01-02T03:04:05.000Z",
                }
            ],
        ),
    ],
)
def test_each_command_is_one_act_of_administration(
    command: str, arguments: dict[str, object], call: tuple[object, ...], result: object
) -> None:
    recorder = Recorder()
    administration = cast(Any, recorder)
    assert asyncio.run(perform(administration, "https://chat.example.org", command, arguments)) == result
    assert recorder.calls == [call]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("user.dance", {"name": "Ada"}),
        ("dance", {}),
        ("user.disable", {}),
        ("user.disable", {"name": 7}),
        ("user.role", {"name": "Ada"}),
        ("user.add", {"name": "Ada", "role": "owner"}),
        ("backup", {}),
    ],
)
def test_nonsense_is_refused_before_anything_is_done(command: str, arguments: dict[str, object]) -> None:
    recorder = Recorder()
    with pytest.raises(ControlError):
        asyncio.run(perform(cast(Any, recorder), "https://a", command, arguments))
    assert recorder.calls == []


def test_requests_are_never_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(tmp_path, echo, "user.password", {"name": "ada", "password": "canary"})
    assert capsys.readouterr() == ("", "")
