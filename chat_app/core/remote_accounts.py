"""Accounts and sessions that other nodes changed: what is kept here of them is read again, sockets close.

`app.py` makes one when there is a broker, `Cluster` hands it hints, a timer runs `check` for those that were
lost: every session with an open socket here is looked up in the database every few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable

from chat_app.core.connection import Connection
from chat_app.core.connections import Connections
from chat_app.core.rooms import Room
from chat_app.core.sessions import DISABLED, SIGNED_OUT, Sessions
from chat_app.errors import Busy
from chat_app.models import Account
from chat_app.ports import Accounts

CHECK_SECONDS = 4.0
"""How often `check` runs: a session that ended elsewhere has no socket here after 5 s, whatever was lost."""
BUSY_SECONDS = 0.5
TOGETHER = 200
"""Sessions looked up at a time; the loop gets a turn between."""


class AccountWatch:
    """`cluster.AccountFollower`. `start_task` runs a coroutine to its end; `on_changed` is told of an account
    as it is now, though perhaps it was known here already; `rooms` are those of this node.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        sessions: Sessions,
        connections: Connections,
        on_changed: Callable[[Account], None],
        start_task: Callable[[Coroutine[None, None, None]], None],
        rooms: Callable[[], Iterable[Room]],
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._connections = connections
        self._on_changed = on_changed
        self._start_task = start_task
        self._rooms = rooms
        self._changed: dict[str, None] = {}
        self._reading = self._checking = False

    def account_changed(self, account_id: str) -> None:
        """Look at the account again."""
        self._sessions.forget(account_id)
        self._changed[account_id] = None
        if not self._reading:
            self._reading = True
            self._start_task(self._read_changed())

    def sessions_ended(self, account_id: str, session_ids: tuple[str, ...], code: int, reason: str) -> None:
        """Close their sockets."""
        self._sessions.ended_elsewhere(account_id, session_ids)
        self._connections.close_sessions(session_ids, code, reason)

    def connection_changed(self, up: bool) -> None:
        """With True hints may have been lost: look at every session with a socket here, and every name."""
        if up:
            self._start_task(self.check())
            self._start_task(self._check_names())

    async def check(self) -> None:
        """Looks up every session with an open socket: ended ones close, a new name or role is taken over."""
        if self._checking:
            return  # what began before this call is told by a hint, or found by the next one
        self._checking = True
        try:
            waiting = list({connection.session_id: connection for connection in self._connections}.values())
            for start in range(0, len(waiting), TOGETHER):
                await self._check_some(waiting[start : start + TOGETHER])
                await asyncio.sleep(0)
        except Busy:
            pass  # the next one is soon
        finally:
            self._checking = False

    async def _check_names(self) -> None:
        """Looks up everybody whom a room's memory names: nothing else looks at who has no socket here."""
        known: dict[str, set[str]] = {}
        for room in self._rooms():
            for account_id, name in room.names():
                known.setdefault(account_id, set()).add(name)
            await asyncio.sleep(0)
        ids = list(known)
        for start in range(0, len(ids), TOGETHER):
            for account in await self._patiently(ids[start : start + TOGETHER]):
                if known[account.id] != {account.name}:
                    self.account_changed(account.id)

    async def _patiently(self, account_ids: list[str]) -> list[Account]:
        while True:
            try:
                return await self._accounts.some(account_ids)
            except Busy:
                await asyncio.sleep(BUSY_SECONDS)

    async def _check_some(self, connections: list[Connection]) -> None:
        living = await self._accounts.living({connection.session_id for connection in connections})
        changed: dict[str, None] = {}
        for connection in connections:
            account = living.get(connection.session_id)
            if account is None:
                await self._close_ended(connection)
            elif account.disabled:
                self._sessions.forget(account.id)
                self._connections.close_sessions([connection.session_id], DISABLED, "account disabled")
            elif account != connection.account:
                changed[account.id] = None
        for account_id in changed:
            await self._read(account_id)

    async def _close_ended(self, connection: Connection) -> None:
        """Its session has ended; why, its account tells."""
        account_id = connection.account.id
        found = await self._accounts.by_id(account_id)
        disabled = found is not None and found[0].disabled
        self._sessions.ended_elsewhere(account_id, [connection.session_id])
        code, reason = (DISABLED, "account disabled") if disabled else (SIGNED_OUT, "the session ended")
        self._connections.close_sessions([connection.session_id], code, reason)

    async def _read_changed(self) -> None:
        """One after another; who changes once more while it is read is read once more."""
        try:
            while self._changed:
                account_id = next(iter(self._changed))
                try:
                    await self._read(account_id)
                except Busy:
                    self._changed[account_id] = None
                    await asyncio.sleep(BUSY_SECONDS)
        finally:
            self._reading = False

    async def _read(self, account_id: str) -> None:
        """Reads an account and takes it over, unless something changed meanwhile: then it is read again."""
        while True:
            self._changed.pop(account_id, None)
            generation = self._sessions.generation
            found = await self._accounts.by_id(account_id)
            if generation == self._sessions.generation:
                break
        if found is None:
            return
        account = found[0]
        if account.disabled:
            ids = {connection.session_id for connection in self._connections.of_account(account_id)}
            self._connections.close_sessions(ids, DISABLED, "account disabled")
        self._on_changed(account)
