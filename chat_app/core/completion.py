"""Names that begin like what somebody types: for an @ in a room, and for whom to write to.

The handlers of `web/messages.py` ask. Nobody is told of who may not see the room.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from chat_app.core.connections import Connections
from chat_app.core.names import NAME_LIMIT, name_key
from chat_app.core.rooms import Room
from chat_app.ports import Accounts

NAMES_LIMIT = 10
_WORDS = re.compile(r"[ _.'-]")


class Found(Struct, frozen=True):
    """Somebody; `here`: in the room just now, or anywhere when no room was asked for."""

    id: str
    name: str
    here: bool


class Completion:
    """Finds people by the beginning of a name, or of a word in it."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        connections: Connections,
        is_elsewhere: Callable[[str], bool] = lambda account_id: False,
    ) -> None:
        self._accounts = accounts
        self._connections = connections
        self._is_elsewhere = is_elsewhere

    async def in_room(self, room: Room, query: str) -> list[Found]:
        """At most ten: who is here by name, who spoke lately, whoever else may see the room."""
        prefix = _prefix(query)
        if prefix is None:
            return []
        here = room.present()
        begun = [(name_key(name), name, key) for key, name in here.items()]
        found = [Found(key, name, True) for folded, name, key in sorted(begun) if _begins(folded, prefix)][
            :NAMES_LIMIT
        ]
        if len(found) < NAMES_LIMIT:
            # As many more as are here may come first again.
            limit = NAMES_LIMIT + len(found)
            others = await self._accounts.named(prefix, room_id=room.info.id, limit=limit)
            found += [Found(key, name, False) for key, name in others if key not in here]
        return found[:NAMES_LIMIT]

    async def everywhere(self, query: str) -> list[Found]:
        """At most ten of all accounts, by name."""
        prefix = _prefix(query)
        if prefix is None:
            return []
        found = await self._accounts.named(prefix, limit=NAMES_LIMIT)
        return [
            Found(key, name, bool(self._connections.of_account(key)) or self._is_elsewhere(key))
            for key, name in found
        ]


def _prefix(query: str) -> str | None:
    """What to look for; None for what begins no name."""
    if len(query) > NAME_LIMIT or "\0" in query:
        return None
    return name_key(query)


def _begins(folded: str, prefix: str) -> bool:
    return folded.startswith(prefix) or any(word.startswith(prefix) for word in _tails(folded))


def _tails(folded: str) -> list[str]:
    return [folded[match.end() :] for match in _WORDS.finditer(folded)]
