"""Who is in a room, told in gathered changes, and who is typing. Best effort: nothing of it is in the log.

A `Room` owns its `People`; `rooms.follow` and `unfollow` report comings and goings here, counted by account,
`remote_people.PeopleElsewhere` those of the other nodes. Somebody is here as long as on any of them.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Protocol

from msgspec import UNSET, Raw

from chat_app.models import Account
from chat_app.protocol import PresenceFrame, TypingFrame, encode, event_frame

if TYPE_CHECKING:
    from chat_app.core.connection import Connection
    from chat_app.core.rooms import Room

GATHER_SECONDS = 1.0
LEAVE_SECONDS = 5.0
TYPING_SECONDS = 5.0
TYPING_PAUSE_SECONDS = 2.0
"""Somebody is told to be typing once in this time, from however many tabs."""


class Watcher(Protocol):
    """Who is told of what happens on this node, for the others (`core/remote_people.py`)."""

    partial: bool
    """Whether who is on other nodes is not known."""

    def moved(self, room_id: str, account_id: str, name: str | None) -> None:
        """An account follows the room here, under this name; None: it does no longer."""

    def types(self, room_id: str, account_id: str) -> None:
        """Somebody types here; told as seldom as to the clients."""


class People:
    """The people of one room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.watcher: Watcher | None = None
        """None: there are no other nodes."""
        self._connections: dict[str, int] = {}
        """Of this node, by account."""
        self._elsewhere: dict[str, int] = {}
        """On how many other nodes an account is."""
        self._names: dict[str, str] = {}
        self._leaving: dict[str, float] = {}
        self._joined: dict[str, str] = {}
        self._left: dict[str, str] = {}
        self._quiet = False
        """Whether somebody came or went who is in neither of them: then all are told."""
        self._told_at = -GATHER_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._typing: dict[str, float] = {}
        self._typing_told_at = -GATHER_SECONDS
        self._typing_timer: asyncio.TimerHandle | None = None
        self._sorted: list[tuple[str, str]] = []
        """(case folded name, name) of who is here, in order: with 1,000 of them sorting anew would tell."""
        self._users: Raw | None = None
        self._everyone: bytes | None = None

    def names(self) -> list[str]:
        """Who is here, by name."""
        return [name for _, name in self._sorted]

    def by_id(self) -> dict[str, str]:
        """The names of who is here by id."""
        return dict(self._names)

    @property
    def partial(self) -> bool:
        """Whether who is here on other nodes is not known."""
        return self.watcher is not None and self.watcher.partial

    def arrive(self, account: Account) -> None:
        """One more connection of an account follows the room."""
        count = self._connections.get(account.id, 0)
        self._connections[account.id] = count + 1
        if not count and self.watcher is not None:
            self.watcher.moved(self._room.info.id, account.id, account.name)
        if self._come(account.id, account.name):
            self._arrange()

    def depart(self, account: Account) -> None:
        """One connection less; the last one's leaving is told after 5 s."""
        count = self._connections.get(account.id, 0) - 1
        if count > 0:
            self._connections[account.id] = count
            return
        self._connections.pop(account.id, None)
        if self.watcher is not None:
            self.watcher.moved(self._room.info.id, account.id, None)
        self._leave_soon(account.id)

    def rename(self, account: Account) -> None:
        """Another name of an account is told as one leaving and one joining: people are told by name."""
        if not self._rename(account.id, account.name):
            return
        if account.id in self._connections and self.watcher is not None:
            self.watcher.moved(self._room.info.id, account.id, account.name)
        self._arrange()

    def come_elsewhere(self, account_id: str, name: str, *, quiet: bool = False) -> None:
        """An account follows the room on one more of the other nodes. `quiet`: `tell_everyone` tells it."""
        self._elsewhere[account_id] = self._elsewhere.get(account_id, 0) + 1
        known = self._names.get(account_id) if account_id in self._connections else None
        if self._come(account_id, known or name, quiet=quiet) and not quiet:
            self._arrange()

    def rename_elsewhere(self, account_id: str, name: str) -> None:
        """It has this name there; who is here too has the name it has here."""
        if account_id not in self._connections and self._rename(account_id, name):
            self._arrange()

    def go_elsewhere(self, account_id: str, *, now: bool = False, quiet: bool = False) -> None:
        """On one less of the other nodes. Told after 5 s, or `now`; `quiet`: `tell_everyone` tells it."""
        count = self._elsewhere.get(account_id, 0) - 1
        if count > 0:
            self._elsewhere[account_id] = count
            return
        self._elsewhere.pop(account_id, None)
        if account_id in self._connections or account_id not in self._names:
            return
        if now or quiet:
            self._go(account_id, quiet=quiet)
            if not quiet:
                self._arrange()
        else:
            self._leave_soon(account_id)

    def tell_everyone(self, *, users: bool) -> None:
        """Tells all clients how it stands; with all `users`, whatever they were told before."""
        self._everyone = None
        if users:
            self._joined.clear()
            self._left.clear()
        self._quiet = bool(self._room.cursors) and (users or self._quiet)
        if self._room.cursors:
            self._tell(asyncio.get_running_loop().time())
        self._arrange()

    def welcome(self, connection: Connection) -> None:
        """The first presence after joining: everybody who is here."""
        connection.tell(event_frame(self._frame([connection.account.name], [], users=True)))

    def everyone_frame(self) -> bytes:
        """The newest state, for who missed changes."""
        if self._everyone is None:
            self._everyone = event_frame(self._frame([], [], users=True))
        return self._everyone

    def type(self, account: Account) -> None:
        """Somebody types; gone after 5 s, or with the message. Told at once, further ones within a second
        together.
        """
        if self._type(account.name) and self.watcher is not None:
            self.watcher.types(self._room.info.id, account.id)

    def type_elsewhere(self, account_id: str) -> None:
        """Somebody types on another node."""
        if (name := self._names.get(account_id)) is not None:
            self._type(name)

    def _type(self, typist: str) -> bool:
        """Whether it is news."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._typing.get(typist, 0.0) > now + TYPING_SECONDS - TYPING_PAUSE_SECONDS:
            return False
        self._typing = {name: until for name, until in self._typing.items() if until > now}
        self._typing[typist] = now + TYPING_SECONDS
        if now >= self._typing_told_at + GATHER_SECONDS:
            self._tell_typing()
        elif self._typing_timer is None:
            self._typing_timer = loop.call_at(self._typing_told_at + GATHER_SECONDS, self._tell_typing)
        return True

    def typed(self, account: Account) -> None:
        """The message is there: its author types no longer."""
        self._typing.pop(account.name, None)

    def close(self) -> None:
        """No timer is left behind."""
        self._cancel()
        if self._typing_timer is not None:
            self._typing_timer.cancel()
            self._typing_timer = None

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _come(self, account_id: str, name: str, *, quiet: bool = False) -> bool:
        """Whether anything changed by it."""
        self._leaving.pop(account_id, None)
        if account_id in self._names:
            return self._rename(account_id, name)
        self._names[account_id] = name
        insort(self._sorted, (name.casefold(), name))
        self._everyone = self._users = None
        self._quiet |= quiet
        if self._left.get(account_id) == name:
            del self._left[account_id]
        elif not quiet:
            self._joined[account_id] = name
        return True

    def _leave_soon(self, account_id: str) -> None:
        """Who is on no other node is gone after 5 s; those who go first stand first."""
        if account_id not in self._elsewhere and account_id in self._names:
            self._leaving.pop(account_id, None)
            self._leaving[account_id] = asyncio.get_running_loop().time() + LEAVE_SECONDS
            self._arrange()

    def _go(self, account_id: str, *, quiet: bool = False) -> None:
        name = self._names.pop(account_id)
        self._unsort(name)
        self._quiet |= quiet
        if self._joined.pop(account_id, None) is None and not quiet:
            self._left[account_id] = name

    def _rename(self, account_id: str, name: str) -> bool:
        """Whether it had another one."""
        before = self._names.get(account_id)
        if before is None or before == name:
            return False
        self._typing.pop(before, None)
        self._names[account_id] = name
        self._unsort(before)
        insort(self._sorted, (name.casefold(), name))
        if account_id not in self._joined:
            self._left[account_id] = before
        self._joined[account_id] = name
        if self._left.get(account_id) == name:  # and back again before it was told
            del self._left[account_id], self._joined[account_id]
        return True

    def _unsort(self, name: str) -> None:
        del self._sorted[bisect_left(self._sorted, (name.casefold(), name))]
        self._everyone = self._users = None

    def _tell_typing(self) -> None:
        now = asyncio.get_running_loop().time()
        self._typing_timer = None
        self._typing = {name: until for name, until in self._typing.items() if until > now}
        if not self._typing:  # their messages came meanwhile
            return
        self._typing_told_at = now
        self._room.tell(event_frame(TypingFrame(self._room.info.slug, sorted(self._typing))), presence=False)

    def _arrange(self) -> None:
        """One timer for whatever comes first: telling what gathered, or somebody's leaving."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if (self._joined or self._left) and now >= self._told_at + GATHER_SECONDS:
            self._tell(now)
        due = [] if not (self._joined or self._left) else [self._told_at + GATHER_SECONDS]
        if self._leaving:
            due.append(next(iter(self._leaving.values())))
        self._cancel()
        if due:
            self._timer = loop.call_at(min(due), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time() + 0.001  # timers may come a little early
        while self._leaving and next(iter(self._leaving.values())) <= now:
            account_id = next(iter(self._leaving))
            del self._leaving[account_id]
            self._go(account_id)
        self._arrange()

    def _tell(self, now: float) -> None:
        taken_over = set(self._joined.values()) & set(self._left.values())  # by somebody else: the name stays
        joined = [name for name in self._joined.values() if name not in taken_over]
        left = [name for name in self._left.values() if name not in taken_over]
        self._joined.clear()
        self._left.clear()
        self._told_at = now
        users, self._quiet = self._quiet, False
        if self._room.cursors:
            self._room.tell(event_frame(self._frame(joined, left, users=users)), presence=True)

    def _frame(self, joined: list[str], left: list[str], *, users: bool = False) -> PresenceFrame:
        said = [f"{_listed(names)} {verb}" for names, verb in ((joined, "joined"), (left, "left")) if names]
        return PresenceFrame(
            room=self._room.info.slug,
            online=len(self._names),
            joined=joined,
            left=left,
            message=", ".join(said) or f"{len(self._names)} online",
            users=self._encoded() if users else UNSET,
            partial=self.partial or UNSET,
        )

    def _encoded(self) -> Raw:
        """The names as JSON: everybody who joins gets the same."""
        if self._users is None:
            self._users = Raw(encode(self.names()))
        return self._users


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:3])} and {len(names) - 3} others"
