"""Compiles and drives `load.c`, the load generator; its commands are described there."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

SOURCE = Path(__file__).with_name("load.c")
ANSWER_SECONDS = 120.0


class LoadFailed(Exception):
    """The load generator ended or did not answer."""


class Answer(msgspec.Struct, tag_field="event", frozen=True):
    """A line that the load generator prints; `event` tells which."""


class Connected(Answer, tag="connected", frozen=True):
    """All that were to open are open, or failed; the times are those of the new ones."""

    up: int
    failed: int
    refused: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float


class Counting(Answer, tag="counting", frozen=True):
    """The warm-up is over."""


class Counted(Answer, tag="counted", frozen=True):
    """The measured time is over. `returned`: messages that came back to their sender in it; `reads`: how often
    something was there to read, at least as often as the server wrote to a socket that had been read.
    """

    deliveries: int
    returned: int
    reads: int
    seconds: float


class Loaded(Answer, tag="loaded", frozen=True):
    """Everything that was sent came, or did not. `reset`: skipped by a `history` frame that says so.

    `far`: deliveries to connections at another port than their sender's, within the measured time.
    """

    lost: int
    duplicated: int
    reset: int
    closed: int
    p50_ms: float
    p99_ms: float
    event_bytes: int
    drained_ms: float
    far: int
    near_p50_ms: float
    near_p99_ms: float
    far_p50_ms: float
    far_p99_ms: float


class Stalled(Answer, tag="stalled", frozen=True):
    """They read no further."""


class Idled(Answer, tag="idled", frozen=True):
    """The time is over. `quiet_ms`: since the last text frame."""

    pings: int
    closed: int
    quiet_ms: float


A = TypeVar("A", bound=Answer)
_decode = msgspec.json.Decoder(Connected | Counting | Counted | Loaded | Stalled | Idled).decode


def parse(line: bytes) -> Answer:
    """One line of the load generator. Raises `LoadFailed`."""
    try:
        return _decode(line)
    except msgspec.MsgspecError as error:
        raise LoadFailed(f"an answer that cannot be read: {line!r} ({error})") from None


def build(cache: Path) -> Path:
    """Compiles the load generator where its source is newer. Raises `LoadFailed`."""
    cache.mkdir(parents=True, exist_ok=True)
    program = cache / "load"
    if not program.exists() or program.stat().st_mtime < SOURCE.stat().st_mtime:
        try:
            done = subprocess.run(
                ["cc", "-O2", "-Wall", "-o", str(program), str(SOURCE)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except OSError as error:
            raise LoadFailed(f"the load generator needs a C compiler: {error}") from None
        if done.returncode:
            raise LoadFailed(done.stderr)
    return program


class Loader:
    """A running load generator, on its own core."""

    def __init__(
        self, program: Path, *, ports: Sequence[int], specs: Path, core: int | None, flags: Sequence[str] = (),
        per_room: int = 1 << 30,
    ) -> None:  # fmt: skip
        host = f"localhost:{ports[0]}"
        command = [str(program), "-p", ",".join(map(str, ports)), "-H", host, "-c", str(specs)]
        command += ["-o", f"http://{host}", "-r", str(per_room), *flags]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Its own number."""
        return self._process.pid

    def tell(self, command: str) -> None:
        """Gives a command; its answers are to be awaited."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{command}\n".encode())
            self._process.stdin.flush()
        except OSError as error:
            raise LoadFailed(f"the load generator has ended: {error}") from None

    def wait(self, kind: type[A]) -> A:
        """The next answer, of this kind. Raises `LoadFailed`."""
        answer = parse(self._line())
        if not isinstance(answer, kind):
            raise LoadFailed(f"{answer} instead of {kind.__name__}")
        return answer

    def connect(self, count: int, *, inflight: int) -> Connected:
        """Opens further connections."""
        self.tell(f"connect {count} {inflight}")
        return self.wait(Connected)

    def settle(self, quiet_ms: int, *, limit_ms: int = 20_000) -> None:
        """Returns when no text frame came for a while."""
        for _ in range(0, limit_ms, 300):
            self.tell("idle 300")
            if self.wait(Idled).quiet_ms >= quiet_ms:
                return

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            if not select.select([descriptor], [], [], ANSWER_SECONDS)[0]:
                raise LoadFailed("the load generator does not answer")
            data = os.read(descriptor, 65536)
            if not data:
                raise LoadFailed(f"the load generator has ended with {self._process.wait()}")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line
