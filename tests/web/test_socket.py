"""The socket as the contract has it, over real TCP and SQLite."""

import asyncio
import json
import socket

import pytest
from tornado.httpclient import HTTPClientError

from chat_app.errors import Busy
from tests.conftest import Client, Site

NO_LIMITS = pytest.mark.settings(
    rate_limit="0", account_rate_limit="0", address_rate_limit="0", frame_rate_limit="0"
)


async def refused(site: Site, cookie: str | None, query: str = "", **headers: str) -> int:
    with pytest.raises(HTTPClientError) as answer:
        await site.connect(cookie, query, **headers)
    return answer.value.code


@pytest.mark.gen_test
async def test_the_first_frames_are_system_history_and_presence(site: Site) -> None:
    client = await site.join(await site.account("Masa"))
    system, history, presence = client.frames[:3]
    assert system["message"] == "connected as Masa"
    assert set(system["user"]) == {"id", "name", "role"}
    assert system["limits"] == {
        "maxMessageLength": 500, "rateLimit": 20, "rateWindowSeconds": 10.0, "heartbeatSeconds": 30.0,
    }  # fmt: skip
    assert (history["mode"], history["seq"], history["messages"], history["more"]) == ("latest", 0, [], False)
    assert presence == {
        "type": "presence", "room": "lobby", "online": 1, "joined": ["Masa"], "left": [],
        "message": "Masa joined", "users": ["Masa"],
    }  # fmt: skip


@pytest.mark.gen_test
async def test_a_message_reaches_everybody_and_is_acknowledged_once_stored(site: Site) -> None:
    masa, kim = await site.join(await site.account("Masa")), await site.join(await site.account("Kim"))
    ack = await masa.say("  cafe\u0301\r\n**x**  ")
    frame = await kim.until("message")
    assert (frame["seq"], ack["seq"], ack["id"]) == (1, 1, frame["message"]["id"])
    message = frame["message"]
    assert (message["text"], message["from"], message["nonce"]) == ("café\n**x**", "Masa", ack["nonce"])
    assert "<strong>x</strong>" in message["html"]
    await masa.say("plain & simple")
    assert "html" not in (await kim.until("message"))["message"]


@pytest.mark.gen_test
async def test_the_same_nonce_is_stored_once_whatever_its_text(site: Site) -> None:
    cookie = await site.account("Masa")
    masa = await site.join(cookie)
    masa.send(type="message", text="one", nonce="n")
    first = await masa.until("ack")
    again = await site.join(cookie)
    for _ in range(30):
        again.send(type="message", text="two", nonce="n")
        assert (await again.until("ack"))["id"] == first["id"]
    page = json.loads((await site.get("/rooms/lobby/messages", cookie=cookie)).body)
    assert [message["text"] for message in page["messages"]] == ["one"]


@pytest.mark.gen_test
async def test_who_comes_back_gets_what_changed_meanwhile(site: Site) -> None:
    masa, kim_cookie = await site.join(await site.account("Masa")), await site.account("Kim")
    kim = await site.join(kim_cookie)
    epoch = kim.frames[1]["epoch"]
    first = await masa.say("one")
    second = await masa.say("two")
    kim.connection.close()
    masa.send(type="edit", id=first["id"], text="ONE")
    assert (await masa.until("edited"))["seq"] == 3
    masa.send(type="delete", id=second["id"])
    deleted = await masa.until("deleted")
    assert "text" not in deleted["message"]
    await masa.say("three")
    back = await site.join(kim_cookie, f"room=lobby&since=2&epoch={epoch}")
    history = back.frames[1]
    assert (history["mode"], history["seq"]) == ("resumed", 5)
    assert [(m["seq"], m.get("text")) for m in history["messages"]] == [(1, "ONE"), (2, None), (5, "three")]
    assert (await site.join(kim_cookie, f"since=5&epoch={epoch}")).frames[1]["messages"] == []
    assert (await site.join(kim_cookie, f"since=6&epoch={epoch}")).frames[1]["mode"] == "reset"
    assert (await site.join(kim_cookie, "since=1&epoch=other")).frames[1]["mode"] == "reset"


@pytest.mark.gen_test
async def test_the_handshake_is_refused_in_the_order_of_the_contract(site: Site) -> None:
    cookie = await site.account("Masa")
    for origin in ("null", "http://evil.example", site.url + ".evil.tld", site.url.replace("http", "https"), "http://[::1",
                   f"http://user@localhost:{site.app.port}"):  # fmt: skip
        assert await refused(site, None, Origin=origin) == 403
        assert await refused(site, cookie, Origin=origin, **{"Sec-Fetch-Site": "same-origin"}) == 403
    assert await refused(site, cookie, Host="evil.example", Origin="http://evil.example") == 403
    assert await refused(site, None, "room=nowhere") == 401
    assert await refused(site, f"{cookie}; {cookie}") == 401
    assert await refused(site, cookie[:-1] + ("0" if cookie[-1] != "0" else "1")) == 401
    assert await refused(site, cookie, "room=nowhere") == 404
    assert await refused(site, cookie, "room=..") == 404
    assert await refused(site, cookie, "since=1") == 400
    assert await refused(site, cookie, "since=x&epoch=e") == 400
    upper = await site.connect(cookie, Origin=site.url.upper())
    assert await upper.until("system")


@pytest.mark.settings(account_connections="2", failed_handshakes="3")
@pytest.mark.gen_test
async def test_one_socket_too_many_and_too_many_refused_handshakes_get_429(site: Site) -> None:
    cookie = await site.account("Masa")
    first, _second = await site.join(cookie), await site.join(cookie)
    assert await refused(site, cookie) == 429
    first.connection.close()
    await first.closed()
    for _ in range(3):
        assert await refused(site, None) == 401
    assert await refused(site, None) == 429
    assert await refused(site, None, Origin="http://evil.example") == 403


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "bad_json"), ("[]", "bad_json"), ("null", "bad_json"), ('"x"', "bad_json"), ("[" * 8_000, "bad_json"),
        ('{"type":"read","seq":NaN}', "bad_json"), ('{"type":"message","text":"\\ud800"}', "bad_json"),
        ("{}", "bad_type"), ('{"type":"x"}', "bad_type"), ('{"type":["message"]}', "bad_type"),
        ('{"type":"message"}', "bad_request"), ('{"type":"message","text":1}', "bad_request"),
        ('{"type":"message","text":"a\\u0000b"}', "bad_request"), ('{"type":"read","seq":true}', "bad_request"),
        ('{"type":"read","seq":9223372036854775808}', "bad_request"), ('{"type":"read","seq":-1}', "bad_request"),
        ('{"type":"join","room":"a b"}', "bad_request"), ('{"type":"join","room":"lobby","since":1}', "bad_request"),
        ('{"type":"message","text":"x","nonce":""}', "bad_request"), ('{"type":"message","text":" \\u200b "}', "empty"),
        ('{"type":"message","text":"' + "x" * 501 + '"}', "too_large"), ('{"type":"join","room":"nowhere"}', "not_found"),
        ('{"type":"edit","id":"none","text":"x"}', "not_found"), ('{"type":"delete","id":"none"}', "not_found"),
    ],
)  # fmt: skip
async def test_bad_input_has_one_answer_and_the_connection_goes_on(site: Site, raw: str, code: str) -> None:
    client = await site.join(await site.account("Masa"))
    client.send_raw(raw)
    assert (await client.until("error"))["code"] == code
    assert (await client.say("x" * 500))["seq"] == 1


@pytest.mark.gen_test
async def test_ten_malformed_events_in_a_row_close_with_1008(site: Site) -> None:
    client = await site.join(await site.account("Masa"))
    for _ in range(9):
        client.send_raw("{")
    await client.say("still here")
    for _ in range(10):
        client.send_raw("{")
    assert await client.closed() == 1008


@pytest.mark.gen_test
async def test_a_binary_frame_closes_with_1003_and_neighbours_stay(site: Site) -> None:
    masa, kim = await site.join(await site.account("Masa")), await site.join(await site.account("Kim"))
    masa.send_raw(b"x", binary=True)
    assert await masa.closed() == 1003
    await kim.say("still here")


@pytest.mark.settings(rate_window_seconds="600")
@pytest.mark.gen_test
async def test_the_rate_limit_says_when_and_counts_only_what_is_stored(site: Site) -> None:
    client = await site.join(await site.account("Masa"))
    for _ in range(5):
        client.send(type="message", text=" ")
    for n in range(20):
        await client.say(f"message {n}")
    client.send(type="message", text="one too many", nonce="late")
    error = await client.until("error", code="rate_limited")
    assert 10 < error["retryAfter"] <= 600
    assert error["nonce"] == "late"


@pytest.mark.settings(rate_window_seconds="600")
@pytest.mark.gen_test
async def test_fifty_refusals_by_limits_close_with_4429(site: Site) -> None:
    client = await site.join(await site.account("Masa"))
    for n in range(75):
        client.send(type="message", text=f"message {n}")
    assert await client.closed() == 4429


@pytest.mark.gen_test
async def test_only_the_author_edits_and_roles_delete(site: Site) -> None:
    masa = await site.join(await site.account("Masa", "moderator"))
    kim = await site.join(await site.account("Kim"))
    owner = await site.join(await site.account("Olga", "owner"))
    of_kim, of_owner = await kim.say("mine"), await owner.say("the owner's")
    masa.send(type="edit", id=of_kim["id"], text="changed")
    assert (await masa.until("error"))["code"] == "forbidden"
    kim.send(type="delete", id=of_owner["id"])
    assert (await kim.until("error"))["code"] == "forbidden"
    masa.send(type="delete", id=of_owner["id"])
    assert (await masa.until("error"))["code"] == "forbidden"
    masa.send(type="delete", id=of_kim["id"])
    assert (await kim.until("deleted"))["message"]["id"] == of_kim["id"]


@pytest.mark.gen_test
async def test_rooms_are_joined_left_and_counted_when_unread(site: Site) -> None:
    cookie = await site.account("Masa")
    answer = await site.post("/rooms", {"slug": "ops", "title": "Operations"}, cookie=cookie)
    assert (answer.code, answer.headers["Location"]) == (303, "/rooms/ops")
    masa, kim = await site.join(cookie), await site.join(await site.account("Kim"))
    kim.send(type="message", text="hi", room="ops")
    assert (await kim.until("error"))["code"] == "forbidden"
    kim.send(type="join", room="ops")
    await kim.until("history", room="ops")
    await kim.say("hello @masa", "ops")
    assert await masa.until("unread") == {"type": "unread", "room": "ops", "count": 1, "mentions": 1}
    masa.send(type="read", room="ops", seq=99)
    second = await site.join(cookie)
    masa.send(type="read", room="lobby", seq=0)
    kim.send(type="leave", room="ops")
    kim.send(type="message", text="gone", room="ops")
    assert (await kim.until("error"))["code"] == "forbidden"
    kim.send(type="join", room="ops")
    await kim.say("second", "ops")
    assert (await second.until("unread"))["count"] == 1
    second.send(type="read", room="ops", seq=2)
    assert await masa.until("read") == {"type": "read", "room": "ops", "seq": 2}


@pytest.mark.gen_test
async def test_typing_is_passed_on_at_most_once_in_two_seconds(site: Site) -> None:
    masa, kim = await site.join(await site.account("Masa")), await site.join(await site.account("Kim"))
    masa.send(type="typing")
    masa.send(type="typing")
    assert (await kim.until("typing"))["users"] == ["Masa"]
    await masa.say("done")
    await kim.until("message")
    assert [frame["type"] for frame in kim.frames].count("typing") == 1


@pytest.mark.gen_test
async def test_ending_a_session_closes_its_sockets_at_once(site: Site) -> None:
    first, other = await site.account("Masa"), await site.sign_in("Masa")
    client, stays = await site.join(first), await site.join(other)
    await site.post("/logout", {}, cookie=first)
    assert await client.closed() == 4401
    await stays.say("still here")
    await site.app.services.administration.disable("Masa")
    assert await stays.closed() == 4403
    assert await refused(site, other) == 401


@pytest.mark.settings(heartbeat_seconds="1")
@pytest.mark.gen_test
async def test_heartbeats_come_by_themselves(site: Site) -> None:
    client = await site.join(await site.account("Masa"))
    assert (await client.until("heartbeat"))["heads"] == {"lobby": 0}


@pytest.mark.gen_test
async def test_a_heartbeat_tells_how_far_one_is_and_drops_the_silent(site: Site) -> None:
    """In the test's own time: with that of the clock a loop that stood still would drop everybody."""
    connections = site.app.services.connections
    client = await site.join(await site.account("Masa"))
    await client.say("x")
    silent, writer = await open_raw(site, await site.account("Kim"))
    (answering,) = [one for one in connections if one.account.name == "Masa"]

    async def beat() -> None:
        await connections.beat(site.app.services.identity.has_ended)
        assert (await client.until("heartbeat"))["heads"] == {"lobby": 1}
        while not answering.alive:  # noqa: ASYNC110  (its library answers the ping)
            await asyncio.sleep(0)

    await beat()
    assert len(connections) == 2
    await beat()
    data = await silent.read(-1)
    writer.close()
    assert b"\x89\x00" in data
    assert list(connections) == [answering]
    await beat()
    await client.say("a busy or answering one stays")


async def open_raw(site: Site, cookie: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that answers no ping."""
    endpoint = socket.create_connection(("localhost", site.app.port))
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader, writer = await asyncio.open_connection(sock=endpoint)
    writer.write(
        f"GET /chat HTTP/1.1\r\nHost: localhost:{site.app.port}\r\nOrigin: {site.url}\r\nCookie: {cookie}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"connected as")
    return reader, writer


@NO_LIMITS
@pytest.mark.gen_test(timeout=180)
async def test_what_the_system_holds_for_a_reader_that_does_not_read_is_bounded(site: Site) -> None:
    """Left alone it takes up to 4 MiB for each (tcp_wmem), which nobody counts as the server's."""
    client = await site.join(await site.account("Masa"))
    _, writer = await open_raw(site, await site.account("Kim"))
    writer.transport.pause_reading()
    slow = next(c for c in site.app.services.connections if c.account.name == "Kim")
    sent = 0
    while not slow.blocked:
        for _ in range(20):
            client.send(type="message", text="x" * 500)
            sent += len((await client.until("message"))["message"]["text"])
        assert sent < 3_000_000
    assert sent < 600_000
    writer.close()


@pytest.mark.gen_test
async def test_a_drain_commits_acknowledges_and_closes_with_1012(site: Site) -> None:
    client = await site.join(await site.account("Masa"))
    for n in range(10):
        client.send(type="message", text=str(n), nonce=str(n))
    await client.until("ack", nonce="9")
    draining = asyncio.ensure_future(site.app.drain())
    assert await client.closed() == 1012
    await draining
    assert not site.app.services.state.ready


@pytest.mark.gen_test
async def test_a_drain_with_a_busy_writer_still_closes_with_1012(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await site.join(await site.account("Masa"))

    async def busy() -> None:
        raise Busy

    monkeypatch.setattr(site.app.services.unreads, "flush", busy)
    await asyncio.gather(site.app.drain(), client.closed())
    assert client.connection.close_code == 1012
    monkeypatch.undo()


@NO_LIMITS
@pytest.mark.gen_test(timeout=180)
async def test_twenty_writers_and_twenty_readers_see_the_same_log(site: Site) -> None:
    clients: list[Client] = []
    for n in range(20):
        clients.append(await site.join(await site.account(f"p{n}")))

    async def write(client: Client) -> None:
        for n in range(20):
            client.send(type="message", text=f"{n}", nonce=f"n{n}")
        while sum(frame["type"] == "message" for frame in client.frames) < 400:
            assert await client.receive()

    await asyncio.gather(*map(write, clients))
    logs = [[(f["seq"], f["message"]["id"]) for f in c.frames if f["type"] == "message"] for c in clients]
    assert all(log == logs[0] for log in logs)
    assert [seq for seq, _ in logs[0]] == list(range(1, 401))
