"""What one node does with what others wrote: in order, once, whatever the broker loses or brings late."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chat_app.core import follower, room_limits
from chat_app.errors import Busy, NotFound
from chat_app.hints import Changed, NotifySet, ReadTo, RoomMade
from chat_app.models import Page

from .nodes import Member, Node, World, run
from .test_room_machine import whole_frames


class Reads:
    """What a node's follower reads of a log; `between` is called before a page is answered."""

    def __init__(self, node: Node) -> None:
        self.asked: list[int] = []
        self._history = node.follower._history
        self.between: Callable[[int], Awaitable[None]] | None = None
        node.follower._history = self  # type: ignore[assignment]

    async def changes(self, room_id: str, since: int, *, limit: int) -> Page:
        page = await self._history.changes(room_id, since, limit=limit)
        self.asked.append(since)
        if self.between is not None:
            await self.between(len(self.asked))
        return page


def test_a_message_of_another_node_comes_live(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        ann.say("hello")
        await world.at_rest()
        bob.say("hi")
        await world.at_rest()
        assert ann.kinds() == bob.kinds() == ["latest", "message", "message"]
        assert await world.problems() == []

    run(tmp_path, scenario)


def test_a_local_message_that_overtook_another_nodes_waits_for_it_and_is_acknowledged_at_once(
    tmp_path: Path,
) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        b.broker.held = True
        b.follower._grace_seconds = 60.0  # only the hint can bring it
        ann.say("first")
        await world.stored()
        nonce = bob.say("second")
        await world.stored()
        await world.until(lambda: bool(bob.of("ack", nonce=nonce)))
        assert (b.room().seq, bob.kinds()) == (0, ["latest"])
        b.broker.held = False
        b.broker.deliver()
        assert b.room().seq == 2
        await world.at_rest()
        assert bob.kinds() == ["latest", "message", "message"]
        assert await world.problems() == []

    run(tmp_path, scenario)


def test_lost_messages_come_live_from_the_store(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        reads = Reads(b)
        b.broker.held = True
        for n in range(5):
            ann.say(f"text {n}")
        await world.stored()
        b.broker.lose()
        b.broker.held = False
        ann.say("told")
        await world.at_rest()
        assert bob.kinds() == ["latest"] + ["message"] * 6
        assert (len(reads.asked), b.room()._waiting) == (1, {})
        assert await world.problems() == []

    run(tmp_path, scenario)


def test_the_last_message_lost_is_found_by_comparing(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        world.air.loses = lambda sender, receiver: True
        ann.say("alone")
        await world.stored()
        assert b.room().seq == 0
        await b.follower.compare()
        await world.at_rest()
        assert bob.kinds() == ["latest", "message"]
        assert await world.problems() == []

    run(tmp_path, scenario)


def test_hints_that_come_twice_or_late_change_nothing(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        b.broker.held = True
        ann.say("one")
        ann.say("two")
        await world.stored()
        late = list(b.broker.inbox)
        await b.follower.compare()
        await world.at_rest()
        b.broker.inbox.extend(late)
        b.broker.deliver()
        b.broker.held = False
        ann.say("three")
        await world.at_rest()
        assert bob.kinds() == ["latest", "message", "message", "message"]
        assert await world.problems() == []

    run(tmp_path, scenario)


def test_changes_that_the_store_tells_by_what_they_left_come_as_history(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        ann.say("one")
        ann.say("two CANARY")
        await world.at_rest()
        first, second = (step.messages[0]["id"] for step in bob.tapes["lobby"].steps[1:])
        world.air.loses = lambda sender, receiver: True
        ann.send(type="edit", id=first, text="one again")
        ann.say("three")
        ann.send(type="delete", id=second)
        await world.stored()
        await b.follower.compare()
        await world.at_rest()
        assert bob.kinds() == ["latest", "message", "message", "resumed"]
        told = bob.tapes["lobby"].steps[-1]
        assert [(m["seq"], m.get("text", "")) for m in told.messages] == [
            (1, "one again"),
            (2, ""),
            (4, "three"),
        ]
        world.air.loses = lambda sender, receiver: False
        ann.say("four")
        await world.at_rest()
        assert bob.kinds()[-1] == "message"
        room = b.room()
        assert not any("CANARY" in m.text for m in [*room._recent.values(), *room._by_nonce.values()])
        assert not any("CANARY" in e.message.text or b"CANARY" in (e.frame or b"") for e in room._ring)
        assert room._ring_bytes == sum(entry.size for entry in room._ring)
        late = await world.member("eve", b)
        await world.at_rest()
        assert b"CANARY" not in late.sink.received
        assert await world.problems(amended=True) == []

    run(tmp_path, scenario)


def test_a_stalled_reader_is_brought_over_what_was_healed_by_history(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        ann.say("zero")
        await world.at_rest()
        (zero,) = bob.tapes["lobby"].steps[-1].messages
        bob.sink.room = 10
        for n in range(3):
            ann.say(f"text {n}")
        await world.stored()
        await world.until(lambda: b.room().flushed == 4)
        assert bob.connection.blocked
        world.air.loses = lambda sender, receiver: True
        ann.send(type="edit", id=zero["id"], text="zero again")
        await world.stored()
        await b.follower.compare()
        await world.at_rest()
        assert bob.kinds()[-1] == "resumed"
        assert await world.problems(amended=True) == []

    run(tmp_path, scenario)


def test_more_than_a_page_of_history_goes_on_without_a_live_frame_between(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann = await world.member("ann", a)
        crowd = [await world.member(f"m{n}", b) for n in range(room_limits.SLICE_SOCKETS + 20)]
        ann.say("zero")
        await world.at_rest()
        zero = ann.tapes["lobby"].steps[-1].messages[0]["id"]
        world.air.loses = lambda sender, receiver: True
        ann.send(type="edit", id=zero, text="again")
        for n in range(250):
            ann.say(f"text {n}")
        await world.stored()
        world.air.loses = lambda sender, receiver: False
        ann.say("told")
        await world.at_rest()
        for member in crowd:
            steps = member.tapes["lobby"].steps
            assert [step.kind for step in steps][:4] == ["latest", "message", "resumed", "resumed"]
        assert await world.problems(amended=True) == []

    run(tmp_path, scenario)


def test_what_changes_between_two_pages_is_told_once_as_it_is_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PAGE_CHANGES", 2)

    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        reads = Reads(b)
        world.air.loses = lambda sender, receiver: True
        for n in range(4):
            ann.say(f"text {n}")
        await world.stored()
        await world.until(lambda: len(ann.of("ack")) == 4)

        async def edit(page: int) -> None:
            if page == 1:
                ann.send(type="edit", id=ann.of("ack")[0]["id"], text="again")
                await world.stored()

        reads.between = edit
        await b.follower.compare()
        await world.until(lambda: b.room().seq == 5)
        await world.at_rest()
        assert reads.asked == [0, 2, 4]
        assert [entry.seq for entry in b.room()._ring] == [2, 3, 4, 5]
        (told,) = bob.tapes["lobby"].steps[1:]
        assert [(m["seq"], m["text"]) for m in told.messages][:2] == [(1, "again"), (2, "text 1")]
        assert await world.problems(amended=True) == []

    run(tmp_path, scenario)


def test_hints_that_come_while_the_store_is_read_are_not_told_twice(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        reads = Reads(b)
        b.broker.held = True
        for n in range(4):
            ann.say(f"text {n}")
        await world.stored()

        async def deliver(page: int) -> None:
            b.broker.deliver(2)

        reads.between = deliver
        await b.follower.compare()
        await world.at_rest()
        assert bob.kinds() == ["latest"] + ["message"] * 4
        assert await world.problems() == []

    run(tmp_path, scenario)


def test_who_is_over_a_thousand_behind_is_reset(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        ann.say("zero")
        await world.at_rest()
        world.air.loses = lambda sender, receiver: True
        for n in range(room_limits.RESUME_LIMIT + 1):
            ann.say(f"text {n}")
        await world.stored()
        await b.follower.compare()
        await world.at_rest()
        assert bob.kinds() == ["latest", "message", "reset"]
        assert len(bob.tapes["lobby"].steps[-1].messages) == 50
        world.air.loses = lambda sender, receiver: False
        ann.say("and on")
        await world.at_rest()
        assert bob.kinds()[-1] == "message"
        assert await world.problems() == []

    run(tmp_path, scenario)


def test_a_room_that_nobody_follows_here_moves_its_head(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann = await world.member("ann", a)
        world.air.loses = lambda sender, receiver: True
        nonce = ann.say("one")
        await world.until(lambda: bool(ann.of("ack", nonce=nonce)))
        ann.send(type="delete", id=ann.of("ack")[0]["id"])
        await world.stored()
        await b.follower.compare()
        await world.at_rest()
        assert (b.room().seq, b.room().loaded, len(b.room()._ring)) == (2, False, 0)

    run(tmp_path, scenario)


def test_what_waits_is_bounded_and_what_finds_no_place_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_limits, "WAITING_CHANGES", 3)

    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        b.follower._readers = asyncio.Semaphore(0)  # nothing is healed for now
        lost = iter([True])
        world.air.loses = lambda sender, receiver: next(lost, False)
        for n in range(9):
            ann.say("x" * 100 + str(n))
        await world.stored()
        await world.until(lambda: not b.broker.inbox)
        assert sorted(b.room()._waiting) == [2, 3, 4]
        assert b.room()._waiting_bytes > 300
        b.follower._readers.release()
        await world.at_rest()
        assert (b.room()._waiting, b.room()._waiting_bytes) == ({}, 0)
        assert bob.kinds() == ["latest"] + ["message"] * 9
        assert await world.problems() == []

    run(tmp_path, scenario)


# -- resuming --------------------


def test_who_saw_more_on_another_node_is_not_reset(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann = await world.member("ann", a)
        world.air.loses = lambda sender, receiver: True
        for n in range(3):
            ann.say(f"text {n}")
        await world.stored()
        await world.until(lambda: a.room().flushed == 3)
        ann.read()
        assert (ann.positions["lobby"][0], b.room().seq) == (3, 0)
        ann.move(b)
        await world.at_rest()
        assert ann.kinds()[-1] == "resumed"
        assert ann.tapes["lobby"].steps[-1].messages == []
        assert await world.problems() == []

    run(tmp_path, scenario)


def test_who_is_beyond_the_store_is_reset(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann = await world.member("ann", a)
        ann.say("one")
        await world.at_rest()
        ann.positions["lobby"] = 7, ann.positions["lobby"][1]
        ann.move(b)
        await world.at_rest()
        assert ann.kinds()[-1] == "reset"

    run(tmp_path, scenario)


def test_who_cannot_be_answered_comes_back_later(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann = await world.member("ann", a)
        ann.say("one")
        await world.at_rest()

        async def busy(*args: Any, **kwargs: Any) -> Any:
            raise Busy()

        b.follower._history = type("BusyHistory", (), {"changes": staticmethod(busy)})()  # type: ignore[assignment]
        ann.positions["lobby"] = 7, ann.positions["lobby"][1]
        ann.move(b)
        await world.until(lambda: ann.sink.closed_with is not None)
        assert ann.sink.closed_with == 1012

    run(tmp_path, scenario)


def test_a_busy_store_is_asked_again_by_the_next_comparison(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        lost = iter([True])
        world.air.loses = lambda sender, receiver: next(lost, False)
        history, asked = b.follower._history, []

        class BusyOnce:
            async def changes(self, *args: Any, **kwargs: Any) -> Any:
                asked.append(args)
                if len(asked) == 1:
                    raise Busy()
                return await history.changes(*args, **kwargs)

        b.follower._history = BusyOnce()  # type: ignore[assignment]
        ann.say("lost")
        ann.say("told")
        await world.stored()
        await world.until(lambda: len(asked) == 1 and not b.follower._healing)
        assert b.room().seq == 0
        await b.follower.compare()
        await world.at_rest()
        assert bob.kinds() == ["latest", "message", "message"]

    run(tmp_path, scenario)


def test_whose_reaction_it_was_is_told_on_every_node(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        ann.say("hello")
        await world.at_rest()
        page = await world.database.history.latest(a.room().info.id, upto=1, limit=1)
        for fields in ({}, {"remove": True}):
            ann.send(type="react", id=page.messages[0].id, emoji="🎉", **fields)
        await world.at_rest()
        for member in (ann, bob):
            frames = [frame for frame in whole_frames(member.sink) if frame["type"] == "reacted"]
            told = [(frame["userId"], frame["emoji"], frame.get("remove")) for frame in frames]
            assert told == [(ann.account.id, "🎉", None), (ann.account.id, "🎉", True)]

    run(tmp_path, scenario)


# -- rooms, members, what an account chose --------------------


def test_a_room_made_on_another_node_is_known_and_told(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        await world.at_rest()
        await a.management.create_room(ann.account, "team", "Team")
        assert any(isinstance(hint, RoomMade) for hint in a.broker.sent)
        await world.until(lambda: bool(bob.of("room", room="team")))
        bob.follow("team")
        ann.follow("team")
        ann.say("hello", "team")
        await world.at_rest()
        assert bob.kinds("team") == ["latest", "message"]
        assert await world.problems() == []

    run(tmp_path, scenario)


def test_a_room_whose_making_was_not_heard_is_found_by_comparing_and_by_asking(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        world.air.loses = lambda sender, receiver: True
        await a.management.create_room(ann.account, "one", "One")
        await a.management.create_room(ann.account, "two", "Two")
        assert (await b.chat.find(bob.account, "one")).info.title == "One"
        await b.follower.compare()
        await world.until(lambda: b.registry.by_slug("two") is not None)
        assert len(bob.of("room", room="one")) == len(bob.of("room", room="two")) == 1

    run(tmp_path, scenario)


def test_changes_of_a_room_that_is_being_looked_up_are_not_lost(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann = await world.member("ann", a)
        b.broker.held = True
        await a.management.create_room(ann.account, "team", "Team")
        b.follower.look_up(a.room("team").info.id)
        await world.until(lambda: bool(b.follower._looking))
        ann.follow("team")
        ann.say("hello", "team")
        await world.stored()
        b.broker.deliver()
        await world.until(lambda: not b.follower._looking)
        assert b.room("team").seq == 1

    run(tmp_path, scenario)


def test_names_that_are_none_are_asked_for_once_a_second_and_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "ACCOUNT_MISSES_LIMIT", 5)
    monkeypatch.setattr(follower, "MISSES_LIMIT", 7)

    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", a)
        asked: list[str] = []
        one, now = world.database.rooms.one, [0.0]

        class Counting:
            async def one(self, *, slug: str) -> Any:
                asked.append(slug)
                return await one(slug=slug)

        b.follower._rooms = Counting()  # type: ignore[assignment]
        b.follower._monotonic = lambda: now[0]

        async def look(slug: str, who: Member = ann) -> None:
            with pytest.raises(NotFound):
                await b.chat.find(who.account, slug)

        await look("nothing")
        await look("nothing")
        assert asked == ["nothing"]
        for n in range(10):
            await look(f"n{n}")
        assert len(asked) == 5
        for n in range(10):
            await look(f"n{n}", bob)
        assert asked[5:] == ["n0", "n1"]
        now[0] = 1.1
        await look("nothing")
        assert asked[7:] == ["nothing"]
        assert len(b.follower._misses) == 1

    run(tmp_path, scenario)


def test_who_was_let_into_a_room_on_another_node_finds_it_at_once(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob")
        await a.management.create_room(ann.account, "den", "Den", kind="private")
        await world.until(lambda: b.registry.by_slug("den") is not None)
        with pytest.raises(NotFound):
            await b.chat.find(bob.account, "den")
        b.follower._misses.clear()
        world.air.loses = lambda sender, receiver: True
        await a.management.change(ann.account, "den", "added", account_id=bob.account.id)
        assert (await b.chat.find(bob.account, "den")).info.slug == "den"

    run(tmp_path, scenario)


@pytest.mark.parametrize("lost", [False, True])
def test_who_is_removed_on_another_node_leaves_before_the_next_frame(tmp_path: Path, lost: bool) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob, eve = await world.member("ann", a), await world.member("bob"), await world.member("eve")
        await a.management.create_room(ann.account, "den", "Den", kind="private")
        for one in (bob, eve):
            await a.management.change(ann.account, "den", "added", account_id=one.account.id)
        await world.at_rest()
        ann.follow("den")
        bob.connect(b, "den")
        eve.connect(b, "den")
        ann.say("together", "den")
        await world.at_rest()
        world.air.loses = lambda sender, receiver: lost
        await a.management.change(ann.account, "den", "removed", account_id=bob.account.id)
        ann.say("SECRET", "den")
        await world.stored()
        if lost:
            await b.follower.compare()
        await world.until(lambda: bool(bob.of("removed", room="den")))
        await world.at_rest()
        assert b"SECRET" not in bob.sink.received
        assert bob.told[-1]["type"] == "removed"
        assert [m["id"] for m in eve.of("room", room="den")[-1]["members"]] == ["id-ann", "id-eve"]
        assert [step.messages[0].get("notice", {}).get("kind") for step in eve.tapes["den"].steps[-2:]] == [
            "removed", None,
        ]  # fmt: skip
        assert await world.problems() == []

    run(tmp_path, scenario)


@pytest.mark.parametrize("lost", [False, True])
def test_a_room_archived_on_another_node_takes_no_message(tmp_path: Path, lost: bool) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        await a.management.create_room(ann.account, "team", "Team")
        await world.until(lambda: b.registry.by_slug("team") is not None)
        bob.follow("team")
        world.air.loses = lambda sender, receiver: lost
        await a.management.change(ann.account, "team", "archived")
        if lost:
            await b.follower.compare()
        await world.at_rest()
        bob.say("too late", "team")
        assert bob.of("error")[-1]["message"] == "This room is archived."
        assert bob.of("room", room="team")[-1]["archived"]

    run(tmp_path, scenario)


def test_what_an_account_chose_is_known_everywhere_and_found_when_the_broker_comes_back(
    tmp_path: Path,
) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        await world.member("ann", a)
        other = await world.member("ann", b)
        await a.management.set_notify(other.account, "lobby", "all")
        await world.until(lambda: bool(other.of("room", notify="all")))
        assert NotifySet("id-ann", b.room().info.id, "all") in a.broker.sent
        world.air.go(up=False)
        await a.management.set_notify(other.account, "lobby", "nothing")
        world.air.go(up=True)
        await b.follower.compare()
        assert other.of("room")[-1]["notify"] == "nothing"

    run(tmp_path, scenario)


def test_a_duplicate_is_acknowledged_and_told_to_nobody(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, other = await world.member("ann", a), await world.member("ann", b)
        world.air.loses = lambda sender, receiver: True
        nonce = ann.say("once")
        await world.stored()
        other.say("once", nonce=nonce)
        await world.stored()
        await world.until(lambda: bool(other.of("ack", nonce=nonce)))
        assert not any(isinstance(hint, Changed) for hint in b.broker.sent)
        assert b.room().seq == 0
        await b.follower.compare()
        await world.at_rest()
        other.say("once", nonce=nonce)  # from memory now
        assert len(other.of("ack", nonce=nonce)) == 2
        assert await world.problems() == []

    run(tmp_path, scenario)


# -- unread --------------------


def unread(frames: list[dict[str, Any]]) -> tuple[int, int]:
    return (frames[-1]["count"], frames[-1]["mentions"]) if frames else (0, 0)


@pytest.mark.parametrize("lost", [False, True])
def test_unread_counts_what_other_nodes_stored(tmp_path: Path, lost: bool) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob")
        bob.connect(b)
        await b.unreads.opened(bob.connection)
        nonces = [ann.say("old"), ann.say("@bob old")]
        await world.at_rest()
        await b.unreads.tick()
        assert unread(bob.of("unread")) == (2, 1)
        world.air.loses = lambda sender, receiver: lost
        ids = {ack["nonce"]: ack["id"] for ack in ann.of("ack")}
        ann.send(type="delete", id=ids[nonces[1]])
        ann.say("@bob new")
        ann.say("brief")
        await world.stored()
        await world.until(lambda: len(ann.of("ack")) == 4)
        ann.send(type="delete", id=ann.of("ack")[-1]["id"])
        ann.say("last")
        await world.stored()
        if lost:
            await b.follower.compare()
        await world.at_rest()
        await b.unreads.tick()
        assert unread(bob.of("unread")) == (3, 1)

    run(tmp_path, scenario)


@pytest.mark.parametrize("lost", [False, True])
def test_what_is_unread_is_told_when_another_node_lets_somebody_in_or_restores_a_room(
    tmp_path: Path, lost: bool
) -> None:
    async def scenario(world: World) -> None:
        one, two = world.nodes
        ann = await world.member("ann", one)
        bob = await world.member("bob", two)
        await one.management.create_room(ann.account, "team", "Team", kind="private")
        await world.until(lambda: two.registry.by_slug("team") is not None)
        ann.follow("team")
        for text in ("one", "two"):
            ann.say(text, "team")
        await world.at_rest()
        await two.unreads.tick()
        world.air.loses = lambda sender, receiver: lost
        for change in (
            {"kind": "added", "account_id": bob.account.id},
            {"kind": "archived"},
            {"kind": "restored"},
        ):
            await one.management.change(ann.account, "team", **change)  # type: ignore[arg-type]
            await two.follower.compare()
            await world.at_rest()
            bob.told.clear()
            await two.unreads.tick()
            counts = [frame["count"] for frame in bob.of("unread", room="team")]
            assert counts == ([] if change["kind"] == "archived" else [2]), change

    run(tmp_path, scenario)


def test_unread_is_counted_by_the_store_after_an_at_here_that_was_healed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a, role="owner"), await world.member("bob", a)
        other = await world.member("bob")
        other.connect(b)
        await b.unreads.opened(other.connection)
        world.air.loses = lambda sender, receiver: True
        ann.say("@here look")
        await world.stored()
        assert bob.name in a.room().people.names()
        await b.follower.compare()
        await world.at_rest()
        await b.unreads.tick()
        assert unread(other.of("unread")) == (1, 1)

    run(tmp_path, scenario)


def test_what_was_read_on_another_node_is_read_here(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", a)
        other = await world.member("bob")
        other.connect(b)
        await b.unreads.opened(other.connection)
        await a.unreads.opened(bob.connection)
        for n in range(3):
            ann.say(f"text {n}")
        await world.at_rest()
        await b.unreads.tick()
        assert unread(other.of("unread")) == (3, 0)
        bob.send(type="read", seq=2)
        assert not other.of("read")
        await a.unreads.tick()
        assert ReadTo("id-bob", a.room().info.id, 2) in a.broker.sent
        await world.until(lambda: bool(other.of("read", seq=2)))
        await b.unreads.tick()
        assert unread(other.of("unread")) == (1, 0)
        world.air.go(up=False)
        bob.send(type="read", seq=3)
        await a.unreads.tick()
        world.air.go(up=True)
        await b.unreads.tick()
        assert other.of("read")[-1]["seq"] == 3
        assert unread(other.of("unread")) == (0, 0)

    run(tmp_path, scenario)


@pytest.mark.parametrize("deleted", [False, True])
def test_what_the_store_counted_before_it_was_heard_of_counts_once(tmp_path: Path, deleted: bool) -> None:
    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob")
        ann.say("one")
        await world.at_rest()
        world.air.loses = lambda sender, receiver: True
        ann.say("two")
        ann.say("three")
        await world.stored()
        await world.until(lambda: len(ann.of("ack")) == 3)
        bob.connect(b)
        await b.unreads.opened(bob.connection)
        assert unread(bob.of("unread")) == (3, 0)
        if deleted:
            ann.send(type="delete", id=ann.of("ack")[1]["id"])
            await world.stored()
        else:
            bob.send(type="read", seq=1)  # all that this node knows of
        await b.follower.compare()
        await world.at_rest()
        await b.unreads.tick()
        assert unread(bob.of("unread")) == (2, 0)

    run(tmp_path, scenario)


# -- the broker goes and comes --------------------


def test_while_the_broker_is_away_the_store_is_compared_often_and_at_once_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "COMPARE_SECONDS", 3_600.0)
    monkeypatch.setattr(follower, "AWAY_SECONDS", 0.001)

    async def scenario(world: World) -> None:
        a, b = world.nodes
        ann, bob = await world.member("ann", a), await world.member("bob", b)
        for node in world.nodes:
            node.tasks.start(node.follower.run())
        await world.until(lambda: not a.follower._wake.is_set() and not b.follower._wake.is_set())
        world.air.go(up=False)
        ann.say("while it is away")
        await world.at_rest()
        assert bob.kinds() == ["latest", "message"]
        monkeypatch.setattr(follower, "AWAY_SECONDS", 3_600.0)
        await world.until(lambda: not b.follower._wake.is_set())
        ann.say("just before it is back")
        await world.stored()
        world.air.go(up=True)
        await world.at_rest()
        assert await world.problems() == []

    run(tmp_path, scenario)


def test_a_failing_comparison_does_not_end_comparing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "COMPARE_SECONDS", 0.001)

    async def scenario(world: World) -> None:
        (a,) = world.nodes
        asked: list[None] = []

        async def compare() -> None:
            asked.append(None)
            raise Busy() if len(asked) == 1 else RuntimeError("the line to the database broke")

        a.follower.compare = compare  # type: ignore[method-assign]
        a.tasks.start(a.follower.run())
        await world.until(lambda: len(asked) >= 3)

    run(tmp_path, scenario, nodes=1)
