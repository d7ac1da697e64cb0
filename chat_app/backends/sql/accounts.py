"""`ports.Accounts` over SQL.

Every change is one function in the writer's transaction, so its parts go together or not at all.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from sqlalchemy import Connection

from chat_app.backends.sql import join_links, names, one_time_tokens, people, sessions
from chat_app.backends.sql.advisory import OWNERS, hold
from chat_app.backends.sql.ways import Reading, Writing
from chat_app.models import Account, JoinLink, Role, Session
from chat_app.ports import TokenKind

T = TypeVar("T")


class SqlAccounts:
    """The tables `accounts`, `sessions`, `tokens` and `join_links`."""

    def __init__(self, writer: Writing, readers: Reading) -> None:
        self._write = writer.write
        self._read = readers.read

    async def by_name(self, name_key: str) -> tuple[Account, str] | None:
        """The account and its password hash."""
        return await self._read(lambda connection: people.by_name(connection, name_key))

    async def by_id(self, account_id: str) -> tuple[Account, str] | None:
        """The account and its password hash."""
        return await self._read(lambda connection: people.by_id(connection, account_id))

    async def all(self) -> list[Account]:
        """Every account by name."""
        return await self._read(people.everybody)

    async def some(self, account_ids: Collection[str]) -> list[Account]:
        """Those of them that there are."""
        wanted = list(account_ids)
        return await self._read(lambda connection: people.some(connection, wanted))

    async def named(self, prefix: str, *, room_id: str | None = None, limit: int) -> list[tuple[str, str]]:
        """Ids and names of enabled accounts whose `name_key`, or a word in it, begins with `prefix`."""
        return await self._read(
            lambda connection: names.named(connection, prefix, room_id=room_id, limit=limit)
        )

    async def has_owner(self) -> bool:
        """Whether the first owner was made."""
        return await self._read(people.has_owner)

    async def create(self, account: Account, password_hash: str) -> Account:
        """Store it. Raises `ChatError("taken")` when the name is in use."""
        return await self._write(lambda connection: people.create(connection, account, password_hash))

    async def create_owner(
        self, account: Account, password_hash: str, *, token_hash: str, now_ms: int
    ) -> bool:
        """Use up the set-up token and store the owner together. False: a bad token, or an owner exists."""

        def create(connection: Connection) -> bool:
            hold(connection, OWNERS)
            if people.has_owner(connection):
                return False
            good, _ = one_time_tokens.take(connection, token_hash, "setup", now_ms=now_ms)
            if good:
                people.create(connection, account, password_hash, role="owner")
            return good

        return await self._write(create)

    async def create_by_link(
        self, account: Account, password_hash: str, *, code: str, now_ms: int
    ) -> Account | None:
        """Use up one use of the link and store the account with its role; None when the link is not good."""

        def create(connection: Connection) -> Account | None:
            role = join_links.use(connection, code, now_ms=now_ms)
            if role is None:
                return None
            return people.create(connection, account, password_hash, role=role)

        return await self._write(create)

    async def rename(self, account_id: str, name: str, name_key: str) -> None:
        """Another name. Raises `ChatError("taken")` when somebody else has it, `NotFound`."""
        await self._write(lambda connection: people.rename(connection, account_id, name, name_key))

    async def set_password(self, account_id: str, password_hash: str) -> None:
        """Replace the hash; sign-in links end with the old one. Raises `NotFound` for an unknown account."""

        def replace(connection: Connection) -> None:
            people.set_password(connection, account_id, password_hash)
            one_time_tokens.drop(connection, account_id)

        await self._write(replace)

    async def set_role(self, account_id: str, role: Role) -> bool:
        """False, and nothing changed, when it would take the role from the last enabled owner."""
        return await self._write(lambda connection: people.set_role(connection, account_id, role))

    async def set_disabled(self, account_id: str, disabled: bool) -> bool:
        """False, and nothing changed, when it would disable the last enabled owner."""
        return await self._write(lambda connection: people.set_disabled(connection, account_id, disabled))

    async def set_language(self, account_id: str, language: str | None) -> None:
        """The language of the pages. Raises `NotFound` for an unknown account."""
        await self._write(lambda connection: people.set_language(connection, account_id, language))

    async def open_session(self, session: Session, token_hash: str) -> None:
        """Store a session."""
        await self._write(lambda connection: sessions.open_session(connection, session, token_hash))

    async def session(self, token_hash: str) -> tuple[Session, Account] | None:
        """The session and its account, expired or not, disabled or not: the caller judges."""
        return await self._read(lambda connection: sessions.by_token(connection, token_hash))

    async def living(self, session_ids: Collection[str]) -> dict[str, Account]:
        """The accounts, as they are now, of those sessions that have not ended."""
        wanted = list(session_ids)
        return await self._read(lambda connection: sessions.living(connection, wanted))

    async def sessions(self, account_id: str) -> list[Session]:
        """The sessions of an account, newest first."""
        return await self._read(lambda connection: sessions.of_account(connection, account_id))

    async def end_sessions(
        self, account_id: str, *, only: str | None = None, but: str | None = None
    ) -> list[str]:
        """End the session `only`, or all `but` one, or all; the ids of the ended ones."""
        return await self._write(lambda connection: sessions.end(connection, account_id, only=only, but=but))

    async def renew_session(self, session_id: str, old_hash: str, new_hash: str, *, now_ms: int) -> bool:
        """Another token in place of the old one. False, and nothing changed, when it is no longer that."""
        return await self._write(
            lambda connection: sessions.renew(connection, session_id, old_hash, new_hash, now_ms)
        )

    async def replaced_session(self, token_hash: str) -> tuple[Session, Account, int] | None:
        """The session whose token was this one before, its account, and when it was replaced."""
        return await self._read(lambda connection: sessions.by_replaced(connection, token_hash))

    async def forget_replaced(self, token_hashes: Collection[str]) -> None:
        """These tokens, which were replaced, are no longer any session's."""
        given = list(token_hashes)
        await self._write(lambda connection: sessions.forget_replaced(connection, given))

    async def touch_sessions(self, seen: dict[str, int]) -> None:
        """Store when sessions (by id) were last seen, together."""
        given = dict(seen)
        if given:
            await self._write(lambda connection: sessions.touch(connection, given))

    async def confirm_session(self, session_id: str, *, now_ms: int) -> None:
        """The password was given again just now."""
        await self._write(lambda connection: sessions.confirm(connection, session_id, now_ms))

    async def put_token(
        self, token_hash: str, kind: TokenKind, *, account_id: str | None, expires_ms: int
    ) -> None:
        """Store a one-time token; it replaces the earlier ones of its kind for this account."""
        await self._write(
            lambda connection: one_time_tokens.put(connection, token_hash, kind, account_id, expires_ms)
        )

    async def peek_token(self, token_hash: str, kind: TokenKind, *, now_ms: int) -> tuple[bool, str | None]:
        """(whether it is good, its account) without using it up."""
        return await self._read(
            lambda connection: one_time_tokens.peek(connection, token_hash, kind, now_ms=now_ms)
        )

    async def take_token(self, token_hash: str, kind: TokenKind, *, now_ms: int) -> tuple[bool, str | None]:
        """The same, using it up in the same transaction."""
        return await self._write(
            lambda connection: one_time_tokens.take(connection, token_hash, kind, now_ms=now_ms)
        )

    async def create_join_link(self, link: JoinLink) -> None:
        """Store it; `created_by` is an account's id."""
        await self._write(lambda connection: join_links.create(connection, link))

    async def join_link(self, code: str) -> JoinLink | None:
        """One link, in its state now; `created_by` is a name."""
        return await self._read(lambda connection: join_links.by_code(connection, code))

    async def join_links(self) -> list[JoinLink]:
        """All of them, newest first; `created_by` is a name."""
        return await self._read(join_links.everything)

    async def revoke_join_link(self, code: str) -> bool:
        """False when there is none."""
        return await self._write(lambda connection: join_links.revoke(connection, code))
