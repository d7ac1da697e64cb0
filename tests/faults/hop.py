"""How long a message takes to its author and to somebody on another node, whatever is broken meanwhile.

The fault tests hold it, `bench/heal.py` measures it.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.faults.checker import Message
from tests.faults.client import Member

PAUSE_SECONDS = 0.05
"""Between two messages."""
WAITS_SECONDS = 0.5
HINTS = 5
"""So many have to be heard before it is said that hints arrive again."""


@dataclass
class Hop:
    """Measures a speaker on one node and a listener on another: until the answer, and until the other has it."""

    speaker: Member
    listener: Member
    heard: Callable[[], Awaitable[float]]
    """How many hints the listener's node has received so far."""
    sent: dict[str, float] = field(default_factory=dict)
    answers: list[float] = field(default_factory=list)
    hops: list[float] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each answer to the speaker."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each message that reaches the listener."""

    def __post_init__(self) -> None:
        self.speaker.on_settled = self._answered
        self.listener.on_applied = self._arrived
        self._open: set[str] = set()

    async def talk(self) -> None:
        for number in range(1_000_000):
            before = time.monotonic()
            nonce = self.speaker.post(f"hop {number}")
            self.sent[nonce] = before
            self._open.add(nonce)
            await asyncio.sleep(PAUSE_SECONDS)

    def _answered(self, nonce: str) -> None:
        if nonce in self._open:
            self._open.discard(nonce)
            self.answers.append(time.monotonic() - self.sent[nonce])
            self.answered.set()

    def _arrived(self, message: Message) -> None:
        since = self.sent.get(message.get("nonce", ""))
        if since is not None:
            self.hops.append(time.monotonic() - since)
            self.moved.set()

    def take(self) -> tuple[list[float], list[float]]:
        """(answers, hops) since it was last asked, in seconds."""
        taken = self.answers, self.hops
        self.answers, self.hops = [], []
        return taken

    def waits(self) -> bool:
        """Whether something was posted a while ago and is not answered."""
        return any(time.monotonic() - self.sent[nonce] > WAITS_SECONDS for nonce in self._open)

    async def hinted(self) -> float:
        """Waits until the listener's node hears hints again; how long that was."""
        started, before = time.monotonic(), await self.heard()
        while await self.heard() < before + HINTS:
            await self.next(self.moved)
        return time.monotonic() - started

    async def next(self, event: asyncio.Event) -> float:
        """Waits for the next time that it is set; how long that was."""
        event.clear()
        started = time.monotonic()
        await event.wait()
        return time.monotonic() - started


def kill_subscribers(port: int) -> int:
    """Ends every connection that subscribes; how many there were."""
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(b"CLIENT KILL TYPE pubsub\r\n")
        answer = line.recv(64)
    assert answer.startswith(b":"), answer
    return int(answer[1:])
