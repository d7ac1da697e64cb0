"""What stands beside messages, in the memory of a room: its ring, its pages, its names; and who may do what."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from chat_app.core.completion import NAMES_LIMIT, Completion
from chat_app.core.connections import Connections
from chat_app.core.marks import mark, present_for
from chat_app.core.rooms import Room, Tasks, follow, unfollow
from chat_app.errors import Forbidden
from chat_app.metrics import Metrics
from chat_app.models import Account, Committed, Member, Message, Pin, React, Reaction, ReplyTo, Role, RoomInfo
from chat_app.protocol import PinEvent, ReactEvent, UnpinEvent

from .fakes import INFO, FakeSink, MemoryHistory, View, connect
from .people_nodes import ClockLoop
from .test_rooms import flushed, settle


def run(
    scenario: Callable[[Room, MemoryHistory], Awaitable[None]],
    info: RoomInfo = INFO,
    members: tuple[Member, ...] = (),
) -> None:
    store = MemoryHistory()

    async def main() -> None:
        tasks = Tasks(lambda: None)
        room = Room(info, history=store, history_limit=50, tasks=tasks, members=members)  # type: ignore[arg-type]
        await scenario(room, store)
        room.people.close()
        await tasks.close()

    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        runner.run(main())


def person(name: str, role: Role = "member") -> Account:
    return Account(name, name, name.casefold(), role, False, 0)


def marked(store: MemoryHistory, message_id: str, kind: str = "reacted", **fields: object) -> Committed:
    """What a reaction or a pin makes of a message."""
    change = store.change(kind, message_id, store.messages[message_id].text)
    message = msgspec.structs.replace(change.message, **fields)
    store.messages[message_id] = message
    return msgspec.structs.replace(change, message=message)


async def follower(room: Room, name: str = "kim") -> FakeSink:
    connection, sink = connect(name)
    follow(connection, room, since=None, epoch=None)
    await settle()
    return sink


PARTY = (Reaction("🎉", 1, (("bob", "bob"),)),)


def test_a_reaction_and_a_pin_are_told_live_and_once_to_who_resumes() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        sink = await follower(room)
        room.publish(store.change("message", "a", "hello"))
        room.publish(marked(store, "a", reactions=PARTY))
        room.publish(marked(store, "a", "pinned", reactions=PARTY, pinned_ms=5))
        await flushed(room)
        told = sink.frames()
        assert [frame["type"] for frame in told if "seq" in frame][1:] == ["message", "reacted", "pinned"]
        view = View()
        view.apply(told)
        assert view.messages["a"]["reactions"] == [
            {"emoji": "🎉", "count": 1, "users": [{"id": "bob", "name": "bob"}]}
        ]
        assert view.messages["a"]["pinnedAt"] == "1970-01-01T00:00:00.005Z"
        for since in (0, 1, 2):
            back, back_sink = connect(f"back{since}")
            follow(back, room, since=since, epoch="e1")
            await settle()
            (history,) = [frame for frame in back_sink.frames() if frame["type"] == "history"]
            assert (history["mode"], history["seq"]) == ("resumed", 3)
            assert history["messages"] == [view.messages["a"]]

    run(scenario)


@pytest.mark.parametrize("kind", ["edited", "deleted"])
def test_a_text_that_went_is_in_no_frame_of_any_kind(kind: str) -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        await follower(room)
        room.publish(store.change("message", "a", "canary"))
        room.publish(store.change("edited", "a", "canary too"))
        room.publish(marked(store, "a", reactions=PARTY))
        room.publish(marked(store, "a", "pinned", pinned_ms=5))
        room.publish(store.change(kind, "a"))
        frames = [entry.frame or b"" for entry in room._ring]
        assert not any(b"canary" in frame for frame in frames)
        payloads = [json.loads(frame[frame.index(b"{") :]) for frame in frames]
        assert [(frame["type"], frame["seq"]) for frame in payloads] == [
            ("message", 1), ("edited", 2), ("reacted", 3), ("pinned", 4), (kind, 5),
        ]  # fmt: skip
        assert all(frame["message"] == payloads[-1]["message"] for frame in payloads)
        assert room._ring_bytes == sum(map(len, frames))

    run(scenario)


def test_a_thousand_reactions_on_one_message_make_no_earlier_frame_anew() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        sink = await follower(room)
        room.publish(store.change("message", "a", "hello"))
        (first,) = room._ring
        frame = first.frame
        for number in range(1_000):
            room.publish(marked(store, "a", reactions=PARTY if number % 2 == 0 else ()))
        assert first.frame is frame
        assert first.message is store.messages["a"]
        await flushed(room)
        view = View()
        view.apply(sink.frames())
        assert "reactions" not in view.messages["a"]

    run(scenario)


def test_a_new_name_is_known_wherever_a_message_names_somebody() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        await follower(room)
        room.publish(store.change("message", "a", "hello"))
        two = (Reaction("🎉", 2, (("bob", "bob"), ("x", "x"))), Reaction("👍", 1, (("x", "x"),)))
        room.publish(marked(store, "a", reactions=two, reply_to=ReplyTo("q", 0, "bob", "bob")))
        room.rename(msgspec.structs.replace(person("bob"), name="Robert"))
        sink = await follower(room, "late")
        (history,) = [frame for frame in sink.frames() if frame["type"] == "history"]
        (message,) = history["messages"]
        assert message["replyTo"]["from"] == "Robert"
        assert [user["name"] for one in message["reactions"] for user in one["users"]] == ["Robert", "x", "x"]
        assert message["from"] == "author"

    run(scenario)


def test_what_a_room_allows_decides_of_reactions_and_pins() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        member, moderator = person("ann"), person("mo", "moderator")
        assert mark(member, room, ReactEvent("a", "❤"), 7) == React("r", "a", "ann", "❤️", 7)
        assert mark(moderator, room, PinEvent("a"), 7) == Pin("r", "a", 7)
        assert mark(moderator, room, UnpinEvent("a"), 7) == Pin("r", "a", 7, pinned=False)
        with pytest.raises(Forbidden):
            mark(member, room, PinEvent("a"), 7)
        room.info = msgspec.structs.replace(room.info, archived=True)
        for event in (ReactEvent("a", "❤"), PinEvent("a"), UnpinEvent("a")):
            with pytest.raises(Forbidden):
                mark(moderator, room, event, 7)

    run(scenario)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("@here", True),
        ("all @Here!", True),
        ("(@here)", True),
        ("here", False),
        ("mail@here", False),
        ("@hereabouts", False),
        ("@here_1", False),
        ("@ here", False),
    ],
)
def test_a_call_is_a_word_of_its_own_by_who_may(text: str, calls: bool) -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        await follower(room, "kim")
        expected = ("kim",) if calls else None
        assert present_for(person("mo", "moderator"), room, text) == expected
        assert present_for(person("ann"), room, text) is None

    run(scenario)


PRIVATE = msgspec.structs.replace(INFO, kind="private")


def test_who_was_removed_a_moment_ago_is_neither_called_nor_completed() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        kim, _ = connect("kim")
        follow(kim, room, since=None, epoch=None)
        await follower(room, "ann")
        assert set(present_for(person("ann"), room, "@here") or ()) == {"kim", "ann"}
        del room.members["kim"]
        unfollow(kim, room)  # for the others he is here for some seconds yet
        assert room.people.names() == ["ann", "kim"]
        assert present_for(person("ann"), room, "@here") == ("ann",)
        assert [found.name for found in await completion().in_room(room, "")] == ["ann"]

    members = (Member("ann", "ann", True), Member("kim", "kim", False))
    run(scenario, PRIVATE, members)


class FakeAccounts:
    """Finds what it was given, and remembers how much was asked for."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.limits: list[int] = []

    async def named(self, prefix: str, *, room_id: str | None = None, limit: int) -> list[tuple[str, str]]:
        self.limits.append(limit)
        return [(name, name) for name in self.names if name.startswith(prefix)][:limit]


def completion(*names: str) -> Completion:
    return Completion(accounts=FakeAccounts(*names), connections=Connections(metrics=Metrics()))  # type: ignore[arg-type]


def test_who_is_here_is_completed_first_and_nobody_twice() -> None:
    async def scenario(room: Room, store: MemoryHistory) -> None:
        for name in ("kim", "Zoe Kane", "bob"):
            await follower(room, name)
        found = await completion("kara", "kim", "kurt").in_room(room, "K")
        assert [(one.name, one.here) for one in found] == [
            ("kim", True), ("Zoe Kane", True), ("kara", False), ("kurt", False),
        ]  # fmt: skip
        many = await completion(*(f"k{n:02}" for n in range(30)), "kim").in_room(room, "k")
        assert len(many) == NAMES_LIMIT
        assert await completion("kim").in_room(room, "k" * 25) == []
        assert await completion("kim").everywhere("\0") == []

    run(scenario)


def test_messages_without_marks_say_nothing_of_them() -> None:
    frame = json.loads(msgspec.json.encode(_view(Message("i", "r", 1, 1, "a", "A", "hi", None, 0))))
    assert set(frame) == {"id", "room", "seq", "from", "userId", "sentAt", "text"}


def _view(message: Message) -> object:
    from chat_app.protocol import message_view

    return message_view(message, "lobby")
