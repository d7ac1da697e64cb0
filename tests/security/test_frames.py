"""Frames over raw sockets: what fails a connection with which code, and what does not."""

import json
import struct
import time
from types import SimpleNamespace

import pytest

from chat_app.web import wire
from chat_app.web.frames import FRAGMENT_SECONDS
from tests.conftest import Site
from tests.web.raw import BINARY, CLOSE, PING, PONG, TEXT, RawSocket, client_frame

NO_LIMITS = pytest.mark.settings(
    rate_limit="0", account_rate_limit="0", address_rate_limit="0", frame_rate_limit="0"
)
LIMIT = 16 * 1024


def padded(size: int, **event: object) -> bytes:
    """An event of exactly `size` bytes; the filling is an unknown field."""
    start = json.dumps({**event, "filler": ""}).encode()
    return start[:-2] + b"x" * (size - len(start)) + start[-2:]


FAILING = [
    (client_frame(b"{}", BINARY), 1003),
    (client_frame(b"{}", BINARY, final=False), 1003),
    (client_frame(b"\xff"), 1007),
    (client_frame(b'{"type":"message","text":"\xc3\x28"}'), 1007),
    (client_frame(b"\xed\xa0\x80"), 1007),
    (client_frame(b"\xe2\x82", final=False) + client_frame(b"", 0), 1007),
    (client_frame(b"{}", masked=False), 1002),
    (client_frame(b"{}", reserved=0x40), 1002),
    (client_frame(b"{}", reserved=0x10), 1002),
    *((client_frame(b"", opcode), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    (client_frame(b"{}", reserved=0x20), 1002),
    (client_frame(b"x", 0), 1002),
    (client_frame(b"{", final=False) + client_frame(b"}"), 1002),
    (client_frame(b"x" * 126, PING), 1002),
    (client_frame(b"x", PING, final=False), 1002),
    (client_frame(b"x", CLOSE), 1002),
    *((client_frame(struct.pack("!H", code), CLOSE), 1002) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)),
    (client_frame(struct.pack("!H", 1000) + b"\xff", CLOSE), 1007),
    (client_frame(b"x" * (LIMIT + 1)), 1009),
    (struct.pack("!BBH", 0x81, 0x80 | 126, LIMIT + 1), 1009),
    (struct.pack("!BBQ", 0x81, 0x80 | 127, 1 << 62), 1009),
    (client_frame(b"x" * LIMIT, final=False) + client_frame(b"x", 0), 1009),
    (client_frame(b"", PING) * 200, 1008),
    (client_frame(b"", PONG) * 200, 1008),
    (client_frame(b"", final=False) + client_frame(b"", 0, final=False) * 200, 1008),
    (client_frame(b"{") * 10, 1008),
    (client_frame(b'{"type":"nothing"}') * 10, 1008),
    (client_frame(b'{"type":"read"}') * 10, 1008),
]  # fmt: skip


@pytest.mark.gen_test(timeout=180)
async def test_what_fails_a_connection_has_its_code_and_harms_no_neighbour(site: Site) -> None:
    neighbour, cookie = await site.join(await site.account("Kim")), await site.account("Masa")
    for data, code in FAILING:
        socket = await RawSocket.open(site, cookie)
        await socket.until("presence")
        socket.write(data)
        assert await socket.closed() == code, data[:40]
    await neighbour.say("still here")
    assert site.app.services.metrics.registry.get_sample_value("chat_errors_total") == 0


@pytest.mark.gen_test
async def test_a_close_is_answered_with_its_code_or_without_one(site: Site) -> None:
    cookie = await site.account("Masa")
    for code in (1000, 1001, 3000, 4999, 1005):
        socket = await RawSocket.open(site, cookie)
        socket.write(client_frame(b"" if code == 1005 else struct.pack("!H", code) + b"bye", CLOSE))
        assert await socket.closed() == code
    assert len(site.app.services.connections) == 0


@pytest.mark.gen_test
async def test_sixteen_kibibytes_pass_whole_or_in_fragments(site: Site) -> None:
    socket = await RawSocket.open(site, await site.account("Masa"))
    whole = padded(LIMIT, type="message", text="one", nonce="1")
    assert len(whole) == LIMIT
    socket.write(client_frame(whole))
    assert (await socket.until("ack"))["seq"] == 1
    whole = padded(LIMIT, type="message", text="two", nonce="2")
    parts = [whole[start : start + 1_000] for start in range(0, LIMIT, 1_000)]
    for number, part in enumerate(parts):
        socket.write(client_frame(part, 0 if number else TEXT, final=number == len(parts) - 1))
    assert (await socket.until("ack"))["seq"] == 2
    socket.write(client_frame(json.dumps({"type": "message", "text": "x" * 16_000}).encode()))
    assert (await socket.until("error"))["code"] == "too_large"
    await socket.leave()


@pytest.mark.gen_test
async def test_a_code_point_split_over_fragments_with_a_ping_between_is_fine(site: Site) -> None:
    socket = await RawSocket.open(site, await site.account("Masa"))
    event = '{"type":"message","text":"€ 😀","nonce":"n"}'.encode()
    for cut in range(event.index(b'":"\xe2') + 4, event.index(b'","nonce')):
        socket.write(
            client_frame(event[:cut], final=False) + client_frame(b"p", PING) + client_frame(event[cut:], 0)
        )
        assert await socket.pong() == b"p"
        assert (await socket.until("ack"))["seq"] == 1
    await socket.leave()


@pytest.mark.gen_test
async def test_a_ping_is_answered_with_its_payload(site: Site) -> None:
    socket = await RawSocket.open(site, await site.account("Masa"))
    for payload in (b"", b"x", bytes(range(125))):
        socket.write(client_frame(payload, PING))
        assert await socket.pong() == payload
    await socket.leave()


@pytest.mark.settings(frame_rate_limit="20")
@pytest.mark.gen_test
async def test_over_the_frame_limit_of_any_kind_closes_with_4429(site: Site) -> None:
    cookie = await site.account("Masa")
    for data in (
        client_frame(b'{"type":"typing"}'),
        client_frame(b"x", PONG),
        client_frame(b'{"type":"leave","room":"a"}'),
    ):
        socket = await RawSocket.open(site, cookie)
        socket.write(data * 21)
        assert await socket.closed() == 4429


@NO_LIMITS
@pytest.mark.gen_test
async def test_0_switches_the_frame_and_message_limits_off(site: Site) -> None:
    socket = await RawSocket.open(site, await site.account("Masa"))
    for number in range(600):
        socket.send(type="message", text=str(number), nonce=str(number))
    assert (await socket.until("ack", nonce="599"))["seq"] == 600
    await socket.leave()


@pytest.mark.gen_test
async def test_a_message_in_fragments_that_is_never_finished_meets_a_deadline(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbour = await site.join(await site.account("Kim"))
    socket = await RawSocket.open(site, await site.account("Masa"))
    socket.write(client_frame(b'{"type":', final=False) + client_frame(b"x", PING))
    assert await socket.pong() == b"x"
    site.app.services.connections.sweep()
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + FRAGMENT_SECONDS + 1)
    monkeypatch.setattr(wire, "time", later)
    site.app.services.connections.sweep()
    assert await socket.closed() == 1008
    await neighbour.say("still here")
