"""Sign-ins: opening, recognising and ending sessions.

`Identity` and `People` call it. A token goes to the browser, only its SHA-256 is stored. What was read is
kept in a bounded cache. Of a single process it holds, because every change of an account or a session goes
through here; where other nodes change them too, they tell so, and it is trusted for `TRUST_SECONDS` at most,
and not at all while they cannot tell.
"""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from collections.abc import Callable, Iterable

from msgspec import structs

from chat_app import hints
from chat_app.core.cluster import Alone
from chat_app.errors import Busy
from chat_app.models import Account, Session
from chat_app.ports import Accounts, Broker

DAY_MS = 86_400_000
IDLE_MS = 14 * DAY_MS
ABSOLUTE_MS = 30 * DAY_MS
SEEN_STEP_MS = 60_000
"""A session is noted as seen once in this time: an exact moment is worth no write."""
CACHE_LIMIT = 10_000
"""Sessions kept in memory; beyond it the one cached first is read again."""
KNOWN_LIMIT = 50_000
"""Sessions whose end is known without asking the database; beyond it the least recent is forgotten."""
AGENT_LIMIT = 200
TOKEN_LIMIT = 128

RENEWED_MS = 60_000
"""How long a replaced token still opens: what the browser had asked before it got the new one."""
RENEWED_LIMIT = 1_000
"""Replaced tokens remembered; beyond it the oldest is worthless at once."""
REPLACED_ELSEWHERE_MS = 900_000
"""A token that another node replaced opens while it is stored: that node takes it out after `RENEWED_MS`.
Where it died first this ends it, which is more than the clocks of two nodes differ.
"""
TRUST_SECONDS = 4.0
"""How long what was read is believed where other nodes change it too: their hints may be lost."""

SIGNED_OUT = 4401
DISABLED = 4403

SessionsEnded = Callable[[list[str], int, str], None]
"""Told (session ids, close code, reason) at once, so that open sockets close."""


def new_token() -> str:
    """256 random bits, for a link or a cookie."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Sessions:
    """The sessions of all accounts."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        clock_ms: Callable[[], int],
        on_ended: SessionsEnded,
        broker: Broker | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._clock_ms = clock_ms
        self._on_ended = on_ended
        self._broker: Broker = broker or Alone()
        self._alone = isinstance(self._broker, Alone)
        self._monotonic = monotonic
        self._cache: dict[str, tuple[Session, Account]] = {}
        self._read_at: dict[str, float] = {}  # the keys of the cache, where others change things too
        self.generation = 0
        """Another one after every change of an account or a session that was heard of here."""
        self._seen: dict[str, int] = {}
        self._replaced: dict[str, tuple[str, int]] = {}  # old digest: (new digest, until)
        self._known: dict[
            str, tuple[int, int]
        ] = {}  # by id: (absolute end, last seen), used last stands last

    async def open(
        self, account_id: str, *, address: str, agent: str, confirmed: bool = True
    ) -> tuple[Session, str]:
        """A new session and its token; not `confirmed` when no password was given (a sign-in link)."""
        now = self._clock_ms()
        session = Session(
            id=uuid.uuid4().hex,
            account_id=account_id,
            created_ms=now,
            confirmed_ms=now if confirmed else 0,
            last_seen_ms=now,
            expires_ms=now + ABSOLUTE_MS,
            address=address,
            agent="".join(char for char in agent[:AGENT_LIMIT] if char.isprintable()),
        )
        token = new_token()
        await self._accounts.open_session(session, digest(token))
        return session, token

    async def authenticate(self, token: str) -> tuple[Session, Account] | None:
        """Whose session this is; None when unknown, ended, expired, idle, or of a disabled account."""
        if len(token) > TOKEN_LIMIT:
            return None
        key = digest(token)
        found = self._cached(key) or await self._read(key) or await self._read_replaced(key)
        if found is None:
            return None
        session, account = found
        now = self._clock_ms()
        seen_ms = max(session.last_seen_ms, self._known.get(session.id, (0, 0))[1])
        if account.disabled or now >= session.expires_ms or now - seen_ms >= IDLE_MS:
            return None
        if now - seen_ms >= SEEN_STEP_MS:
            self._seen[session.id] = seen_ms = now
        self._note(session.id, session.expires_ms, seen_ms)
        return structs.replace(session, last_seen_ms=seen_ms), account

    async def renew(self, session: Session, token: str) -> str | None:
        """Another token in place of `token`; the session and its open sockets go on.

        None when `token` was replaced already: a request beside this one told the browser the new one.
        """
        old, fresh = digest(token), new_token()
        now = self._clock_ms()
        if not await self._accounts.renew_session(session.id, old, digest(fresh), now_ms=now):
            return None
        self.changed(session.account_id)
        while len(self._replaced) >= RENEWED_LIMIT:
            del self._replaced[next(iter(self._replaced))]
        self._replaced[old] = digest(fresh), now + RENEWED_MS
        return fresh

    def has_ended(self, session_id: str) -> bool:
        """Whether the session of an open socket reached its absolute end; an open socket is use of it."""
        expires_ms, seen_ms = self._known.get(session_id, (0, 0))
        now = self._clock_ms()
        if not expires_ms:
            return False
        if now >= expires_ms:
            return True
        if now - seen_ms >= SEEN_STEP_MS:
            self._seen[session_id] = seen_ms = now
        self._note(session_id, expires_ms, seen_ms)
        return False

    async def of(self, account_id: str) -> list[Session]:
        """The living sessions of an account, newest first."""
        now = self._clock_ms()
        sessions = [
            structs.replace(
                session, last_seen_ms=max(session.last_seen_ms, self._known.get(session.id, (0, 0))[1])
            )
            for session in await self._accounts.sessions(account_id)
        ]
        return [s for s in sessions if now < s.expires_ms and now - s.last_seen_ms < IDLE_MS]

    async def end(
        self,
        account_id: str,
        *,
        only: str | None = None,
        but: str | None = None,
        code: int = SIGNED_OUT,
        reason: str,
    ) -> list[str]:
        """End one session, all `but` one, or all, and tell; the ids of those that were ended."""
        ended = await self._accounts.end_sessions(account_id, only=only, but=but)
        self.ended_elsewhere(account_id, ended)
        if ended:
            self._on_ended(ended, code, reason)
            self._broker.send(hints.SessionsEnded(account_id, tuple(ended), code, reason))
        return ended

    def ended_elsewhere(self, account_id: str, session_ids: Iterable[str]) -> None:
        """Nothing of these sessions is kept any more; their sockets are the caller's affair."""
        self.forget(account_id)
        for session_id in session_ids:
            self._seen.pop(session_id, None)
            self._known.pop(session_id, None)

    async def confirm(self, session: Session) -> None:
        """The password was given again just now."""
        await self._accounts.confirm_session(session.id, now_ms=self._clock_ms())
        self.changed(session.account_id)

    def changed(self, account_id: str) -> None:
        """Something about the account or its sessions was changed and committed: all nodes read anew."""
        self.forget(account_id)
        self._broker.send(hints.AccountChanged(account_id))

    def forget(self, account_id: str) -> None:
        """Read the account and its sessions again: something about them was changed (and committed)."""
        self.generation += 1
        for key in [key for key, (_, account) in self._cache.items() if account.id == account_id]:
            self._drop(key)

    async def flush_seen(self) -> None:
        """Store when sessions were last seen; what could not be stored now is kept for the next time."""
        seen, self._seen = self._seen, {}
        try:
            if seen:
                await self._accounts.touch_sessions(seen)
        except Busy:
            self._seen = seen | self._seen
            return
        if not self._alone and self._replaced:
            await self._forget_replaced()

    def _note(self, session_id: str, expires_ms: int, seen_ms: int) -> None:
        self._known.pop(session_id, None)
        while len(self._known) >= KNOWN_LIMIT:
            del self._known[next(iter(self._known))]
        self._known[session_id] = (expires_ms, seen_ms)

    def _cached(self, key: str) -> tuple[Session, Account] | None:
        found = self._cache.get(key)
        if found is None or self._alone:
            return found
        if self._broker.up and self._monotonic() - self._read_at[key] < TRUST_SECONDS:
            return found
        self._drop(key)
        return None

    def _drop(self, key: str) -> None:
        del self._cache[key]
        self._read_at.pop(key, None)

    async def _read_replaced(self, key: str) -> tuple[Session, Account] | None:
        newer, until_ms = self._replaced.get(key, ("", 0))
        if not newer:
            return None if self._alone else await self._read_replaced_elsewhere(key)
        if self._clock_ms() >= until_ms:
            if self._alone:
                del self._replaced[key]
            return None
        return self._cached(newer) or await self._read(newer)

    async def _read_replaced_elsewhere(self, key: str) -> tuple[Session, Account] | None:
        found = await self._accounts.replaced_session(key)
        if found is None:
            return None
        session, account, replaced_ms = found
        return (session, account) if self._clock_ms() - replaced_ms < REPLACED_ELSEWHERE_MS else None

    async def _forget_replaced(self) -> None:
        """Takes the tokens that were replaced long enough ago out of the store, for the other nodes."""
        over = [key for key, (_, until_ms) in self._replaced.items() if self._clock_ms() >= until_ms]
        if not over:
            return
        try:
            await self._accounts.forget_replaced(over)
        except Busy:
            return
        for key in over:
            self._replaced.pop(key, None)

    async def _read(self, key: str) -> tuple[Session, Account] | None:
        while True:
            generation, now = self.generation, self._monotonic()
            found = await self._accounts.session(key)
            if found is None:
                return None
            if generation == self.generation:
                while len(self._cache) >= CACHE_LIMIT:
                    self._drop(next(iter(self._cache)))
                self._cache[key] = found
                if not self._alone:
                    self._read_at[key] = now
                return found
            # Something changed while this was read: it may be the state from before.
