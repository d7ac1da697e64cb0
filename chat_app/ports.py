"""What the core asks of the world, each with its ordering and atomicity rules.

A port stands here because it has, or is about to have, two real implementations: SQLite and PostgreSQL.
Every method may raise `errors.Busy` when the writer's queue is full or the database is locked: nothing was
stored then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Literal, Protocol

from chat_app.errors import ChatError
from chat_app.hints import Hint
from chat_app.models import (
    Account,
    Change,
    Committed,
    Context,
    JoinLink,
    Member,
    Message,
    Notify,
    Page,
    Role,
    RoomInfo,
    RoomKind,
    RoomState,
    RoomSurvey,
    SearchPage,
    SearchQuery,
    Session,
    Unread,
    Version,
)

Done = Callable[["Committed | ChatError"], None]
TokenKind = Literal["setup", "link"]


class History(Protocol):
    """The logs of all rooms.

    `submit` never waits: the change is queued, `done` is called on the event loop after the commit, for the
    changes of a room in the order of their `seq`, without an await between two of one commit. Every change
    gets the room's next `seq` in the transaction that stores it, without gaps. A refused change (`NotFound`,
    `Forbidden`) changes nothing.
    """

    def submit(self, change: Change, done: Done) -> None:
        """Queue a change. Raises `Busy` at once when the queue is full."""

    async def latest(self, room_id: str, *, upto: int, limit: int) -> Page:
        """The newest `limit` messages with `seq` <= `upto`; `more` when there are older ones; `seq` is
        `upto`.
        """

    async def before(self, room_id: str, seq: int, *, limit: int) -> Page:
        """The `limit` messages before `seq`; `more` when there are older ones."""

    async def changes(self, room_id: str, since: int, *, limit: int) -> Page:
        """Messages with `rev` > `since` by `rev`, read in one snapshot; `seq` is the last one's `rev` when
        `more`, else the head.
        """

    async def get(self, room_id: str, message_id: str) -> Message | None:
        """One message in its state now."""

    async def some(self, room_id: str, message_ids: Collection[str]) -> list[Message]:
        """Those of the messages that are in the room, oldest first."""

    async def around(self, room_id: str, seq: int, *, limit: int) -> Context:
        """`limit` messages: half of them before `seq`, the others from it on."""

    async def after(self, room_id: str, seq: int, *, limit: int) -> Context:
        """The `limit` messages after `seq`."""

    async def pinned(self, room_id: str) -> list[Message]:
        """What is pinned in the room, the latest pin first."""

    async def reacted(self, account_id: str, message_ids: Collection[str]) -> set[tuple[str, str]]:
        """Which emoji an account put on these messages: their ids and the emoji."""

    async def versions(self, message_id: str) -> list[Version]:
        """The earlier texts of a message that were kept, oldest first."""

    async def forget_versions(self) -> None:
        """No earlier text of any message is left."""


class Search(Protocol):
    """Looking through all messages that an account may see, edits and deletions followed at once."""

    async def find(
        self, query: SearchQuery, *, account_id: str, before: int | None, limit: int
    ) -> SearchPage:
        """At most `limit` hits older than `before`, what an earlier page gave as `next`."""

    async def catch_up(self) -> None:
        """Index what came since the last call; `find` looks through the rest without an index."""


class Rooms(Protocol):
    """The rooms, and how far each account has read them."""

    async def all(self) -> list[RoomInfo]:
        """Every room with its head; `lobby` is always among them."""

    async def members(self) -> dict[str, list[Member]]:
        """By room id, the longest there first; of a public room only its managers."""

    async def create(
        self, slug: str, title: str, *, account_id: str, now_ms: int, kind: RoomKind = "public"
    ) -> RoomInfo:
        """A new room with a fresh epoch, managed by `account_id`. Raises `ChatError("taken")` for a slug that
        exists (case folded).
        """

    async def direct(
        self, account_ids: Collection[str], *, slug: str, now_ms: int
    ) -> tuple[RoomInfo, list[Member], bool]:
        """The direct room of exactly these accounts, its members, and whether it was made just now.

        Raises `NotFound` when one of them is unknown, or disabled and the room not made yet.
        """

    async def notifies(self) -> dict[str, dict[str, Notify]]:
        """What accounts want to be notified of, by room id and account id; only what somebody chose."""

    async def set_notify(self, account_id: str, room_id: str, notify: Notify) -> None:
        """Store what an account chose for a room; the last choice counts."""

    async def survey(self) -> list[RoomSurvey]:
        """Every room, the oldest first, with what administration wants to know of it."""

    async def unread(self, account_id: str) -> list[Unread]:
        """One entry for each room that the account sees; 0 and 0 where everything is read."""

    async def heads(self) -> dict[str, int]:
        """The head of every room by its id, in one snapshot."""

    async def one(self, *, room_id: str = "", slug: str = "") -> RoomState | None:
        """One room as it is now, by its id or its slug."""

    async def mark_read(self, marks: dict[tuple[str, str], int]) -> None:
        """Store read positions {(account_id, room_id): seq} together; a position never moves back."""


class Accounts(Protocol):
    """Accounts, sessions, one-time tokens and join links. Tokens are given and kept as SHA-256 digests."""

    async def by_name(self, name_key: str) -> tuple[Account, str] | None:
        """The account and its password hash."""

    async def by_id(self, account_id: str) -> tuple[Account, str] | None:
        """The account and its password hash."""

    async def all(self) -> list[Account]:
        """Every account by name."""

    async def some(self, account_ids: Collection[str]) -> list[Account]:
        """Those of them that there are, in any order."""

    async def named(self, prefix: str, *, room_id: str | None = None, limit: int) -> list[tuple[str, str]]:
        """Ids and names of enabled accounts whose `name_key`, or a word in it, begins with `prefix`, by name.

        With `room_id` only those who see the room, and before the others who spoke in it lately.
        """

    async def has_owner(self) -> bool:
        """Whether the first owner was made."""

    async def create(self, account: Account, password_hash: str) -> Account:
        """Store it. Raises `ChatError("taken")` when the name is in use."""

    async def create_owner(
        self, account: Account, password_hash: str, *, token_hash: str, now_ms: int
    ) -> bool:
        """Use up the set-up token and store the owner in one transaction. False: wrong, used or expired
        token, or an owner exists.
        """

    async def create_by_link(
        self, account: Account, password_hash: str, *, code: str, now_ms: int
    ) -> Account | None:
        """Use up one use of the join link and store the account (with the link's role) together.

        None when the link is used up, expired, revoked or unknown; `ChatError("taken")` uses nothing up.
        """

    async def rename(self, account_id: str, name: str, name_key: str) -> None:
        """Another name, from then on that of every message too. Raises `ChatError("taken")`, `NotFound`."""

    async def set_password(self, account_id: str, password_hash: str) -> None:
        """Replace the hash; one-time sign-in links of the account end."""

    async def set_role(self, account_id: str, role: Role) -> bool:
        """False, and nothing changed, when it would take the role from the last enabled owner."""

    async def set_disabled(self, account_id: str, disabled: bool) -> bool:
        """False, and nothing changed, when it would disable the last enabled owner."""

    async def set_language(self, account_id: str, language: str | None) -> None:
        """The language of the pages; None: what the browser asks for."""

    async def open_session(self, session: Session, token_hash: str) -> None:
        """Store a session."""

    async def session(self, token_hash: str) -> tuple[Session, Account] | None:
        """The session and its account, expired or not, disabled or not: the caller judges."""

    async def living(self, session_ids: Collection[str]) -> dict[str, Account]:
        """The accounts, as they are now, of those sessions that have not ended; expired ones too."""

    async def sessions(self, account_id: str) -> list[Session]:
        """The sessions of an account, newest first."""

    async def end_sessions(
        self, account_id: str, *, only: str | None = None, but: str | None = None
    ) -> list[str]:
        """End the session `only`, or all `but` one, or all; the ids of the ended ones."""

    async def renew_session(self, session_id: str, old_hash: str, new_hash: str, *, now_ms: int) -> bool:
        """Another token for the session. False, and nothing changed, when the old one is not its token."""

    async def replaced_session(self, token_hash: str) -> tuple[Session, Account, int] | None:
        """The session whose token was this one before it was renewed, its account, and when that was."""

    async def forget_replaced(self, token_hashes: Collection[str]) -> None:
        """These tokens, which were replaced, are no longer any session's."""

    async def touch_sessions(self, seen: dict[str, int]) -> None:
        """Store when sessions (by id) were last seen, together."""

    async def confirm_session(self, session_id: str, *, now_ms: int) -> None:
        """The password was given again just now."""

    async def put_token(
        self, token_hash: str, kind: TokenKind, *, account_id: str | None, expires_ms: int
    ) -> None:
        """Store a one-time token; it replaces the earlier ones of its kind for this account."""

    async def peek_token(self, token_hash: str, kind: TokenKind, *, now_ms: int) -> tuple[bool, str | None]:
        """(whether it is good, its account) without using it up."""

    async def take_token(self, token_hash: str, kind: TokenKind, *, now_ms: int) -> tuple[bool, str | None]:
        """The same, using it up in the same transaction."""

    async def create_join_link(self, link: JoinLink) -> None:
        """Store it."""

    async def join_link(self, code: str) -> JoinLink | None:
        """One link, in its state now."""

    async def join_links(self) -> list[JoinLink]:
        """All of them, newest first; `created_by` is a name."""

    async def revoke_join_link(self, code: str) -> bool:
        """False when there is none."""


class Database(Protocol):
    """The open database behind the ports above."""

    history: History
    search: Search
    rooms: Rooms
    accounts: Accounts

    async def ready(self) -> bool:
        """Whether it answers a query."""

    async def backup(self, path: Path) -> None:
        """A consistent copy into a new file with mode 0600, while everything goes on."""

    async def last_backup_ms(self) -> int | None:
        """When the last backup was made, by whichever process; None when there never was one."""

    async def settle(self) -> None:
        """Wait until everything that is queued now is committed and its outcome told."""

    async def close(self) -> None:
        """Commit what is queued, then close."""


class Receiver(Protocol):
    """Who takes what other nodes tell; called on the event loop, never with what this node sent itself."""

    def receive(self, node_id: str, hint: Hint) -> None:
        """A hint of another node. Those of one node come in its order; any may be lost."""

    def connection_changed(self, up: bool) -> None:
        """Whether hints arrive now. With True some may have been lost: compare with the database."""

    def nodes_alive(self, versions: Mapping[str, int]) -> None:
        """The living other nodes and the version of each one's people, told every few seconds; who is not
        among them is gone.
        """


class Broker(Protocol):
    """Between the nodes: hints, and who is on which node. Best effort, with a life of seconds; it holds
    nothing whose loss loses data. Nothing here waits for it but `people` and `close`.
    """

    node_id: str
    up: bool
    """Whether what this node sends comes back to it."""

    def start(self, receiver: Receiver) -> None:
        """From now on hints are taken."""

    def send(self, hint: Hint) -> None:
        """Tells the other nodes, in order. Never waits and never raises; dropped while it is away, or when
        too many wait.
        """

    def set_people(self, version: int, rooms: Mapping[str, Mapping[str, str]]) -> None:
        """Replaces who follows rooms here, room id to account ids and names: what `people` reads."""

    async def people(self, node_id: str) -> tuple[int, dict[str, dict[str, str]]] | None:
        """What that node gave to `set_people` last; None when it is gone, or the broker is away."""

    async def close(self) -> None:
        """This node is gone, for the others too, as far as they can be told within a second."""
