"""What the nodes of one installation tell each other: hints, whose loss loses nothing (docs/adr/0010).

A node does a thing in the database first and tells it then; who misses it finds out by comparing with the
database. `ports.Broker` carries them, `core/cluster.py` takes them. Nodes of the previous version hear them
during an upgrade: a new field has a default and changes nothing that an old one says, an unknown kind is
skipped.
"""

from __future__ import annotations

import msgspec

from chat_app.models import Committed, Notify


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """A change was committed to a room's log."""

    change: Committed


class RoomMade(msgspec.Struct, frozen=True, tag="room"):
    """There is a new room."""

    room_id: str


class AccountChanged(msgspec.Struct, frozen=True, tag="account"):
    """An account has another name, role, language, password or state."""

    account_id: str


class SessionsEnded(msgspec.Struct, frozen=True, tag="sessions"):
    """Sessions of an account ended: their sockets close with `code`."""

    account_id: str
    session_ids: tuple[str, ...]
    code: int
    reason: str


class ReadTo(msgspec.Struct, frozen=True, tag="read"):
    """An account read a room up to `seq`."""

    account_id: str
    room_id: str
    seq: int


class NotifySet(msgspec.Struct, frozen=True, tag="notify"):
    """An account chose what it wants to be notified of in a room."""

    account_id: str
    room_id: str
    notify: Notify


class Typing(msgspec.Struct, frozen=True, tag="typing"):
    """Somebody types in a room."""

    account_id: str
    room_id: str


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """Something counted towards a shared limit `times`; below 0: taken back; 0: the key is forgotten."""

    window: str
    key: str
    times: int


class PeopleChanged(msgspec.Struct, frozen=True, tag="people"):
    """Who follows rooms on the node that tells it. `version` counts its changes by one: who misses one reads
    all of them (`Broker.people`).
    """

    version: int
    room_id: str
    joined: dict[str, str]
    """Names by account id."""
    left: tuple[str, ...]


Hint = (
    Changed
    | RoomMade
    | AccountChanged
    | SessionsEnded
    | ReadTo
    | NotifySet
    | Typing
    | Counted
    | PeopleChanged
)
