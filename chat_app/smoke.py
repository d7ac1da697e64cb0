"""`smoke`: signs in, opens a room and says something, as a person would, and tells whether it worked.

Started by `cli` against a running server, usually from a monitor or after an upgrade. It talks HTTP and
WebSocket like a browser and imports nothing of the server.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, WebSocketError, websocket_connect

from chat_app.settings import parse_origins

COOKIES = ("__Host-session", "session")


class SmokeError(Exception):
    """Where it went wrong, in one sentence."""


async def smoke(*, url: str, name: str, password: str, room: str, timeout_seconds: float) -> float:
    """Returns the seconds it took to see one's own message, stored and delivered.

    Raises SmokeError with the first thing that was not as it should be, or that took longer than the timeout.
    """
    try:
        origin = parse_origins(url[: len(url) - len(urlsplit(url).path)])[0]
    except ValueError:
        raise SmokeError(f"{url!r} is not an address such as https://chat.example.org") from None
    started = time.monotonic()
    step = _Step()
    try:
        async with asyncio.timeout(timeout_seconds):
            cookie = await _sign_in(step, origin, name, password)
            connection = await _connect(step, origin, cookie, room)
            try:
                await _say(step, connection, room)
            finally:
                connection.close()
    except TimeoutError:
        raise SmokeError(f"no answer within {timeout_seconds:g} s while {step.doing}") from None
    except (OSError, HTTPClientError, WebSocketError) as error:
        raise SmokeError(f"{step.doing} failed: {error}") from None
    return time.monotonic() - started


class _Step:
    """What is being done, for the sentence that says where it stopped."""

    doing = "starting"


async def _sign_in(step: _Step, origin: str, name: str, password: str) -> str:
    step.doing = f"signing in at {origin}/login"
    client = AsyncHTTPClient(force_instance=True)
    try:
        page = await client.fetch(f"{origin}/login", follow_redirects=False, raise_error=False)
        if page.code != 200:
            raise SmokeError(f"the sign-in page answers {page.code} {page.reason}")
        form = urlencode({"name": name, "password": password, "next": "/"})
        headers = {"Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}
        request = HTTPRequest(
            f"{origin}/login", method="POST", headers=headers, body=form, follow_redirects=False
        )
        answer = await client.fetch(request, raise_error=False)
    finally:
        client.close()
    if answer.code == 401:
        raise SmokeError(f"the name {name!r} or its password was refused")
    if answer.code != 303:
        raise SmokeError(f"signing in answers {answer.code} {answer.reason}")
    return _session_cookie(answer)


def _session_cookie(answer: HTTPResponse) -> str:
    for line in answer.headers.get_list("Set-Cookie"):
        pair = line.partition(";")[0].strip()
        if pair.partition("=")[0] in COOKIES and pair.partition("=")[2]:
            return pair
    raise SmokeError("signing in gives no session cookie")


async def _connect(step: _Step, origin: str, cookie: str, room: str) -> WebSocketClientConnection:
    step.doing = f"connecting to the room {room}"
    url = f"{origin.replace('http', 'ws', 1)}/chat?{urlencode({'room': room})}"
    try:
        return await websocket_connect(HTTPRequest(url, headers={"Origin": origin, "Cookie": cookie}))
    except HTTPClientError as error:
        if error.code == 404:
            raise SmokeError(f"there is no room {room!r} that {origin} shows to this account") from None
        raise SmokeError(f"connecting to the room {room!r} answers {error.code} {error.message}") from None


async def _say(step: _Step, connection: WebSocketClientConnection, room: str) -> None:
    """Sends one message and waits until it is both acknowledged and delivered, in either order."""
    step.doing = "waiting for the room"
    while (await _frame(connection)).get("type") != "history":
        pass
    nonce = f"smoke-{secrets.token_hex(8)}"
    text = f"smoke test {datetime.now(UTC).isoformat(timespec='seconds')}"
    await connection.write_message(
        json.dumps({"type": "message", "text": text, "room": room, "nonce": nonce})
    )
    step.doing = "waiting for the message to come back"
    acknowledged = delivered = None
    while acknowledged is None or delivered is None:
        frame = await _frame(connection)
        message = frame.get("message")
        match frame.get("type"):
            case "ack" if frame.get("nonce") == nonce:
                acknowledged = frame.get("id")
            case "message" if isinstance(message, Mapping) and message.get("nonce") == nonce:
                if message.get("text") != text:
                    raise SmokeError("the message came back with another text")
                delivered = message.get("id")
            case "error" if frame.get("nonce") in (nonce, None):
                raise SmokeError(f"the message was refused: {message} ({frame.get('code')})")
    if acknowledged != delivered:
        raise SmokeError("the message came back under another id than was acknowledged")


async def _frame(connection: WebSocketClientConnection) -> Mapping[str, object]:
    raw = await connection.read_message()
    if raw is None:
        reason = f" ({connection.close_reason})" if connection.close_reason else ""
        raise SmokeError(f"the server closed the connection with {connection.close_code}{reason}")
    try:
        frame = json.loads(raw)
    except ValueError:
        frame = None
    if not isinstance(frame, dict):
        raise SmokeError("the server sent something else than a JSON object")
    return frame
