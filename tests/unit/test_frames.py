"""Frames from bytes, whatever way the bytes are cut."""

import struct

import pytest

from chat_app.web.frames import CONTROL_FLOOD, FRAGMENT_SECONDS, FrameError, FrameReader


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def client_frame(
    payload: bytes, opcode: int = 1, *, final: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    size, bit = len(payload), 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    if not masked:
        return head + payload
    mask = b"\x9e\x01\xc3\x7a"  # the same in each run: the tests are named by their bytes
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def reader(limit: int = 0, clock: Clock | None = None) -> FrameReader:
    return FrameReader(frames_per_second=limit, monotonic=clock or Clock())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 16_384])
@pytest.mark.parametrize("cut", [1, 2, 3, 7, 100_000])
def test_a_message_is_whole_however_it_is_cut(size: int, cut: int) -> None:
    data = client_frame(b"x" * size)
    under_test, found = reader(), []
    for start in range(0, len(data), cut):
        found += list(under_test.feed(data[start : start + cut]))
    assert found == [(1, b"x" * size)]


def test_a_code_point_split_over_fragments_and_a_ping_between_is_fine() -> None:
    euro = "€".encode()
    data = client_frame(euro[:1], final=False) + client_frame(b"p", 9) + client_frame(euro[1:], 0)
    assert list(reader().feed(data)) == [(9, b"p"), (1, euro)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(b"x", masked=False), 1002),
        (client_frame(b"x", reserved=0x40), 1002),
        (client_frame(b"x", 3), 1002),
        (client_frame(b"x", 0xB), 1002),
        (client_frame(b"x", 0), 1002),
        (client_frame(b"a", final=False) + client_frame(b"b"), 1002),
        (client_frame(b"x" * 126, 9), 1002),
        (client_frame(b"x", 9, final=False), 1002),
        (client_frame(b"x", 2), 1003),
        (client_frame(b"x" * 16_385), 1009),
        (struct.pack("!BBQ", 0x81, 0xFF, 1 << 40), 1009),
        (client_frame(b"x" * 10_000, final=False) + client_frame(b"x" * 10_000, 0), 1009),
        (client_frame(b"", 9) * (CONTROL_FLOOD + 1), 1008),
        (client_frame(b"", final=False) + client_frame(b"", 0, final=False) * CONTROL_FLOOD, 1008),
    ],
)
def test_what_breaks_the_protocol_fails_the_connection(data: bytes, code: int) -> None:
    with pytest.raises(FrameError) as failed:
        list(reader().feed(data))
    assert failed.value.code == code


def test_the_frame_limit_counts_a_second_and_starts_anew() -> None:
    clock = Clock()
    under_test = reader(5, clock)
    assert len(list(under_test.feed(client_frame(b"x") * 5))) == 5
    clock.now += 1
    assert len(list(under_test.feed(client_frame(b"x") * 5))) == 5
    with pytest.raises(FrameError) as failed:
        list(under_test.feed(client_frame(b"x")))
    assert failed.value.code == 4429


def test_a_message_that_is_never_finished_becomes_stale() -> None:
    clock = Clock()
    under_test = reader(0, clock)
    list(under_test.feed(client_frame(b"x", final=False)))
    assert not under_test.stale(clock.now + FRAGMENT_SECONDS)
    assert under_test.stale(clock.now + FRAGMENT_SECONDS + 1)
