"""The WebSocket contract as types: decoding what a client sent, and what a text may be.

What a client is sent stands in `frames` and `message_views` and is had from here as well.

Called by the core and the web floor; knows no connection. docs/protocol.md is the same in words, and a test
compares them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

import msgspec

from chat_app.emojis import as_emoji
from chat_app.errors import ChatError
from chat_app.frames import (
    AckFrame as AckFrame,
    DeletedFrame as DeletedFrame,
    EditedFrame as EditedFrame,
    ErrorFrame as ErrorFrame,
    HeartbeatFrame as HeartbeatFrame,
    HistoryFrame as HistoryFrame,
    LimitsView as LimitsView,
    MemberView as MemberView,
    MessageFrame as MessageFrame,
    PinnedFrame as PinnedFrame,
    PresenceFrame as PresenceFrame,
    ReactedFrame as ReactedFrame,
    ReadFrame as ReadFrame,
    RemovedFrame as RemovedFrame,
    RoomFrame as RoomFrame,
    SystemFrame as SystemFrame,
    TypingFrame as TypingFrame,
    UnreadFrame as UnreadFrame,
    UserView as UserView,
    change_frame as change_frame,
    change_frames as change_frames,
    encode as encode,
    event_frame as event_frame,
    frame as frame,
    reacted_frame as reacted_frame,
)
from chat_app.message_views import (
    MessageView as MessageView,
    NoticeView as NoticeView,
    PersonView as PersonView,
    ReactionView as ReactionView,
    ReplyView as ReplyView,
    message_view as message_view,
    notice_text as notice_text,
    own_view as own_view,
)

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


class PostEvent(msgspec.Struct, tag="message", frozen=True, rename={"reply_to": "replyTo"}):
    """Post a message."""

    text: str
    room: str | None = None
    nonce: str | None = None
    reply_to: str | None = None


class EditEvent(msgspec.Struct, tag="edit", frozen=True):
    """Change the text of one's own message."""

    id: str
    text: str
    room: str | None = None


class DeleteEvent(msgspec.Struct, tag="delete", frozen=True):
    """Take the text of a message away."""

    id: str
    room: str | None = None


class ReactEvent(msgspec.Struct, tag="react", frozen=True):
    """Put an emoji on a message, or take it away again."""

    id: str
    emoji: str
    remove: bool = False
    room: str | None = None


class PinEvent(msgspec.Struct, tag="pin", frozen=True):
    """Pin a message in its room."""

    id: str
    room: str | None = None


class UnpinEvent(msgspec.Struct, tag="unpin", frozen=True):
    """Pin it no longer."""

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


MessageEvent = EditEvent | DeleteEvent | ReactEvent | PinEvent | UnpinEvent
"""What changes a message that is there."""
ClientEvent = PostEvent | MessageEvent | JoinEvent | LeaveEvent | TypingEvent | ReadEvent
_TYPES = {
    "message", "edit", "delete", "react", "pin", "unpin", "join", "leave", "typing", "read",
}  # fmt: skip
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
        case PostEvent(text=text, nonce=nonce, reply_to=reply_to):
            _check_text(text)
            if reply_to is not None:
                _check_id(reply_to)
            if nonce is not None and not 1 <= len(nonce) <= NONCE_LIMIT:
                raise ChatError("bad_request", "A nonce has 1 to 64 characters.")
            if nonce is not None and not _sendable(nonce):
                raise ChatError("bad_request", "A nonce has no control characters.")
        case EditEvent(text=text, id=message_id):
            _check_text(text)
            _check_id(message_id)
        case ReactEvent(id=message_id, emoji=emoji):
            _check_id(message_id)
            if as_emoji(emoji) is None:
                raise ChatError("bad_request", "A reaction is exactly one emoji.")
        case DeleteEvent(id=message_id) | PinEvent(id=message_id) | UnpinEvent(id=message_id):
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
