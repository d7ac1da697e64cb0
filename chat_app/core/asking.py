"""Joining a room that this node does not know, or not as something the account may see: another node may have
made it, or let the account in, a moment ago. The store is asked, and the events behind the `join` wait.

`chat.py` hands over what it is about to refuse, so that what is not refused costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from chat_app.core.connection import Connection
from chat_app.core.rooms import Registry
from chat_app.errors import Busy, ChatError, NotFound
from chat_app.protocol import ClientEvent, JoinEvent

HELD_EVENTS = 64
HELD_CHARACTERS = 65_536
"""Of one connection, while it is asked for rooms; more is answered with `busy`."""


class Asking:
    """What waits for an answer of the store, by connection and room, in the order in which it came."""

    def __init__(
        self,
        registry: Registry,
        *,
        handle: Callable[[Connection, str], None],
        refuse: Callable[[Connection, str, ChatError], None],
    ) -> None:
        self._registry = registry
        self._handle = handle
        self._refuse = refuse
        self._held: dict[Connection, dict[str, list[str]]] = {}
        self._answered: tuple[Connection, str] | None = None

    def waits(self, connection: Connection, slug: str) -> bool:
        """Whether events of this connection wait for this room."""
        return bool(self._held) and slug in self._held.get(connection, ())

    def judge(
        self, connection: Connection, event: ClientEvent, raw: str, error: ChatError
    ) -> ChatError | None:
        """With what an event is refused, `error` or `busy`; None: it waits, and is handled later."""
        slug = event.room or connection.default_room
        waits = self.waits(connection, slug)
        begins = (
            isinstance(event, JoinEvent)
            and isinstance(error, NotFound)
            and self._registry.elsewhere is not None
            and self._answered != (connection, slug)
        )
        if not (waits or begins):
            return error
        held = self._held.setdefault(connection, {})
        everything = [one for of_room in held.values() for one in of_room]
        if len(everything) >= HELD_EVENTS or sum(map(len, everything)) + len(raw) > HELD_CHARACTERS:
            return Busy()
        held.setdefault(slug, []).append(raw)
        if not waits:
            self._registry.tasks.start(self._ask(connection, slug))
        return None

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        self._held.pop(connection, None)

    async def _ask(self, connection: Connection, slug: str) -> None:
        refusal = None
        try:
            if self._registry.elsewhere is not None:
                await self._registry.elsewhere.ask(connection.account.id, slug)
        except ChatError as error:
            refusal = error
        finally:
            events = self._take(connection, slug)
        for number, raw in enumerate(events):
            if connection.closed:
                return
            if refusal is not None:
                self._refuse(connection, raw, refusal)
                continue
            self._answered = (connection, slug) if number == 0 else None
            try:
                self._handle(connection, raw)
            finally:
                self._answered = None

    def _take(self, connection: Connection, slug: str) -> list[str]:
        held = self._held.get(connection, {})
        events = held.pop(slug, [])
        if not held:
            self.forget(connection)
        return events
