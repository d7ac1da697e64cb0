"""The event loop's selector: it measures every turn of the loop and bounds what one turn takes on.

`commands.serve` makes the loop with it. A timer would see only what happens to fall on it; between two calls
of `select` lies exactly what keeps everybody else waiting. uvloop (`--loop uvloop`) has no selector: there a
timer has to do, and nothing bounds a turn.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import select
import selectors
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from chat_app.metrics import Turns
from chat_app.settings import SettingsError

TURN_EVENTS = 6
"""Sockets served in a turn at most: 5,000 that connect at once, for 1 ms each, keep a timer or a flush
waiting no longer. With 16 a message costs 2 µs less, and those 5,000 make turns of over 20 ms.
"""
DESCRIPTORS_RESERVED = 65_536
"""8 bytes each, of the system's memory."""
LAG_STEP_SECONDS = 0.05
"""Between two looks at the clock where turns cannot be measured."""


def reserve_descriptors() -> None:
    """Has the system make the process's table of descriptors large, while there is one thread.

    Later the table would grow as connections come, at 256, 512, 1,024 …: with threads in the process Linux
    waits each time for every processor (`expand_fdtable`), and an `accept` took 10 to 25 ms.
    """
    most = min(DESCRIPTORS_RESERVED, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if most == resource.RLIM_INFINITY:
        most = DESCRIPTORS_RESERVED
    source = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # what it gets is as good as what it has
            os.close(fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, most - 1))
    finally:
        os.close(source)


def new_loop(turns: Turns, kind: str = "asyncio") -> asyncio.AbstractEventLoop:
    """A loop whose turns are told to `turns`. Raises `SettingsError` for a uvloop that is not installed."""
    if kind == "uvloop":
        return _uvloop(turns)
    return asyncio.SelectorEventLoop(TurnSelector(turns) if hasattr(select, "epoll") else None)


def _uvloop(turns: Turns) -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        raise SettingsError(
            "CHAT_LOOP (--loop): uvloop is not installed; `pip install uvloop` into the same environment."
        ) from None
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()

    def look(due: float) -> None:
        now = loop.time()
        turns.observe(max(0.0, now - due))
        loop.call_at(now + LAG_STEP_SECONDS, look, now + LAG_STEP_SECONDS)

    loop.call_soon(look, loop.time())
    return loop


class TurnSelector(selectors.BaseSelector):
    """epoll, which hands out what is ready in turn: who was not among the first comes next."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._epoll = select.epoll()
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._began = 0.0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watches a descriptor. Raises KeyError when it is watched already."""
        descriptor = _descriptor(fileobj)
        if descriptor in self._keys:
            raise KeyError(f"{fileobj!r} is already registered")
        key = selectors.SelectorKey(fileobj, descriptor, events, data)
        self._epoll.register(descriptor, _mask(events))
        self._keys[descriptor] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watches it no longer. Raises KeyError when it was not watched."""
        key = self._keys.pop(_descriptor(fileobj))
        with suppress(OSError):  # closed already, which took it out
            self._epoll.unregister(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watches it for other events, or for other data."""
        old = self._keys[_descriptor(fileobj)]
        if events != old.events:
            self._epoll.modify(old.fd, _mask(events))
        key = self._keys[old.fd] = old._replace(events=events, data=data)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """At most `TURN_EVENTS` of what is ready. The loop calls it once a turn."""
        if self._began:
            self._turns.observe(time.perf_counter() - self._began)
        ready = self._epoll.poll(-1 if timeout is None else max(0.0, timeout), TURN_EVENTS)
        self._began = time.perf_counter()
        keys = self._keys
        return [
            (
                key,
                (event & ~select.EPOLLIN and selectors.EVENT_WRITE)
                | (event & ~select.EPOLLOUT and selectors.EVENT_READ),
            )
            for descriptor, event in ready
            if (key := keys.get(descriptor)) is not None
        ]

    def close(self) -> None:
        """Frees the descriptor."""
        self._epoll.close()
        self._keys.clear()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """What a descriptor was registered with. Raises KeyError."""
        return self._keys[_descriptor(fileobj)]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Everything that is watched, by descriptor."""
        return self._keys


def _descriptor(fileobj: Any) -> int:
    return fileobj if isinstance(fileobj, int) else int(fileobj.fileno())


def _mask(events: int) -> int:
    return (select.EPOLLIN if events & selectors.EVENT_READ else 0) | (
        select.EPOLLOUT if events & selectors.EVENT_WRITE else 0
    )
