"""A database that is administered while no server has it open. `commands` calls it.

It imports nothing of the server, so that a command costs no more than it must.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from chat_app.backends.passwords import Passwords
from chat_app.backends.sql.database import DatabaseError, SqlDatabase, is_postgresql, open_database
from chat_app.core.administration import Administration
from chat_app.core.identity import Identity
from chat_app.data_folder import DataLock
from chat_app.settings import Settings, SettingsError


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def open_database_of(settings: Settings, *, serving: bool = False) -> SqlDatabase:
    """The database; who is `serving` has it for himself or shares it over Redis. Raises SettingsError."""
    shared = settings.redis_url is not None
    if shared and not is_postgresql(settings.database_url):
        raise SettingsError(
            "REDIS_URL (--redis) is for several processes on PostgreSQL; SQLite (DATABASE_URL) has one."
        )
    try:
        return await open_database(
            settings.database_url, backups=settings.data / "backups", shared=shared if serving else None
        )
    except DatabaseError as error:
        raise SettingsError(str(error)) from error


@asynccontextmanager
async def open_administration(settings: Settings) -> AsyncIterator[Administration]:
    """Administration of a database that no server has open."""
    async with AsyncExitStack() as stack:
        stack.enter_context(DataLock(settings.data))
        database = await open_database_of(settings)
        stack.push_async_callback(database.close)
        passwords = Passwords()
        stack.callback(passwords.close)
        identity = Identity(
            accounts=database.accounts,
            passwords=passwords,
            clock_ms=now_ms,
            on_sessions_ended=lambda ids, code, reason: None,
        )
        yield Administration(identity=identity, accounts=database.accounts, database=database)
