"""Room, cursor and the client's position against a model: whatever happens, every view becomes the store.

Hypothesis plays joins, leaves, posts, edits, deletions, stalls, lost lines, overruns of a small ring and reads of the
store that are answered late or fail. `test_rooms` and `test_loading` hold what it found, as sentences.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from chat_app.core import room_limits
from chat_app.core.connection import Connection
from chat_app.core.rooms import Room, Tasks, follow, unfollow
from chat_app.errors import Busy
from chat_app.models import Committed, Page
from chat_app.protocol import AckFrame, event_frame

from .fakes import INFO, FakeSink, MemoryHistory, connect
from .people_nodes import ClockLoop

LIMITS = {
    "RING_ENTRIES": 6, "RING_LIMIT_BYTES": 3_000, "RESUME_LIMIT": 12, "PAGE_MESSAGES": 3, "WRITE_LIMIT_BYTES": 700,
    "SLICE_SOCKETS": 2, "PACE_SECONDS": 0.0,
}  # fmt: skip
HISTORY_LIMIT = 4
CANARY = "CANARY"


@contextmanager
def small_limits() -> Iterator[None]:
    before = {name: getattr(room_limits, name) for name in LIMITS}
    for name, value in LIMITS.items():
        setattr(room_limits, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(room_limits, name, value)


class LateHistory(MemoryHistory):
    """Reads see the store when they are asked, and are answered when the machine says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[asyncio.Future[None]] = deque()

    def change(self, kind: str, message_id: str, text: str = "") -> Committed:
        committed = super().change(kind, message_id, text)
        message = msgspec.structs.replace(committed.message, nonce=message_id)
        self.messages[message_id] = message
        return msgspec.structs.replace(committed, message=message)

    async def _late(self, page: Page) -> Page:
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(answered)
        await answered
        return page

    async def latest(self, room_id: str, *, upto: int, limit: int) -> Page:
        return await self._late(await super().latest(room_id, upto=upto, limit=limit))

    async def changes(self, room_id: str, since: int, *, limit: int) -> Page:
        return await self._late(await super().changes(room_id, since, limit=limit))


class Reader:
    """A client by docs/protocol.md, over one line after the other."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.position: int | None = None
        self.begin = 0
        """Messages up to this seq are to be paged."""
        self.view: dict[str, dict[str, Any]] = {}
        self.promised = False
        """Whether another history frame was announced."""
        self.connection: Connection | None = None
        self.sink: FakeSink | None = None
        self.acks: list[str] = []
        """On this line; those that come follow the order in which they were told."""
        self._seen = 0

    def connect(self, room: Room, take: int | None) -> None:
        self.connection, self.sink = connect(self.name, room=take)
        self._seen, self.promised, self.acks = 0, False, []
        follow(self.connection, room, since=self.position, epoch=None if self.position is None else "e1")

    def read(self) -> None:
        """Applies what arrived, as strictly as the server has to be right."""
        assert self.sink is not None
        frames = whole_frames(self.sink)
        for frame in frames[self._seen :]:
            if frame["type"] == "history":
                self._history(frame)
            elif "message" in frame and "seq" in frame:
                assert not self.promised, "a live frame between two history frames"
                assert frame["seq"] == self.position + 1, f"{frame['seq']} after {self.position}"  # type: ignore[operator]
                self.position = frame["seq"]
                self._put(frame["message"])
            elif frame["type"] == "ack":
                assert frame["nonce"] == self.acks.pop(0)
        self._seen = len(frames)

    def _history(self, frame: dict[str, Any]) -> None:
        ids = [message["id"] for message in frame["messages"]]
        assert len(set(ids)) == len(ids), "twice in a page"
        if frame["mode"] == "resumed":
            assert self.position is not None
            assert frame["seq"] >= self.position, "resumed backwards"
        else:
            assert not frame["more"], "a first page goes on"
            self.view.clear()
            self.begin = frame["messages"][0]["seq"] - 1 if frame["messages"] else frame["seq"]
            self.begin = 0 if len(ids) < HISTORY_LIMIT else self.begin
        self.position, self.promised = frame["seq"], frame["more"]
        for message in frame["messages"]:
            self._put(message)

    def _put(self, message: dict[str, Any]) -> None:
        if message["seq"] > self.begin:
            self.view[message["id"]] = message


def whole_frames(sink: FakeSink) -> list[dict[str, Any]]:
    """The frames that arrived whole; the last one may be cut."""
    data, end = bytes(sink.received), 0
    while len(data) - end >= 2:
        length, start = data[end + 1], 2
        if length == 126:
            length, start = int.from_bytes(data[end + 2 : end + 4], "big"), 4
        if len(data) < end + start + length:
            break
        end += start + length
    whole = FakeSink()
    whole.received = bytearray(data[:end])
    return whole.frames()


class RoomMachine(RuleBasedStateMachine):
    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.loop = ClockLoop()
        self.store = LateHistory()
        self.errors: list[BaseException] = []
        self.committed: deque[Committed] = deque()
        self.here: list[Reader] = []
        self.names = 0

    @initialize(before=st.integers(0, 20))
    def open_room(self, before: int) -> None:
        """A room that had some changes before this process began."""
        for n in range(before):
            self._store_change("message" if n % 4 != 3 else "deleted", n, n)
        self.committed.clear()
        self.tasks = Tasks(lambda: None)
        self.room = Room(
            msgspec.structs.replace(INFO, seq=self.store.head), history=self.store,  # type: ignore[arg-type]
            history_limit=HISTORY_LIMIT, tasks=self.tasks, behind=lambda room: True,
        )  # fmt: skip

    # -- the room --------------------

    @rule(
        kind=st.sampled_from(["message", "message", "message", "edited", "deleted"]),
        pick=st.integers(0, 99),
        size=st.integers(1, 300),
    )
    def commit(self, kind: str, pick: int, size: int) -> None:
        """Stored; the room hears of it later, as the writer's thread tells it."""
        self._store_change(kind, pick, size)

    @rule(most=st.integers(1, 9))
    def publish(self, most: int) -> None:
        async def tell() -> None:
            for _ in range(min(most, len(self.committed))):
                self.room.publish(self.committed.popleft())

        self._run(tell())

    @rule(reader=readers, most=st.integers(1, 9))
    def publish_and_acknowledge(self, reader: Reader, most: int) -> None:
        """As `chat.py` does for whoever posted; a reader that takes nothing may have 64 that wait."""

        async def tell() -> None:
            for _ in range(min(most, len(self.committed))):
                change = self.committed.popleft()
                self.room.publish(change)
                assert reader.connection is not None and reader.sink is not None
                if reader.connection.closed or reader.sink.closed_with is not None:
                    continue
                nonce = f"n{change.seq}"
                frame = event_frame(AckFrame(nonce, "lobby", change.message.id, change.seq))
                reader.acks.append(nonce)
                if not self.room.tell_behind(reader.connection, frame):
                    reader.connection.tell(frame)

        self._run(tell())

    @rule(most=st.integers(1, 9), order=st.randoms(use_true_random=False))
    def hear_out_of_order(self, most: int, order: Any) -> None:
        """As where several nodes write; some come twice, and what is lost comes no more."""
        changes = [self.committed.popleft() for _ in range(min(most, len(self.committed)))]
        order.shuffle(changes)

        async def tell() -> None:
            for change in [*changes, *changes[:2]]:
                self.room.offer(change, Room.publish)

        self._run(tell())
        assert not self.room._waiting

    @rule(far=st.integers(0, 4).map(lambda n: n == 0))
    def heal(self, far: bool) -> None:
        """The changes that were not heard of are lost; what they left is read from the store."""
        head, store = self.store.head, self.store
        missing = [m for m in store.messages.values() if m.rev > self.room.seq]
        self.committed.clear()

        async def go_on() -> None:
            if head > self.room.seq:
                if far:
                    self.room.reload(head)
                else:
                    self.room.leap(sorted(missing, key=lambda m: m.rev), head)

        self._run(go_on())

    @rule(count=st.integers(2, 14), size=st.integers(1, 300))
    def burst(self, count: int, size: int) -> None:
        """More than the small ring holds, at once."""
        for n in range(count):
            self._store_change("message", n, size)

        async def tell() -> None:
            while self.committed:
                self.room.publish(self.committed.popleft())

        self._run(tell())

    @rule(turns=st.integers(1, 4))
    def turn(self, turns: int) -> None:
        self._run(asyncio.sleep(0), turns=turns)

    @rule(first=st.booleans(), fails=st.integers(0, 9).map(lambda n: n == 0))
    def answer_a_read(self, first: bool, fails: bool) -> None:
        async def answer() -> None:
            if self.store.waiting:
                future = self.store.waiting.popleft() if first else self.store.waiting.pop()
                if not future.done():
                    future.set_exception(Busy()) if fails else future.set_result(None)

        self._run(answer())

    # -- the readers --------------------

    @rule(target=readers, take=st.sampled_from([None, None, 0, 50, 400]))
    def join(self, take: int | None) -> Reader:
        self.names += 1
        reader = Reader(f"r{self.names}")
        self.here.append(reader)
        self._run(self._connect(reader, take))
        return reader

    @rule(reader=readers, take=st.sampled_from([None, 0, 30, 300]))
    def stall(self, reader: Reader, take: int | None) -> None:
        assert reader.sink is not None
        reader.sink.room = take

    @rule(reader=readers, most=st.integers(1, 900))
    def drain_a_part(self, reader: Reader, most: int) -> None:
        sink = reader.sink
        assert sink is not None
        if sink.waiting:
            sink.received += sink.waiting[:most]
            del sink.waiting[:most]
            if not sink.waiting:
                self._run(self._drained(reader))

    @rule(reader=readers)
    def drain(self, reader: Reader) -> None:
        self._run(self._drain(reader))

    @rule(reader=readers, arrives=st.integers(0, 500), take=st.sampled_from([None, 0, 200]))
    def lose_the_line(self, reader: Reader, arrives: int, take: int | None) -> None:
        """A part of what the system held still arrives; then it comes back from its position."""
        assert reader.sink is not None
        reader.sink.received += reader.sink.waiting[:arrives]
        self._run(self._reconnect(reader, take))

    @rule(reader=readers)
    def ask_again(self, reader: Reader) -> None:
        """`join` on the same line, as after a gap."""

        async def ask() -> None:
            reader.read()
            if reader.position is not None and reader.connection is not None and not reader.promised:
                follow(reader.connection, self.room, since=reader.position, epoch="e1")

        if reader.sink is not None and not reader.sink.waiting:
            self._run(ask())

    @rule(answered=st.integers(0, 2), count=st.integers(0, 9))
    def come_back_to_an_empty_room(self, answered: int, count: int) -> None:
        """Everybody loses the line; the room is loaded anew while it changes."""

        async def leave_all() -> None:
            for reader in self.here:
                await self._disconnect(reader)
                reader.read()

        async def first_comes() -> None:
            for reader in self.here[:1]:
                reader.connect(self.room, None)
            for _ in range(answered):
                await asyncio.sleep(0)
                if self.store.waiting and not self.store.waiting[0].done():
                    self.store.waiting.popleft().set_result(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        async def others_come() -> None:
            for reader in self.here[1:]:
                reader.connect(self.room, None)

        self._run(leave_all())
        self._run(first_comes())
        if count:
            self.burst(count=count, size=20)
        self._run(others_come())

    @rule(reader=consumes(readers))
    def leave(self, reader: Reader) -> None:
        self.here.remove(reader)
        self._run(self._disconnect(reader))

    # -- what always holds --------------------

    @invariant()
    def nothing_deleted_is_kept(self) -> None:
        if not hasattr(self, "room"):
            return
        told = {
            m.id for m in self.store.messages.values() if m.deleted_ms is not None and m.rev <= self.room.seq
        }
        for entry in self.room._ring:
            assert entry.message.id not in told or entry.message.text == ""
            assert entry.frame is None or entry.message.id not in told or CANARY.encode() not in entry.frame
        for message in [*self.room._recent.values(), *self.room._by_nonce.values()]:
            assert message.id not in told or message.text == ""

    @invariant()
    def the_ring_is_in_order_and_bounded(self) -> None:
        if not hasattr(self, "room"):
            return
        seqs = [entry.seq for entry in self.room._ring]
        assert seqs == sorted(set(seqs))
        assert len(seqs) <= LIMITS["RING_ENTRIES"] or self.room._loading
        assert self.room._ring_bytes == sum(entry.size for entry in self.room._ring)
        assert self.room.floor <= self.room.frames_floor <= self.room.seq
        assert {message.id for message in self.room._by_nonce.values()} <= {
            e.message.id for e in self.room._ring
        }

    @rule()
    def come_to_rest(self) -> None:
        """Everything is published, answered and drained: every view is the store's."""
        self._come_to_rest()

    def teardown(self) -> None:
        try:
            self._come_to_rest()
        finally:
            self.room.people.close()
            self.loop.run_until_complete(self.tasks.close())
            self.loop.close()

    def _come_to_rest(self) -> None:
        async def one_round() -> None:
            while self.committed:
                self.room.publish(self.committed.popleft())
            while self.store.waiting:
                future = self.store.waiting.popleft()
                if not future.done():
                    future.set_result(None)
            for reader in self.here:
                assert reader.sink is not None
                if reader.sink.closed_with is not None:
                    await self._reconnect(reader, None)
                await self._drain(reader)
            for _ in range(10):
                await asyncio.sleep(0.0005)

        for _ in range(60):
            self._run(one_round())
            if all(reader.position == self.store.head for reader in self.here) and not self.store.waiting:
                break
        wanted = {message.id: message for message in self.store.messages.values()}
        for reader in self.here:
            assert reader.position == self.store.head, f"{reader.name} stands at {reader.position}"
            assert not reader.acks, f"{reader.name} was not told {reader.acks}"
            seen = {key: message.get("text", "") for key, message in reader.view.items()}
            assert seen == {m.id: m.text for m in wanted.values() if m.seq > reader.begin}, reader.name

    # -- helpers --------------------

    def _store_change(self, kind: str, pick: int, size: int) -> None:
        living = sorted(
            (m for m in self.store.messages.values() if m.deleted_ms is None), key=lambda m: m.seq
        )
        if kind == "message" or not living:
            change = self.store.change("message", f"m{self.store.head + 1}", CANARY + "x" * size)
        else:
            text = "" if kind == "deleted" else f"{CANARY} {self.store.head}"
            change = self.store.change(kind, living[pick % len(living)].id, text)
        self.committed.append(change)

    async def _connect(self, reader: Reader, take: int | None) -> None:
        reader.connect(self.room, take)

    async def _disconnect(self, reader: Reader) -> None:
        assert reader.connection is not None
        if not reader.connection.closed:
            reader.connection.closed = True
            unfollow(reader.connection, self.room)

    async def _reconnect(self, reader: Reader, take: int | None) -> None:
        await self._disconnect(reader)
        reader.read()
        reader.connect(self.room, take)

    async def _drained(self, reader: Reader) -> None:
        assert reader.connection is not None
        reader.connection.drained()
        reader.read()

    async def _drain(self, reader: Reader) -> None:
        assert reader.sink is not None and reader.connection is not None
        if reader.connection.blocked:
            reader.sink.drain()
        reader.sink.room = None
        reader.read()

    def _run(self, step: Any, *, turns: int = 0) -> None:
        async def main() -> None:
            await step
            for _ in range(turns):
                await asyncio.sleep(0)
            for reader in self.here:
                if reader.sink is not None and reader.sink.closed_with is not None:
                    await self._disconnect(reader)  # as the socket reports its end

        self.loop.run_until_complete(main())


def test_every_view_becomes_the_store_whatever_happens() -> None:
    with small_limits():
        run_state_machine_as_test(
            RoomMachine,
            settings=settings(
                max_examples=150,
                stateful_step_count=60,
                suppress_health_check=list(HealthCheck),
            ),
        )
