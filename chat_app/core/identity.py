"""Who somebody is: signing in and out, making an account, the password.

Handlers call it; `people` (roles, links) and `sessions` are its two neighbours, reached through it. It never
tells whether a name exists, and writes no password or token anywhere but as a hash.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Hashable
from typing import Protocol

from chat_app.core.limits import SlidingWindow, address_key
from chat_app.core.names import (
    PASSWORD_LONGEST,
    check_password,
    clean_name,
    name_key,
    password_form,
)
from chat_app.core.people import People
from chat_app.core.sessions import Sessions, SessionsEnded, digest, new_token
from chat_app.errors import N_, ChatError, NotFound, RateLimited
from chat_app.models import Account, JoinLink, Role, Session
from chat_app.ports import Accounts, Broker

SETUP_MS = 3_600_000
LINKED_MS = 3_600_000
"""How long after a one-time sign-in link a new password can be set without the old one."""
CONFIRMED_MS = 900_000
"""Administration asks for the password again after this."""
FAILURES_WINDOW_SECONDS = 900
FAILURES_OF_ACCOUNT = 5
FAILURES_OF_ADDRESS = 20
FAILURES_OF_NAME = 100
"""From all addresses together: guessing from a thousand of them is not a thousand times as quick."""
FAILURES_OF_DEVICE = 5
"""Of a browser that was signed in to this account before. It is counted by nothing else, and stopped by
nothing else: whatever others guess, a person gets in from there.
"""
REGISTRATIONS_OF_ADDRESS = 20
"""Accounts made from an address within the same window, while registration is open."""


class PasswordHashes(Protocol):
    """Slow hashes, computed off the event loop. Both raise `Busy` when too many wait."""

    async def hash(self, password: str) -> str:
        """A fresh hash."""

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; None (no account) takes as long and is False."""


class Identity:
    """Accounts and who is signed in to them."""

    def __init__(
        self,
        accounts: Accounts,
        passwords: PasswordHashes,
        clock_ms: Callable[[], int],
        on_sessions_ended: SessionsEnded,
        *,
        on_account_changed: Callable[[Account], None] = lambda account: None,
        monotonic: Callable[[], float] = time.monotonic,
        broker: Broker | None = None,
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._clock_ms = clock_ms
        self._has_owner = False
        self.sessions = Sessions(
            accounts, clock_ms=clock_ms, on_ended=on_sessions_ended, broker=broker, monotonic=monotonic
        )
        self.people = People(
            accounts,
            self.sessions,
            clock_ms=clock_ms,
            on_account_changed=on_account_changed,
            monotonic=monotonic,
        )
        window = FAILURES_WINDOW_SECONDS
        self._failures = SlidingWindow(FAILURES_OF_ACCOUNT, window, monotonic)
        self._address_failures = SlidingWindow(FAILURES_OF_ADDRESS, window, monotonic)
        self._name_failures = SlidingWindow(FAILURES_OF_NAME, window, monotonic)
        self._device_failures = SlidingWindow(FAILURES_OF_DEVICE, window, monotonic)
        self._registrations = SlidingWindow(REGISTRATIONS_OF_ADDRESS, window, monotonic)

    def windows(self) -> dict[str, SlidingWindow]:
        """The limits that count over all nodes, by a name for each."""
        return {
            "failures": self._failures,
            "address_failures": self._address_failures,
            "name_failures": self._name_failures,
            "device_failures": self._device_failures,
            "registrations": self._registrations,
            "renames": self.people.renames,
        }

    # -- the first owner -------------------------------------------------------------------------------------

    async def has_owner(self) -> bool:
        """Whether there is an owner; once there is, there always will be."""
        self._has_owner = self._has_owner or await self._accounts.has_owner()
        return self._has_owner

    async def setup_token(self) -> str | None:
        """A fresh token for making the owner, good for an hour, replacing earlier ones; None with one."""
        if await self.has_owner():
            return None
        token = new_token()
        expires_ms = self._clock_ms() + SETUP_MS
        await self._accounts.put_token(digest(token), "setup", account_id=None, expires_ms=expires_ms)
        return token

    async def setup_is_good(self, token: str) -> bool:
        """Whether `create_owner` would take it."""
        if await self.has_owner():
            return False
        good, _ = await self._accounts.peek_token(digest(token), "setup", now_ms=self._clock_ms())
        return good

    async def create_owner(
        self, token: str, name: str, password: str, *, address: str, agent: str
    ) -> str | None:
        """Make the owner and sign in: a session token; None when the set-up token is no good.

        Raises `ChatError` bad_name, bad_password, taken; these use nothing up.
        """
        account, password_hash = await self._new(name, password, "owner")
        made = await self._accounts.create_owner(
            account, password_hash, token_hash=digest(token), now_ms=self._clock_ms()
        )
        return (await self.sessions.open(account.id, address=address, agent=agent))[1] if made else None

    # -- signing in and out ----------------------------------------------------------------------------------

    async def sign_in(
        self, name: str, password: str, *, address: str, agent: str, device: tuple[str, str] | None = None
    ) -> str:
        """A session token. Raises `ChatError("bad_credentials")`, whatever was wrong, and `RateLimited`.

        `device`: (account, device) of a browser that was signed in before.
        """
        key = name_key(name[:64])
        found = await self._accounts.by_name(key)

        async def right() -> bool:
            known = await self._verify(found[1] if found else None, password)
            return known and found is not None and not found[0].disabled

        if device is not None and (found is None or found[0].id != device[0]):
            device = None  # another account's
        await self._guess(key, address, right, N_("The name or the password is wrong."), device=device)
        if found is None:
            raise NotFound
        return await self._open(found[0], address=address, agent=agent, password_hash=found[1])

    async def link_owner(self, token: str) -> Account | None:
        """Whom a one-time sign-in link would sign in, without using it up."""
        good, account_id = await self._accounts.peek_token(digest(token), "link", now_ms=self._clock_ms())
        found = await self._accounts.by_id(account_id) if good and account_id else None
        return None if found is None or found[0].disabled else found[0]

    async def sign_in_by_link(self, token: str, *, address: str, agent: str) -> str | None:
        """Use up a one-time sign-in link: a session token, or None when it is no good."""
        good, account_id = await self._accounts.take_token(digest(token), "link", now_ms=self._clock_ms())
        found = await self._accounts.by_id(account_id) if good and account_id else None
        if found is None or found[0].disabled:
            return None
        return await self._open(found[0], address=address, agent=agent, password_hash=None)

    async def sign_out(self, session: Session) -> None:
        """End this session; its open sockets close."""
        await self.sessions.end(session.account_id, only=session.id, reason="signed out")

    async def authenticate(self, token: str) -> tuple[Session, Account] | None:
        """Whose session a token is, or None."""
        return await self.sessions.authenticate(token)

    def has_ended(self, session_id: str) -> bool:
        """Whether the session of an open socket is over; asked at every heartbeat."""
        return self.sessions.has_ended(session_id)

    async def flush_seen(self) -> None:
        """Store when sessions were last seen; called every so often and at the end."""
        await self.sessions.flush_seen()

    # -- making an account -----------------------------------------------------------------------------------

    async def register(self, name: str, password: str, *, address: str, agent: str) -> str:
        """A new member (the caller knows that registration is open), signed in: a session token."""
        clean_name(name)
        check_password(password)
        key = address_key(address)
        if wait := self._registrations.take(key):
            raise RateLimited("Too many accounts were made from here.", retry_after=wait)
        try:
            account = await self.add(name, password, "member")
        except ChatError:
            self._registrations.refund(key)
            raise
        return (await self.sessions.open(account.id, address=address, agent=agent))[1]

    async def join_link(self, code: str) -> JoinLink:
        """A link that can be used now. Raises `NotFound` and `ChatError("gone")`."""
        link = await self._accounts.join_link(code)
        if link is None:
            raise NotFound("There is no such invitation.")
        if not self.people.is_usable(link):
            raise ChatError("gone", "This invitation was used up, has expired or was revoked.")
        return link

    async def join_by_link(self, code: str, name: str, password: str, *, address: str, agent: str) -> str:
        """A new account with the link's role, signed in: its token. Raises as `join_link` and `add` do."""
        link = await self.join_link(code)
        account, password_hash = await self._new(name, password, link.role)
        made = await self._accounts.create_by_link(account, password_hash, code=code, now_ms=self._clock_ms())
        if made is None:
            raise ChatError("gone", "This invitation was used up, has expired or was revoked.")
        return (await self.sessions.open(made.id, address=address, agent=agent))[1]

    async def add(self, name: str, password: str, role: Role) -> Account:
        """A new account. Raises `ChatError` bad_name, bad_password, taken."""
        return await self._accounts.create(*await self._new(name, password, role))

    # -- one's own sessions and password ---------------------------------------------------------------------

    def is_linked(self, session: Session) -> bool:
        """Whether it came by a sign-in link just now: a new password may be set without the old one."""
        return session.confirmed_ms == 0 and self._clock_ms() - session.created_ms < LINKED_MS

    def is_confirmed(self, session: Session) -> bool:
        """Whether the password was given recently enough for administration."""
        return self._clock_ms() - session.confirmed_ms < CONFIRMED_MS

    async def confirm(self, session: Session, password: str, *, address: str) -> None:
        """The password again. Raises `ChatError("bad_credentials")` and `RateLimited`."""
        await self._check_own(session, password, address)
        await self.sessions.confirm(session)

    async def change_password(
        self, session: Session, account: Account, current: str, new: str, *, address: str, agent: str
    ) -> str:
        """Set a new password, end every session and open a new one: its token."""
        wanted = check_password(new)
        if not self.is_linked(session):
            await self._check_own(session, current, address)
        await self._accounts.set_password(account.id, await self._passwords.hash(wanted))
        self._failures.clear((_mark_of(account.name_key), address_key(address)))
        fresh, token = await self.sessions.open(account.id, address=address, agent=agent)
        await self.sessions.end(account.id, but=fresh.id, reason="password changed")
        return token

    async def set_password(self, account_id: str, new: str) -> None:
        """The machine's owner sets it; every session ends."""
        password_hash = await self._passwords.hash(check_password(new))
        await self._accounts.set_password(account_id, password_hash)
        await self.sessions.end(account_id, reason="password changed")

    async def end_others(self, session: Session) -> None:
        """Sign out everywhere else."""
        await self.sessions.end(session.account_id, but=session.id, reason="signed out")

    async def end_session(self, account: Account, session_id: str) -> None:
        """End one of one's own sessions. Raises `NotFound`."""
        if not await self.sessions.end(account.id, only=session_id, reason="signed out"):
            raise NotFound("This session has ended already.")

    async def set_language(self, account: Account, language: str | None) -> None:
        """The language of one's pages; None: what the browser asks for."""
        await self._accounts.set_language(account.id, language)
        self.sessions.changed(account.id)

    # -- private ---------------------------------------------------------------------------------------------

    async def _new(self, name: str, password: str, role: Role) -> tuple[Account, str]:
        shown, key = clean_name(name)
        password_hash = await self._passwords.hash(check_password(password))
        account = Account(uuid.uuid4().hex, shown, key, role, disabled=False, created_ms=self._clock_ms())
        return account, password_hash

    async def _open(self, account: Account, *, address: str, agent: str, password_hash: str | None) -> str:
        """A session, unless the account was disabled or got another password since it was looked at.

        Looked at again once the session is stored: an earlier change is seen here, a later one ends it.
        """
        session, token = await self.sessions.open(
            account.id, address=address, agent=agent, confirmed=password_hash is not None
        )
        now = await self._accounts.by_id(account.id)
        if now is None or now[0].disabled or (password_hash is not None and now[1] != password_hash):
            await self.sessions.end(account.id, only=session.id, reason="signed out")
            raise ChatError("bad_credentials", "The name or the password is wrong.")
        return token

    async def _verify(self, password_hash: str | None, password: str) -> bool:
        return await self._passwords.verify(password_hash, password_form(password[: PASSWORD_LONGEST + 1]))

    async def _check_own(self, session: Session, password: str, address: str) -> None:
        found = await self._accounts.by_id(session.account_id)
        if found is None:
            raise NotFound
        account, password_hash = found
        await self._guess(
            account.name_key,
            address,
            lambda: self._verify(password_hash, password),
            N_("The password is wrong."),
        )

    async def _guess(
        self,
        key: str,
        address: str,
        right: Callable[[], Awaitable[bool]],
        sentence: str,
        *,
        device: tuple[str, str] | None = None,
    ) -> None:
        """Ask `right`, counting wrong guesses only; counted before, so that none are tried side by side."""
        counts = self._counts(key, address_key(address), device)
        if wait := max(window.peek(by) for window, by in counts):
            raise RateLimited("Too many wrong passwords. Try again later.", retry_after=wait)
        for window, by in counts:
            window.take(by)
        wrong = False
        try:
            wrong = not await right()
        finally:
            if not wrong:
                for window, by in counts:
                    window.refund(by)
        if wrong:
            raise ChatError("bad_credentials", sentence)
        counts[0][0].clear(counts[0][1])

    def _counts(
        self, key: str, place: str, device: tuple[str, str] | None
    ) -> list[tuple[SlidingWindow, Hashable]]:
        """What a guess counts towards; the first is forgotten when one was right."""
        if device is not None:
            return [(self._device_failures, device)]
        name = _mark_of(key)
        return [(self._failures, (name, place)), (self._address_failures, place), (self._name_failures, name)]


def _mark_of(key: str) -> str:
    """A name as guesses are counted by it: a password in the wrong field is told to no other node."""
    return digest(key)[:32]
