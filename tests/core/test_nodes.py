"""Whatever three nodes write, and whatever of their hints comes late or never, every member sees the store."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from chat_app.core import follower
from chat_app.core.permissions import allows
from chat_app.errors import ChatError
from chat_app.hints import Changed
from tests.services import PostgreSQL

from .nodes import Member, Node, World, run
from .test_room_machine import small_limits

ROOMS = ("lobby", "team", "den")
STEPS = 300
SEEDS = range(8)


class Storm:
    """Chance plays with the world."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.chance = world, random.Random(seed)
        self.asked: list[asyncio.Task[object]] = []
        self.loss = 0.0
        world.air.loses = lambda sender, receiver: self.chance.random() < self.loss
        self.acts = [
            (14, self.say), (4, self.amend), (3, self.mark), (2, self.manage), (1, self.membership),
            (4, self.hold), (6, self.deliver), (2, self.lose), (1, self.go_away), (3, self.compare),
            (3, self.stall), (2, self.drain), (2, self.move), (2, self.read), (1, self.tick), (12, self.turn),
        ]  # fmt: skip

    async def play(self) -> None:
        weights = [weight for weight, _ in self.acts]
        for _ in range(STEPS):
            ((_, act),) = self.chance.choices(self.acts, weights)
            await act()
            await self.bring_back()

    async def bring_back(self) -> None:
        """Whom a node threw out (too slow, too many acks waiting) comes back."""
        for member in self.world.members:
            if member.sink.closed_with is not None:
                await self.reconnect(member)

    @property
    def owner(self) -> Member:
        return self.world.members[0]

    @property
    def node(self) -> Node:
        return self.chance.choice(self.world.nodes)

    @property
    def member(self) -> Member:
        return self.chance.choice(self.world.members)

    async def say(self) -> None:
        member = self.member
        text = "y" * self.chance.randrange(1, 200)
        for _ in range(self.chance.choice([1, 1, 1, 4, 15])):
            if rooms := list(member.connection.cursors):
                member.say(self.chance.choice(["", "", "@m1 ", "@here "]) + text, self.chance.choice(rooms))

    def known(self, member: Member) -> tuple[str, dict[str, object]] | None:
        rooms = [
            slug for slug, tape in member.tapes.items() if tape.steps and slug in member.connection.cursors
        ]
        if not rooms:
            return None
        slug = self.chance.choice(rooms)
        messages = [m for step in member.tapes[slug].steps for m in step.messages]
        return (slug, self.chance.choice(messages)) if messages else None

    async def amend(self) -> None:
        if found := self.known(self.member):
            slug, message = found
            author = next(m for m in self.world.members if m.account.id == message["userId"])
            if slug not in author.connection.cursors or "notice" in message:
                return
            if self.chance.random() < 0.5 or "@" in str(message.get("text")):
                author.send(type="delete", id=message["id"], room=slug)
            else:
                author.send(type="edit", id=message["id"], text="edited", room=slug)

    async def mark(self) -> None:
        member = self.member
        if found := self.known(member):
            slug, message = found
            emoji = self.chance.choice(["👍", "🎉"])
            member.send(type="react", id=message["id"], emoji=emoji, room=slug)
            if self.chance.random() < 0.3:
                self.owner.send(type="pin", id=message["id"], room=slug)

    async def manage(self) -> None:
        slug = self.chance.choice(ROOMS[1:])
        kind, value = self.chance.choice(
            [("topic", f"t{self.chance.random()}"), ("archived", ""), ("restored", ""), ("restored", "")]
        )
        self.ask(self.owner.node.management.change(self.owner.account, slug, kind, value=value))  # type: ignore[arg-type]

    async def membership(self) -> None:
        member = self.chance.choice(self.world.members[1:])
        kind = self.chance.choice(["added", "removed"])
        change = self.node.management.change
        self.ask(change(self.owner.account, "den", kind, account_id=member.account.id))  # type: ignore[arg-type]

    def ask(self, change: object) -> None:
        self.asked.append(asyncio.ensure_future(change))  # type: ignore[arg-type]

    async def hold(self) -> None:
        self.node.broker.held = True

    async def deliver(self) -> None:
        broker = self.node.broker
        if self.chance.random() < 0.5:
            broker.held = False
            broker.deliver()
        else:
            broker.deliver(self.chance.randrange(1, 6))

    async def lose(self) -> None:
        if self.chance.random() < 0.5:
            self.node.broker.lose(self.chance.randrange(1, 4))
        else:
            self.loss = self.chance.choice([0.0, 0.0, 0.1, 0.5])

    async def go_away(self) -> None:
        self.world.air.go(up=self.chance.random() < 0.6)

    async def compare(self) -> None:
        await self.node.follower.compare()

    async def stall(self) -> None:
        self.member.sink.room = self.chance.choice([None, 0, 30, 400])

    async def drain(self) -> None:
        sink = self.member.sink
        sink.drain() if sink.waiting else None

    async def move(self) -> None:
        """Its line is lost."""
        await self.reconnect(self.member)

    async def reconnect(self, member: Member) -> None:
        """It comes back on any node, and joins what it may."""
        node = self.node
        member.leave()
        member.connect(node)
        await node.unreads.opened(member.connection)
        for slug in ROOMS:
            room = node.registry.by_slug(slug)
            seen = room is not None and allows(member.account, "read", room.standing(member.account.id))
            if seen and self.chance.random() < 0.8:
                member.follow(slug)
            else:
                member.forget(slug)  # or it comes back some other time, from the latest

    async def read(self) -> None:
        member = self.member
        member.read()
        if member.positions:
            slug, (seq, _) = self.chance.choice(list(member.positions.items()))
            member.send(type="read", room=slug, seq=self.chance.randrange(seq + 1))

    async def tick(self) -> None:
        await self.node.unreads.tick()

    async def turn(self) -> None:
        for _ in range(self.chance.choice([1, 3, 30])):
            await asyncio.sleep(0)
        if self.chance.random() < 0.1:
            await self.world.stored()

    async def calm_down(self) -> None:
        world = self.world
        self.loss = 0.0
        await asyncio.gather(*self.asked, return_exceptions=True)
        for task in self.asked:
            assert task.exception() is None or isinstance(task.exception(), ChatError)
        await world.stored()
        for node in world.nodes:
            node.broker.held = False
        world.air.go(up=True)
        for node in world.nodes:
            await node.follower.compare()
        await world.at_rest()
        await self.bring_back()
        await world.at_rest()


async def unread_differences(world: World) -> list[str]:
    """Where a node counts other than the store."""
    for _ in range(20):  # the store may have to count again, and may be too busy for it
        for node in world.nodes:
            await node.unreads.tick()
        await world.until(lambda: not any(node.broker.inbox for node in world.nodes), "every hint")
        if not any(node.unreads._recount or node.unreads._unsaved for node in world.nodes):
            break
    found = []
    for node in world.nodes:
        for account_id, _ in node.connections.accounts():
            marks = node.unreads._marks.get(account_id, {})
            for stored in await world.database.rooms.unread(account_id):
                mark = marks.get(stored.room_id)
                here = (mark.read, mark.count, mark.mentions) if mark else (0, 0, 0)
                if here != (stored.read_seq, stored.count, stored.mentions):
                    found.append(f"{node.name}: {account_id} has {here}, the store {stored}")
    return found


def rings_are_right(node: Node, deleted: set[str]) -> None:
    for room in node.registry.all():
        assert room._ring_bytes == sum(entry.size for entry in room._ring)
        assert room.floor <= room.frames_floor <= room.seq
        seqs = [entry.seq for entry in room._ring]
        assert seqs == sorted(set(seqs))
        assert (room._waiting, room._waiting_bytes, room._ahead) == ({}, 0, [])
        for entry in room._ring:
            assert entry.message.id not in deleted or entry.message.text == ""
            assert (
                entry.frame is None
                or json.dumps("y" * 5)[1:-1].encode() not in entry.frame
                or (entry.message.id not in deleted)
            )
        for message in [*room._recent.values(), *room._by_nonce.values()]:
            assert message.id not in deleted or message.text == ""


@pytest.mark.parametrize("seed", SEEDS)
def test_every_member_sees_the_store_whatever_three_nodes_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    play(tmp_path, monkeypatch, seed)


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_the_same_where_three_nodes_race_in_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: PostgreSQL, seed: int
) -> None:
    play(tmp_path, monkeypatch, seed, postgresql.database())


def play(folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int, postgresql: str | None = None) -> None:
    monkeypatch.setattr(follower, "PAGE_CHANGES", 5)
    small = seed % 2 == 0

    async def scenario(world: World) -> None:
        owner = await world.member("owner", world.nodes[0], role="owner")
        await owner.node.management.create_room(owner.account, "team", "Team")
        await owner.node.management.create_room(owner.account, "den", "Den", kind="private")
        for n in range(1, 6):
            member = await world.member(f"m{n}")
            if n < 4:
                await owner.node.management.change(
                    owner.account, "den", "added", account_id=member.account.id
                )
        await world.at_rest()
        for n, member in enumerate(world.members):
            if n:
                member.connect(world.nodes[n % 3], "lobby", *(["team"] * (n % 2)), *(["den"] * (n < 4)))
            await member.node.unreads.opened(member.connection)
        owner.follow("team")
        owner.follow("den")
        storm = Storm(world, seed)
        await storm.play()
        await storm.calm_down()
        assert (found := await world.problems(amended=True)) == [], f"seed {seed}: {found}"
        assert (found := await unread_differences(world)) == [], f"seed {seed}: {found}"
        gone = set()
        for info in await world.database.rooms.all():
            page = await world.database.history.latest(info.id, upto=1 << 40, limit=10_000)
            gone |= {message.id for message in page.messages if message.deleted_ms is not None}
        for node in world.nodes:
            rings_are_right(node, gone)
        assert sum(isinstance(hint, Changed) for node in world.nodes for hint in node.broker.sent) == sum(
            (await world.database.rooms.heads()).values()
        )

    if small:
        with small_limits():
            run(folder, scenario, nodes=3, history_limit=4, postgresql=postgresql)
    else:
        run(folder, scenario, nodes=3, postgresql=postgresql)
