"""Joining what another node made a moment ago: the store is asked, and the events behind it keep their place."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat_app.core.asking import HELD_CHARACTERS, HELD_EVENTS
from chat_app.core.rooms import Room
from chat_app.errors import Busy

from .nodes import Member, Node, World, run


class Gate:
    """`rooms.Elsewhere` of a node, that answers when it is let."""

    def __init__(self, node: Node) -> None:
        self.open = asyncio.Event()
        self.asked: list[str] = []
        self.error: Exception | None = None
        self._follower = node.follower
        node.registry.elsewhere = self

    def behind(self, room: Room) -> None:
        self._follower.behind(room)

    async def ask(self, account_id: str, slug: str) -> None:
        self.asked.append(slug)
        await self.open.wait()
        if self.error is not None:
            raise self.error
        await self._follower.ask(account_id, slug)


class Stage:
    """Ann on node a; bob on node b, which hears nothing of a."""

    def __init__(self, world: World, ann: Member, bob: Member) -> None:
        self.world, self.ann, self.bob = world, ann, bob
        self.a, self.b = world.nodes
        self.gate = Gate(self.b)
        world.air.loses = lambda sender, receiver: receiver == "b"
        bob.tapes["team"] = world.record.tape(bob.name, "team")
        bob.tapes["team"].opened()

    async def make(self, **kind: Any) -> None:
        await self.a.management.create_room(self.ann.account, "team", "Team", **kind)

    def told(self) -> list[tuple[str, str]]:
        """The answers to bob's events, in order: what kind, and about which nonce or with which code."""
        self.bob.read()
        return [
            (frame["type"], frame.get("nonce") or frame["code"])
            for frame in self.bob.told
            if frame["type"] in ("ack", "error")
        ]

    async def answered(self) -> None:
        self.gate.open.set()
        await self.world.until(lambda: not self.b.tasks._running, "the answer")
        await self.world.stored()

    async def texts(self) -> list[str]:
        room = self.b.room("team")
        page = await self.world.database.history.latest(room.info.id, upto=1 << 40, limit=100)
        return [message.text for message in page.messages]


def played(folder: Path, scenario: Callable[[Stage], Any]) -> None:
    async def main(world: World) -> None:
        a, b = world.nodes
        await scenario(Stage(world, await world.member("ann", a), await world.member("bob", b)))
        assert [node.errors for node in world.nodes] == [[], []]

    run(folder, main)


def test_a_room_that_another_node_made_is_joined_and_written_to_without_waiting(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.make()
        bob = stage.bob
        bob.send(type="join", room="team")
        nonces = [bob.say(text, "team") for text in ("one", "two")]
        bob.send(type="typing", room="team")
        bob.send(type="read", room="team", seq=1)
        elsewhere = bob.say("three")
        await stage.world.stored()
        assert stage.told() == [("ack", elsewhere)], "other rooms do not wait"
        assert "team" not in bob.positions
        await stage.answered()
        assert stage.told()[1:] == [("ack", nonce) for nonce in nonces]
        assert await stage.texts() == ["one", "two"]
        assert bob.kinds("team") == ["latest", "message", "message"]
        assert stage.gate.asked == ["team"]
        stage.world.air.loses = lambda sender, receiver: False
        await stage.a.follower.compare()
        await stage.world.at_rest()
        assert await stage.world.problems() == []

    played(tmp_path, scenario)


def test_who_was_let_in_on_another_node_joins_at_once(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.make(kind="private")
        await stage.b.follower.compare()
        await stage.world.until(lambda: stage.b.registry.by_slug("team") is not None)
        account_id = stage.bob.account.id
        await stage.a.management.change(stage.ann.account, "team", "added", account_id=account_id)
        stage.bob.send(type="join", room="team")
        await stage.answered()
        assert stage.told() == []
        assert stage.bob.kinds("team") == ["latest"]

    played(tmp_path, scenario)


def test_what_is_nowhere_is_refused_in_its_order(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.bob.send(type="join", room="team")
        nonce = stage.bob.say("one", "team")
        stage.bob.send(type="leave", room="team")
        assert stage.told() == []
        await stage.answered()
        errors = stage.bob.of("error")
        assert [(error["code"], error.get("nonce")) for error in errors] == [
            ("not_found", None),
            ("not_found", nonce),
            ("not_found", None),
        ]
        assert {error["room"] for error in errors} == {"team"}
        stage.bob.say("two", "team")
        assert len(stage.bob.of("error")) == 4, "nothing waits any more"
        assert stage.gate.asked == ["team"], "only a join asks"

    played(tmp_path, scenario)


def test_a_busy_store_is_no_missing_room(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.make()
        stage.gate.error = Busy()
        stage.bob.send(type="join", room="team")
        nonce = stage.bob.say("one", "team")
        await stage.answered()
        assert stage.told() == [("error", "busy"), ("error", nonce)]
        assert {error["code"] for error in stage.bob.of("error")} == {"busy"}

    played(tmp_path, scenario)


def test_messages_keep_their_order_when_the_room_comes_while_it_is_asked_for(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.make()
        stage.bob.send(type="join", room="team")
        stage.bob.say("one", "team")
        await stage.b.follower.compare()
        await stage.world.until(lambda: stage.b.registry.by_slug("team") is not None)
        stage.bob.send(type="join", room="team")
        stage.bob.say("two", "team")
        stage.bob.send(type="leave", room="team")
        await stage.answered()
        assert [kind for kind, _ in stage.told()] == ["ack", "ack"]
        assert await stage.texts() == ["one", "two"]
        assert "team" not in stage.bob.connection.cursors

    played(tmp_path, scenario)


@pytest.mark.parametrize("size", [1, 400])
def test_what_waits_is_bounded_and_the_rest_may_be_sent_again(tmp_path: Path, size: int) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.make()
        stage.bob.send(type="join", room="team")
        more = "x" * (HELD_CHARACTERS // HELD_EVENTS if size > 1 else 0)
        sent = [stage.bob.say(str(n), "team", padding=more) for n in range(HELD_EVENTS + 5)]
        busy = stage.bob.of("error")
        assert {error["code"] for error in busy} == {"busy"}
        kept = len(sent) - len(busy)
        assert kept == HELD_EVENTS - 1 if size == 1 else 0 < kept < HELD_EVENTS - 1
        assert [error["nonce"] for error in busy] == sent[kept:]
        await stage.answered()
        assert await stage.texts() == [str(n) for n in range(kept)]

    played(tmp_path, scenario)


def test_who_leaves_meanwhile_is_forgotten(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.make()
        stage.bob.send(type="join", room="team")
        stage.bob.say("one", "team")
        await stage.world.until(lambda: bool(stage.gate.asked))
        stage.bob.leave()
        await stage.answered()
        assert await stage.texts() == []
        assert stage.b.room("team").cursors == set()

    played(tmp_path, scenario)


def test_a_node_that_is_alone_asks_nobody(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.b.registry.elsewhere = None
        stage.bob.send(type="join", room="team")
        assert stage.told() == [("error", "not_found")]
        assert not stage.b.tasks._running

    played(tmp_path, scenario)
