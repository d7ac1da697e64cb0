"""Ports for the servers that tests and benchmarks start. It needs nothing but Python: `python -m bench` has no more."""

import random
import socket
from pathlib import Path

FIRST_PORT, END_PORT = 15_000, 32_000
_reserved: dict[int, socket.socket] = {}


def free_port() -> int:
    """A port of loopback that stays free for whoever is to listen there, now and after each restart.

    It lies below those that the system gives to outgoing connections and to who asks for any port. While this
    process lives no other run of the tests is given it either: an abstract name, which ends with its process,
    says that it is taken.
    """
    while True:
        port = random.SystemRandom().randrange(FIRST_PORT, min(END_PORT, _first_ephemeral()))
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0roomlog-tests-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _reserved[port] = name
        return port


def _first_ephemeral() -> int:
    """The first port that the system gives away by itself."""
    return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
