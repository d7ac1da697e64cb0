"""A server under measurement: its start, its CPU and memory with all threads and children, its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 20.0
_TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


class ServerFailed(Exception):
    """It did not start, or ended; the report names it."""


class Server:
    """One process that listens on a port of the loopback."""

    def __init__(
        self, command: Sequence[str], *, port: int, log: Path, core: int | None,
        environment: Mapping[str, str] | None = None, folder: Path | None = None,
    ) -> None:  # fmt: skip
        self.port = port
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env={**os.environ, **(environment or {})},
            )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})

    def __enter__(self) -> Self:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)  # nothing tells when a foreign server listens
        self.stop()
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise ServerFailed(said[-1] if said else "it does not listen")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it; nothing is measured of how."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    @property
    def pid(self) -> int:
        """Its own number."""
        return self._process.pid

    def cpu_us(self) -> float:
        """Microseconds of CPU so far, user and system, of the process, its threads and its children."""
        return sum(_ticks(pid) for pid in tree(self._process.pid)) * _TICK_US

    def memory_bytes(self) -> int:
        """The proportional set size of the process and its children."""
        return sum(_memory(pid) for pid in tree(self._process.pid))


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text(encoding="ascii").split():
                found += tree(int(child))
        except OSError:
            continue
    return found


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime: proc(5), counted from the state


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
