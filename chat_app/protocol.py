"""The WebSocket contract as types: decoding what a client sent, encoding what it is sent, and what a text may
be.

Called by the core and the web floor; knows no connection. docs/protocol.md is the same in words, and a test
compares them.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from chat_app.errors import ChatError
from chat_app.models import Message, Role, rfc3339

FRAME_LIMIT_BYTES = 16 * 1024
SLUG = re.compile(r"[a-zA-Z0-9_-]{1,32}\Z")
EPOCH = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
NONCE_LIMIT = 64
SEQ_LIMIT = 2**53 - 1
"""Beyond it a browser cannot count."""

Seq = int
ErrorCode = Literal[
    "rate_limited", "too_large", "bad_json", "bad_type", "empty",
    "bad_request", "forbidden", "not_found", "muted", "busy",
]  # fmt: skip


# -- from the client --------------------


class PostEvent(msgspec.Struct, tag="message", frozen=True):
    """Post a message."""

    text: str
    room: str | None = None
    nonce: str | None = None


class EditEvent(msgspec.Struct, tag="edit", frozen=True):
    """Change the text of one's own message."""

    id: str
    text: str
    room: str | None = None


class DeleteEvent(msgspec.Struct, tag="delete", frozen=True):
    """Take the text of a message away."""

    id: str
    room: str | None = None


class JoinEvent(msgspec.Struct, tag="join", frozen=True):
    """Follow a further room, or resume one."""

    room: str
    since: int | None = None
    epoch: str | None = None


class LeaveEvent(msgspec.Struct, tag="leave", frozen=True):
    """Follow a room no longer."""

    room: str


class TypingEvent(msgspec.Struct, tag="typing", frozen=True):
    """Somebody is typing."""

    room: str | None = None


class ReadEvent(msgspec.Struct, tag="read", frozen=True):
    """Everything up to `seq` was read."""

    seq: int
    room: str | None = None


ClientEvent = PostEvent | EditEvent | DeleteEvent | JoinEvent | LeaveEvent | TypingEvent | ReadEvent
_TYPES = {"message", "edit", "delete", "join", "leave", "typing", "read"}
_decoder = msgspec.json.Decoder(ClientEvent)
_any_decoder = msgspec.json.Decoder()


def decode(raw: str) -> ClientEvent:
    """One event from a text frame, to be checked next.

    Raises `ChatError` bad_json, bad_type or bad_request only.
    """
    try:
        event: ClientEvent = _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        raise _explained(raw) from error
    return event


def _explained(raw: str) -> ChatError:
    """Why `raw` is no event: not JSON, no object, an unknown type, or a wrong field (in this order)."""
    try:
        value = _any_decoder.decode(raw)
        _reject_surrogates(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return ChatError("bad_json", 'Send JSON such as {"type":"message","text":"hi"}.')
    if not isinstance(value, dict):
        return ChatError("bad_json", 'Send a JSON object such as {"type":"message","text":"hi"}.')
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        return ChatError("bad_type", "There is no event of this type.")
    return ChatError("bad_request", f"A field of this {kind} event is missing or of the wrong kind.")


def named(raw: str) -> tuple[str | None, str | None]:
    """The room and the nonce that a refused event names, where they are good: a client finds its message."""
    try:
        value = _any_decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None, None
    if not isinstance(value, dict):
        return None, None
    room, nonce = value.get("room"), value.get("nonce")
    return (
        room if isinstance(room, str) and SLUG.match(room) else None,
        nonce if isinstance(nonce, str) and 1 <= len(nonce) <= NONCE_LIMIT and _sendable(nonce) else None,
    )


def _sendable(text: str) -> bool:
    return _CONTROL.search(text) is None


def _reject_surrogates(value: object) -> None:
    if isinstance(value, str):
        value.encode()


def check(event: ClientEvent) -> None:
    """What types cannot say: names, lengths, ranges. Raises `ChatError` bad_request."""
    room = event.room
    if room is not None and not SLUG.match(room):
        raise ChatError("bad_request", "A room is named by 1 to 32 letters, digits, - and _.")
    match event:
        case PostEvent(text=text, nonce=nonce):
            _check_text(text)
            if nonce is not None and not 1 <= len(nonce) <= NONCE_LIMIT:
                raise ChatError("bad_request", "A nonce has 1 to 64 characters.")
            if nonce is not None and not _sendable(nonce):
                raise ChatError("bad_request", "A nonce has no control characters.")
        case EditEvent(text=text, id=message_id):
            _check_text(text)
            _check_id(message_id)
        case DeleteEvent(id=message_id):
            _check_id(message_id)
        case JoinEvent(since=since, epoch=epoch):
            check_position(since, epoch)
        case ReadEvent(seq=seq):
            if not 0 <= seq <= SEQ_LIMIT:
                raise ChatError("bad_request", "A seq is a whole number from 0 on.")
        case _:
            pass


def check_position(since: int | None, epoch: str | None) -> None:
    """`since` and `epoch` go together. Raises `ChatError` bad_request."""
    if (since is None) != (epoch is None):
        raise ChatError("bad_request", "since and epoch go together.")
    if since is not None and not 0 <= since <= SEQ_LIMIT:
        raise ChatError("bad_request", "since is a whole number from 0 on.")
    if epoch is not None and not EPOCH.match(epoch):
        raise ChatError("bad_request", "An epoch is made of letters, digits, - and _.")


def _check_id(message_id: str) -> None:
    if not 1 <= len(message_id) <= 64 or not message_id.isascii() or not message_id.isprintable():
        raise ChatError("bad_request", "There is no message with such an id.")


# -- texts --------------------

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_INVISIBLE = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]*\\Z"
)


def _check_text(text: str) -> None:
    # CR LF becomes LF in clean_text; every other control character but newline and tab is refused.
    if not text.isprintable() and _CONTROL.search(text.replace("\r\n", "\n")):
        raise ChatError("bad_request", "The text has control characters.")


def clean_text(text: str, *, limit: int) -> str:
    """The text as it is stored: NFC, LF, trimmed. Raises `ChatError` empty or too_large (code points; limit
    0: off).
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.strip()
    if _INVISIBLE.match(text):
        raise ChatError("empty", "Message text is required.")
    if limit and len(text) > limit:
        raise ChatError("too_large", "Message must be %(limit)s characters or less.", limit=limit)
    return text


# -- to the client --------------------


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


class MessageView(
    msgspec.Struct,
    frozen=True,
    rename={
        "from_": "from",
        "user_id": "userId",
        "sent_at": "sentAt",
        "edited_at": "editedAt",
        "deleted_at": "deletedAt",
    },
):
    """A message as clients see it, in its state now."""

    id: str
    room: str
    seq: int
    from_: str
    user_id: str
    sent_at: str
    text: str | UnsetType = UNSET
    html: str | UnsetType = UNSET
    nonce: str | UnsetType = UNSET
    edited_at: str | UnsetType = UNSET
    deleted_at: str | UnsetType = UNSET


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
    message: MessageView


class EditedFrame(MessageFrame, tag="edited", frozen=True):
    """A message was edited."""


class DeletedFrame(MessageFrame, tag="deleted", frozen=True):
    """A message was deleted."""


class AckFrame(msgspec.Struct, tag="ack", frozen=True):
    """A message with a nonce is committed."""

    nonce: str
    room: str
    id: str
    seq: int


class PresenceFrame(msgspec.Struct, tag="presence", frozen=True):
    """Who is here; `users` only in the first one after joining."""

    room: str
    online: int
    joined: list[str]
    left: list[str]
    message: str
    users: list[str] | msgspec.Raw | UnsetType = UNSET


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


_KINDS = {"message": MessageFrame, "edited": EditedFrame, "deleted": DeletedFrame}
_encoder = msgspec.json.Encoder()
encode = _encoder.encode


def message_view(message: Message, slug: str) -> MessageView:
    """What clients see of a message; a deleted one has no text, and `html` only differs from plain text."""
    deleted = message.deleted_ms is not None
    return MessageView(
        id=message.id,
        room=slug,
        seq=message.seq,
        from_=message.author,
        user_id=message.account_id,
        sent_at=rfc3339(message.sent_ms),
        text=UNSET if deleted else message.text,
        html=UNSET if deleted or message.html is None else message.html,
        nonce=UNSET if message.nonce is None else message.nonce,
        edited_at=UNSET if message.edited_ms is None else rfc3339(message.edited_ms),
        deleted_at=UNSET if message.deleted_ms is None else rfc3339(message.deleted_ms),
    )


def change_frame(
    kind: Literal["message", "edited", "deleted"], seq: int, message: Message, slug: str
) -> bytes:
    """The WebSocket frame that tells a change, ready for every socket."""
    return frame(_encoder.encode(_KINDS[kind](room=slug, seq=seq, message=message_view(message, slug))))


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
