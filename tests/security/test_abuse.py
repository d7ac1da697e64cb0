"""Floods, storms and slow ones: limits that nothing refills, deadlines, descriptors."""

import asyncio
import json
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tornado.httpclient import HTTPClientError

from chat_app.core.connections import STALL_SECONDS
from tests.commands.test_contract import PASSWORD, made, opened, sign_in
from tests.conftest import Client, Site
from tests.processes import Server
from tests.web.raw import RawSocket

PROXY = "127.0.0.1,::1"


async def leave(site: Site, client: Client) -> None:
    """Closed by the client, and gone from the server."""
    site._clients.remove(client)
    client.connection.close()
    await client.closed()


async def outcome(client: Client, text: str, room: str = "lobby") -> str:
    client.send(type="message", text=text, nonce=text, room=room)
    while (frame := await client.receive()) is not None:
        if frame["type"] in ("ack", "error") and frame.get("nonce") == text:
            return str(frame.get("code", "ack"))
    raise AssertionError("closed")


@pytest.mark.settings(rate_limit="3", account_rate_limit="5", rate_window_seconds="60")
@pytest.mark.gen_test
async def test_neither_reconnecting_nor_tabs_refill_the_limit_of_an_account(site: Site) -> None:
    cookie = await site.account("Masa")
    first = await site.join(cookie)
    assert [await outcome(first, f"a{n}") for n in range(4)] == ["ack"] * 3 + ["rate_limited"]
    await leave(site, first)
    again, other_session = await site.join(cookie), await site.join(await site.sign_in("Masa"))
    assert [await outcome(again, f"b{n}") for n in range(2)] == ["ack", "ack"]
    assert await outcome(again, "b3") == await outcome(other_session, "c1") == "rate_limited"
    assert await outcome(again, "b1") == "ack", "a resend of what is stored counts for nothing"
    assert await outcome(await site.join(await site.account("Kim")), "d1") == "ack"


@pytest.mark.settings(address_rate_limit="2", rate_window_seconds="60", trusted_proxies="10.0.0.0/8")
@pytest.mark.gen_test
async def test_a_forged_forwarding_header_is_no_other_address(site: Site) -> None:
    cookie = await site.account("Masa")
    clients = [
        await site.connect(cookie, **{"X-Forwarded-For": f"192.0.2.{n}", "X-Real-IP": f"1.1.1.{n}"})
        for n in range(3)
    ]
    assert [await outcome(client, str(n)) for n, client in enumerate(clients)] == [
        "ack",
        "ack",
        "rate_limited",
    ]


@pytest.mark.settings(address_rate_limit="2", rate_window_seconds="60", trusted_proxies=PROXY)
@pytest.mark.gen_test
async def test_an_address_of_ipv6_is_its_64_for_messages_too(site: Site) -> None:
    cookie = await site.account("Masa")
    near = [await site.connect(cookie, **{"X-Forwarded-For": f"2001:db8::{n}"}) for n in range(1, 4)]
    far = await site.connect(cookie, **{"X-Forwarded-For": "2001:db8:0:1::1"})
    assert [await outcome(client, str(n)) for n, client in enumerate(near)] == ["ack", "ack", "rate_limited"]
    assert await outcome(far, "far") == "ack"


@pytest.mark.settings(account_connections="2")
@pytest.mark.gen_test
async def test_one_socket_too_many_of_an_account_is_refused_in_any_session(site: Site) -> None:
    first, second = await site.account("Masa"), await site.sign_in("Masa")
    await site.join(first)
    client = await site.join(second)
    for cookie in (first, second):
        with pytest.raises(HTTPClientError) as refused:
            await site.connect(cookie)
        assert refused.value.code == 429
    await leave(site, client)
    await site.join(second)


# -- storms --------------------


@pytest.mark.settings(frame_rate_limit="0")
@pytest.mark.gen_test
async def test_a_storm_of_typing_is_told_once_a_second_with_all_names(site: Site) -> None:
    watcher = await site.join(await site.account("Watcher"))
    names = [f"Typist {n}" for n in range(8)]
    people = [await site.join(await site.account(name)) for name in names for _ in range(1)]
    tabs = [await site.join(await site.sign_in(names[0])) for _ in range(2)]
    started = time.monotonic()
    for client in (*people, *tabs) * 5:
        client.send(type="typing")
    await watcher.until("typing", users=names)
    told = [frame for frame in watcher.frames if frame["type"] == "typing"]
    assert len(told) <= 2 + (time.monotonic() - started), "of 50 events"


@pytest.mark.settings(frame_rate_limit="0")
@pytest.mark.gen_test
async def test_a_storm_of_joins_and_leaves_is_gathered(site: Site) -> None:
    owner = await site.account("Watcher")
    assert (await site.post("/rooms", {"slug": "ops", "title": "Ops"}, cookie=owner)).code == 303
    watcher = await site.join(owner, "room=ops")
    storm = await site.join(await site.account("Storm"))
    started = time.monotonic()
    for _ in range(100):
        storm.send(type="join", room="ops")
        storm.send(type="leave", room="ops")
    storm.send(type="join", room="ops")
    await outcome(storm, "over", room="ops")
    await watcher.until("message", room="ops")
    told = [frame for frame in watcher.frames if frame["type"] == "presence" and "users" not in frame]
    assert len(told) <= 2 + (time.monotonic() - started), "of 201 events"
    assert all(frame["left"] == [] for frame in told), "who comes back within 5 s never left"


# -- slow ones --------------------


async def closed_after(site: Site, *parts: bytes, pause: float) -> float:
    """Seconds until the server hangs up on who sends these parts so slowly."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.app.port)
    started = time.monotonic()
    ended = asyncio.ensure_future(reader.read())
    for part in parts:
        if ended.done():
            break
        writer.write(part)
        await asyncio.wait([ended], timeout=pause)
    await ended
    writer.close()
    return time.monotonic() - started


@pytest.mark.deadlines(headers_seconds=0.4, body_seconds=0.4)
@pytest.mark.gen_test
async def test_slow_headers_and_bodies_meet_a_deadline_however_they_drip(site: Site) -> None:
    head = f"POST /login HTTP/1.1\r\nHost: localhost:{site.app.port}\r\n".encode()
    drip = [b"X-a: b\r\n"] * 200
    whole = head + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 400\r\n\r\n"
    for parts in ([b""], [head], [head, *drip], [whole], [whole, *[b"x"] * 200]):
        assert 0.2 < await closed_after(site, *parts, pause=0.05) < 8, (
            "0.4 s, and not the 10 s that dripping takes"
        )
    assert (await site.get("/login")).code == 200


@pytest.mark.gen_test
async def test_deadlines_are_the_documented_ones(site: Site) -> None:
    params = site.app._server.conn_params
    assert (params.header_timeout, params.body_timeout, params.max_body_size) == (30, 10, 64 * 1024)


@pytest.mark.settings(rate_limit="0", account_rate_limit="0", address_rate_limit="0", frame_rate_limit="0")
@pytest.mark.gen_test(timeout=180)
async def test_a_slow_reader_is_closed_with_4408_and_delays_nobody(site: Site) -> None:
    masa = await site.join(await site.account("Masa"))
    stalled = await RawSocket.open(site, await site.account("Stalled"))
    await stalled.until("presence")
    stalled._writer.transport.pause_reading()
    connections = site.app.services.connections
    (slow,) = connections.of_account(next(c.account.id for c in connections if c.account.name == "Stalled"))
    number = 0
    while not slow.blocked:
        for _ in range(20):
            masa.send(type="message", text="x" * 500, nonce=str(number))
            number += 1
        await masa.until("ack", nonce=str(number - 1))
    connections.sweep()
    assert not slow.closed
    connections._monotonic = lambda: time.monotonic() + STALL_SECONDS + 1
    connections.sweep()
    assert slow.closed
    assert (
        site.app.services.metrics.registry.get_sample_value("chat_connections_closed_total", {"code": "4408"})
        == 1
    )
    await masa.say("goes on")
    stalled._writer.transport.abort()
    stalled._writer.close()


def limited(descriptors: int) -> tuple[str, ...]:
    """The program with so many descriptors."""
    start = (
        f"import resource, runpy; resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors}, {descriptors})); "
        "runpy.run_module('chat_app', run_name='__main__')"
    )
    return (sys.executable, "-c", start)


def test_with_the_descriptors_taken_healthz_answers_and_sockets_are_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made(data, "Ada", "owner")
    with Server(data, "--account-connections", "0", program=limited(160)) as server, ExitStack() as stack:
        cookie = sign_in(server, "Ada")
        assert cookie.startswith("session=")
        idle = []
        for _ in range(400):  # connections that ask for nothing: each new one takes the place of the oldest
            line = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            line.sendall(b"GET / HTTP/1.1\r\n")
            idle.append(line)
        assert json.loads(server.get("/healthz"))["ok"] is True
        assert idle[0].recv(1) == b"", "the one that waited longest gave way"
        open_sockets = 0
        with pytest.raises(Exception, match="429"):
            while open_sockets < 160:
                opened(stack, server, cookie)
                open_sockets += 1
        assert 60 <= open_sockets <= 128, "80 % at most"
        assert json.loads(server.get("/healthz")) == {"ok": True, "clients": open_sockets}
        assert server.stop() == 0
    events = [json.loads(line)["event"] for line in server.log.splitlines()]
    assert "connections.full" in events and "Too many open files" not in server.log
    assert PASSWORD not in server.log
