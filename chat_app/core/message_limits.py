"""The three limits of what would be stored: by connection, by account and by address. `chat.py` asks."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from chat_app.core.connection import Connection
from chat_app.core.limits import SlidingWindow
from chat_app.errors import RateLimited


class Limits:
    """The message limits: all three have to allow a message, then it counts in all three."""

    def __init__(
        self, *, connection: int, account: int, address: int, seconds: float, monotonic: Callable[[], float]
    ) -> None:
        self._windows = (
            SlidingWindow(connection, seconds, monotonic),
            SlidingWindow(account, seconds, monotonic),
            SlidingWindow(address, seconds, monotonic),
        )
        keys: tuple[Callable[[Connection], str], ...] = (
            attrgetter("client_id"),
            attrgetter("account.id"),
            attrgetter("address"),
        )
        self._on = [(window, key) for window, key in zip(self._windows, keys, strict=True) if not window.off]

    def windows(self) -> dict[str, SlidingWindow]:
        """The limits that count over all nodes, by a name for each."""
        return {"messages_of_account": self._windows[1], "messages_of_address": self._windows[2]}

    def take(self, connection: Connection) -> None:
        """Counts a message. Raises `RateLimited` with the seconds until it is allowed."""
        wait = 0.0
        for window, key in self._on:
            wait = max(wait, window.peek(key(connection)))
        if wait > 0:
            raise RateLimited("Too many messages. Wait a moment.", retry_after=round(wait, 3))
        for window, key in self._on:
            window.count(key(connection))

    def refund(self, connection: Connection) -> None:
        """The message was not stored after all."""
        for window, key in self._on:
            window.refund(key(connection))
