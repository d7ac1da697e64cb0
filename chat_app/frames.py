"""What a client is sent: the views and frames of the contract, and how they become bytes.

Called through `protocol`, which has what a client sends; docs/protocol.md is the same in words.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from chat_app.message_views import MessageView, message_view
from chat_app.models import ChangeKind, Message, Notify, Posting, React, Role, RoomKind


class UserView(msgspec.Struct, frozen=True):
    """Who one is."""

    id: str
    name: str
    role: Role


class LimitsView(msgspec.Struct, frozen=True, rename="camel"):
    """What a client has to know of the settings."""

    max_message_length: int
    rate_limit: int
    rate_window_seconds: float
    heartbeat_seconds: float


class SystemFrame(msgspec.Struct, tag="system", frozen=True, rename="camel"):
    """The first frame of a connection."""

    message: str
    client_id: str
    user: UserView
    limits: LimitsView


class HistoryFrame(msgspec.Struct, tag="history", frozen=True):
    """A page of a room's log."""

    room: str
    epoch: str
    mode: Literal["latest", "resumed", "reset"]
    messages: list[MessageView]
    seq: int
    more: bool


class MessageFrame(msgspec.Struct, tag="message", frozen=True):
    """A message was posted."""

    room: str
    seq: int
    message: MessageView | msgspec.Raw


class EditedFrame(MessageFrame, tag="edited", frozen=True):
    """A message was edited."""


class DeletedFrame(MessageFrame, tag="deleted", frozen=True):
    """A message was deleted."""


class ReactedFrame(MessageFrame, tag="reacted", frozen=True, rename={"user_id": "userId"}):
    """Somebody put an emoji on a message, or took it away; whose it was is left out of one made anew."""

    user_id: str | UnsetType = UNSET
    emoji: str | UnsetType = UNSET
    remove: bool | UnsetType = UNSET


class PinnedFrame(MessageFrame, tag="pinned", frozen=True):
    """A message was pinned or unpinned."""


class AckFrame(msgspec.Struct, tag="ack", frozen=True):
    """A message with a nonce is committed."""

    nonce: str
    room: str
    id: str
    seq: int


class PresenceFrame(msgspec.Struct, tag="presence", frozen=True):
    """Who is here; `users` in the first one after joining, and when changes alone would not tell it."""

    room: str
    online: int
    joined: list[str]
    left: list[str]
    message: str
    users: list[str] | msgspec.Raw | UnsetType = UNSET
    partial: bool | UnsetType = UNSET
    """True while who is on other nodes is not known, else left out."""


class TypingFrame(msgspec.Struct, tag="typing", frozen=True):
    """Who is typing."""

    room: str
    users: list[str]


class UnreadFrame(msgspec.Struct, tag="unread", frozen=True):
    """How much of a room that is not followed here was not read."""

    room: str
    count: int
    mentions: int


class ReadFrame(msgspec.Struct, tag="read", frozen=True):
    """Read on another connection of this account."""

    room: str
    seq: int


class MemberView(msgspec.Struct, frozen=True):
    """Somebody of a room that not everybody sees."""

    id: str
    name: str
    manager: bool


class RoomFrame(msgspec.Struct, tag="room", frozen=True):
    """What a room is now, and what this account may do in it; `members` where not everybody sees it."""

    room: str
    title: str
    kind: RoomKind
    topic: str
    archived: bool
    posting: Posting
    may: list[str]
    notify: Notify
    members: list[MemberView] | UnsetType = UNSET


class RemovedFrame(msgspec.Struct, tag="removed", frozen=True):
    """No longer allowed in this room."""

    room: str


class HeartbeatFrame(msgspec.Struct, tag="heartbeat", frozen=True):
    """How far this connection was sent everything, by room."""

    heads: dict[str, int]


class ErrorFrame(msgspec.Struct, tag="error", frozen=True, rename={"retry_after": "retryAfter"}):
    """Why an event was refused."""

    code: str
    message: str
    nonce: str | UnsetType = UNSET
    room: str | UnsetType = UNSET
    retry_after: float | UnsetType = UNSET


_KINDS: dict[ChangeKind, type[MessageFrame]] = {
    "message": MessageFrame,
    "edited": EditedFrame,
    "deleted": DeletedFrame,
    "reacted": ReactedFrame,
    "pinned": PinnedFrame,
}
_encoder = msgspec.json.Encoder()
encode = _encoder.encode


def reacted_frame(change: React, seq: int, message: Message, slug: str) -> bytes:
    """`change_frame` of a reaction, with whose it was."""
    view, removed = message_view(message, slug), True if change.remove else UNSET
    return event_frame(ReactedFrame(slug, seq, view, change.account_id, change.emoji, removed))


def change_frame(kind: ChangeKind, seq: int, message: Message, slug: str) -> bytes:
    """The WebSocket frame that tells a change, ready for every socket."""
    return frame(_encoder.encode(_KINDS[kind](room=slug, seq=seq, message=message_view(message, slug))))


def change_frames(changes: Sequence[tuple[ChangeKind, int]], message: Message, slug: str) -> list[bytes]:
    """The frames of several changes (kind, seq) of one message, all with its state now, encoded once."""
    view = msgspec.Raw(_encoder.encode(message_view(message, slug)))
    return [frame(_encoder.encode(_KINDS[kind](room=slug, seq=seq, message=view))) for kind, seq in changes]


def frame(payload: bytes, *, opcode: int = 0x1) -> bytes:
    """An unmasked, unfragmented frame (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def event_frame(event: msgspec.Struct) -> bytes:
    """The text frame of one event."""
    return frame(_encoder.encode(event))
