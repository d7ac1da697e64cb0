"""The facts that travel between the floors: frozen structs without behaviour.

Times are integer milliseconds since 1970 in UTC (`…_ms`); `rfc3339` turns them into text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

import msgspec

from chat_app.errors import ChatError

Role = Literal["owner", "admin", "moderator", "member"]
ROLES: tuple[Role, ...] = ("owner", "admin", "moderator", "member")
LOBBY = "lobby"


def rfc3339(moment_ms: int) -> str:
    """`2026-01-02T03:04:05.678Z` for milliseconds since 1970 (RFC 3339)."""
    seconds, milliseconds = divmod(moment_ms, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    """Thousands of messages share one."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


class Account(msgspec.Struct, frozen=True):
    """A person: `name_key` is the name after NFKC and case folding, unique."""

    id: str
    name: str
    name_key: str
    role: Role
    disabled: bool
    created_ms: int
    language: str | None = None
    """The language of the pages (`de`); None: what the browser asks for."""


class Session(msgspec.Struct, frozen=True):
    """A sign-in. `id` is public (for the list of sessions); the key is the token's SHA-256."""

    id: str
    account_id: str
    created_ms: int
    confirmed_ms: int
    """When the password was last given: administration asks again after 15 minutes."""
    last_seen_ms: int
    expires_ms: int
    """The absolute end, whatever its use."""
    address: str
    agent: str


class RoomInfo(msgspec.Struct, frozen=True):
    """What a room is apart from its log; `seq` is its head when this was read."""

    id: str
    slug: str
    title: str
    epoch: str
    seq: int
    created_ms: int


class RoomSurvey(msgspec.Struct, frozen=True):
    """A room as administration sees it. `created_by` is a name; None: it was there from the start."""

    info: RoomInfo
    messages: int
    """How many are stored, deleted ones too."""
    created_by: str | None


class Message(msgspec.Struct, frozen=True):
    """A message in its state now. `seq`: when it was posted; `rev`: the room's seq when it last changed."""

    id: str
    room_id: str
    seq: int
    rev: int
    account_id: str
    author: str
    text: str
    """Empty once deleted."""
    html: str | None
    sent_ms: int
    nonce: str | None = None
    edited_ms: int | None = None
    deleted_ms: int | None = None


class Post(msgspec.Struct, frozen=True):
    """A message to store. The same account, room and nonce are stored once."""

    id: str
    room_id: str
    account_id: str
    author: str
    text: str
    html: str | None
    nonce: str | None
    sent_ms: int


class Amend(msgspec.Struct, frozen=True):
    """An edit or a deletion to store; whether it is allowed is judged inside the transaction."""

    kind: Literal["edited", "deleted"]
    room_id: str
    message_id: str
    actor_id: str
    may_moderate: bool
    """Whether the actor's role lets him delete what somebody of a lower or the same role wrote."""
    at_ms: int
    text: str = ""
    html: str | None = None
    edit_window_ms: int = 86_400_000
    refusal: ChatError | None = None
    """What else speaks against it (its text, a limit): told to who might do it; then nothing is stored."""


Change = Post | Amend


class Committed(msgspec.Struct, frozen=True):
    """What a change became. `duplicate`: the nonce was known, nothing was stored, this is the first one."""

    kind: Literal["message", "edited", "deleted"]
    room_id: str
    seq: int
    message: Message
    duplicate: bool = False
    mentioned: tuple[str, ...] = ()
    """Ids of the accounts that the text names with @."""


class Page(msgspec.Struct, frozen=True):
    """Messages of a room, oldest first; `seq`: with them everything up to here is known; `more`: there are
    further ones.
    """

    messages: tuple[Message, ...]
    seq: int
    more: bool


class JoinLink(msgspec.Struct, frozen=True):
    """An invitation. `uses_left` None: any number; `expires_ms` None: never."""

    code: str
    role: Role
    uses_left: int | None
    expires_ms: int | None
    revoked: bool
    created_by: str
    created_ms: int


class Unread(msgspec.Struct, frozen=True):
    """What an account has not read in a room: others' undeleted messages after `read_seq`, at most 1,000."""

    room_id: str
    read_seq: int
    count: int
    mentions: int
    head: int
    """The room's seq when this was counted."""
