"""Connections to Redis, with short deadlines and without redis-py's own retries and silent resubscription.

`redis.RedisBroker` calls it. Where a method raises AWAY, Redis may have done what was asked, or not.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Connection
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

AWAY = (RedisError, OSError, TimeoutError)
"""What is raised when Redis does not do what is asked: gone, silent, or unwilling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often and how long; tests shorten them."""

    reply_seconds: float = 1.0
    """For Redis to take a connection, and to answer a command."""
    probe_seconds: float = 1.0
    patience_seconds: float = 3.0
    """Without a probe of one's own for so long, nothing arrives."""
    retry_seconds: tuple[float, float] = (0.2, 2.0)
    """Before the first further attempt, and at most; a random part of it is left out."""
    gather_seconds: float = 0.5
    """For people who come and go together to be written together."""
    renew_seconds: float = 5.0
    life_seconds: float = 12.0
    """Of a node that no longer says that it lives. The others look every `renew_seconds`, and within 20 s it
    is to be gone from their lists, even if it said so just before.
    """


INTERVALS = Intervals()


class Line:
    """One connection for one task at a time, opened when it is used first and again after `drop`."""

    def __init__(self, connection: AbstractConnection, reply_seconds: float) -> None:
        self._connection = connection
        self._reply_seconds = reply_seconds

    async def ask(self, *command: str | bytes | int) -> object:
        """The answer to a command. Raises AWAY, and has dropped the line then."""
        (answer,) = await self.ask_all([command])
        return answer

    async def ask_all(self, commands: Sequence[Sequence[str | bytes | int]]) -> list[object]:
        """The answers to commands that go out together. Raises AWAY for the first one that fails."""
        connection = self._connection
        try:
            if not connection.is_connected:
                async with asyncio.timeout(2 * self._reply_seconds):  # to connect, and to sign in
                    await connection.connect()  # type: ignore[no-untyped-call]
            async with asyncio.timeout(self._reply_seconds):
                await connection.send_packed_command(connection.pack_commands(commands))
                return [await connection.read_response() for _ in commands]
        except BaseException:
            await self.drop()  # what was not read would be taken for the next answer
            raise

    async def read(self) -> list[Any]:
        """What a subscription brings next, however long it takes. Raises AWAY when the connection ends."""
        return cast(list[Any], await self._connection.read_response(timeout=math.inf))

    async def drop(self) -> None:
        """Closes without waiting for anybody."""
        await self._connection.disconnect(nowait=True)


class Lines:
    """Where the lines come from. Raises ValueError, without the URL, when that cannot be used."""

    def __init__(self, url: str, *, reply_seconds: float) -> None:
        self._reply_seconds = reply_seconds
        self._options: dict[str, Any] = dict(parse_url(url))
        self._kind: type[AbstractConnection] = self._options.pop("connection_class", Connection)
        for pool_option in ("max_connections", "timeout", "retry_on_error"):
            self._options.pop(pool_option, None)
        self._options |= {  # whatever the URL says: the broker relies on these
            # redis-py's own would make a task for each command, and `asyncio.wait_for` of Python 3.11 may
            # swallow that it is cancelled: `Line` has a clock of its own
            "socket_timeout": None,
            "socket_connect_timeout": reply_seconds,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_timeout": False,
            "health_check_interval": 0,
            "decode_responses": False,
            "protocol": 2,
            "driver_info": None,
        }
        try:
            self.line()
        except TypeError:
            raise ValueError("one of its options is unknown") from None

    def line(self) -> Line:
        """A new one, not opened yet."""
        return Line(self._kind(**self._options), self._reply_seconds)
