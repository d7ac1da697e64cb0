"""The port: a socket bound to it, by `app` for one process, by `supervisor` for several that share it."""

from __future__ import annotations

import os
import socket
from typing import Any

TURN_ACCEPTS = 3
"""Connections accepted in a turn of the loop: Tornado would take 128, and a handshake costs 1 ms."""
BACKLOG = 4096
"""Connections that wait to be accepted. What finds no place is tried again after 1, 3, 7 … seconds: after a
restart that was most of a minute for the last of 5,000. The system's somaxconn may be lower.
"""


class Listener(socket.socket):
    """A listening socket that after a few connections says there are no more, until the next turn."""

    _taken = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """As always. Raises BlockingIOError once a turn's share is taken, and when nobody waits."""
        if self._taken >= TURN_ACCEPTS:
            self._taken = 0
            raise BlockingIOError
        try:
            taken = super().accept()
        except BlockingIOError:
            self._taken = 0
            raise
        self._taken += 1
        return taken


def bind(address: str, port: int, *, join: bool = False, share: bool = False) -> Listener:
    """Bound but not listening: the set-up link is printed before anybody can connect. Raises OSError.

    With `share` others of this user may `join` the port afterwards. Who does not join is refused a port that
    somebody listens on, whatever that one allows (socket(7), SO_REUSEPORT).
    """
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, place = found[0]
    listener = Listener(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if join:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setblocking(False)
        listener.bind(place)
        if share:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except BaseException:
        listener.close()
        raise
    return listener


def claim(listener: Listener) -> socket.socket:
    """Makes the place of a listener this process's alone for as long as the answer stays open, or it lives.

    Two sockets of a user that are bound and do not listen yet may share a port whatever they say, and from
    then on nothing keeps both from listening. A name in the abstract namespace (unix(7)) belongs to one, in
    the same network namespace as the port. Raises OSError (EADDRINUSE) when another process has it.
    """
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        held.bind("\0" + "/".join(map(str, ("roomlog", os.getuid(), *listener.getsockname()))))
    except BaseException:
        held.close()
        raise
    return held


def shown(address: str, port: int) -> str:
    """Where it serves, as a person would open it."""
    # Only compared with what the settings say; the default is 127.0.0.1
    host = {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::": "localhost"}.get(  # nosec B104
        address, f"[{address}]" if ":" in address else address
    )
    return f"http://{host}:{port}"
