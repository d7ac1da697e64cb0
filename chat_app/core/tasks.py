"""What runs in the background: `app.py` makes one `Tasks`, rooms and followers start theirs with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

_log = logging.getLogger(__name__)


class Tasks:
    """Owns what runs in the background: logs what fails, cancels the rest at the end."""

    def __init__(self, on_error: Callable[[], None]) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._on_error = on_error

    def start(self, coroutine: Coroutine[None, None, None]) -> None:
        """Runs a coroutine to its end."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_error()
            _log.error("background task failed", exc_info=error)

    async def close(self) -> None:
        """Cancels and awaits everything."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
