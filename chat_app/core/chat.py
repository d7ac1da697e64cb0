"""What a client's event does: posting, changing what was posted, joining, leaving, typing, reading.

`web/socket.py` calls `handle` for each text frame; nothing here waits: what has to be stored is queued, and
its outcome comes back in `_committed`, in the order of the commits. Every refusal is an `ErrorFrame` and
leaves the connection open.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import assert_never

from msgspec import UNSET, structs

from chat_app.core.asking import Asking
from chat_app.core.cluster import ALONE
from chat_app.core.connection import Connection
from chat_app.core.connections import Connections
from chat_app.core.limits import SlidingWindow
from chat_app.core.markdown import render
from chat_app.core.marks import mark, present_for
from chat_app.core.message_ids import message_id
from chat_app.core.message_limits import Limits
from chat_app.core.permissions import allows
from chat_app.core.rooms import Registry, Room, follow, unfollow
from chat_app.core.unread import Unreads
from chat_app.errors import Busy, ChatError, Forbidden, NotFound
from chat_app.failpoints import reach
from chat_app.hints import Changed
from chat_app.metrics import Metrics
from chat_app.models import Account, Amend, Change, Committed, Message, Post
from chat_app.ports import Broker, Database
from chat_app.protocol import (
    AckFrame,
    DeleteEvent,
    EditEvent,
    ErrorFrame,
    JoinEvent,
    LeaveEvent,
    PinEvent,
    PostEvent,
    ReactEvent,
    ReadEvent,
    TypingEvent,
    UnpinEvent,
    check,
    clean_text,
    decode,
    event_frame,
    named,
)

MALFORMED_LIMIT = 10
REFUSAL_LIMIT = 50
REFUSAL_SECONDS = 60.0
TYPING_PAUSE_SECONDS = 2.0
ROOMS_LIMIT = 200
"""Rooms that one connection follows at a time."""

_MALFORMED = {"bad_json", "bad_type", "bad_request"}
_log = logging.getLogger(__name__)


class Chat:
    """The events of all connections."""

    def __init__(
        self,
        *,
        database: Database,
        registry: Registry,
        connections: Connections,
        unreads: Unreads,
        limits: Limits,
        max_message_length: int,
        edit_history: bool = False,
        metrics: Metrics,
        broker: Broker = ALONE,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._registry = registry
        self._connections = connections
        self._unreads = unreads
        self._limits = limits
        self._max_message_length = max_message_length
        self._edit_history = edit_history
        self._metrics = metrics
        self._broker = broker
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._refusals = SlidingWindow(REFUSAL_LIMIT - 1, REFUSAL_SECONDS, monotonic)
        self._taking = True
        self._acks: dict[Connection, list[bytes]] = {}
        self._asking = Asking(registry, handle=self.handle, refuse=self._refuse_event)

    def stop_taking(self) -> None:
        """From now on whatever would be stored is answered with `busy`: the server goes."""
        self._taking = False

    def visible(self, account: Account, slug: str) -> Room:
        """The room, if the account may see it. Raises `NotFound` else, the two cases alike."""
        room = self._registry.by_slug(slug)
        if room is None or not allows(account, "read", room.standing(account.id)):
            raise NotFound("There is no such room.")
        return room

    async def find(self, account: Account, slug: str) -> Room:
        """`visible`, if need be after asking the store for what another node may have done just now."""
        try:
            return self.visible(account, slug)
        except NotFound:
            if self._registry.elsewhere is None:
                raise
        await self._registry.elsewhere.ask(account.id, slug)
        return self.visible(account, slug)

    def handle(self, connection: Connection, raw: str) -> None:
        """One text frame."""
        malformed = True
        try:
            event = decode(raw)
            check(event)
            malformed = False
            connection.malformed = 0
            match event:
                case PostEvent():
                    self._post(connection, event)
                case EditEvent() | DeleteEvent():
                    self._amend(connection, event)
                case ReactEvent() | PinEvent() | UnpinEvent():
                    self._mark(connection, event)
                case JoinEvent():
                    self._join(connection, event)
                case LeaveEvent():
                    self._leave(connection, event)
                case TypingEvent():
                    self._type(connection, event)
                case ReadEvent():
                    self._read(connection, event)
                case _:
                    assert_never(event)
        except ChatError as error:
            refusal: ChatError | None = error
            if not malformed:
                refusal = self._asking.judge(connection, event, raw, error)
            if refusal is not None:
                self._refuse_event(connection, raw, refusal, malformed=malformed)

    def closed(self, connection: Connection) -> None:
        """The connection is gone: it leaves every room."""
        self._asking.forget(connection)
        for cursor in list(connection.cursors.values()):
            unfollow(connection, cursor.room)

    def _joined(self, connection: Connection, slug: str | None) -> Room:
        room = self.visible(connection.account, slug or connection.default_room)
        if room.info.slug not in connection.cursors:
            raise Forbidden("Join the room first.")
        return room

    def _post(self, connection: Connection, event: PostEvent) -> None:
        room = self._joined(connection, event.room)
        account = connection.account
        if not allows(account, "post", room.standing(account.id)):
            archived = room.info.archived
            raise (
                Forbidden("This room is archived.") if archived else Forbidden("Only moderators write here.")
            )
        if event.nonce is not None and (first := room.duplicate_of(account.id, event.nonce)) is not None:
            connection.tell(event_frame(AckFrame(event.nonce, room.info.slug, first.id, first.seq)))
            return
        text = clean_text(event.text, limit=self._max_message_length)
        self._limits.take(connection)
        now_ms = self._now_ms()
        post = Post(
            id=message_id(now_ms),
            room_id=room.info.id,
            account_id=account.id,
            author=account.name,
            text=text,
            html=render(text),
            nonce=event.nonce,
            sent_ms=now_ms,
            reply_to=event.reply_to,
            present=present_for(account, room, text),
        )
        self._submit(connection, room, post, event.nonce)

    def _amend(self, connection: Connection, event: EditEvent | DeleteEvent) -> None:
        """Only the store knows whose message it is: what else is wrong (text, limits) is told after that."""
        room = self._joined(connection, event.room)
        account = connection.account
        standing = room.standing(account.id)
        if not allows(account, "edit" if isinstance(event, EditEvent) else "delete", standing):
            raise Forbidden("This room is archived.")
        text, html, refusal = "", None, None
        try:
            if isinstance(event, EditEvent):
                text = clean_text(event.text, limit=self._max_message_length)
                html = render(text)
            self._limits.take(connection)
        except ChatError as error:
            refusal = error
        amend = Amend(
            kind="edited" if isinstance(event, EditEvent) else "deleted",
            room_id=room.info.id,
            message_id=event.id,
            actor_id=account.id,
            may_moderate=allows(account, "moderate", standing),
            at_ms=self._now_ms(),
            text=text,
            html=html,
            refusal=refusal,
            present=None if refusal else present_for(account, room, text),
            keep_version=self._edit_history,
        )
        self._submit(connection, room, amend, None)

    def _mark(self, connection: Connection, event: ReactEvent | PinEvent | UnpinEvent) -> None:
        room = self._joined(connection, event.room)
        change = mark(connection.account, room, event, self._now_ms())
        self._limits.take(connection)
        self._submit(connection, room, change, None)

    def _submit(self, connection: Connection, room: Room, change: Change, nonce: str | None) -> None:
        counted = not isinstance(change, Amend) or change.refusal is None
        try:
            if not self._taking:
                raise Busy("The server restarts. Send it again.")
            self._database.history.submit(change, partial(self._committed, connection, room, nonce, counted))
        except ChatError:
            if counted:
                self._limits.refund(connection)
            raise

    def _committed(
        self,
        connection: Connection,
        room: Room,
        nonce: str | None,
        counted: bool,
        outcome: Committed | ChatError,
    ) -> None:
        """On the loop, after the commit: publish, then acknowledge. `counted`: the limits counted it."""
        if isinstance(outcome, ChatError):
            if counted:
                self._limits.refund(connection)
            self._refuse(connection, outcome, room=room.info.slug, nonce=nonce)
            return
        if outcome.duplicate:
            self._limits.refund(connection)
        else:
            if outcome.kind == "message" and outcome.message.author != connection.account.name:
                # renamed while it was on its way
                author = structs.replace(outcome.message, author=connection.account.name)
                outcome = structs.replace(outcome, message=author)
            room.offer(outcome, self.publish)
            self._broker.send(Changed(outcome))
            if outcome.kind == "message":
                self._metrics.messages.inc()
        reach("before-ack")
        if nonce is not None:
            ack = AckFrame(nonce, room.info.slug, outcome.message.id, outcome.message.seq)
            self._acknowledge(connection, room, event_frame(ack))

    def publish(self, room: Room, change: Committed) -> None:
        """What it means that a change in a room, of whatever node, is the next one."""
        room.publish(change)
        self._unreads.published(change)
        if change.kind == "message":
            room.people.typed(_author(change.message))

    def _acknowledge(self, connection: Connection, room: Room, frame: bytes) -> None:
        """What one commit stored for a connection is acknowledged with one send, the room's if it can."""
        if room.tell_behind(connection, frame):
            return
        if not self._acks:
            asyncio.get_running_loop().call_soon(self._send_acks)
        self._acks.setdefault(connection, []).append(frame)

    def _send_acks(self) -> None:
        acks, self._acks = self._acks, {}
        for connection, frames in acks.items():
            if connection.blocked:
                for frame in frames:
                    connection.tell(frame)
            else:
                connection.tell(b"".join(frames))

    def _join(self, connection: Connection, event: JoinEvent) -> None:
        if self._asking.waits(connection, event.room):
            raise NotFound("There is no such room.")  # is not told: it waits behind what came before it
        room = self.visible(connection.account, event.room)
        if len(connection.cursors) >= ROOMS_LIMIT and event.room not in connection.cursors:
            raise ChatError("forbidden", "A connection follows at most %(most)s rooms.", most=ROOMS_LIMIT)
        follow(connection, room, since=event.since, epoch=event.epoch)

    def _leave(self, connection: Connection, event: LeaveEvent) -> None:
        unfollow(connection, self._joined(connection, event.room))

    def _type(self, connection: Connection, event: TypingEvent) -> None:
        room = self._joined(connection, event.room)
        now = self._monotonic()
        if connection.typed is None:
            connection.typed = {}
        if now - connection.typed.get(room.info.slug, -TYPING_PAUSE_SECONDS) >= TYPING_PAUSE_SECONDS:
            connection.typed[room.info.slug] = now
            room.people.type(connection.account)

    def _read(self, connection: Connection, event: ReadEvent) -> None:
        room = self.visible(connection.account, event.room or connection.default_room)
        self._unreads.read(connection, room, event.seq)

    def _refuse_event(
        self, connection: Connection, raw: str, error: ChatError, *, malformed: bool = False
    ) -> None:
        room, nonce = named(raw)
        self._refuse(connection, error, room=room, nonce=nonce, malformed=malformed)

    def _refuse(
        self,
        connection: Connection,
        error: ChatError,
        *,
        room: str | None,
        nonce: str | None,
        malformed: bool = False,
    ) -> None:
        """The one place where a refusal becomes a frame."""
        self._metrics.refusals.labels(error.code).inc()
        connection.tell(
            event_frame(
                ErrorFrame(
                    code=error.code,
                    message=error.message,
                    nonce=UNSET if nonce is None else nonce,
                    room=UNSET if room is None else room,
                    retry_after=UNSET if error.retry_after is None else error.retry_after,
                )
            )
        )
        if malformed and error.code in _MALFORMED:
            connection.malformed += 1
            if connection.malformed >= MALFORMED_LIMIT:
                connection.close(1008, "too many malformed events")
        if error.code == "rate_limited" and self._refusals.take(connection.client_id) > 0:
            connection.close(4429, "too many refusals")


def _author(message: Message) -> Account:
    """As far as a message tells."""
    return Account(message.account_id, message.author, "", "member", False, 0)
