"""What other nodes tell, handed to whom it concerns: `ports.Receiver` for the whole core.

`app.py` makes one when there is a broker. It decides nothing: what a hint means is known by those it is
handed to, and each of them finds out by the database what a lost hint would have told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, assert_never

from chat_app.hints import (
    AccountChanged,
    Changed,
    Counted,
    Hint,
    NotifySet,
    PeopleChanged,
    ReadTo,
    RoomMade,
    SessionsEnded,
    Typing,
)
from chat_app.models import Committed, Notify


class RoomFollower(Protocol):
    """Keeps the rooms of this node where the database is (`core/follower.py`)."""

    def offer(self, change: Committed) -> None:
        """A change that another node committed."""

    def look_up(self, room_id: str) -> None:
        """A room that may be new here."""

    def notify_set(self, account_id: str, room_id: str, notify: Notify) -> None:
        """What an account chose."""

    def read_to(self, account_id: str, room_id: str, seq: int) -> None:
        """How far an account has read."""

    def connection_changed(self, up: bool) -> None:
        """With True: compare every head now. With False: often."""


class AccountFollower(Protocol):
    """Keeps accounts and sessions (`core/remote_accounts.py`)."""

    def account_changed(self, account_id: str) -> None:
        """Look at the account again."""

    def sessions_ended(self, account_id: str, session_ids: tuple[str, ...], code: int, reason: str) -> None:
        """Close their sockets."""

    def connection_changed(self, up: bool) -> None:
        """With True: look at every session that has a socket here."""


class RemotePeople(Protocol):
    """Who is on the other nodes (`core/remote_people.py`)."""

    def changed(self, node_id: str, change: PeopleChanged) -> None:
        """Somebody came or went there."""

    def typing(self, account_id: str, room_id: str) -> None:
        """Somebody types there."""

    def nodes_alive(self, versions: Mapping[str, int]) -> None:
        """Who is not among them is gone; whose version is another is read again."""

    def connection_changed(self, up: bool) -> None:
        """With False who is elsewhere is unknown from now on."""


class SharedLimits(Protocol):
    """Limits that count over all nodes (`core/shared_limits.py`)."""

    def counted(self, hint: Counted) -> None:
        """Another node counted."""

    def nodes_alive(self, number: int) -> None:
        """How many other nodes there are."""

    def connection_changed(self, up: bool) -> None:
        """With False this node has its share only."""


class Cluster:
    """`ports.Receiver`."""

    def __init__(
        self, *, rooms: RoomFollower, accounts: AccountFollower, people: RemotePeople, limits: SharedLimits
    ) -> None:
        self._rooms = rooms
        self._accounts = accounts
        self._people = people
        self._limits = limits

    def receive(self, node_id: str, hint: Hint) -> None:
        """A hint of another node."""
        match hint:
            case Changed():
                self._rooms.offer(hint.change)
            case RoomMade():
                self._rooms.look_up(hint.room_id)
            case NotifySet():
                self._rooms.notify_set(hint.account_id, hint.room_id, hint.notify)
            case ReadTo():
                self._rooms.read_to(hint.account_id, hint.room_id, hint.seq)
            case AccountChanged():
                self._accounts.account_changed(hint.account_id)
            case SessionsEnded():
                self._accounts.sessions_ended(hint.account_id, hint.session_ids, hint.code, hint.reason)
            case Typing():
                self._people.typing(hint.account_id, hint.room_id)
            case PeopleChanged():
                self._people.changed(node_id, hint)
            case Counted():
                self._limits.counted(hint)
            case _:
                assert_never(hint)

    def connection_changed(self, up: bool) -> None:
        """Whether hints arrive now."""
        for part in (self._rooms, self._accounts, self._people, self._limits):
            part.connection_changed(up)

    def nodes_alive(self, versions: Mapping[str, int]) -> None:
        """The living other nodes."""
        self._people.nodes_alive(versions)
        self._limits.nodes_alive(len(versions))


class Alone:
    """`ports.Broker` of the only process there is: nobody hears anything."""

    node_id = "alone"
    up = True

    def start(self, receiver: object) -> None:
        """Nothing will come."""

    def send(self, hint: Hint) -> None:
        """Nobody is told."""

    def set_people(self, version: int, rooms: Mapping[str, Mapping[str, str]]) -> None:
        """Nobody asks."""

    async def people(self, node_id: str) -> tuple[int, dict[str, dict[str, str]]] | None:
        """There are no others."""
        return None

    async def close(self) -> None:
        """Nothing is open."""


ALONE = Alone()
"""It knows nothing, so one is enough."""
