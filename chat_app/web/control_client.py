"""The command line's end of the control socket: one JSON line each way.

`cli` asks a running server through it. It imports little, so that a command costs no more than it must.
"""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

LINE_LIMIT = 64 * 1024  # bytes of a request; an answer may be longer, a list of accounts is
_ANSWER_LIMIT = 64 * 1024 * 1024
_PATH_LIMIT = 107  # bytes of sun_path without its NUL (unix(7))


class NoServer(Exception):
    """Nothing answers at the control socket: no server runs on this data folder."""


class CommandRefused(Exception):
    """The server's own sentence why it did not do as asked."""


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """The socket's name in a form that fits an address; a long one goes through the folder's descriptor."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def ask(path: Path, command: str, arguments: Mapping[str, object], *, timeout_seconds: float = 60) -> object:
    """Has the server do `command` and returns its result.

    Raises NoServer when nobody listens, CommandRefused when the server says no, OSError when the line breaks.
    """
    line = json.dumps({"command": command, "arguments": dict(arguments)}).encode() + b"\n"
    if len(line) > LINE_LIMIT:
        raise CommandRefused("This is too long.")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_seconds)
        try:
            with reachable(path) as name:
                connection.connect(name)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NoServer from error
        connection.sendall(line)
        with connection.makefile("rb") as answers:
            answer = answers.readline(_ANSWER_LIMIT)
    if not answer.endswith(b"\n"):
        raise ConnectionResetError("the server ended before it answered")
    reply = json.loads(answer)
    if not reply["ok"]:
        raise CommandRefused(reply["error"])
    result: object = reply["result"]
    return result
