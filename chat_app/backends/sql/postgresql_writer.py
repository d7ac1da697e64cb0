"""Writing to PostgreSQL: of each room one transaction at a time, of different rooms several (group commit).

What comes for a room while its transaction runs is stored together in the next one. `History` queues its
changes here, the other ports functions. PostgreSQL may go away and come back: what was under way is answered
with `Busy`, for nobody knows whether it was stored; sent again it is found by its nonce.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from chat_app.backends.sql.changes import store_changes
from chat_app.backends.sql.failures import describe, first_failure, is_conflict, is_storage_failure
from chat_app.backends.sql.postgresql_connections import Slots, transact
from chat_app.backends.sql.writer import BATCH_LIMIT
from chat_app.errors import Busy, ChatError
from chat_app.failpoints import reach
from chat_app.logs import log_event
from chat_app.models import Change, Committed
from chat_app.ports import Done

CONNECTIONS = 8
"""Rooms and functions that are stored at the same time; the others wait for their turn."""

T = TypeVar("T")
_Outcome = Committed | ChatError
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Job:
    change: Change | None
    """None: it stands for everything before it."""
    done: Done


class PostgresqlWriter:
    """Owns the connections of `engine`. `on_commit(seconds, jobs)` is called after each transaction.

    At `queue_limit` waiting jobs a further one raises `Busy`.
    """

    def __init__(
        self, engine: AsyncEngine, *, queue_limit: int, on_commit: Callable[[float, int], None]
    ) -> None:
        self._engine = engine
        self._queue_limit = queue_limit
        self._on_commit = on_commit
        self._slots = Slots(CONNECTIONS)
        self._rooms: dict[str, deque[_Job]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._calls: set[asyncio.Task[Any]] = set()
        self._waiting = 0
        self._closing = False
        self.failed = False
        """Whether the last transaction was lost with its connection."""

    def submit(self, change: Change, done: Done) -> None:
        """Queue a change; `done` is called on the loop. Raises `Busy` at once when the queue is full."""
        self._admit()
        queue = self._rooms.get(change.room_id)
        if queue is None:
            queue = self._rooms[change.room_id] = deque()
            self._start(self._store_room(change.room_id, queue))  # begins with all that this turn brings
        queue.append(_Job(change, done))

    async def write(self, function: Callable[[Connection], T], *, erases: bool = False) -> T:
        """Run `function` in a transaction of its own; its result after the commit.

        What it raises is raised here and undoes what it did. Raises `Busy` when nobody knows whether it was
        stored. `erases` is SQLite's: what PostgreSQL deletes, its vacuum clears away.
        """
        self._admit()
        task = self._start(self._call(function))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return await asyncio.shield(task)  # who asked may go away meanwhile

    async def settle(self) -> None:
        """Wait until everything that is queued now is committed and handed over, however full the queue is.

        Raises `Busy` only when it is closed.
        """
        if self._closing:
            raise Busy()
        reached = []
        for queue in self._rooms.values():
            mark = asyncio.get_running_loop().create_future()
            queue.append(_Job(None, lambda _, mark=mark: mark.set_result(None)))  # type: ignore[misc]
            reached.append(mark)
            self._waiting += 1
        await asyncio.gather(*self._calls, *reached, return_exceptions=True)

    async def close(self) -> None:
        """Commit what is queued, hand over its results and close. What comes later raises `Busy`."""
        self._closing = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.dispose()

    def _admit(self) -> None:
        if self._closing or self._waiting >= self._queue_limit:
            raise Busy()
        self._waiting += 1

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- changes of rooms ------------------------------------------------------------------------------------

    async def _store_room(self, room_id: str, queue: deque[_Job]) -> None:
        """One transaction after the other, until nothing waits for the room."""
        while queue:
            try:
                async with self._slots:
                    jobs = self._take(queue)
                    started = time.perf_counter()
                    outcomes = await self._stored([job.change for job in jobs if job.change is not None])
                    _hand_over(jobs, outcomes)
                    self._on_commit(time.perf_counter() - started, len(jobs))
            except TimeoutError:  # everybody waits for the database
                _refuse(self._take(queue))
            while queue and self._gives_up():
                _refuse(self._take(queue))
        del self._rooms[room_id]

    def _take(self, queue: deque[_Job]) -> list[_Job]:
        jobs = [queue.popleft() for _ in range(min(len(queue), BATCH_LIMIT))]
        self._waiting -= len(jobs)
        return jobs

    async def _stored(self, changes: Sequence[Change]) -> Sequence[_Outcome]:
        """What became of them, never an error."""
        if not changes:
            return []
        try:
            return await self._transact(
                lambda connection: store_changes(connection, changes, hopeful=True),
                lambda connection: store_changes(connection, changes),
            )
        except Busy as busy:
            return [busy for _ in changes]
        except Exception as error:  # a room goes on whatever one batch holds
            log_event(_log, "database.write_error", level=logging.ERROR, exc_info=error)
            return [Busy() for _ in changes]

    # -- transactions ----------------------------------------------------------------------------------------

    async def _call(self, function: Callable[[Connection], T]) -> T:
        try:
            async with self._slots:
                self._waiting -= 1
                if self._gives_up():
                    raise Busy()
                started = time.perf_counter()
                result = await self._transact(function, None)
        except TimeoutError:
            self._waiting -= 1
            raise Busy() from None
        self._on_commit(time.perf_counter() - started, 1)
        return result

    async def _transact(
        self, function: Callable[[Connection], T], careful: Callable[[Connection], T] | None
    ) -> T:
        """The result of `function`; after what another transaction did to it, or what it could not store, of
        `careful`. Raises `Busy` when the database is away.
        """
        try:
            try:
                result = await transact(self._engine, function, before_commit=_before_commit)
            except Exception as raised:
                error = first_failure(raised)
                if is_storage_failure(error) or (careful is None and not is_conflict(error)):
                    raise
                result = await transact(self._engine, careful or function, before_commit=_before_commit)
        except Exception as raised:
            error = first_failure(raised)
            if is_storage_failure(error):
                self._lost(error)
            elif not is_conflict(error):
                raise
            raise Busy() from raised
        reach("after-commit")
        if self.failed:
            log_event(_log, "database.back", level=logging.WARNING)
        self.failed = False
        return result

    def _gives_up(self) -> bool:
        """When it closes and the database is away, each further try would wait as long again."""
        return self._closing and self.failed

    def _lost(self, error: BaseException) -> None:
        if not self.failed:
            log_event(_log, "database.away", level=logging.ERROR, error=describe(error))
        self.failed = True


def _before_commit() -> None:
    reach("before-commit")


def _refuse(jobs: list[_Job]) -> None:
    _hand_over(jobs, [Busy() for job in jobs if job.change is not None])


def _hand_over(jobs: list[_Job], outcomes: Sequence[_Outcome]) -> None:
    results = iter(outcomes)
    for job in jobs:
        try:
            job.done(Busy() if job.change is None else next(results))
        except Exception as error:  # one receiver must not keep the results from the others
            log_event(_log, "database.receiver_failed", level=logging.ERROR, exc_info=error)
