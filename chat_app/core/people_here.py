"""Who follows rooms on this node, as the other nodes are told it: only what changed, gathered for a moment.

`remote_people.PeopleElsewhere` owns it.
"""

from __future__ import annotations

import asyncio

from chat_app.hints import PeopleChanged
from chat_app.ports import Broker

GATHER_SECONDS = 0.2
"""What happens in a room is told to the other nodes once in this time."""

Rooms = dict[str, dict[str, str]]
"""Names by room id and account id."""


class PeopleHere:
    """What was told, and what has to be."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._version = 0
        self._told: Rooms = {}
        self._moved: dict[str, dict[str, str | None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.hand_over()

    def hand_over(self) -> None:
        """The broker has who is here, as it was told last; what it is given is never changed afterwards."""
        self._broker.set_people(self._version, self._told)

    def moved(self, room_id: str, account_id: str, name: str | None) -> None:
        """An account follows the room under this name; None: it does no longer."""
        self._moved.setdefault(room_id, {})[account_id] = name
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self.tell)

    def tell(self) -> None:
        """What gathered, now. Who came and went again meanwhile is not mentioned."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moved, self._moved = self._moved, {}
        before, rooms = self._version, dict(self._told)
        for room_id, people in moved.items():
            told = rooms.get(room_id, {})
            joined = {key: name for key, name in people.items() if name is not None and told.get(key) != name}
            left = tuple(key for key, name in people.items() if name is None and key in told)
            if not joined and not left:
                continue
            rooms[room_id] = told = told | joined
            for account_id in left:
                del told[account_id]
            if not told:
                del rooms[room_id]
            self._version += 1
            self._broker.send(PeopleChanged(self._version, room_id, joined, left))
        if self._version != before:
            self._told = rooms
            self.hand_over()
