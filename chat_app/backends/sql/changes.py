"""Storing the changes of rooms in the writer's transaction: posts in bulk, everything else one by one.

The writers call `store_changes`; the rules are those of `ports.History`. Every change takes the room's next
`seq`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from chat_app.backends.sql.amendments import amend
from chat_app.backends.sql.direct import driver_of, savepoint, translated
from chat_app.backends.sql.failures import is_conflict, is_storage_failure, kind_of
from chat_app.backends.sql.management import manage
from chat_app.backends.sql.pins import pin
from chat_app.backends.sql.posts import store_posts
from chat_app.backends.sql.reactions import react
from chat_app.backends.sql.room_posts import store_room_posts
from chat_app.errors import ChatError
from chat_app.logs import log_event
from chat_app.models import Amend, Change, Committed, Manage, Pin, Post, React

_log = logging.getLogger(__name__)


def store_changes(
    connection: Connection, changes: Sequence[Change], hopeful: bool = False
) -> list[Committed | ChatError]:
    """Store them in their order; what is refused changes nothing and keeps nothing from the others.

    `hopeful`: without the savepoints around posts; a post that cannot be stored is raised then, and the
    transaction is lost. On PostgreSQL all changes are of one room.
    """
    results: list[Committed | ChatError] = []
    for kind, group in groupby(changes, type):
        if kind is Post:
            posts = [change for change in group if isinstance(change, Post)]
            results += _store_posts(connection, posts, hopeful=hopeful)
        else:
            results += [_store_one(connection, change) for change in group if not isinstance(change, Post)]
    return results


def _store_posts(
    connection: Connection, posts: list[Post], *, hopeful: bool = False
) -> list[Committed | ChatError]:
    sqlite = connection.dialect.name == "sqlite"
    part: AbstractContextManager[Any]
    if sqlite:
        part = translated() if hopeful else savepoint(driver_of(connection))
    else:
        part = nullcontext() if hopeful else connection.begin_nested()
    try:
        with part:
            return (store_posts if sqlite else store_room_posts)(connection, posts)
    except Exception as error:
        if hopeful or _ends_transaction(error):
            raise
        if len(posts) == 1:
            return [_refused(error)]
    # One of them cannot be stored (an unknown account, say): alone it harms nobody else.
    return [result for post in posts for result in _store_posts(connection, [post])]


def _store_one(connection: Connection, change: Amend | React | Pin | Manage) -> Committed | ChatError:
    try:
        with connection.begin_nested():
            match change:
                case Amend():
                    return amend(connection, change)
                case React():
                    return react(connection, change)
                case Pin():
                    return pin(connection, change)
                case Manage():
                    return manage(connection, change)
    except ChatError as error:
        return error
    except Exception as error:
        if _ends_transaction(error):
            raise
        return _refused(error)


def _ends_transaction(error: Exception) -> bool:
    return is_storage_failure(error) or is_conflict(error)


def _refused(error: Exception) -> ChatError:
    if isinstance(error, DBAPIError):
        log_event(_log, "database.change_refused", level=logging.ERROR, error=kind_of(error))
    else:
        log_event(_log, "database.change_refused", level=logging.ERROR, exc_info=error)
    return ChatError("bad_request", "That could not be stored.")
