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
RoomKind = Literal["public", "private", "direct"]
Posting = Literal["everyone", "moderators"]
"""Who may write in a room."""
Notify = Literal["all", "mentions", "nothing"]
"""What of a room somebody wants to be notified of."""
NOTIFIES: tuple[Notify, ...] = ("all", "mentions", "nothing")
NoticeKind = Literal[
    "added", "removed", "left", "manager", "title", "topic", "archived", "restored", "posting"
]
"""What a line in the log that nobody wrote tells of the room."""
ChangeKind = Literal["message", "edited", "deleted", "reacted", "pinned"]
"""What happened to a message; `pinned` tells both ways."""


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
    kind: RoomKind = "public"
    topic: str = ""
    archived: bool = False
    posting: Posting = "everyone"


class Member(msgspec.Struct, frozen=True):
    """Somebody of a room. A public room has only its managers; everybody sees it."""

    account_id: str
    name: str
    manager: bool


class Standing(msgspec.Struct, frozen=True):
    """How one account stands to one room: what `permissions.allows` has to know of the two."""

    kind: RoomKind = "public"
    archived: bool = False
    posting: Posting = "everyone"
    member: bool = False
    manager: bool = False


class RoomState(msgspec.Struct, frozen=True):
    """A room with what a node keeps of it in memory."""

    info: RoomInfo
    members: tuple[Member, ...]
    """Of a public room only its managers."""
    notifies: dict[str, Notify]
    """What accounts chose to be notified of, by account id."""


class RoomSurvey(msgspec.Struct, frozen=True):
    """A room as administration sees it. `created_by` is a name; None: it was there from the start."""

    info: RoomInfo
    messages: int
    """How many are stored, deleted ones too."""
    created_by: str | None


class ReplyTo(msgspec.Struct, frozen=True):
    """The message that another one answers: never its text, which may change or go."""

    id: str
    seq: int
    account_id: str
    author: str


class Reaction(msgspec.Struct, frozen=True):
    """One emoji on a message; `users`: ids and names, the first ones only, the earliest first."""

    emoji: str
    count: int
    users: tuple[tuple[str, str], ...]

    @property
    def complete(self) -> bool:
        """Whether everybody is named."""
        return len(self.users) >= self.count


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
    notice: NoticeKind | None = None
    """Set where nobody wrote it: `text` is then the name, title or topic that it tells of."""
    reply_to: ReplyTo | None = None
    mentions: tuple[str, ...] = ()
    """Ids of the accounts that the text names with @, sorted."""
    here: bool = False
    """Whether it called everybody who was present."""
    pinned_ms: int | None = None
    reactions: tuple[Reaction, ...] = ()
    """The oldest emoji first."""


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
    reply_to: str | None = None
    """Id of a message of the same room."""
    present: tuple[str, ...] | None = None
    """Who is called by an @here that counts; None: there is none."""


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
    present: tuple[str, ...] | None = None
    """As in `Post`; an @here that was there before calls nobody again."""
    keep_version: bool = False
    """Whether the text that an edit replaces is kept."""


class React(msgspec.Struct, frozen=True):
    """An emoji to put on a message, or to take away again."""

    room_id: str
    message_id: str
    account_id: str
    emoji: str
    at_ms: int
    remove: bool = False


class Pin(msgspec.Struct, frozen=True):
    """A message to pin in its room, or to unpin."""

    room_id: str
    message_id: str
    at_ms: int
    pinned: bool = True


class Manage(msgspec.Struct, frozen=True):
    """A change of the room itself: stored together with the notice that tells it in the log."""

    kind: NoticeKind
    id: str
    """Of the notice."""
    room_id: str
    actor_id: str
    author: str
    at_ms: int
    account_id: str | None = None
    """Who is added, removed or made a manager."""
    value: str = ""
    """The new title, topic or posting."""


Change = Post | Amend | React | Pin | Manage


class Committed(msgspec.Struct, frozen=True):
    """What a change became. `duplicate`: it was so already (a known nonce, the same reaction again); nothing
    was stored, this is what stands there.
    """

    kind: ChangeKind
    room_id: str
    seq: int
    message: Message
    duplicate: bool = False
    mentioned: tuple[str, ...] = ()
    """Ids of the accounts that the text names with @ or calls with @here."""
    room: RoomInfo | None = None
    """The room as it is now, where that changed."""
    members: tuple[Member, ...] = ()
    """Whom the changed room has now."""
    reacted: React | None = None
    """Whose reaction it was that came or went."""


class Page(msgspec.Struct, frozen=True):
    """Messages of a room, oldest first; `seq`: with them everything up to here is known; `more`: there are
    further ones.
    """

    messages: tuple[Message, ...]
    seq: int
    more: bool


class Context(msgspec.Struct, frozen=True):
    """Messages from the middle of a room, oldest first; `more`: there are older ones, `newer`: newer ones."""

    messages: tuple[Message, ...]
    more: bool
    newer: bool


class Version(msgspec.Struct, frozen=True):
    """A text that a message had before; `at_ms`: since when."""

    text: str
    at_ms: int


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


class Term(msgspec.Struct, frozen=True):
    """Something to look for, folded. `whole`: only where a word begins and ends."""

    text: str
    whole: bool = False


class SearchQuery(msgspec.Struct, frozen=True):
    """What to look for: every term has to be in a message. Moments in milliseconds, `until_ms` excluded."""

    terms: tuple[Term, ...]
    author_key: str | None = None
    """Of the author's name, see `core.names.name_key`."""
    room_slug: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class SearchPage(msgspec.Struct, frozen=True):
    """Hits, newest first. `next`: where to go on for older ones; None: there are none."""

    messages: tuple[Message, ...]
    next: int | None
    complete: bool
    """False: it took too long, or so short a term was looked for in the newest messages only."""
