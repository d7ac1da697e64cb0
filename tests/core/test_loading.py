"""Loading a room from the store while it changes: nothing twice, nothing missing, nothing that was deleted."""

import asyncio
from collections.abc import Callable

import pytest

from chat_app.core import room_limits
from chat_app.core.rooms import Room, follow, unfollow
from chat_app.models import Page

from .fakes import MemoryHistory, View, connect
from .test_rooms import flushed, run, settle


class Interrupted(MemoryHistory):
    """Calls `between` with the number of the read, after its state was taken and before it is answered."""

    def __init__(self, messages: int) -> None:
        super().__init__()
        self.between: Callable[[int], None] = lambda read: None
        self.reads = 0
        for n in range(messages):
            self.change("message", f"m{n}", "CANARY")

    async def changes(self, room_id: str, since: int, *, limit: int) -> Page:
        page = await super().changes(room_id, since, limit=limit)
        self.reads += 1
        self.between(self.reads)
        await asyncio.sleep(0)
        return page


def ids(frame: dict) -> list[str]:
    return [message["id"] for message in frame["messages"]]


def test_what_is_posted_before_the_loading_begins_is_resumed_once() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        first, _ = connect("first")
        follow(first, room, since=None, epoch=None)
        room.publish(store.change("message", "new", "x"))  # the task that loads has not begun
        await flushed(room)
        await settle()
        second, sink = connect("second")
        follow(second, room, since=1, epoch="e1")
        assert ids(sink.frames()[0]) == ["m1", "new"]
        assert [entry.seq for entry in room._ring] == [1, 2, 3]

    run(scenario, history=Interrupted(2))


def test_what_overran_the_ring_while_it_was_loaded_is_read_from_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room_limits, "RING_ENTRIES", 4)
    store = Interrupted(3)

    async def scenario(room: Room, store: MemoryHistory) -> None:
        assert isinstance(store, Interrupted)

        def overrun(read: int) -> None:
            for n in range(10 if read == 1 else 0):
                room.publish(store.change("message", f"new{n}", "x"))

        store.between = overrun
        first, _ = connect("first")
        follow(first, room, since=None, epoch=None)
        await settle()
        await flushed(room)
        for since in range(room.seq + 1):
            connection, sink = connect(f"c{since}")
            follow(connection, room, since=since, epoch="e1")
            await settle()
            view = View()
            view.position = since
            view.apply(sink.frames())
            assert view.position == room.seq
            assert len(view.messages) == room.seq - since, f"since {since}"

    run(scenario, history=store)


def test_a_text_deleted_between_two_pages_of_the_loading_is_not_kept() -> None:
    store = Interrupted(700)

    async def scenario(room: Room, store: MemoryHistory) -> None:
        assert isinstance(store, Interrupted)

        def delete(read: int) -> None:
            if read == 1:
                room.publish(store.change("deleted", "m650"))
                store.messages["m10"] = store.messages.pop("m10")
                room.publish(store.change("deleted", "m10"))

        store.between = delete
        first, _ = connect("first")
        follow(first, room, since=None, epoch=None)
        await settle()
        await flushed(room)
        texts = {entry.message.id: entry.message.text for entry in room._ring}
        assert len(texts) == 700
        assert (texts["m10"], texts["m650"]) == ("", "")
        numbers = [entry.seq for entry in room._ring if entry.message.rev == entry.seq]
        assert numbers == sorted(set(numbers))

    run(scenario, history=store)


def test_pages_are_not_kept_for_a_room_where_nobody_is() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        connection, _ = connect("a")
        follow(connection, room, since=0, epoch="e1")
        await settle()
        assert room._pages
        unfollow(connection, room)
        assert not room._pages

    run(scenario, history=Interrupted(3))


@pytest.mark.parametrize("from_ring", [True, False])
def test_a_page_of_changes_is_no_larger_than_what_a_socket_is_handed_at_once(
    from_ring: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Interrupted(0)
    for n in range(300):
        store.change("message", f"m{n}", "x" * 4_000)
    if not from_ring:
        monkeypatch.setattr(room_limits, "RING_ENTRIES", 4)

    async def scenario(room: Room, store: MemoryHistory) -> None:
        first, _ = connect("first")
        follow(first, room, since=None, epoch=None)
        await settle()
        room.publish(store.change("message", "last", "x"))
        await flushed(room)
        connection, sink = connect("second")
        follow(connection, room, since=0, epoch="e1")
        await settle()
        pages = [frame for frame in sink.frames() if frame["type"] == "history"]
        view = View()
        view.apply(sink.frames())
        assert (view.position, len(view.messages)) == (301, 301)
        for page in pages:
            assert sum(len(message["text"]) for message in page["messages"]) < 70_000

    run(scenario, history=store)


def test_presence_of_a_room_that_was_left_is_not_told_when_the_sink_drains() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        slow, sink = connect("slow")
        follow(slow, room, since=None, epoch=None)
        await settle()
        sink.room = 0
        room.publish(store.change("message", "m", "x"))
        await flushed(room)
        for n in range(100):
            someone, _ = connect(f"s{n}")
            follow(someone, room, since=None, epoch=None)
            room.people._told_at = -10.0  # as if a second had passed
        unfollow(slow, room)
        before = len(sink.frames())
        sink.drain()
        assert [f["type"] for f in sink.frames()[before:]] == ["message"]

    run(scenario)


def test_a_room_that_goes_far_ahead_while_it_is_loaded_is_read_again() -> None:
    store = Interrupted(60)

    async def scenario(room: Room, store: MemoryHistory) -> None:
        assert isinstance(store, Interrupted)

        def far(read: int) -> None:
            if read == 1:
                for n in range(60):
                    store.change("message", f"new{n}", "x")
                room.reload(store.head)

        store.between = far
        first, sink = connect("first")
        follow(first, room, since=None, epoch=None)
        await settle()
        (history,) = [frame for frame in sink.frames() if frame["type"] == "history"]
        assert (history["mode"], history["seq"]) == ("latest", 120)
        assert ids(history) == [f"new{n}" for n in range(10, 60)]
        assert (room.floor, room.frames_floor, room.loaded) == (0, 120, True)

    run(scenario, history=store)


def test_a_room_that_leaps_while_it_is_loaded_has_every_state_once() -> None:
    store = Interrupted(3)

    async def scenario(room: Room, store: MemoryHistory) -> None:
        assert isinstance(store, Interrupted)

        def leap(read: int) -> None:
            if read == 1:
                store.change("message", "new", "x")
                store.change("deleted", "m1")
                missing = [message for message in store.messages.values() if message.rev > room.seq]
                room.leap(sorted(missing, key=lambda message: message.rev), store.head)

        store.between = leap
        first, sink = connect("first")
        follow(first, room, since=0, epoch="e1")
        await flushed(room)
        await settle()
        (history,) = [frame for frame in sink.frames() if frame["type"] == "history"]
        assert (history["seq"], ids(history)) == (5, ["m0", "m1", "m2", "new"])
        assert b"CANARY" in sink.received  # of m0 and m2
        assert [entry.seq for entry in room._ring if entry.message.rev == entry.seq] == [1, 3, 4, 5]
        assert {entry.message.text for entry in room._ring if entry.message.id == "m1"} == {""}

    run(scenario, history=store)
