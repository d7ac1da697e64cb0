"""Limits that count over all nodes by gossip (docs/adr/0012): who counts tells the others, and decides alone.

`app.py` makes one when there is a broker; without one the windows know nothing of it. What two nodes count
within the same hop both allow: a limit is passed by what happens at the very same time, and by no more. While
the broker is away a node allows its share.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable, Mapping
from functools import partial

from chat_app.core.limits import SlidingWindow
from chat_app.hints import Counted
from chat_app.ports import Broker

KEY_LIMIT = 256
"""Characters of a key; what is longer counts on its own node only."""


class _Gathered:
    """What was counted for a key in this turn: first whether it was forgotten, then how often."""

    __slots__ = ("forgotten", "times")

    def __init__(self) -> None:
        self.forgotten, self.times = False, 0


class LimitGossip:
    """`cluster.SharedLimits`. A key is a text or a tuple of them: ids, addresses, digests; nothing secret."""

    def __init__(self, *, broker: Broker, windows: Mapping[str, SlidingWindow]) -> None:
        self._broker = broker
        self._windows = dict(windows)
        self._nodes = 1
        self._gathered: dict[tuple[str, Hashable], _Gathered] = {}
        for name, window in windows.items():
            window.share(partial(self._count, name))

    def counted(self, hint: Counted) -> None:
        """Another node counted."""
        window, key = self._windows.get(hint.window), _key_of(hint.key)
        if window is not None and key is not None:
            window.counted(key, hint.times)

    def nodes_alive(self, number: int) -> None:
        """How many other nodes there are; while the broker is away the last number counts."""
        self._nodes = number + 1

    def connection_changed(self, up: bool) -> None:
        """With False this node has its share only."""
        for window in self._windows.values():
            window.divide(1 if up else self._nodes)

    def _count(self, name: str, key: Hashable, times: int) -> None:
        """Told at the end of the turn, a key once."""
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._send)
        gathered = self._gathered.setdefault((name, key), _Gathered())
        if times == 0:
            gathered.forgotten, gathered.times = True, 0
        else:
            gathered.times += times

    def _send(self) -> None:
        counted, self._gathered = self._gathered, {}
        for (name, key), gathered in counted.items():
            text = json.dumps(key)
            if len(text) > KEY_LIMIT:
                continue
            if gathered.forgotten:
                self._broker.send(Counted(name, text, 0))
            if gathered.times:
                self._broker.send(Counted(name, text, gathered.times))


def _key_of(text: str) -> Hashable | None:
    """The key as this node counts it; None when it is none."""
    if len(text) > KEY_LIMIT:
        return None
    try:
        key = json.loads(text)
    except ValueError:
        return None
    if isinstance(key, list) and all(isinstance(part, str) for part in key):
        return tuple(key)
    return key if isinstance(key, str) else None
