"""What a message costs, part by part, without socket and store: a regression shows where it happened.

`python -m bench micro` measures; `tests/bench` runs each once. Compare two commits with pytest-benchmark's
`--benchmark-autosave` and `--benchmark-compare`.
"""

from __future__ import annotations

import itertools
import time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from chat_app.core.chat import Limits
from chat_app.core.connection import Connection
from chat_app.core.markdown import render
from chat_app.core.rooms import Room, Tasks, follow
from chat_app.models import Account, Committed, Message, RoomInfo
from chat_app.protocol import change_frame, check, clean_text, decode
from chat_app.web.frames import FrameReader

TEXT = "Build 4711 of the main branch has passed all of its checks."
RAW = f'{{"type":"message","text":"{TEXT}","nonce":"0123456789abcdef"}}'
MESSAGE = Message("0" * 36, "r", 1, 1, "a" * 32, "masa", TEXT, None, 1_700_000_000_000, "0123456789abcdef")


class Sink:
    """A socket that takes everything."""

    def __init__(self) -> None:
        self.taken = 0
        self.offer = self._offer

    def _offer(self, data: bytes) -> int:
        self.taken += len(data)
        return len(data)

    def buffer(self, data: memoryview) -> None:
        raise AssertionError("it takes everything")

    def progress(self) -> float:
        return 0.0

    def sweep(self) -> None:
        raise AssertionError("nobody sweeps here")

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(reason)

    def abort(self) -> None:
        raise AssertionError("nobody aborts here")


class History:
    """A store that nobody has to ask."""

    async def latest(self, *arguments: object, **named: object) -> None:
        raise AssertionError("an empty room needs no store")

    changes = before = get = latest
    submit = latest


def connection(number: int) -> Connection:
    account = Account(f"id-{number}", f"member {number}", f"member {number}", "member", False, 0)
    return Connection(
        client_id=str(number), account=account, session_id=str(number), address="::1", default_room="lobby",
        sink=Sink(),
    )  # fmt: skip


def masked(payload: bytes) -> bytes:
    key = b"\x37\xfa\x21\x3d"
    body = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    size = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + size + key + body


def test_decode_and_check(benchmark: BenchmarkFixture) -> None:
    def run() -> str:
        event = decode(RAW)
        check(event)
        return event.nonce  # type: ignore[union-attr,return-value]

    assert benchmark(run) == "0123456789abcdef"


@pytest.mark.parametrize("text", [TEXT, "Grüße aus Köln, wie geht’s?\r\n"], ids=["ascii", "unicode"])
def test_clean_text(benchmark: BenchmarkFixture, text: str) -> None:
    assert benchmark(clean_text, text, limit=500) == text.strip()


@pytest.mark.parametrize(
    ("text", "expected"), [(TEXT, None), ("**done** at https://ci.example/4711", "<strong>")], ids=["plain", "markdown"]
)  # fmt: skip
def test_render(benchmark: BenchmarkFixture, text: str, expected: str | None) -> None:
    rendered = benchmark(render, text)
    assert rendered is None if expected is None else expected in rendered


def test_encode(benchmark: BenchmarkFixture) -> None:
    assert TEXT.encode() in benchmark(change_frame, "message", 1, MESSAGE, "lobby")


def test_read_frame(benchmark: BenchmarkFixture) -> None:
    data = masked(RAW.encode())
    reader = FrameReader(frames_per_second=0, monotonic=time.monotonic)
    assert benchmark(lambda: list(reader.feed(data))) == [(1, RAW.encode())]


def test_rate_limits(benchmark: BenchmarkFixture) -> None:
    limits = Limits(connection=10**9, account=10**9, address=10**9, seconds=0.01, monotonic=time.monotonic)
    one = connection(1)
    benchmark(limits.take, one)


@pytest.mark.parametrize("members", [100, 1_000])
def test_publish_and_fan_out(benchmark: BenchmarkFixture, members: int) -> None:
    """32 messages of one turn to everybody: `publish`, one joined flush, every cursor at the head."""
    import asyncio

    async def scenario() -> None:
        room = Room(
            RoomInfo("r", "lobby", "Lobby", "e", 0, 0), history=History(), history_limit=50,
            tasks=Tasks(lambda: None),
        )  # type: ignore[arg-type]  # fmt: skip
        everybody = [connection(number) for number in range(members)]
        for one in everybody:
            follow(one, room, since=None, epoch=None)
        numbers = itertools.count(1)

        def run() -> None:
            for _ in range(32):
                seq = next(numbers)
                message = Message(f"{seq:036}", "r", seq, seq, "a", "masa", TEXT, None, 0, f"n{seq}")
                room.publish(Committed("message", "r", seq, message))
            room.flush()
            while room._lagging:
                room._flush_slice()

        benchmark(run)
        assert {room.position(one.cursors["lobby"]) for one in everybody} == {room.seq}
        room.people.close()

    asyncio.run(scenario())
