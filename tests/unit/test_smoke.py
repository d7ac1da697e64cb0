"""`smoke` against small servers that behave, and misbehave, in one way each."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from chat_app.smoke import SmokeError, smoke

Answer = Callable[["Chat", dict[str, Any]], Awaitable[None]]


class Login(RequestHandler):
    def initialize(self, status: int, cookie: str | None) -> None:
        self.status, self.cookie = status, cookie

    def get(self) -> None:
        self.write("<form>")

    def post(self) -> None:
        assert self.request.headers["Origin"] == f"http://{self.request.host}"
        assert self.get_body_argument("name") == "monitor"
        right = self.get_body_argument("password") == "correct horse"
        self.set_status(self.status if right else 401)
        if right and self.cookie:
            self.set_cookie(self.cookie, "opaque")


class Chat(WebSocketHandler):
    def initialize(self, answer: Answer, refusal: int | None) -> None:
        self.answer, self.refusal = answer, refusal

    async def prepare(self) -> None:
        assert self.request.headers["Origin"] == f"http://{self.request.host}"
        assert self.get_cookie("session") == "opaque"
        if self.refusal:
            self.set_status(self.refusal)
            self.finish()

    async def open(self) -> None:  # type: ignore[override]
        self.send(type="system", message="connected as monitor")
        self.send(type="history", room=self.get_query_argument("room"), messages=[], seq=0, more=False)

    async def on_message(self, raw: str | bytes) -> None:  # type: ignore[override]
        await self.answer(self, json.loads(raw))

    def send(self, **frame: object) -> None:
        self.write_message(json.dumps(frame))

    def deliver(self, event: dict[str, Any], **changes: object) -> None:
        message = {"id": "m1", "text": event["text"], "nonce": event["nonce"]} | changes
        self.send(type="message", room=event["room"], seq=1, message=message)

    def acknowledge(self, event: dict[str, Any]) -> None:
        self.send(type="ack", nonce=event["nonce"], room=event["room"], id="m1", seq=1)


async def behave(chat: Chat, event: dict[str, Any]) -> None:
    chat.deliver({**event, "nonce": "somebody else's"}, id="m0")
    chat.acknowledge(event)
    chat.deliver(event)


async def run(
    answer: Answer = behave,
    *,
    password: str = "correct horse",
    status: int = 303,
    cookie: str | None = "session",
    refusal: int | None = None,
    timeout_seconds: float = 60,
) -> float:
    listener, port = bind_unused_port()
    server = HTTPServer(
        Application(
            [
                ("/login", Login, {"status": status, "cookie": cookie}),
                ("/chat", Chat, {"answer": answer, "refusal": refusal}),
            ]
        )
    )
    server.add_socket(listener)
    try:
        return await smoke(
            url=f"http://127.0.0.1:{port}/",
            name="monitor",
            password=password,
            room="lobby",
            timeout_seconds=timeout_seconds,
        )
    finally:
        server.stop()
        await server.close_all_connections()


def test_a_message_that_comes_back_is_a_success() -> None:
    assert 0 < asyncio.run(run()) < 60


def test_the_acknowledgement_may_come_after_the_message() -> None:
    async def answer(chat: Chat, event: dict[str, Any]) -> None:
        chat.deliver(event)
        chat.acknowledge(event)

    assert asyncio.run(run(answer)) > 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"password": "wrong"}, "'monitor' or its password was refused"),
        ({"status": 429}, "signing in answers 429"),
        ({"status": 200}, "signing in answers 200"),
        ({"cookie": None}, "no session cookie"),
        ({"cookie": "other"}, "no session cookie"),
        ({"refusal": 404}, "there is no room 'lobby'"),
        ({"refusal": 403}, "answers 403"),
    ],
)
def test_a_refusal_is_told_with_its_reason(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(SmokeError, match=reason):
        asyncio.run(run(**options))


async def refuse(chat: Chat, event: dict[str, Any]) -> None:
    chat.send(type="error", code="rate_limited", message="Too fast.", nonce=event["nonce"])


async def only_acknowledge(chat: Chat, event: dict[str, Any]) -> None:
    chat.acknowledge(event)


async def only_deliver(chat: Chat, event: dict[str, Any]) -> None:
    chat.deliver(event)


async def change_the_text(chat: Chat, event: dict[str, Any]) -> None:
    chat.acknowledge(event)
    chat.deliver(event, text="something else")


async def change_the_id(chat: Chat, event: dict[str, Any]) -> None:
    chat.acknowledge(event)
    chat.deliver(event, id="m2")


async def hang_up(chat: Chat, event: dict[str, Any]) -> None:
    chat.close(4401, "session ended")


async def babble(chat: Chat, event: dict[str, Any]) -> None:
    chat.write_message("not JSON")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refuse, r"refused: Too fast\. \(rate_limited\)"),
        (change_the_text, "another text"),
        (change_the_id, "another id"),
        (hang_up, r"closed the connection with 4401 \(session ended\)"),
        (babble, "something else than a JSON object"),
    ],
)
def test_anything_but_the_stored_echo_is_a_failure(answer: Answer, reason: str) -> None:
    with pytest.raises(SmokeError, match=reason):
        asyncio.run(run(answer))


@pytest.mark.parametrize("answer", [only_acknowledge, only_deliver])
def test_half_an_answer_is_none_when_the_time_is_over(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is as soon as the server has said its half, however long it took to come to that."""
    deadlines: list[asyncio.Timeout] = []
    timeout = asyncio.timeout

    def noted(seconds: float) -> asyncio.Timeout:
        deadlines.append(timeout(seconds))
        return deadlines[-1]

    async def and_no_more(chat: Chat, event: dict[str, Any]) -> None:
        await answer(chat, event)
        deadlines[0].reschedule(asyncio.get_running_loop().time() + 0.1)

    monkeypatch.setattr("chat_app.smoke.asyncio.timeout", noted)
    with pytest.raises(SmokeError, match="no answer within 60 s while waiting for the message"):
        asyncio.run(run(and_no_more))


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(SmokeError, match=r"signing in at .* failed"):
            asyncio.run(smoke(url=url, name="a", password="b", room="lobby", timeout_seconds=60))


@pytest.mark.parametrize("url", ["chat.example.org", "ftp://a", "http://", "http://[::1", "http://u:p@a"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(SmokeError, match="is not an address"):
        asyncio.run(smoke(url=url, name="a", password="b", room="lobby", timeout_seconds=5))
