"""What waits to be told to the other nodes, and how it looks on the channel.

A message of the channel is `[node, probe, [hint, …]]` in MessagePack: who sends it, its own monotonic clock
when it is a probe (else 0), and hints in their order. `redis.RedisBroker` publishes and hears them. A hint
that this version does not know, as in a rolling upgrade, is counted and skipped; the others of it are taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

from chat_app.hints import Hint
from chat_app.metrics import BrokerMetrics

WAITING_HINTS = 4096
WAITING_BYTES = 4 * 1024 * 1024
"""What comes beyond either is dropped: it is older than the next comparison with the database."""
HINT_BYTES = 256 * 1024
"""A larger one is dropped: comparing heads brings what it tells."""
MESSAGE_BYTES = 64 * 1024
"""Where a message of the channel ends, so that nobody spends a long turn of the loop on one."""


class _Message(msgspec.Struct, array_like=True):
    node: str
    probe: float
    hints: msgspec.Raw


_hint_encoder = msgspec.msgpack.Encoder()
_message_decoder = msgspec.msgpack.Decoder(_Message)
_list_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
_hint_decoder: msgspec.msgpack.Decoder[Hint] = msgspec.msgpack.Decoder(Hint)
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class Outbox:
    """Hints in the order in which they were sent; bounded, and closed while nobody could be told."""

    def __init__(self, metrics: BrokerMetrics) -> None:
        self.away = False
        """Whether what comes is dropped at once."""
        self._metrics = metrics
        self._waiting: deque[bytes] = deque()
        self._bytes = 0

    def put(self, hint: Hint) -> None:
        """Keeps a hint for the next message, or drops it and counts that."""
        if self.away:
            return self._drop("away")
        try:
            data = _hint_encoder.encode(hint)
        except (ValueError, OverflowError):
            return self._drop("unreadable")
        if len(data) > HINT_BYTES:
            return self._drop("large")
        if len(self._waiting) >= WAITING_HINTS or self._bytes + len(data) > WAITING_BYTES:
            return self._drop("full")
        self._waiting.append(data)
        self._bytes += len(data)
        return None

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> list[bytes]:
        """What goes into the next message."""
        taken: list[bytes] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0]) <= MESSAGE_BYTES):
            taken.append(self._waiting.popleft())
            size += len(taken[-1])
        self._bytes -= size
        return taken

    def fail(self, taken: int) -> None:
        """A message with `taken` hints may not have arrived: Redis is away, what waits would be late."""
        self.away = True
        self._drop("away", taken + len(self._waiting))
        self._waiting.clear()
        self._bytes = 0

    def _drop(self, reason: str, count: int = 1) -> None:
        self._metrics.dropped.labels(reason).inc(count)


def encode(node_id: str, probe: float, hints: list[bytes]) -> bytes:
    """A message of the channel."""
    return _hint_encoder.encode((node_id, probe, [msgspec.Raw(hint) for hint in hints]))


def decode(data: bytes) -> tuple[str, float, msgspec.Raw] | None:
    """Who sent it, the probe and the hints for `hints_of`; None when it is no message of this kind."""
    try:
        message = _message_decoder.decode(data)
    except _UNREADABLE:
        return None
    return message.node, message.probe, message.hints


def hints_of(raw: msgspec.Raw) -> Iterator[Hint | None]:
    """The hints of a message in order; None for each that cannot be read."""
    try:
        each = _list_decoder.decode(raw)
    except _UNREADABLE:
        yield None
        return
    for one in each:
        try:
            hint: Hint | None = _hint_decoder.decode(one)
        except _UNREADABLE:
            hint = None
        yield hint
