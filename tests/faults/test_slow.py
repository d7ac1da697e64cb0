"""Fault 5: 200 readers that do not read, beside a fast room."""

import asyncio
import random
import sys
import time

from tests.faults.checker import Record
from tests.faults.client import Member
from tests.faults.crowd import come_to_rest, gather, judge
from tests.faults.stage import Stage
from tests.processes import MODULE

STALLED = 200
MESSAGES_A_SECOND = 1_000
BUFFER_BYTES = 4_096
CALM_SECONDS = 3.0
PATIENCE_SECONDS = 10.0
LEVEL_MIB = 30.0
"""Memory may grow by this, 150 KiB for each of them; what they do not read is many times as much."""


class Talk:
    """Posts at an even pace from a few members, and measures how long each message takes to come back."""

    def __init__(self, speakers: list[Member]) -> None:
        self._speakers = speakers
        self._sent: dict[str, float] = {}
        self.seconds: list[float] = []
        for speaker in speakers:
            speaker.on_settled = self._settled

    async def go_on(self) -> None:
        clock = time.monotonic
        due = clock()
        number = 0
        while True:
            due += 0.01
            for _ in range(MESSAGES_A_SECOND // 100):
                speaker = self._speakers[number % len(self._speakers)]
                number += 1
                if len(speaker.outbox) < 200:
                    self._sent[speaker.post(f"message {number} " + "x" * 150)] = clock()
            await asyncio.sleep(max(0.0, due - clock()))

    def _settled(self, nonce: str) -> None:
        if (since := self._sent.pop(nonce, None)) is not None:
            self.seconds.append(time.monotonic() - since)

    def median(self) -> float:
        """Of what came since it was last asked."""
        seconds, self.seconds = sorted(self.seconds), []
        return seconds[len(seconds) // 2]


class Cost:
    """What a message costs the server in seconds of its processor, whatever else the machine does."""

    def __init__(self, stage: Stage, record: Record) -> None:
        self._stage, self._record = stage, record
        self._seen = stage.cpu_seconds(), len(record.acks)

    def per_message(self) -> float:
        """Since it was last asked."""
        (seconds, messages), self._seen = self._seen, (self._stage.cpu_seconds(), len(self._record.acks))
        return (self._seen[0] - seconds) / (self._seen[1] - messages)


def impatient(seconds: float) -> tuple[str, ...]:
    """The program with another patience than its 20 s, so that a bounded run need not wait for them."""
    patched = f"from chat_app.core import connections; connections.STALL_SECONDS = {seconds}"
    return (sys.executable, "-c", f"{patched}; from chat_app.cli import main; raise SystemExit(main())")


def test_stalled_readers_cost_bounded_memory_and_nobody_else_waits(
    stage: Stage, chance: random.Random, long: bool
) -> None:
    record = Record()

    async def scenario() -> None:
        await stage.start(program=MODULE if long else impatient(PATIENCE_SECONDS))
        speakers = gather(stage, record, chance, 4, room="lobby")
        for speaker in speakers:
            await speaker.until(lambda m=speaker: m.position is not None)
        talk = Talk(speakers)
        talking = asyncio.create_task(talk.go_on())
        cost = Cost(stage, record)
        await asyncio.sleep(CALM_SECONDS)
        calm, calm_cost = talk.median(), cost.per_message()
        stalled = gather(
            stage, record, chance, STALLED, room="lobby", prefix="stalled", buffer_bytes=BUFFER_BYTES
        )
        for member in stalled:
            await member.until(lambda m=member: m.position is not None)
            member.reading.clear()
        full, posted = stage.memory_mib(), len(record.texts)
        level, closed = full, 0.0
        talk.median()
        cost.per_message()
        early = stalled[:10]
        while closed < STALLED - len(early):
            assert not talking.done()
            if len(record.texts) - posted > 2_000:
                for member in early:
                    member.reading.set()  # before anybody loses patience with them
            await asyncio.sleep(0.25)
            level = max(level, stage.memory_mib())
            closed = await stage.metric('chat_connections_closed_total{code="4408"}')
        busy, busy_cost = talk.median(), cost.per_message()
        unsent = (len(record.texts) - posted) * 330 * (STALLED - len(early)) / 2**20
        print(
            f"{full:.0f} MiB with {STALLED} stalled readers, at most {level:.0f} MiB while {unsent:.0f} MiB were not "
            f"read; median latency {calm * 1000:.1f} ms before, {busy * 1000:.1f} ms beside them, the server's time "
            f"for a message {calm_cost * 1e6:.0f} and {busy_cost * 1e6:.0f} µs"
        )
        assert level - full < LEVEL_MIB < unsent / 3
        assert busy_cost < 3 * calm_cost
        assert busy < max(
            20 * calm, PATIENCE_SECONDS / 2
        )  # whoever waited for a stalled one would wait longer
        talking.cancel()
        for member in stalled:
            member.reading.set()
        await come_to_rest(stage, [*speakers, *stalled])
        assert all(m.tape.count("reset") for m in early)
        assert min(m.opened for m in early) == 1  # in the middle of the life of a connection
        assert all(m.tape.count("resumed", "reset") for m in stalled)
        await judge(stage, record, [*speakers, *stalled], resets=True)

    asyncio.run(asyncio.wait_for(scenario(), 600))
