"""The one thread that writes: everything that waits is stored in one transaction (group commit).

`History` queues its changes here, the other ports functions. One commit is one synchronisation of the
disk, however much it stores, and its results reach the event loop in one callback, in the order in which they
were queued. It knows nothing of what is stored, but which jobs take something away: after those the -wal file
is emptied within `FORGET_SECONDS`, so that nothing of it stays in a file.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from chat_app.backends.sql.failures import describe, first_failure, is_locked, is_storage_failure
from chat_app.errors import Busy, ChatError
from chat_app.failpoints import reach
from chat_app.logs import log_event
from chat_app.models import Change, Committed
from chat_app.ports import Done

BATCH_LIMIT = 512
"""Jobs in one transaction: a bound for how long the first one waits for the last one."""

QUIET_SECONDS = 1.0
"""Without a job for so long, the -wal file is emptied if something was taken away."""
FORGET_SECONDS = 30.0
"""And at last after so long, if there is always one."""
_CHECKPOINT_BUSY_MS = 250
"""Readers keep the -wal file; it is tried again rather than that writing waits for them."""

T = TypeVar("T")
StoreChanges = Callable[[Connection, Sequence[Change], bool], "list[Committed | ChatError]"]
"""Stores changes in the transaction; the third argument says `hopeful`: see `changes.store_changes`."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _ChangeJob:
    change: Change
    done: Done


@dataclass(frozen=True)
class _CallJob:
    function: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    erases: bool = False


_Job = _ChangeJob | _CallJob
_Outcome = tuple[_Job, Any]


class Writer:
    """Owns the thread and the writing connection of `engine`, which it disposes of in the end.

    `on_fatal(line)` is called on the loop when the disk fails, once until a commit succeeds again;
    `on_commit(seconds, jobs)` after each commit. At `queue_limit` waiting jobs a further one raises `Busy`.
    """

    def __init__(
        self,
        engine: Engine,
        store_changes: StoreChanges,
        *,
        takes_away: Callable[[Change], bool] = lambda change: False,
        queue_limit: int,
        on_fatal: Callable[[str], None],
        on_commit: Callable[[float, int], None],
    ) -> None:
        self._engine = engine
        self._store_changes = store_changes
        self._takes_away = takes_away
        self._queue_limit = queue_limit
        self._on_fatal = on_fatal
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._gathered: list[_Job] = []
        self._queue: SimpleQueue[list[_Job] | None] = SimpleQueue()  # None: the end
        self._rest: list[_Job] = []
        self._submitted = 0  # counted on the loop only, `_taken` in the thread only
        self._taken = 0
        self._closing = False
        self._connection: Connection | None = None  # of the thread
        self.failed = False
        """Whether the last transaction was lost to the disk."""
        self._forget_by: float | None = time.monotonic()  # of the last run, which may have been killed
        self._thread = threading.Thread(target=self._work, name="sql-writer", daemon=True)
        self._thread.start()

    def submit(self, change: Change, done: Done) -> None:
        """Queue a change; `done` is called on the loop. Raises `Busy` at once when the queue is full."""
        self._put(_ChangeJob(change, done))

    async def write(self, function: Callable[[Connection], T], *, erases: bool = False) -> T:
        """Run `function` in a savepoint of the next transaction; its result after the commit.

        `erases`: it takes something away that must not stay in any file.

        What it raises is raised here and undoes only what it did. Raises `Busy` when nothing could be stored.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._put(_CallJob(function, future, erases))
        return await future

    async def settle(self) -> None:
        """Wait until everything that is queued now is committed and handed over, however full the queue is.

        Raises `Busy` only when it is closed.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self._put(_CallJob(lambda connection: None, future), bounded=False)
        await future

    async def close(self) -> None:
        """Commit what is queued, hand over its results and end the thread. What comes later raises `Busy`."""
        self._closing = True
        self._hand_in()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _put(self, job: _Job, *, bounded: bool = True) -> None:
        if self._closing or (bounded and self._submitted - self._taken >= self._queue_limit):
            raise Busy()
        if not self._gathered:
            # The thread would begin with the first of those that came together, and store it alone.
            self._loop.call_soon(self._hand_in)
        self._gathered.append(job)
        self._submitted += 1

    def _hand_in(self) -> None:
        """What one turn of the loop brought."""
        jobs, self._gathered = self._gathered, []
        if jobs:
            self._queue.put(jobs)

    # -- in the thread ---------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (jobs := self._take()) is not None:
                if jobs:
                    self._commit(jobs)
                if self._forget_by is not None and (not jobs or time.monotonic() >= self._forget_by):
                    self._empty_log()
        finally:
            self._reconnect()
            self._engine.dispose()

    def _reconnect(self) -> None:
        """The next transaction begins on a fresh connection, in whatever state the failed one is."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    def _take(self) -> list[_Job] | None:
        """What waits; nothing after a quiet moment in which to forget; None at the end."""
        jobs, self._rest = self._rest, []
        quiet = None if self._forget_by is None else QUIET_SECONDS
        ended = False
        with suppress(Empty):
            while len(jobs) < BATCH_LIMIT:
                more = self._queue.get(block=not jobs, timeout=quiet)
                if more is None:
                    self._queue.put(None)  # told again once these are stored
                    ended = True
                    break
                jobs += more
        jobs, self._rest = jobs[:BATCH_LIMIT], jobs[BATCH_LIMIT:]
        self._taken += len(jobs)
        return None if ended and not jobs else jobs

    def _commit(self, jobs: list[_Job]) -> None:
        started = time.perf_counter()
        fatal: str | None = None
        try:
            outcomes = self._transact(jobs)
            reach("after-commit")
            self.failed = False
        except SQLAlchemyError as raised:
            self._reconnect()
            error = first_failure(raised)
            outcomes = [(job, Busy()) for job in jobs]
            if is_locked(error):
                outcomes += [(job, Busy()) for job in self._give_up()]
            else:
                if not self.failed:
                    fatal = f"The database cannot be written: {describe(error)}."
                self.failed = True
                log_event(_log, "database.write_failed", level=logging.ERROR, error=describe(error))
        except Exception as error:  # the thread outlives whatever one batch holds
            self._reconnect()
            log_event(_log, "database.write_error", level=logging.ERROR, exc_info=error)
            outcomes = [(job, Busy()) for job in jobs]
        if self._forget_by is None and any(self._erases(job) for job in jobs):
            self._forget_by = time.monotonic() + FORGET_SECONDS
        seconds = time.perf_counter() - started
        try:
            self._loop.call_soon_threadsafe(self._deliver, outcomes, seconds, fatal)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            log_event(_log, "database.results_lost", level=logging.WARNING, jobs=len(jobs))

    def _transact(self, jobs: list[_Job]) -> list[_Outcome]:
        """Stores them in one transaction. Raises what the database raises when it fails."""
        connection = self._connection = self._connection or self._engine.connect()
        if not any(isinstance(job, _CallJob) for job in jobs):  # a function is called once
            try:
                return self._in_transaction(connection, jobs, hopeful=True)
            except Exception as raised:
                if is_storage_failure(first_failure(raised)):
                    raise
        return self._in_transaction(connection, jobs, hopeful=False)

    def _in_transaction(self, connection: Connection, jobs: list[_Job], *, hopeful: bool) -> list[_Outcome]:
        with connection.begin():
            outcomes = self._store(connection, jobs, hopeful=hopeful)
            reach("before-commit")
        return outcomes

    def _erases(self, job: _Job) -> bool:
        return job.erases if isinstance(job, _CallJob) else self._takes_away(job.change)

    def _empty_log(self) -> None:
        """All of the -wal file into the database, and the file cut to nothing; again later if in use."""
        try:
            connection = self._connection = self._connection or self._engine.connect()
            cursor: Any = connection.connection.cursor()
            (before,) = cursor.execute("PRAGMA busy_timeout").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={_CHECKPOINT_BUSY_MS}")
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={before}")
        except (SQLAlchemyError, sqlite3.Error) as error:
            self._reconnect()
            log_event(_log, "database.not_emptied", level=logging.ERROR, error=describe(error))
            busy = 1
        self._forget_by = time.monotonic() + FORGET_SECONDS if busy else None

    def _give_up(self) -> list[_Job]:
        """What waits, when it closes and the database is held: each further try would wait as long again."""
        waiting: list[_Job] = []
        if self._closing:
            waiting, self._rest = self._rest, []
            with suppress(Empty):
                while (more := self._queue.get(block=False)) is not None:
                    waiting += more
            self._queue.put(None)
        return waiting

    def _store(self, connection: Connection, jobs: list[_Job], *, hopeful: bool) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        for kind, group in groupby(jobs, type):
            run = list(group)
            if kind is _ChangeJob:
                changes = [job.change for job in run if isinstance(job, _ChangeJob)]
                outcomes += zip(run, self._store_changes(connection, changes, hopeful), strict=True)
            else:
                outcomes += [(job, _called(connection, job)) for job in run if isinstance(job, _CallJob)]
        return outcomes

    # -- on the event loop -----------------------------------------------------------------------------------

    def _deliver(self, outcomes: list[_Outcome], seconds: float, fatal: str | None) -> None:
        for job, outcome in outcomes:
            try:
                _hand_over(job, outcome)
            except Exception as error:  # one receiver must not keep the results from the others
                log_event(_log, "database.receiver_failed", level=logging.ERROR, exc_info=error)
        if fatal is not None:
            self._on_fatal(fatal)
        self._on_commit(seconds, len(outcomes))


def _called(connection: Connection, job: _CallJob) -> Any:
    try:
        with connection.begin_nested():
            return _Returned(job.function(connection))
    except Exception as error:
        if is_storage_failure(error):  # the transaction itself is lost
            raise
        return error


@dataclass(frozen=True)
class _Returned:
    value: Any


def _hand_over(job: _Job, outcome: Any) -> None:
    if isinstance(job, _ChangeJob):
        job.done(outcome)
    elif not job.future.done():  # else its caller has gone away
        if isinstance(outcome, _Returned):
            job.future.set_result(outcome.value)
        else:
            job.future.set_exception(outcome)
