"""What a client's event does: posting, editing, deleting, joining, leaving, typing, reading.

`web/socket.py` calls `handle` for each text frame; nothing here waits: what has to be stored is queued, and
its outcome comes back in `_committed`, in the order of the commits. Every refusal is an `ErrorFrame` and
leaves the connection open.
"""

from __future__ import annotations

import logging
import secrets
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import assert_never

from msgspec import UNSET

from chat_app.core.connection import Connection
from chat_app.core.connections import Connections
from chat_app.core.limits import SlidingWindow
from chat_app.core.markdown import render
from chat_app.core.permissions import allows
from chat_app.core.rooms import Registry, Room, follow, unfollow
from chat_app.core.unread import Unreads
from chat_app.errors import ChatError, Forbidden, NotFound, RateLimited
from chat_app.metrics import Metrics
from chat_app.models import Account, Amend, Committed, Post
from chat_app.ports import Database
from chat_app.protocol import (
    NONCE_LIMIT,
    AckFrame,
    DeleteEvent,
    EditEvent,
    ErrorFrame,
    JoinEvent,
    LeaveEvent,
    PostEvent,
    ReadEvent,
    TypingEvent,
    check,
    clean_text,
    decode,
    event_frame,
)

MALFORMED_LIMIT = 10
REFUSAL_LIMIT = 50
REFUSAL_SECONDS = 60.0
TYPING_PAUSE_SECONDS = 2.0
ROOMS_LIMIT = 200
"""Rooms that one connection follows at a time."""

_MALFORMED = {"bad_json", "bad_type", "bad_request"}
_log = logging.getLogger(__name__)


class Limits:
    """The message limits: all three have to allow a message, then it counts in all three."""

    def __init__(
        self, *, connection: int, account: int, address: int, seconds: float, monotonic: Callable[[], float]
    ) -> None:
        self._windows = (
            SlidingWindow(connection, seconds, monotonic),
            SlidingWindow(account, seconds, monotonic),
            SlidingWindow(address, seconds, monotonic),
        )

    def take(self, connection: Connection) -> None:
        """Counts a message. Raises `RateLimited` with the seconds until it is allowed."""
        keys = (connection.client_id, connection.account.id, connection.address)
        wait = max(window.peek(key) for window, key in zip(self._windows, keys, strict=True))
        if wait > 0:
            raise RateLimited("Too many messages. Wait a moment.", retry_after=round(wait, 3))
        for window, key in zip(self._windows, keys, strict=True):
            window.take(key)

    def refund(self, connection: Connection) -> None:
        """The message was not stored after all."""
        for window, key in zip(
            self._windows, (connection.client_id, connection.account.id, connection.address), strict=True
        ):
            window.refund(key)


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
        metrics: Metrics,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._registry = registry
        self._connections = connections
        self._unreads = unreads
        self._limits = limits
        self._max_message_length = max_message_length
        self._metrics = metrics
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._refusals = SlidingWindow(REFUSAL_LIMIT - 1, REFUSAL_SECONDS, monotonic)

    async def create_room(self, account: Account, slug: str, title: str) -> Room:
        """A new public room. Raises `ChatError` taken, `Forbidden`."""
        if not allows(account, "create_room"):
            raise Forbidden("You may not create rooms.")
        info = await self._database.rooms.create(slug, title, account_id=account.id, now_ms=self._now_ms())
        return self._registry.by_slug(info.slug) or self._registry.add(info)

    def visible(self, account: Account, slug: str) -> Room:
        """The room, if the account may see it. Raises `NotFound` else, the two cases alike."""
        room = self._registry.by_slug(slug)
        if room is None or not allows(account, "read"):
            raise NotFound("There is no such room.")
        return room

    def handle(self, connection: Connection, raw: str) -> None:
        """One text frame."""
        event, malformed = None, True
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
            nonce = event.nonce if isinstance(event, PostEvent) else None
            if nonce is not None and len(nonce) > NONCE_LIMIT:
                nonce = None  # not worth sending back
            self._refuse(
                connection, error, room=getattr(event, "room", None), nonce=nonce, malformed=malformed
            )

    def closed(self, connection: Connection) -> None:
        """The connection is gone: it leaves every room."""
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
        if not allows(account, "post"):
            raise Forbidden("You may not write here.")
        text = clean_text(event.text, limit=self._max_message_length)
        if event.nonce is not None and (first := room.duplicate_of(account.id, event.nonce)) is not None:
            connection.tell(event_frame(AckFrame(event.nonce, room.info.slug, first.id, first.seq)))
            return
        self._limits.take(connection)
        now_ms = self._now_ms()
        post = Post(
            id=_message_id(now_ms),
            room_id=room.info.id,
            account_id=account.id,
            author=account.name,
            text=text,
            html=render(text),
            nonce=event.nonce,
            sent_ms=now_ms,
        )
        self._submit(connection, room, post, event.nonce)

    def _amend(self, connection: Connection, event: EditEvent | DeleteEvent) -> None:
        room = self._joined(connection, event.room)
        account = connection.account
        text, html = "", None
        if isinstance(event, EditEvent):
            text = clean_text(event.text, limit=self._max_message_length)
            html = render(text)
        self._limits.take(connection)
        amend = Amend(
            kind="edited" if isinstance(event, EditEvent) else "deleted",
            room_id=room.info.id,
            message_id=event.id,
            actor_id=account.id,
            may_moderate=allows(account, "moderate"),
            at_ms=self._now_ms(),
            text=text,
            html=html,
        )
        self._submit(connection, room, amend, None)

    def _submit(self, connection: Connection, room: Room, change: Post | Amend, nonce: str | None) -> None:
        try:
            self._database.history.submit(change, partial(self._committed, connection, room, nonce))
        except ChatError:
            self._limits.refund(connection)
            raise

    def _committed(
        self, connection: Connection, room: Room, nonce: str | None, outcome: Committed | ChatError
    ) -> None:
        """On the loop, after the commit: publish, then acknowledge."""
        if isinstance(outcome, ChatError):
            self._limits.refund(connection)
            self._refuse(connection, outcome, room=room.info.slug, nonce=nonce)
            return
        if outcome.duplicate:
            self._limits.refund(connection)
        else:
            room.publish(outcome)
            self._unreads.published(outcome)
            if outcome.kind == "message":
                self._metrics.messages.inc()
                room.people.typed(connection.account)
        if nonce is not None:
            connection.tell(
                event_frame(AckFrame(nonce, room.info.slug, outcome.message.id, outcome.message.seq))
            )

    def _join(self, connection: Connection, event: JoinEvent) -> None:
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


def _message_id(now_ms: int) -> str:
    """A UUID of version 7 (RFC 9562 section 5.7): ordered by time, so that the index grows at its end."""
    value = (now_ms << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (2 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=value))
