"""The machine a benchmark runs on: what it is, and what is set up before anything is measured.

`__main__` calls it once. As root the process moves into a network namespace of its own, where the loopback's
congestion control is cubic: bbr paces what is written and blurs every figure.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import socket
import subprocess
from pathlib import Path

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of unshare(2)


def isolate() -> str:
    """Moves this process and its children into a fresh network with cubic where it may; says what was done."""
    if os.geteuid() != 0:
        return f"the host's loopback with {congestion()} (a network of its own needs root)"
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK) != 0:
        return f"the host's loopback with {congestion()} ({os.strerror(ctypes.get_errno())})"
    try:
        _run("ip", "link", "set", "lo", "up")
        for destination in ("127.0.0.0/8", "127.0.0.1"):
            # By the route: the setting for all sockets may not be ours to write, even here.
            _run(
                "ip", "route", "replace", "local", destination, "dev", "lo", "proto", "kernel", "scope", "host",
                "src", "127.0.0.1", "table", "local", "congctl", "cubic",
            )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"bench: the loopback of a new network cannot be set up: {error}") from None
    return f"a network namespace with {congestion()}"


def congestion() -> str:
    """The congestion control that a connection over the loopback gets, as the kernel names it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()):
            accepted = listener.accept()[0]
            with accepted:
                name = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    return name.rstrip(b"\0").decode()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def raise_descriptors() -> int:
    """As many descriptors as the system lets us have; 5,000 connections need some more than 5,000."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if os.geteuid() == 0 and hard < 20_000:
        hard = 20_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(soft, hard)


def cores() -> tuple[int | None, int | None]:
    """(the server's core, the client's core); None where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def describe(network: str) -> dict[str, str]:
    """What a reader has to know of the machine."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    return {
        "Processor": f"{model}, {len(os.sched_getaffinity(0))} cores",
        "Memory": f"{int(memory) / 2**20:.0f} GiB",
        "System": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "Network": network,
        "Load before": f"{os.getloadavg()[0]:.1f} (anything above 0.3 blurs the figures)",
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
