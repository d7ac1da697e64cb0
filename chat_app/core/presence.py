"""Who is in a room, told in gathered changes, and who is typing. Best effort: nothing of it is in the log.

A `Room` owns its `People`; `rooms.follow` and `unfollow` report comings and goings, counted by account.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from typing import TYPE_CHECKING

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


class People:
    """The people of one room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._connections: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._leaving: dict[str, float] = {}
        self._joined: dict[str, str] = {}
        self._left: dict[str, str] = {}
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

    def arrive(self, account: Account) -> None:
        """One more connection of an account follows the room."""
        self._connections[account.id] = self._connections.get(account.id, 0) + 1
        self._leaving.pop(account.id, None)
        if account.id not in self._names:
            self._names[account.id] = account.name
            insort(self._sorted, (account.name.casefold(), account.name))
            self._everyone = self._users = None
            if self._left.get(account.id) == account.name:
                del self._left[account.id]
            else:
                self._joined[account.id] = account.name
            self._arrange()

    def depart(self, account: Account) -> None:
        """One connection less; the last one's leaving is told after 5 s."""
        count = self._connections.get(account.id, 0) - 1
        if count > 0:
            self._connections[account.id] = count
            return
        self._connections.pop(account.id, None)
        self._leaving[account.id] = asyncio.get_running_loop().time() + LEAVE_SECONDS
        self._arrange()

    def rename(self, account: Account) -> None:
        """Another name of an account is told as one leaving and one joining: people are told by name."""
        before = self._names.get(account.id)
        if before is None or before == account.name:
            return
        self._typing.pop(before, None)
        self._names[account.id] = account.name
        self._sorted.remove((before.casefold(), before))
        insort(self._sorted, (account.name.casefold(), account.name))
        self._everyone = self._users = None
        if account.id not in self._joined:
            self._left[account.id] = before
        self._joined[account.id] = account.name
        if self._left.get(account.id) == account.name:  # and back again before it was told
            del self._left[account.id], self._joined[account.id]
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
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._typing.get(account.name, 0.0) > now + TYPING_SECONDS - TYPING_PAUSE_SECONDS:
            return
        self._typing = {name: until for name, until in self._typing.items() if until > now}
        self._typing[account.name] = now + TYPING_SECONDS
        if now >= self._typing_told_at + GATHER_SECONDS:
            self._tell_typing()
        elif self._typing_timer is None:
            self._typing_timer = loop.call_at(self._typing_told_at + GATHER_SECONDS, self._tell_typing)

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
            name = self._names.pop(account_id)
            self._sorted.remove((name.casefold(), name))
            self._everyone = self._users = None
            if self._joined.pop(account_id, None) is None:
                self._left[account_id] = name
        self._arrange()

    def _tell(self, now: float) -> None:
        taken_over = set(self._joined.values()) & set(self._left.values())  # by somebody else: the name stays
        joined = [name for name in self._joined.values() if name not in taken_over]
        left = [name for name in self._left.values() if name not in taken_over]
        self._joined.clear()
        self._left.clear()
        self._told_at = now
        self._room.tell(event_frame(self._frame(joined, left)), presence=True)

    def _frame(self, joined: list[str], left: list[str], *, users: bool = False) -> PresenceFrame:
        said = [f"{_listed(names)} {verb}" for names, verb in ((joined, "joined"), (left, "left")) if names]
        return PresenceFrame(
            room=self._room.info.slug,
            online=len(self._names),
            joined=joined,
            left=left,
            message=", ".join(said) or f"{len(self._names)} online",
            users=self._encoded() if users else UNSET,
        )

    def _encoded(self) -> Raw:
        """The names as JSON: everybody who joins gets the same."""
        if self._users is None:
            self._users = Raw(encode(self.names()))
        return self._users


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:3])} and {len(names) - 3} others"
