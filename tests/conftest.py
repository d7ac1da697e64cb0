"""What every test has: a fresh loop, and a real server with real SQLite on a free port."""

import asyncio
import contextlib
import http.cookies
import json
import urllib.parse
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClientConnection, websocket_connect

from chat_app.app import App, open_app
from chat_app.backends.sql import search_terms
from chat_app.data_folder import ensure_data
from chat_app.settings import load
from chat_app.web.server import DEADLINES, Deadlines
from tests.packages import strict
from tests.services import PostgreSQL, Redis, missing_postgresql, missing_redis, need

PASSWORD = "correct horse battery"

# How long an example takes says nothing on a busy machine, and the machine that decides tries the same ones each time.
hypothesis.settings.register_profile(
    "tests", deadline=None, derandomize=strict(), suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="tests/faults: many more kills, cuts and connects")
    parser.addoption("--seed", type=int, help="tests/faults: repeats a run; every run prints its own")


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """A search is not cut short on a busy machine, but where that is what is tested."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(search_terms, "DEADLINE_SECONDS", 60.0)
        yield


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """pytest-tornado's own would make itself current in a way that Python 3.14 no longer has."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    io_loop = IOLoop(asyncio_loop=loop, make_current=False)
    yield io_loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    io_loop.close(all_fds=True)
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for all tests; each takes a `database()` of its own."""
    need(missing_postgresql())
    server = PostgreSQL()
    yield server
    server.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """A server for this test, which may kill it."""
    need(missing_redis())
    server = Redis(tmp_path)
    yield server
    server.stop()


class Client:
    """A socket of one account that keeps every frame it received."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self._over = False
        self.frames: list[dict[str, Any]] = []

    def send(self, **event: Any) -> None:
        self.connection.write_message(json.dumps(event))

    def send_raw(self, text: str | bytes, *, binary: bool = False) -> None:
        self.connection.write_message(text, binary=binary)

    async def receive(self) -> dict[str, Any] | None:
        raw = None if self._over else await self.connection.read_message()
        if raw is None:
            self._over = True  # told once only by the library
            return None
        self.frames.append(json.loads(raw))
        return self.frames[-1]

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next frame of this type with these fields."""
        while (frame := await self.receive()) is not None:
            if frame["type"] == kind and all(frame.get(key) == value for key, value in fields.items()):
                return frame
        raise AssertionError(f"closed with {self.connection.close_code} before a {kind}: {self.frames}")

    async def closed(self) -> int | None:
        while await self.receive() is not None:
            pass
        return self.connection.close_code

    async def say(self, text: str, room: str = "lobby") -> dict[str, Any]:
        nonce = uuid.uuid4().hex
        self.send(type="message", text=text, nonce=nonce, room=room)
        return await self.until("ack", nonce=nonce)


class Site:
    """A running server, and what a browser does with it."""

    def __init__(self, app: App, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self.url = f"http://localhost:{app.port}"
        self._client = AsyncHTTPClient(force_instance=True, max_clients=200)
        self._clients: list[Client] = []

    async def close(self) -> None:
        """Every socket that a test left open."""
        for client in self._clients:
            client.connection.close()
        with contextlib.suppress(TimeoutError):  # a failed test may have left a read that nobody awaits
            async with asyncio.timeout(5):
                for client in self._clients:
                    await client.closed()
        self._client.close()

    async def get(self, path: str, *, cookie: str | None = None, **headers: str) -> HTTPResponse:
        return await self._fetch(path, cookie=cookie, headers=headers)

    async def post(
        self, path: str, fields: dict[str, str], *, cookie: str | None = None, **headers: str
    ) -> HTTPResponse:
        headers.setdefault("Origin", self.url)
        return await self._fetch(
            path, method="POST", body=urllib.parse.urlencode(fields), cookie=cookie, headers=headers
        )

    async def _fetch(
        self, path: str, *, cookie: str | None, headers: dict[str, str], **more: Any
    ) -> HTTPResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie is not None:
            sent["Cookie"] = cookie
        request = HTTPRequest(self.url + path, headers=sent, follow_redirects=False, **more)
        return await self._client.fetch(request, raise_error=False)

    async def account(self, name: str, role: str = "member") -> str:
        """A new account, signed in: its Cookie header."""
        await self.app.services.administration.add_user(name, role, PASSWORD)
        return await self.sign_in(name)

    async def sign_in(self, name: str, password: str = PASSWORD) -> str:
        answer = await self.post("/login", {"name": name, "password": password})
        assert answer.code == 303, answer.body
        return cookie_of(answer)

    async def connect(self, cookie: str | None, query: str = "", **headers: str) -> Client:
        headers.setdefault("Origin", self.url)
        if cookie is not None:
            headers["Cookie"] = cookie
        url = f"ws://localhost:{self.app.port}/chat{'?' + query if query else ''}"
        client = Client(await websocket_connect(HTTPRequest(url, headers=headers)))
        self._clients.append(client)
        return client

    async def join(self, cookie: str, query: str = "") -> Client:
        """Connected and brought up to date."""
        client = await self.connect(cookie, query)
        await client.until("presence")
        return client


def cookie_of(answer: HTTPResponse) -> str:
    jar = http.cookies.SimpleCookie()
    for line in answer.headers.get_list("Set-Cookie"):
        jar.load(line)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())


@pytest.fixture
def site(io_loop: IOLoop, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A server on a free port; `@pytest.mark.settings(rate_limit="5")` changes it, as does
    `@pytest.mark.deadlines(body_seconds=0.3)`.
    """
    marker = request.node.get_closest_marker("settings")
    flags: dict[str, str | None] = {"port": "0", "data": str(tmp_path / "data")}
    flags.update(marker.kwargs if marker else {})
    settings = ensure_data(load(flags, {}))
    hurry = request.node.get_closest_marker("deadlines")
    deadlines = Deadlines(**hurry.kwargs) if hurry else DEADLINES
    stack = AsyncExitStack()
    app = io_loop.run_sync(lambda: stack.enter_async_context(open_app(settings, deadlines=deadlines)))
    site = Site(app, tmp_path / "data")
    yield site
    io_loop.run_sync(site.close)
    io_loop.run_sync(stack.aclose)
