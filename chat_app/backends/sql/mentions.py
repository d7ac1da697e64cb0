"""Which accounts a text names with @: `changes` stores them beside the message.

A name may hold spaces, so the longest account name that begins after the @ and ends at a boundary counts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from chat_app.backends.sql.schema import accounts, room_members, rooms
from chat_app.models import Message

MENTIONS_LIMIT = 10
"""At most so many @ of a text are looked at."""
NAME_LIMIT = 24
"""Characters of an account's name (protocol.md)."""
_LOOKUP_SIZE = 500
"""Names in one statement: databases bound the number of parameters."""


def candidates(text: str) -> list[list[str]]:
    """For each @ that begins a word the `name_key`s that may stand there, the longest first."""
    found: list[list[str]] = []
    at = text.find("@")
    while at >= 0 and len(found) < MENTIONS_LIMIT:
        if at == 0 or not _is_word(text[at - 1]):
            found.append(_prefixes(text[at + 1 : at + 2 + NAME_LIMIT]))
        at = text.find("@", at + 1)
    return found


def look_up(connection: Connection, keys: Iterable[str]) -> dict[str, str]:
    """Account ids by `name_key`, for those that exist."""
    wanted = sorted(set(keys))
    ids: dict[str, str] = {}
    for start in range(0, len(wanted), _LOOKUP_SIZE):
        chosen = accounts.c.name_key.in_(wanted[start : start + _LOOKUP_SIZE])
        rows = connection.execute(select(accounts.c.name_key, accounts.c.id).where(chosen))
        ids |= dict(rows.all())
    return ids


def mentioned(found: list[list[str]], ids: Mapping[str, str], *, author_id: str) -> tuple[str, ...]:
    """The accounts named, each once, without the author."""
    named = (next((ids[key] for key in keys if key in ids), author_id) for keys in found)
    return tuple(dict.fromkeys(account_id for account_id in named if account_id != author_id))


def closed_rooms(connection: Connection, room_ids: Iterable[str]) -> dict[str, frozenset[str]]:
    """The members of those rooms that not everybody sees, by room id."""
    wanted = list(room_ids)
    if not wanted:
        return {}
    closed = select(rooms.c.id).where(rooms.c.id.in_(wanted), rooms.c.kind != "public")
    members: dict[str, set[str]] = {room_id: set() for (room_id,) in connection.execute(closed)}
    if members:
        chosen = room_members.c.room_id.in_(list(members))
        rows = connection.execute(select(room_members.c.room_id, room_members.c.account_id).where(chosen))
        for room_id, account_id in rows:
            members[room_id].add(account_id)
    return {room_id: frozenset(ids) for room_id, ids in members.items()}


def only_members(named: tuple[str, ...], members: frozenset[str] | None) -> tuple[str, ...]:
    """Without those who may not see the room; `members` None: everybody may."""
    return named if members is None else tuple(name for name in named if name in members)


def called(present: tuple[str, ...] | None, named: tuple[str, ...], *, author_id: str) -> tuple[str, ...]:
    """Whom an @here calls beside those who are named: everybody present but the author."""
    if not present:
        return ()
    known = {author_id, *named}
    return tuple(account_id for account_id in present if account_id not in known)


def mention_rows(
    message: Message, named: tuple[str, ...], also: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """The rows of a message that names some and calls others with @here."""
    of_message = {"message_id": message.id, "room_id": message.room_id, "seq": message.seq}
    return [
        {**of_message, "account_id": account_id, "here": here}
        for ids, here in ((named, False), (also, True))
        for account_id in ids
    ]


def _prefixes(rest: str) -> list[str]:
    """Prefixes of at most `NAME_LIMIT` characters that end where a word ends; `rest` is one longer."""
    line = rest.split("\n", 1)[0]
    ends = [
        end
        for end in range(1, min(len(line), NAME_LIMIT) + 1)
        if end == len(rest) or not (_is_word(rest[end - 1]) and _is_word(rest[end]))
    ]
    keys = (unicodedata.normalize("NFKC", line[:end]).casefold() for end in reversed(ends))
    return [key for key in dict.fromkeys(keys) if key and not key[-1].isspace()]


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")
