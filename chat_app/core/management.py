"""Making rooms and changing what they are: members, title, topic, archive, who may write.

The pages call it. Every change of a room is a change of its log: it is queued like a message, and what it
means for open connections happens in the order of the commits, before the notice is told to anybody.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from chat_app.core.cluster import ALONE
from chat_app.core.connection import Connection
from chat_app.core.connections import Connections
from chat_app.core.message_ids import message_id
from chat_app.core.names import name_key
from chat_app.core.permissions import Action, allows
from chat_app.core.room_views import room_frame
from chat_app.core.rooms import Registry, Room, unfollow
from chat_app.core.unread import Unreads
from chat_app.errors import ChatError, Forbidden, NotFound
from chat_app.hints import Changed, NotifySet, RoomMade
from chat_app.models import (
    LOBBY,
    NOTIFIES,
    Account,
    Committed,
    Manage,
    Member,
    NoticeKind,
    Notify,
    RoomInfo,
    RoomKind,
)
from chat_app.ports import Broker, Database
from chat_app.protocol import RemovedFrame, event_frame

DIRECT_LIMIT = 9
"""People in a direct room; more of them are a private room."""
TOPIC_LIMIT = 250
SLICE = 200
"""Connections told before the loop gets a turn."""
_IN_LISTS: tuple[NoticeKind, ...] = ("title", "archived", "restored")
"""What changes how a list shows a room."""

_NEEDS: dict[NoticeKind, Action] = {
    "added": "add_members", "removed": "add_members", "manager": "add_members", "left": "leave",
    "title": "manage", "topic": "manage", "archived": "manage", "restored": "manage", "posting": "manage",
}  # fmt: skip


def clean_topic(raw: str) -> str:
    """A topic: one line. Raises `ChatError` bad_request, too_large."""
    topic = unicodedata.normalize("NFC", " ".join(raw.split()))
    if not topic.isprintable():
        raise ChatError("bad_request", "A topic is one line of text.")
    if len(topic) > TOPIC_LIMIT:
        raise ChatError("too_large", "A topic has at most %(limit)s characters.", limit=TOPIC_LIMIT)
    return topic


class Management:
    """What somebody does to a room rather than in it."""

    def __init__(
        self,
        *,
        database: Database,
        registry: Registry,
        connections: Connections,
        unreads: Unreads,
        broker: Broker = ALONE,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._database = database
        self._registry = registry
        self._connections = connections
        self._unreads = unreads
        self._broker = broker
        self._now_ms = now_ms

    def visible(self, account: Account, slug: str) -> Room:
        """The room, if the account may see it. Raises `NotFound` else, the two cases alike."""
        room = self._registry.by_slug(slug)
        if room is None or not allows(account, "read", room.standing(account.id)):
            raise NotFound("There is no such room.")
        return room

    async def create_room(
        self, account: Account, slug: str, title: str, *, kind: RoomKind = "public"
    ) -> Room:
        """A new room that the account manages. Raises `ChatError` taken, `Forbidden`."""
        if kind == "direct" or not allows(account, "create_room"):
            raise Forbidden("You may not create rooms.")
        info = await self._database.rooms.create(
            slug, title, account_id=account.id, now_ms=self._now_ms(), kind=kind
        )
        members = (await self._database.rooms.members()).get(info.id, [])
        room = self._registry.by_slug(info.slug) or self._registry.add(info, members)
        self._broker.send(RoomMade(info.id))
        self.tell(room)
        return room

    async def open_direct(self, account: Account, names: Sequence[str]) -> Room:
        """The direct room with these people, made when there is none. Raises `NotFound`, also for somebody
        disabled with whom there is none yet, and `ChatError` bad_request.
        """
        ids = {account.id}
        for name in names:
            found = await self._database.accounts.by_name(name_key(name[:64]))
            if found is None:
                raise NotFound("There is nobody of this name.")
            ids.add(found[0].id)
        if not 2 <= len(ids) <= DIRECT_LIMIT:
            raise ChatError("bad_request", "Name 1 to %(limit)s other people.", limit=DIRECT_LIMIT - 1)
        info, members, made = await self._database.rooms.direct(
            ids, slug=f"dm-{secrets.token_urlsafe(12)}", now_ms=self._now_ms()
        )
        known = self._registry.by_slug(info.slug)
        room = known or self._registry.add(info, members)
        if made:
            self._broker.send(RoomMade(info.id))
        if made or known is None:
            self.tell(room)
        return room

    async def change(
        self, account: Account, slug: str, kind: NoticeKind, *, value: str = "", account_id: str | None = None
    ) -> Room:
        """Change the room and tell it in its log. Raises `NotFound`, `Forbidden`, `ChatError` unchanged."""
        room = self.visible(account, slug)
        if not allows(account, _NEEDS[kind], room.standing(account.id)):
            raise Forbidden("You may not do that in this room.")
        if kind == "archived" and room.info.slug == LOBBY:
            raise Forbidden("The lobby stays open: it is where everybody arrives.")
        if kind == "posting" and value not in ("everyone", "moderators"):
            raise ChatError("bad_request", "Either everyone or moderators may write.")
        now_ms = self._now_ms()
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._database.history.submit(
            Manage(
                kind=kind,
                id=message_id(now_ms),
                room_id=room.info.id,
                actor_id=account.id,
                author=account.name,
                at_ms=now_ms,
                account_id=account.id if kind == "left" else account_id,
                value=value,
            ),
            partial(self._committed, room, outcome),
        )
        await outcome
        return room

    async def set_notify(self, account: Account, slug: str, notify: str) -> Room:
        """What the account wants to be notified of there: its alone, no change of the log. Its connections
        hear of it. Raises `NotFound`, `ChatError` bad_request.
        """
        room = self.visible(account, slug)
        chosen = next((one for one in NOTIFIES if one == notify), None)
        if chosen is None:
            raise ChatError("bad_request", "Choose all, mentions or nothing.")
        await self._database.rooms.set_notify(account.id, room.info.id, chosen)
        self._broker.send(NotifySet(account.id, room.info.id, chosen))
        self.notify_set(room, account.id, chosen)
        return room

    def notify_set(self, room: Room, account_id: str, notify: Notify) -> None:
        """An account chose, here or on another node: its connections hear of it."""
        room.notifies[account_id] = notify
        _tell(
            room,
            # still, after waiting for the store
            [c for c in self._connections.of_account(account_id)
             if allows(c.account, "read", room.standing(account_id))],
        )  # fmt: skip

    def _committed(self, room: Room, waiting: asyncio.Future[None], outcome: Committed | ChatError) -> None:
        if isinstance(outcome, ChatError):
            if not waiting.done():
                waiting.set_exception(outcome)
            return
        room.offer(outcome, self.apply)
        self._broker.send(Changed(outcome))
        if not waiting.done():
            waiting.set_result(None)

    def apply(self, room: Room, change: Committed) -> None:
        """A committed change of the room itself, of whatever node, is the next one."""
        assert change.room is not None
        self.restate(room, change.room, change.members)
        room.publish(change)
        self._unreads.published(change)
        room.flush()  # the notice goes before what it means
        self.tell(room, everybody=change.message.notice in _IN_LISTS)

    def restate(self, room: Room, info: RoomInfo, members: Iterable[Member]) -> None:
        """What the room is now: whoever lost the right to see it leaves it before its next frame, and who
        has it in the list from now on is soon told what is unread.
        """
        before, was_archived = set(room.members), room.info.archived
        room.info = info
        room.members = {member.account_id: member for member in members}
        if was_archived and not info.archived:
            self._unreads.shown(room)
        if room.info.kind != "public":
            for account_id in before - set(room.members):
                self._expel(room, account_id)
            for account_id in set(room.members) - before:
                self._unreads.let_in(account_id, room)

    def _expel(self, room: Room, account_id: str) -> None:
        gone = event_frame(RemovedFrame(room.info.slug))
        for connection in list(self._connections.of_account(account_id)):
            unfollow(connection, room)
            connection.tell(gone)
        self._unreads.forget_room(account_id, room)

    def tell(self, room: Room, *, everybody: bool = True) -> None:
        """What the room is: to everybody who follows it, then to who has it in a list: of a closed one its
        members.
        """
        following = {cursor.connection for cursor in room.cursors}
        if room.info.kind != "public":
            for account_id in room.members:
                following |= self._connections.of_account(account_id)
        _tell(room, following)
        if room.info.kind == "public" and everybody:
            self._tell_lists(room, [one for one in self._connections if one not in following])

    def _tell_lists(self, room: Room, connections: list[Connection]) -> None:
        """Whoever has the room only in a list; in slices, so that no turn of the loop is long."""
        _tell(room, (one for one in connections[:SLICE] if not one.closed))
        if rest := connections[SLICE:]:
            asyncio.get_running_loop().call_soon(self._tell_lists, room, rest)


def _tell(room: Room, connections: Iterable[Connection]) -> None:
    frames: dict[tuple[str, str, str], bytes] = {}
    for connection in connections:
        account = connection.account
        member = account.id if account.id in room.members else ""
        key = account.role, member, room.notify_of(account.id)
        if key not in frames:
            frames[key] = room_frame(room, account)
        connection.tell(frames[key])
