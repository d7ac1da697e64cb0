"""The room and its cursors, without sockets: live, resumed, slow and reset are one mechanism."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from chat_app.core import room_limits
from chat_app.core.presence import GATHER_SECONDS
from chat_app.core.rooms import Room, Tasks, follow, unfollow
from chat_app.models import Account, Page

from .fakes import INFO, FakeSink, MemoryHistory, View, connect
from .people_nodes import ClockLoop


def run(
    scenario: Callable[[Room, MemoryHistory], Awaitable[None]], *, history: MemoryHistory | None = None
) -> None:
    store = history or MemoryHistory()

    async def main() -> None:
        tasks = Tasks(lambda: None)
        info = msgspec.structs.replace(INFO, seq=store.head)
        room = Room(info, history=store, history_limit=50, tasks=tasks)  # type: ignore[arg-type]
        await scenario(room, store)
        room.people.close()
        await tasks.close()

    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        runner.run(main())


class SlowHistory(MemoryHistory):
    """What changed is read at once, and answered when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def changes(self, room_id: str, since: int, *, limit: int) -> Page:
        page = await super().changes(room_id, since, limit=limit)
        self.asked.set()
        await self.answer.wait()
        return page


async def settle() -> None:
    for _ in range(500):
        await asyncio.sleep(0)


async def flushed(room: Room) -> None:
    """Waits for the room's own pace."""
    while room.flushed != room.seq or room._scheduled or room._lagging:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def test_everybody_gets_each_change_once_in_order() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        people = [connect(f"p{n}") for n in range(3)]
        for connection, _ in people:
            follow(connection, room, since=None, epoch=None)
        await settle()
        for n in range(10):
            room.publish(store.change("message", f"m{n}", f"text {n}"))
        await flushed(room)
        for _, sink in people:
            view = View()
            view.apply(sink.frames())
            assert list(view.messages) == [f"m{n}" for n in range(10)]

    run(scenario)


def test_a_large_room_is_served_in_slices_without_a_hole() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        people = [connect(f"p{n}") for n in range(room_limits.SLICE_SOCKETS * 2 + 10)]
        for connection, _ in people:
            follow(connection, room, since=None, epoch=None)
        await settle()
        room.publish(store.change("message", "a", "1"))
        await asyncio.sleep(0)
        room.publish(store.change("message", "b", "2"))
        late, late_sink = connect("late")
        follow(late, room, since=None, epoch=None)
        unfollow(people[0][0], room)
        room.publish(store.change("message", "c", "3"))
        await flushed(room)
        await settle()
        for _, sink in [*people[1:], (late, late_sink)]:
            view = View()
            view.apply(sink.frames())
            assert set(view.messages) == {"a", "b", "c"}

    run(scenario)


def test_a_blocked_reader_stays_where_it_stands_and_goes_on_when_drained() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        slow, slow_sink = connect("slow")
        follow(slow, room, since=None, epoch=None)
        await settle()
        slow_sink.room = 10
        for n in range(400):
            room.publish(store.change("message", f"m{n}", "x" * 300))
            await asyncio.sleep(0)
        await flushed(room)
        assert len(slow_sink.waiting) < 80_000
        slow_sink.drain()
        await flushed(room)
        view = View()
        view.apply(slow_sink.frames())
        assert view.position == 400
        assert len(view.messages) == 400

    run(scenario)


@pytest.mark.parametrize(("behind", "mode"), [(1_000, "resumed"), (1_001, "reset")])
def test_who_fell_behind_the_ring_is_brought_on_by_history(behind: int, mode: str) -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        slow, slow_sink = connect("slow")
        follow(slow, room, since=None, epoch=None)
        await settle()
        slow_sink.room = 0
        room.publish(store.change("message", "first", "x"))
        await flushed(room)
        for n in range(behind):
            room.publish(store.change("message", f"m{n}", "x" * 3_000))
        await flushed(room)
        slow_sink.drain()
        await settle()
        modes = [frame["mode"] for frame in slow_sink.frames() if frame["type"] == "history"]
        assert modes[1] == mode
        view = View()
        view.apply(slow_sink.frames())
        assert view.position == room.seq
        assert len(view.messages) == (behind + 1 if mode == "resumed" else 50)

    run(scenario)


@pytest.mark.parametrize(
    ("since", "epoch", "mode", "count"),
    [
        (0, "e1", "resumed", 5),
        (5, "e1", "resumed", 0),
        (3, "e1", "resumed", 2),
        (6, "e1", "reset", 5),
        (3, "old", "reset", 5),
    ],
)
def test_resuming_has_one_answer_for_each_position(since: int, epoch: str, mode: str, count: int) -> None:
    store = MemoryHistory()
    for n in range(5):
        store.change("message", f"m{n}", "x")

    async def scenario(room: Room, store: MemoryHistory) -> None:
        connection, sink = connect("a")
        follow(connection, room, since=since, epoch=epoch)
        await settle()
        (history,) = [frame for frame in sink.frames() if frame["type"] == "history"]
        assert (history["mode"], len(history["messages"]), history["seq"]) == (mode, count, 5)

    run(scenario, history=store)


def test_a_deleted_text_is_in_no_frame_of_the_ring() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        keeper, _ = connect("keeper")
        follow(keeper, room, since=None, epoch=None)
        await settle()
        room.publish(store.change("message", "m", "CANARY"))
        room.publish(store.change("edited", "m", "CANARY two"))
        room.publish(store.change("deleted", "m"))
        await flushed(room)
        for since in range(4):
            connection, sink = connect(f"c{since}")
            follow(connection, room, since=since, epoch="e1")
            await settle()
            assert b"CANARY" not in sink.received
            view = View()
            view.position = since
            view.apply(sink.frames())
            assert view.position == 3
        assert b"CANARY" not in b"".join(entry.frame or b"" for entry in room._ring)

    run(scenario)


def test_a_text_deleted_while_the_room_is_loaded_is_not_kept() -> None:
    store = SlowHistory()
    store.change("message", "m", "CANARY")
    store.change("message", "n", "other")

    async def scenario(room: Room, store: MemoryHistory) -> None:
        assert isinstance(store, SlowHistory)
        first, _ = connect("first")
        follow(first, room, since=None, epoch=None)
        await store.asked.wait()
        room.publish(store.change("deleted", "m"))
        store.answer.set()
        await flushed(room)
        await settle()
        connection, sink = connect("second")
        follow(connection, room, since=0, epoch="e1")
        await settle()
        assert sink.frames()[0]["seq"] == 3
        assert b"CANARY" not in sink.received
        assert not [entry for entry in room._ring if entry.message.text == "CANARY"]

    run(scenario, history=store)


def test_too_many_control_frames_for_a_blocked_reader_end_it() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        connection, sink = connect("a", room=0)
        for _ in range(66):
            connection.tell(b"\x81\x02{}")
        assert sink.closed_with == 4408

    run(scenario)


def test_a_person_in_two_tabs_counts_once() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        watcher, _ = connect("watcher")
        follow(watcher, room, since=None, epoch=None)
        first, _ = connect("masa")
        second, second_sink = connect("masa")
        follow(first, room, since=None, epoch=None)
        follow(second, room, since=None, epoch=None)
        await settle()
        assert room.people.names() == ["masa", "watcher"]
        (welcome,) = [frame for frame in second_sink.frames() if frame["type"] == "presence"]
        assert (welcome["online"], welcome["users"]) == (2, ["masa", "watcher"])
        unfollow(first, room)
        await settle()
        assert room.people.names() == ["masa", "watcher"]

    run(scenario)


@pytest.mark.parametrize("seed", range(12))
def test_any_history_of_joins_stalls_and_changes_leaves_every_view_equal_to_the_store(seed: int) -> None:
    chance = random.Random(seed)

    async def scenario(room: Room, store: MemoryHistory) -> None:
        people: list[tuple] = []
        for step in range(600):
            action = chance.random()
            if action < 0.55:
                kind = chance.choice(["message", "message", "message", "edited", "deleted"])
                living = [m.id for m in store.messages.values() if m.deleted_ms is None]
                if kind == "message" or not living:
                    room.publish(store.change("message", f"m{step}", "x" * chance.randrange(1, 400)))
                else:
                    room.publish(store.change(kind, chance.choice(living), "y" if kind == "edited" else ""))
            elif action < 0.65:
                connection, sink = connect(f"p{step}")
                people.append((connection, sink, View()))
                follow(connection, room, since=None, epoch=None)
            elif people and action < 0.75:
                chance.choice(people)[1].room = chance.choice([None, 0, 7, 500])
            elif people and action < 0.85:
                chance.choice(people)[1].drain()
            elif people and action < 0.9:
                connection, sink, view = people.pop(chance.randrange(len(people)))
                unfollow(connection, room)
                sink.received += sink.waiting
                view.apply(sink.frames())
                fresh, fresh_sink = connect(f"r{step}")
                resumed = View()
                resumed.position, resumed.messages = view.position, view.messages
                people.append((fresh, fresh_sink, resumed))
                follow(fresh, room, since=view.position, epoch="e1")
            else:
                await asyncio.sleep(0)
        for _, sink, _ in people:
            sink.drain()
        await flushed(room)
        await settle()
        for _, sink, _ in people:
            sink.drain()
        await flushed(room)
        for _, sink, view in people:
            view.apply(sink.frames())
            assert view.position == store.head, f"seed {seed}"
            for message_id, message in view.messages.items():
                assert message.get("text", "") == store.messages[message_id].text, json.dumps(message)

    run(scenario)


RENAMED = Account("author", "Another", "another", "member", False, 0)


def authors(sink: FakeSink) -> set[str]:
    frames = sink.frames()
    messages = [m for frame in frames if frame["type"] == "history" for m in frame["messages"]]
    return {
        m["from"]
        for m in messages + [frame["message"] for frame in frames if "seq" in frame.get("message", ())]
    }


def test_who_joins_or_resumes_after_a_rename_gets_the_new_name() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        first, first_sink = connect("p1")
        follow(first, room, since=None, epoch=None)
        await settle()
        slow, slow_sink = connect("p2")
        follow(slow, room, since=None, epoch=None)
        await settle()
        slow_sink.room = 0
        for n in range(3):
            room.publish(store.change("message", f"m{n}", f"text {n}"))
        room.publish(store.change("edited", "m1", "again"))
        await flushed(room)
        room.publish(store.change("message", "m3", "while it is slow"))
        await flushed(room)
        for name in ("author", "Another"):
            for since in (None, 0, 4):
                late, late_sink = connect("p3")
                follow(late, room, since=since, epoch=INFO.epoch)
                await settle()
                assert authors(late_sink) == {name}
                unfollow(late, room)
            room.rename(RENAMED)
        assert authors(first_sink) == {"author"}
        slow_sink.drain()
        await settle()
        view = View()
        view.apply(slow_sink.frames())
        assert view.messages["m3"]["from"] == "Another"
        assert room._ring_bytes == sum(len(entry.frame or b"") for entry in room._ring)

    run(scenario)


def test_a_rename_while_the_log_is_read_is_not_lost() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        held = asyncio.Event()
        read = store.changes

        async def changes(room_id: str, since: int, *, limit: int) -> Page:
            page = await read(room_id, since, limit=limit)
            await held.wait()
            return page

        store.changes = changes  # type: ignore[method-assign]
        connection, sink = connect("p1")
        follow(connection, room, since=None, epoch=None)
        await settle()
        room.rename(RENAMED)
        held.set()
        await settle()
        assert authors(sink) == {"Another"}

    store = MemoryHistory()
    store.change("message", "m1", "text")
    run(scenario, history=store)


def presences(sink: FakeSink) -> list[tuple[list[str], list[str]]]:
    return [(f["joined"], f["left"]) for f in sink.frames() if f["type"] == "presence"]


def test_a_rename_is_told_as_one_leaving_and_one_joining() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        watcher, sink = connect("watcher")
        follow(watcher, room, since=None, epoch=None)
        await settle()
        ann, _ = connect("ann")
        follow(ann, room, since=None, epoch=None)
        room.people._told_at -= GATHER_SECONDS
        room.people._on_timer()
        await flushed(room)
        assert presences(sink)[-1] == (["ann"], [])
        room.people.type(ann.account)
        ann.account = msgspec.structs.replace(ann.account, name="Anna")
        room.people._told_at -= GATHER_SECONDS
        room.people._typing_told_at -= GATHER_SECONDS
        room.people.rename(ann.account)
        room.people.type(ann.account)
        await flushed(room)
        assert presences(sink)[-1] == (["Anna"], ["ann"])
        assert sink.frames()[-1]["users"] == ["Anna"]
        assert room.people.names() == ["Anna", "watcher"]

    run(scenario)


def test_names_that_change_before_they_are_told_add_up() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        ann, _ = connect("ann")
        follow(ann, room, since=None, epoch=None)
        await settle()
        people = room.people

        def rename(name: str) -> None:
            people.rename(msgspec.structs.replace(ann.account, name=name))

        assert people._told_at > 0 and not people._joined  # told just now: what follows gathers
        for name in ("Anna", "Annie"):
            rename(name)
        assert (people._left, people._joined) == ({"ann": "ann"}, {"ann": "Annie"})
        rename("ann")
        assert (people._left, people._joined) == ({}, {})
        rename("Anna")
        people.depart(ann.account)
        people._leaving["ann"] = 0.0  # its five seconds are over
        people._on_timer()
        assert (people._left, people._joined) == ({"ann": "ann"}, {})
        people.arrive(msgspec.structs.replace(ann.account, name="Anna"))
        assert (people._left, people._joined) == ({"ann": "ann"}, {"ann": "Anna"})

    run(scenario)


def test_a_name_that_somebody_else_takes_over_stays() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        watcher, sink = connect("watcher")
        follow(watcher, room, since=None, epoch=None)
        ann, _ = connect("ann")
        follow(ann, room, since=None, epoch=None)
        bob, _ = connect("bob")
        follow(bob, room, since=None, epoch=None)
        await settle()
        room.people._told_at -= GATHER_SECONDS
        room.people._on_timer()
        room.people.rename(msgspec.structs.replace(ann.account, name="Anna"))
        room.people.rename(msgspec.structs.replace(bob.account, name="ann"))
        room.people._told_at -= GATHER_SECONDS
        room.people._on_timer()
        await flushed(room)
        assert presences(sink)[-1] == (["Anna"], ["bob"])

    run(scenario)


def test_acks_that_wait_for_a_blocked_reader_go_before_the_close_frame() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        connection, sink = connect("a", room=1)
        connection.tell(b"\x81\x02{}")
        connection.tell(b"\x81\x0e" + b'{"type":"ack"}')
        connection.close(1012, "the server restarts")
        assert sink.closed_with == 1012
        sink.received += sink.waiting
        assert [frame.get("type") for frame in sink.frames()] == [None, "ack"]

    run(scenario)


def test_a_blocked_reader_is_told_only_the_newest_presence_and_no_typing() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        slow, sink = connect("slow")
        follow(slow, room, since=None, epoch=None)
        await settle()
        sink.room = 0
        room.publish(store.change("message", "m", "x"))
        await flushed(room)
        held = len(sink.waiting)
        for n in range(100):
            someone, _ = connect(f"s{n}")
            follow(someone, room, since=None, epoch=None)
            room.people.type(someone.account)
            room.people._told_at = -10.0  # as if a second had passed
            await asyncio.sleep(0)
        await flushed(room)
        assert (len(sink.waiting), slow.control, slow.stale_presence) == (held, None, {room})
        before = len(sink.frames())
        sink.drain()
        _, told = sink.frames()[before:]
        assert (told["type"], told["online"], len(told["users"])) == ("presence", 101, 101)

    run(scenario)
