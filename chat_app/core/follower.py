"""Keeps the rooms of this node where the database is, whichever node wrote there: `cluster.RoomFollower`.

`Cluster` hands it the hints of other nodes, `Registry` tells it which room lacks something, `run` compares
every head with the store (docs/adr/0011). It writes nothing, and a lost hint makes nothing wrong for long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from chat_app.core import room_limits as limits
from chat_app.core.chat import Chat
from chat_app.core.management import Management
from chat_app.core.rooms import Registry, Room, Tasks
from chat_app.core.unread import Unreads
from chat_app.errors import ChatError
from chat_app.logs import log_event
from chat_app.models import Committed, Message, Notify, RoomState
from chat_app.ports import History, Rooms

COMPARE_SECONDS = 1.0
AWAY_SECONDS = 0.2
"""Between two comparisons while no hint arrives."""
GRACE_SECONDS = 0.005
"""For the hint that is on its way, before the store is read."""
NOTIFIES_SECONDS = 60.0
HEALED_AT_ONCE = 8
"""Rooms; after an absence all of them are behind."""
PAGE_CHANGES = 500
MISS_SECONDS = 1.0
MISSES_LIMIT = 256
ACCOUNT_MISSES_LIMIT = 16
"""Names asked for in vain within `MISS_SECONDS`, by all and by one account; beyond them the store is not
asked, so that a scan stays cheap.
"""

_log = logging.getLogger(__name__)


class Follower:
    """The rooms' part in what other nodes did. `run` goes on for as long as the process."""

    def __init__(
        self,
        *,
        history: History,
        rooms: Rooms,
        registry: Registry,
        chat: Chat,
        management: Management,
        unreads: Unreads,
        tasks: Tasks,
        up: bool = False,
        grace_seconds: float = GRACE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._history = history
        self._rooms = rooms
        self._registry = registry
        self._chat = chat
        self._management = management
        self._unreads = unreads
        self._tasks = tasks
        self._up = up
        self._grace_seconds = grace_seconds
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._readers = asyncio.Semaphore(HEALED_AT_ONCE)
        self._healing: dict[str, _Healing] = {}
        self._looking: dict[str, list[Committed]] = {}
        self._misses: dict[tuple[str, str], float] = {}
        self._asking = 0
        self._notifies_due = 0.0
        self._late = False
        registry.elsewhere = self

    # -- what other nodes tell --------------------

    def offer(self, change: Committed) -> None:
        """A change that another node committed."""
        room = self._registry.by_id(change.room_id)
        if room is not None:
            room.offer(change, self._apply)
            return
        self.look_up(change.room_id)
        waiting = self._looking[change.room_id]
        if len(waiting) < limits.WAITING_CHANGES:
            waiting.append(change)

    def look_up(self, room_id: str) -> None:
        """A room that may be new here."""
        if self._registry.by_id(room_id) is None and room_id not in self._looking:
            self._looking[room_id] = []
            self._tasks.start(self._look_up(room_id))

    def notify_set(self, account_id: str, room_id: str, notify: Notify) -> None:
        """What an account chose."""
        room = self._registry.by_id(room_id)
        if room is not None:
            self._management.notify_set(room, account_id, notify)

    def read_to(self, account_id: str, room_id: str, seq: int) -> None:
        """How far an account has read."""
        room = self._registry.by_id(room_id)
        if room is not None:
            self._unreads.read_elsewhere(account_id, room, seq)

    def connection_changed(self, up: bool) -> None:
        """With True: compare everything now. With False: often."""
        if up:
            self._notifies_due = 0.0
            self._unreads.recount()  # what was read elsewhere meanwhile was not heard
        self._up = up
        self._wake.set()

    def _apply(self, room: Room, change: Committed) -> None:
        (self._chat.publish if change.room is None else self._management.apply)(room, change)

    # -- what the store has --------------------

    async def run(self) -> None:
        """Compares again and again, never two at a time."""
        while True:
            self._wake.clear()
            try:
                await self.compare()
                self._late = False
            except Exception as error:  # whatever the store has: the next comparison finds it well again
                self._say_late(error)
            with suppress(TimeoutError):
                async with asyncio.timeout(COMPARE_SECONDS if self._up else AWAY_SECONDS):
                    await self._wake.wait()

    async def compare(self) -> None:
        """Begins to heal every room whose head in the store is another, and to look up every unknown one."""
        for room_id, head in (await self._rooms.heads()).items():
            room = self._registry.by_id(room_id)
            if room is None:
                self.look_up(room_id)
            elif room.seq < head:
                self._heal(room, head)
        if self._monotonic() >= self._notifies_due:
            self._notifies_due = self._monotonic() + NOTIFIES_SECONDS
            self._compare_notifies(await self._rooms.notifies())

    def _compare_notifies(self, notifies: dict[str, dict[str, Notify]]) -> None:
        for room_id, chosen in notifies.items():
            room = self._registry.by_id(room_id)
            for account_id, notify in chosen.items():
                if room is not None and room.notifies.get(account_id) != notify:
                    self._management.notify_set(room, account_id, notify)

    async def ask(self, account_id: str, slug: str) -> None:
        """An account looks for what this node does not know, or not as something the account may see."""
        now, key = self._monotonic(), (account_id, slug)
        while self._misses and next(iter(self._misses.values())) <= now:
            del self._misses[next(iter(self._misses))]
        of_account = sum(one == account_id for one, _ in self._misses)
        if key in self._misses or of_account >= ACCOUNT_MISSES_LIMIT:
            return
        if len(self._misses) + self._asking >= MISSES_LIMIT:
            return
        self._asking += 1
        try:
            state = await self._rooms.one(slug=slug)
        finally:
            self._asking -= 1
        room = self._registry.by_slug(slug)
        if state is not None and room is None:
            self._add(state)
        elif state is not None and room is not None and room.seq < state.info.seq:
            await asyncio.shield(self._heal(room, state.info.seq))
        else:
            self._misses[key] = self._monotonic() + MISS_SECONDS

    async def _look_up(self, room_id: str) -> None:
        try:
            async with self._readers:
                state = await self._rooms.one(room_id=room_id)
            if state is not None:
                self._add(state)
        except ChatError as error:
            self._say_late(error)
        finally:
            waiting = self._looking.pop(room_id)
        if self._registry.by_id(room_id) is not None:
            for change in waiting:
                self.offer(change)

    def _add(self, state: RoomState) -> None:
        if self._registry.by_id(state.info.id) is None:
            room = self._registry.add(state.info, state.members, state.notifies)
            self._management.tell(room)
            if room.seq:
                self._unreads.recount(room)

    def _say_late(self, error: Exception) -> None:
        """Once, until a comparison succeeds."""
        if not self._late:
            log_event(_log, "follower.late", level=logging.WARNING, reason=type(error).__name__)
        self._late = True

    # -- healing --------------------

    def behind(self, room: Room) -> None:
        """The store is said to hold changes that are not here."""
        self._heal(room, 0)

    def _heal(self, room: Room, head: int) -> asyncio.Future[None]:
        """Brings a room to `head` and whatever waits for; done when it is there or the store cannot tell."""
        healing = self._healing.get(room.info.id)
        if healing is None:
            healing = self._healing[room.info.id] = _Healing(room)
            self._tasks.start(self._run_healing(healing))
        healing.head = max(healing.head, head)
        return healing.done

    async def _run_healing(self, healing: _Healing) -> None:
        room, known = healing.room, False
        try:
            await asyncio.sleep(self._grace_seconds)
            async with self._readers:
                while room.seq < healing.head or room.lacks:
                    if not await self._heal_once(room):
                        break
            known = True
        except ChatError as error:
            self._say_late(error)
        finally:
            del self._healing[room.info.id]
            room.answer(room.take_ahead(), known=known)
            if not healing.done.done():
                healing.done.set_result(None)

    async def _heal_once(self, room: Room) -> bool:
        """Whether it came on, or answered somebody."""
        before, ahead, known = room.seq, room.take_ahead(), False
        try:
            await self._bring_on(room)
            known = True
        finally:
            room.answer(ahead, known=known)
        if room.seq == before and not ahead:
            log_event(_log, "follower.unknown_head", level=logging.ERROR, head=before)
            room.forget_waiting()
            return False
        return True

    async def _bring_on(self, room: Room) -> None:
        """Reads everything after the head and goes on to it, at once and without what came meanwhile."""
        found: dict[str, Message] = {}
        since = room.seq
        while True:
            page = await self._history.changes(room.info.id, since, limit=PAGE_CHANGES)
            for message in page.messages:
                found.pop(message.id, None)  # a later page knows it better
                found[message.id] = message
            if page.seq - room.seq > limits.RESUME_LIMIT:
                await self._begin_anew(room)
                return
            if not page.more:
                break
            since = page.seq
        state = None
        if any(message.notice is not None and message.seq > room.seq for message in found.values()):
            state = await self._rooms.one(room_id=room.info.id)
        missing = [message for message in found.values() if message.rev > room.seq]
        if page.seq <= room.seq or (state is not None and state.info.seq < room.seq):
            return  # hints brought it on meanwhile
        if state is not None:
            self._management.restate(room, state.info, state.members)
        self._catch_up(room, missing, page.seq)
        if state is not None:
            room.flush()
            self._management.tell(room)
        room.go_on()

    def _catch_up(self, room: Room, missing: list[Message], head: int) -> None:
        before = room.seq
        if len(missing) == head - before and all(message.seq == message.rev for message in missing):
            for message in missing:  # each change is a message that nothing happened to since
                change = Committed("message", room.info.id, message.seq, message, mentioned=message.mentions)
                self._chat.publish(room, change)
        else:
            room.leap(missing, head)
            self._unreads.leapt(room, before, missing)
        if any(message.here and message.seq > before for message in missing):
            self._unreads.recount(room)  # whom it called is known to the store

    async def _begin_anew(self, room: Room) -> None:
        state = await self._rooms.one(room_id=room.info.id)
        if state is None or state.info.seq <= room.seq:
            return
        self._management.restate(room, state.info, state.members)
        room.reload(state.info.seq)
        self._unreads.recount(room)
        self._management.tell(room)
        room.go_on()


class _Healing:
    """A room that is being brought on, at least to `head`."""

    __slots__ = ("done", "head", "room")

    def __init__(self, room: Room) -> None:
        self.room = room
        self.head = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
