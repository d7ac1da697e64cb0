"""Events both ways: exact fields, the order of the checks, nonces, positions, presence, unread, read, typing."""

import asyncio
import json
import re
from typing import Any

import pytest

from chat_app.core import presence
from tests.conftest import Client, Site
from tests.web.raw import RawSocket

NO_LIMITS = pytest.mark.settings(
    rate_limit="0", account_rate_limit="0", address_rate_limit="0", frame_rate_limit="0"
)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def two(site: Site) -> tuple[Client, Client]:
    return await site.join(await site.account("Masa")), await site.join(await site.account("Kim"))


async def error(client: Client, **event: Any) -> dict[str, Any]:
    client.send(**event)
    return await client.until("error")


@pytest.mark.gen_test
async def test_every_event_has_the_fields_of_the_contract_and_no_others(site: Site) -> None:
    masa, kim = await two(site)
    system, history = masa.frames[:2]
    assert system.keys() == {"type", "message", "clientId", "user", "limits"} and system["type"] == "system"
    assert history.keys() == {"type", "room", "epoch", "mode", "messages", "seq", "more"}
    assert re.fullmatch(r"[A-Za-z0-9_-]+", history["epoch"])
    masa.send(type="message", text="a **b**", nonce="n1", unknown={"a": [1]}, **{"from": "Kim", "role": "owner", "sentAt": "x", "id": "x", "userId": "x", "seq": 9})  # fmt: skip
    frame, ack = await kim.until("message"), await masa.until("ack")
    assert frame.keys() == {"type", "room", "seq", "message"}
    message = frame["message"]
    assert message.keys() == {"id", "room", "seq", "from", "userId", "text", "html", "sentAt", "nonce"}
    assert (message["room"], message["seq"], message["from"], message["userId"]) == (
        "lobby",
        1,
        "Masa",
        system["user"]["id"],
    )
    assert MOMENT.fullmatch(message["sentAt"])
    assert ack == {"type": "ack", "nonce": "n1", "room": "lobby", "id": message["id"], "seq": 1}
    masa.send(type="message", text="plain")
    plain = (await kim.until("message"))["message"]
    assert plain.keys() == {"id", "room", "seq", "from", "userId", "text", "sentAt"}
    masa.send(type="edit", id=message["id"], text="c")
    edited = await kim.until("edited")
    assert (edited["room"], edited["seq"]) == ("lobby", 3)
    assert edited["message"].keys() == {
        "id",
        "room",
        "seq",
        "from",
        "userId",
        "text",
        "sentAt",
        "nonce",
        "editedAt",
    }
    assert (edited["message"]["seq"], edited["message"]["text"]) == (1, "c") and MOMENT.fullmatch(
        edited["message"]["editedAt"]
    )
    masa.send(type="delete", id=message["id"])
    deleted = await kim.until("deleted")
    assert (deleted["seq"], deleted["message"]["seq"]) == (4, 1)
    assert deleted["message"].keys() == {
        "id",
        "room",
        "seq",
        "from",
        "userId",
        "sentAt",
        "nonce",
        "editedAt",
        "deletedAt",
    }
    refused = await error(masa, type="message", text=" ", nonce="n2", room="lobby")
    assert refused.keys() == {"type", "code", "message", "nonce", "room"}
    assert (refused["code"], refused["nonce"], refused["room"]) == ("empty", "n2", "lobby")
    assert not any(frame["type"] == "ack" for frame in kim.frames), (
        "an ack is for the sending connection only"
    )


@pytest.mark.gen_test
async def test_an_error_names_the_nonce_and_room_where_they_can_be_read(site: Site) -> None:
    masa = await site.join(await site.account("Masa"))
    for event, code in (
        ({"text": 1}, "bad_request"), ({}, "bad_request"), ({"text": "a\0b"}, "bad_request"), ({"text": ""}, "empty"),
        ({"text": "x" * 501}, "too_large"), ({"text": "x", "room": "nowhere"}, "not_found"),
    ):  # fmt: skip
        refused = await error(masa, **{"type": "message", "nonce": "n", **event})
        assert (refused["code"], refused["nonce"], refused.get("room")) == (code, "n", event.get("room")), (
            event
        )
    for room in ("a b", "x" * 15_000):
        refused = await error(masa, type="join", room=room)
        assert refused["code"] == "bad_request" and len(json.dumps(refused)) < 300


@pytest.mark.settings(rate_window_seconds="600")
@pytest.mark.gen_test
async def test_checks_come_in_the_order_fields_permission_text_limits(site: Site) -> None:
    masa, kim = await two(site)
    cookie = await site.account("Lee")
    await site.post("/rooms", {"slug": "ops", "title": "Ops"}, cookie=cookie)
    theirs = (await kim.say("theirs"))["id"]
    for event, code in (
        ({"type": "message", "text": "a\0", "room": "nowhere"}, "bad_request"),
        ({"type": "message", "text": "", "room": "nowhere"}, "not_found"),
        ({"type": "message", "text": "", "room": "ops"}, "forbidden"),
        ({"type": "message", "text": "x" * 501, "room": "ops"}, "forbidden"),
        ({"type": "edit", "id": theirs, "text": "a\0"}, "bad_request"),
        ({"type": "edit", "id": theirs, "text": ""}, "forbidden"),
        ({"type": "edit", "id": theirs, "text": "x" * 501}, "forbidden"),
        ({"type": "edit", "id": theirs, "text": "mine"}, "forbidden"),
        ({"type": "edit", "id": "nothing", "text": ""}, "not_found"),
        ({"type": "edit", "id": theirs, "text": "", "room": "ops"}, "forbidden"),
        ({"type": "delete", "id": theirs}, "forbidden"),
        ({"type": "delete", "id": "nothing"}, "not_found"),
        ({"type": "typing", "room": "nowhere"}, "not_found"), ({"type": "typing", "room": "ops"}, "forbidden"),
        ({"type": "leave", "room": "nowhere"}, "not_found"), ({"type": "join", "room": "nowhere"}, "not_found"),
        ({"type": "read", "room": "nowhere", "seq": 1}, "not_found"),
    ):  # fmt: skip
        assert (await error(masa, **event))["code"] == code, event
    own = (await masa.say("own"))["id"]
    for text, code in (("", "empty"), ("\u200b\u2060", "empty"), ("x" * 501, "too_large")):
        assert (await error(masa, type="edit", id=own, text=text))["code"] == code
    for _ in range(19):
        await masa.say("x")
    for event, code in (
        ({"type": "message", "text": ""}, "empty"), ({"type": "message", "text": "x" * 501}, "too_large"),
        ({"type": "message", "text": "x", "room": "ops"}, "forbidden"), ({"type": "message", "text": "x"}, "rate_limited"),
        ({"type": "edit", "id": theirs, "text": "x"}, "forbidden"), ({"type": "edit", "id": own, "text": ""}, "empty"),
        ({"type": "edit", "id": own, "text": "x"}, "rate_limited"), ({"type": "delete", "id": theirs}, "forbidden"),
        ({"type": "delete", "id": own}, "rate_limited"),
    ):  # fmt: skip
        assert (await error(masa, **event))["code"] == code, event
    await kim.say("end")
    assert not any(frame["type"] in ("edited", "deleted") for frame in kim.frames)


@pytest.mark.gen_test
async def test_code_points_are_counted_after_nfc_and_trimming(site: Site) -> None:
    masa, kim = await two(site)
    for text, stored in (
        ("x" * 500, "x" * 500), ("😀" * 500, "😀" * 500), ("e\u0301" * 500, "é" * 500), ("  " + "x" * 500 + "\r\n", "x" * 500),
        ("a\r\n" * 250, ("a\n" * 250).strip()), ("\u1100\u1161\u11a8" * 500, "각" * 500),
    ):  # fmt: skip
        masa.send(type="message", text=text)
        assert (await kim.until("message"))["message"]["text"] == stored
    for text in ("x" * 501, "😀" * 501, "e\u0301" * 501, "\u0958" * 251):
        assert (await error(masa, type="message", text=text))["code"] == "too_large", text[:4]


@pytest.mark.gen_test
async def test_a_text_of_which_nothing_is_visible_is_empty(site: Site) -> None:
    masa = await site.join(await site.account("Masa"))
    for text in (
        "", " ", "\n\t\r\n", "\u00a0\u2003\u3000", "\u200b", "\u200b\u200c\u200d\u2060\ufeff", " \u200b ", "\u00ad", "\u200e\u202e",
        "\u2028\u2029", "\u3164", "\u2800", "\ufe0f", "\U000e0020", "\ufff9", "\U0001d173", "\u180e", "\u115f",
    ):  # fmt: skip
        assert (await error(masa, type="message", text=text))["code"] == "empty", ascii(text)


@pytest.mark.gen_test
async def test_a_nonce_counts_by_account_and_room_whatever_the_text(site: Site) -> None:
    masa, kim = await two(site)
    await site.post("/rooms", {"slug": "ops", "title": "Ops"}, cookie=await site.sign_in("Kim"))
    masa.send(type="join", room="ops")
    await masa.until("history", room="ops")
    masa.send(type="message", text="first", nonce="n" * 64)
    first = await masa.until("ack")
    for text in ("first", "other", "x" * 501, "", " \u200b"):
        masa.send(type="message", text=text, nonce="n" * 64)
        assert await masa.until("ack") == first, text[:9]
    masa.send(type="message", text="first", nonce="n" * 64, room="ops")
    elsewhere = await masa.until("ack")
    assert (elsewhere["room"], elsewhere["seq"]) == ("ops", 1) and elsewhere["id"] != first["id"]
    kim.send(type="message", text="mine", nonce="n" * 64)
    other = await kim.until("ack")
    assert other["seq"] == 2 and other["id"] != first["id"]
    masa.send(type="delete", id=first["id"])
    await masa.until("deleted")
    masa.send(type="message", text="again", nonce="n" * 64)
    assert await masa.until("ack") == first, "a deleted one is not posted again"
    masa.connection.close()
    again = await site.join(await site.sign_in("Masa"))
    again.send(type="message", text="after a reconnect", nonce="n" * 64)
    assert await again.until("ack") == first
    assert (await again.say("next"))["seq"] == 4


@pytest.mark.gen_test
async def test_the_same_nonce_at_once_on_two_connections_is_stored_once(site: Site) -> None:
    cookie = await site.account("Masa")
    clients = [await site.join(cookie) for _ in range(5)]
    for number, client in enumerate(clients):
        client.send(type="message", text=str(number), nonce="once")
    acks = [await client.until("ack") for client in clients]
    assert all(ack == acks[0] for ack in acks)
    assert (await clients[0].say("next"))["seq"] == 2


@NO_LIMITS
@pytest.mark.gen_test(timeout=180)
async def test_each_position_has_its_mode(site: Site) -> None:
    cookie = await site.account("Masa")
    masa = await site.join(cookie)
    epoch = masa.frames[1]["epoch"]
    for number in range(1_001):
        masa.send(type="message", text=str(number), nonce=str(number))
        if number % 50 == 0:  # who reads nothing of so many acks is too slow, and out
            await masa.until("ack", nonce=str(number))

    async def resume(since: int, epoch: str) -> tuple[str, list[int], int]:
        socket = await RawSocket.open(site, cookie, f"since={since}&epoch={epoch}")
        frames = [await socket.until("history")]
        while frames[-1]["more"]:
            frames.append(await socket.until("history"))
        await socket.leave()
        assert {frame["mode"] for frame in frames} == {frames[0]["mode"]}
        return frames[0]["mode"], [m["seq"] for frame in frames for m in frame["messages"]], frames[-1]["seq"]

    latest = list(range(952, 1_002))
    assert await resume(1_001, epoch) == ("resumed", [], 1_001)
    assert await resume(1_000, epoch) == ("resumed", [1_001], 1_001)
    assert await resume(1, epoch) == ("resumed", list(range(2, 1_002)), 1_001), "1,000 behind"
    assert await resume(0, epoch) == ("reset", latest, 1_001), "1,001 behind"
    assert await resume(1_002, epoch) == ("reset", latest, 1_001), "beyond the head"
    assert await resume(1_001, "other") == ("reset", latest, 1_001)
    assert await resume(0, "other") == ("reset", latest, 1_001)


@pytest.mark.gen_test
async def test_join_resumes_within_a_connection_and_since_0_of_a_young_room_is_everything(site: Site) -> None:
    masa, kim = await two(site)
    epoch = masa.frames[1]["epoch"]
    masa.send(type="join", room="lobby", since=0, epoch=epoch)
    assert (await masa.until("history"))["mode"] == "resumed"
    await kim.say("one")
    await masa.until("message")
    for since, mode, count in ((0, "resumed", 1), (1, "resumed", 0), (2, "reset", 1)):
        masa.send(type="join", room="lobby", since=since, epoch=epoch)
        history = await masa.until("history")
        assert (history["mode"], len(history["messages"]), history["seq"], history["more"]) == (
            mode,
            count,
            1,
            False,
        )
    masa.send(type="join", room="lobby")
    assert (await masa.until("history"))["mode"] == "latest"
    await kim.say("two")
    assert (await masa.until("message"))["seq"] == 2, "it goes on live, once"
    assert (await masa.say("three"))["seq"] == 3
    assert [f["seq"] for f in masa.frames if f["type"] == "message"].count(2) == 1


@pytest.mark.gen_test
async def test_every_change_of_the_log_takes_the_next_seq_and_creation_none(site: Site) -> None:
    cookie = await site.account("Masa")
    await site.post("/rooms", {"slug": "new", "title": "New"}, cookie=cookie)
    masa = await site.join(cookie, "room=new")
    assert (masa.frames[1]["seq"], masa.frames[1]["messages"]) == (0, [])
    first = await masa.say("one", "new")
    masa.send(type="edit", id=first["id"], text="two")
    masa.send(type="typing")
    masa.send(type="read", seq=1)
    await error(masa, type="message", text="")
    masa.send(type="delete", id=first["id"])
    await masa.until("deleted")
    masa.send(type="message", text="three")
    await masa.until("message", seq=4)
    assert [f["seq"] for f in masa.frames if f["type"] in ("message", "edited", "deleted")] == [1, 2, 3, 4]


@pytest.mark.gen_test
async def test_leaving_stops_a_room_and_says_who_left_after_five_seconds(site: Site) -> None:
    masa, kim = await two(site)
    second = await site.join(await site.sign_in("Kim"))
    assert (await masa.until("presence"))["joined"] == ["Kim"]
    kim.send(type="leave", room="lobby")
    second.connection.close()
    loop = asyncio.get_running_loop()
    started = loop.time()
    left = await masa.until("presence")
    assert left == {
        "type": "presence",
        "room": "lobby",
        "online": 1,
        "joined": [],
        "left": ["Kim"],
        "message": "Kim left",
    }
    assert 4.5 < loop.time() - started < 30
    await masa.say("unheard")
    assert (await error(kim, type="message", text="x"))["code"] == "forbidden"
    assert (await error(kim, type="leave", room="lobby"))["code"] == "forbidden"
    assert not any(frame["type"] == "message" for frame in kim.frames)


@pytest.mark.gen_test
async def test_a_change_of_presence_is_told_at_once_and_further_ones_are_gathered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookies = [await site.account(name) for name in ("Masa", "Kim", "Lee", "Ada")]
    masa = await site.join(cookies[0])
    room = site.app.services.registry.by_slug("lobby")
    assert room is not None and presence.GATHER_SECONDS == 1.0
    monkeypatch.setattr(presence, "GATHER_SECONDS", 8.0)  # for a busy machine
    monkeypatch.setattr(presence, "LEAVE_SECONDS", 60.0)
    room.people._told_at -= 8.0  # as if they had passed
    loop = asyncio.get_running_loop()
    started = loop.time()
    await site.connect(cookies[1])
    first = await masa.until("presence")
    assert (first["joined"], first["online"], "users" in first) == (
        ["Kim"],
        2,
        False,
    )
    assert loop.time() - started < presence.GATHER_SECONDS, "not gathered"
    lee, again = await site.connect(cookies[2]), await site.connect(cookies[1])
    await site.connect(cookies[3])
    gathered = await masa.until("presence")
    assert (gathered["joined"], gathered["online"]) == (["Lee", "Ada"], 4)
    for client in (lee, again):
        welcome = await client.until("presence")
        assert (
            welcome["users"] == sorted(welcome["users"], key=str.casefold)
            and len(welcome["users"]) == welcome["online"]
        )
    again.connection.close()
    lee.connection.close()
    back = await site.join(cookies[2])
    assert "Lee" in back.frames[2]["users"]
    await masa.say("x")
    assert not any(f["type"] == "presence" and f["left"] for f in masa.frames), (
        "back before it was taken for gone"
    )


@pytest.mark.gen_test
async def test_typing_names_people_and_is_passed_on_once_in_two_seconds(site: Site) -> None:
    masa, kim = await two(site)
    for _ in range(5):
        masa.send(type="typing", room="lobby")
    assert await kim.until("typing") == {"type": "typing", "room": "lobby", "users": ["Masa"]}
    kim.send(type="typing")
    assert (await masa.until("typing", users=["Kim", "Masa"]))["room"] == "lobby"
    await kim.say("x")
    assert [f["users"] for f in kim.frames if f["type"] == "typing"] == [["Masa"], ["Kim", "Masa"]]


@pytest.mark.gen_test
async def test_read_goes_to_the_accounts_other_connections_and_not_beyond_the_head(site: Site) -> None:
    masa, kim = await two(site)
    other = await site.join(await site.sign_in("Masa"))
    await kim.say("one")
    await kim.say("two")
    for seq, told in ((1, 1), (99, 2)):
        masa.send(type="read", seq=seq)
        assert await other.until("read") == {"type": "read", "room": "lobby", "seq": told}
    for seq in (0, 1, 2):  # never back
        masa.send(type="read", room="lobby", seq=seq)
    await masa.say("three")
    await other.until("message", seq=3)
    assert [f["seq"] for f in other.frames if f["type"] == "read"] == [1, 2]
    assert not any(f["type"] == "read" for f in (*masa.frames, *kim.frames))


@pytest.mark.gen_test
async def test_unread_is_told_at_most_once_a_second_and_never_of_a_joined_room(site: Site) -> None:
    cookie = await site.account("Kim")
    await site.post("/rooms", {"slug": "ops", "title": "Ops"}, cookie=cookie)
    masa, kim = await site.join(await site.account("Masa")), await site.join(cookie, "room=ops")
    loop = asyncio.get_running_loop()
    started = loop.time()
    told = 0
    for number in range(15):
        await kim.say(f"@Masa {number}", "ops")
        await asyncio.sleep(0.05)
    while True:
        frame = await masa.until("unread")
        told += 1
        assert frame.keys() == {"type", "room", "count", "mentions"} and frame["room"] == "ops"
        if frame["count"] == 15:
            break
    assert frame["mentions"] == 15
    assert told <= 2 + (loop.time() - started), "once a second"
    masa.send(type="join", room="ops")
    await masa.until("history", room="ops")
    await kim.say("joined now", "ops")
    await masa.until("message", room="ops")
    await site.app.services.unreads.tick()
    await masa.say("end")
    assert [f["type"] for f in masa.frames].count("unread") == told
    assert not any(f["type"] == "unread" for f in kim.frames), "one's own messages are not unread"


@pytest.mark.gen_test
async def test_a_heartbeat_names_every_joined_room(site: Site) -> None:
    async def beat() -> dict[str, Any]:
        """What it tells; that heartbeats come by themselves is in test_socket.py."""
        await site.app.services.connections.beat(site.app.services.identity.has_ended)
        return await kim.until("heartbeat")

    cookie = await site.account("Kim")
    await site.post("/rooms", {"slug": "ops", "title": "Ops"}, cookie=cookie)
    kim = await site.join(cookie)
    kim.send(type="join", room="ops")
    await kim.until("history", room="ops")
    await kim.say("x", "ops")
    assert await beat() == {"type": "heartbeat", "heads": {"lobby": 0, "ops": 1}}
    kim.send(type="leave", room="ops")
    await kim.say("so it has left")
    assert await beat() == {"type": "heartbeat", "heads": {"lobby": 1}}


@pytest.mark.settings(heartbeat_seconds="0", history_limit="0", max_message_length="0")
@pytest.mark.gen_test
async def test_0_switches_history_length_and_heartbeat_off(site: Site) -> None:
    cookie = await site.account("Kim")
    kim = await site.join(cookie)
    assert kim.frames[0]["limits"]["maxMessageLength"] == kim.frames[0]["limits"]["heartbeatSeconds"] == 0
    await kim.say("x" * 15_000)
    assert (await site.join(cookie)).frames[1]["messages"] == []


@pytest.mark.settings(history_limit="3", max_message_length="5", rate_limit="7", rate_window_seconds="60")
@pytest.mark.gen_test
async def test_settings_reach_the_client_and_count(site: Site) -> None:
    cookie = await site.account("Kim")
    kim = await site.join(cookie)
    assert kim.frames[0]["limits"] == {
        "maxMessageLength": 5,
        "rateLimit": 7,
        "rateWindowSeconds": 60,
        "heartbeatSeconds": 30,
    }
    for _ in range(7):
        await kim.say("12345")
    assert (await error(kim, type="message", text="123456"))["code"] == "too_large"
    refused = await error(kim, type="message", text="12345")
    assert refused["code"] == "rate_limited" and 10 < refused["retryAfter"] <= 60
    history = (await site.join(cookie)).frames[1]
    assert ([m["seq"] for m in history["messages"]], history["seq"]) == ([5, 6, 7], 7)


@pytest.mark.settings(
    rate_limit="5", account_rate_limit="8", address_rate_limit="12", rate_window_seconds="600"
)
@pytest.mark.gen_test
async def test_limits_hold_by_connection_account_and_address(site: Site) -> None:
    cookies = {name: await site.account(name) for name in ("Masa", "Kim")}

    async def until_limited(name: str) -> int:
        client, sent = await site.join(cookies[name]), 0
        while True:
            client.send(type="message", text="x", nonce=str(sent) + str(id(client)))
            frame = await client.receive()
            while frame is None or frame["type"] not in ("ack", "error"):
                assert frame is not None
                frame = await client.receive()
            if frame["type"] == "error":
                assert frame["code"] == "rate_limited" and 0 < frame["retryAfter"] <= 600
                client.connection.close()
                return sent
            sent += 1

    assert await until_limited("Masa") == 5, "by connection"
    assert await until_limited("Masa") == 3, "a new connection does not refill the account"
    assert await until_limited("Kim") == 4, "by address"
    assert await until_limited("Kim") == 0


@pytest.mark.gen_test
async def test_the_first_malformed_event_of_ten_in_a_row_counts_and_a_refusal_between_starts_anew(
    site: Site,
) -> None:
    masa = await site.join(await site.account("Masa"))
    for raw in ("{", '{"type":"x"}', '{"type":"read"}') * 3:
        masa.send_raw(raw)
    assert (await error(masa, type="message", text=""))["code"]
    for _ in range(9):
        masa.send_raw("[]")
    await masa.say("still here")
    for _ in range(10):
        masa.send_raw("[]")
    assert await masa.closed() == 1008
