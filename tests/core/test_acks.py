"""An acknowledgement goes with the send that brings its connection what the room tells everybody."""

from collections.abc import Callable

import pytest

from chat_app.core import room_limits
from chat_app.core.connection import CONTROL_LIMIT, Connection
from chat_app.core.rooms import Room, follow, unfollow
from chat_app.frames import AckFrame, event_frame

from .fakes import FakeSink, MemoryHistory, connect
from .test_rooms import flushed, run, settle


def ack(number: int) -> bytes:
    return event_frame(AckFrame(f"n{number}", "lobby", f"m{number}", number))


def kinds(sink: FakeSink) -> list[str]:
    """What came of posts, in its order."""
    return [frame["type"] for frame in sink.frames() if frame.get("type") in ("message", "ack")]


class Sends:
    """What is handed to a sink, one by one."""

    def __init__(self, sink: FakeSink) -> None:
        self.sizes: list[int] = []
        offer = sink.offer

        def counted(data: bytes) -> int:
            self.sizes.append(len(data))
            return offer(data)

        sink.offer = counted  # type: ignore[method-assign]


@pytest.mark.parametrize("members", [2, room_limits.SLICE_SOCKETS * 2])
def test_it_costs_no_send_of_its_own(members: int) -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        people = [connect(f"p{n}") for n in range(members)]
        (sender, sink), (_, other) = people[0], people[-1]
        sends = Sends(sink)
        for connection, _ in people:
            follow(connection, room, since=None, epoch=None)
        await settle()
        sends.sizes.clear()
        for n in range(2):
            room.publish(store.change("message", f"m{n}", "text"))
            assert room.tell_behind(sender, ack(n))
        await flushed(room)
        assert len(sends.sizes) == 1
        assert kinds(sink) == ["message", "message", "ack", "ack"]
        assert kinds(other) == ["message", "message"]
        room.publish(store.change("message", "later", "text"))
        await flushed(room)
        assert kinds(sink)[4:] == kinds(other)[2:] == ["message"]

    run(scenario)


def test_where_no_send_is_due_nothing_is_promised() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        connection, sink = connect("a")
        follow(connection, room, since=None, epoch=None)
        stranger, _ = connect("stranger")
        await flushed(room)
        assert not room.tell_behind(connection, ack(1))
        room.publish(store.change("message", "m", "text"))
        assert not room.tell_behind(stranger, ack(1))
        await flushed(room)
        assert kinds(sink) == ["message"]

    run(scenario)


def blocks(connection: Connection, sink: FakeSink, room: Room) -> None:
    """Something else filled the socket just before."""
    sink.room = 1
    connection.tell(b"\x81\x02{}")


def joins_anew(connection: Connection, sink: FakeSink, room: Room) -> None:
    follow(connection, room, since=None, epoch=None)


def leaves(connection: Connection, sink: FakeSink, room: Room) -> None:
    unfollow(connection, room)


def is_read_anew(connection: Connection, sink: FakeSink, room: Room) -> None:
    room.reload(room.seq)


def is_closed(connection: Connection, sink: FakeSink, room: Room) -> None:
    """As `web/socket.py` does it: out of every room before the close frame is written."""
    connection.close(1012, "the server restarts")
    connection.closed = True
    unfollow(connection, room)


@pytest.mark.parametrize("happens", [blocks, joins_anew, leaves, is_read_anew, is_closed])
@pytest.mark.parametrize("alone", [True, False])
def test_whatever_happens_before_the_send_it_comes_once(
    happens: Callable[[Connection, FakeSink, Room], None], alone: bool
) -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        people = [connect(f"p{n}") for n in range(1 if alone else 3)]
        for connection, _ in people:
            follow(connection, room, since=None, epoch=None)
        await settle()
        sender, sink = people[0]
        room.publish(store.change("message", "m", "text"))
        assert room.tell_behind(sender, ack(1))
        happens(sender, sink, room)
        await settle()
        if sink.room is not None:
            sink.drain()
        await settle()
        assert kinds(sink).count("ack") == 1
        for _, other in people[1:]:
            assert "ack" not in kinds(other)

    run(scenario)


def test_more_than_may_wait_ends_it_behind_what_was_begun() -> None:
    """64 may wait for a blocked reader: one more is 4408, whose frame comes after the rest of the one before."""

    async def scenario(room: Room, store: MemoryHistory) -> None:
        sender, sink = connect("a")
        follow(sender, room, since=None, epoch=None)
        await settle()
        room.publish(store.change("message", "m", "text"))
        for number in range(CONTROL_LIMIT + 1):
            assert room.tell_behind(sender, ack(number))
        waited: list[int] = []
        closing = sink.close

        def close(code: int, reason: str) -> None:
            waited.append(len(sink.waiting))
            closing(code, reason)
            unfollow(sender, room)

        sink.close = close  # type: ignore[method-assign]
        blocks(sender, sink, room)
        assert (sink.closed_with, waited) == (4408, [3])

    run(scenario)


def test_who_is_ended_while_joining_anew_is_in_no_room() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        sender, sink = connect("a")
        follow(sender, room, since=None, epoch=None)
        await settle()
        room.publish(store.change("message", "m", "text"))
        for number in range(CONTROL_LIMIT + 2):
            assert room.tell_behind(sender, ack(number))
        closing = sink.close

        def close(code: int, reason: str) -> None:
            closing(code, reason)
            sender.closed = True
            unfollow(sender, room)

        sink.close = close  # type: ignore[method-assign]
        sink.room = 1
        joins_anew(sender, sink, room)
        assert (sink.closed_with, room.cursors, sender.cursors) == (4408, set(), {})

    run(scenario)


def test_a_socket_that_takes_a_part_gets_the_rest_when_it_drains() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        sender, sink = connect("a")
        follow(sender, room, since=None, epoch=None)
        await settle()
        before = len(sink.received)
        room.publish(store.change("message", "m", "text"))
        assert room.tell_behind(sender, ack(1))
        sink.room = 30
        await flushed(room)
        assert (len(sink.received) - before, sender.blocked) == (30, True)
        sink.drain()
        assert kinds(sink) == ["message", "ack"]
        room.publish(store.change("message", "m2", "text"))
        await flushed(room)
        assert kinds(sink) == ["message", "ack", "message"]

    run(scenario)
