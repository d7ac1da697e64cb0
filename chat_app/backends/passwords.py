"""Passwords as argon2id hashes (RFC 9106), computed off the event loop.

The core's sign-in calls it. A hash takes some 30 ms and 19 MiB, so few run at once and few may wait.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from chat_app.errors import Busy

MEMORY_KIB = 19_456
THREADS = 2
WAITING_LIMIT = 16

T = TypeVar("T")


class Passwords:
    """Hashes and verifies; with `WAITING_LIMIT` calls waiting a further one raises `Busy`."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=MEMORY_KIB, parallelism=1, type=Type.ID)
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
        self._pending = 0
        self._dummy: str | None = None

    async def hash(self, password: str) -> str:
        """The encoded hash with its parameters and a fresh salt."""
        return await self._run(lambda: self._hasher.hash(_encoded(password)))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password. `None` (no such account) takes as long and is False."""
        return await self._run(lambda: self._verify(password_hash, password))

    def close(self) -> None:
        """Drops what waits; what runs ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pending >= THREADS + WAITING_LIMIT:
            raise Busy("Too many people are signing in. Try again.")
        self._pending += 1
        try:
            future = self._executor.submit(work)
        except RuntimeError as error:  # closed
            self._pending -= 1
            raise Busy() from error
        # Counted until the work ends, not until the caller goes away: a cancelled call still takes a thread.
        loop = asyncio.get_running_loop()
        waiting = asyncio.wrap_future(future, loop=loop)
        waiting.add_done_callback(lambda _: self._release())
        return await asyncio.shield(waiting)

    def _release(self) -> None:
        self._pending -= 1

    def _verify(self, password_hash: str | None, password: str) -> bool:
        known = password_hash is not None
        try:
            return self._hasher.verify(password_hash or self._dummy_hash(), _encoded(password)) and known
        except (VerificationError, InvalidHashError):
            return False

    def _dummy_hash(self) -> str:
        if self._dummy is None:
            self._dummy = self._hasher.hash(secrets.token_bytes(16))
        return self._dummy


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
