"""The control socket: administration of a running server by who may read its data folder.

`app` opens a `ControlServer` beside the HTTP server, `cli` asks it (see `control_client`) or, with no
server running, lets `perform` work on the database itself. It knows no SQL and no settings.
"""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from chat_app.data_folder import SOCKET_FILE, DataLock, DataLocked
from chat_app.errors import ChatError
from chat_app.logs import log_event
from chat_app.models import rfc3339
from chat_app.web.control_client import LINE_LIMIT, reachable

if TYPE_CHECKING:
    from chat_app.core.administration import Administration

__all__ = ["ControlError", "ControlServer", "DataLock", "DataLocked", "Dispatch", "answered", "perform"]

Dispatch = Callable[[str, Mapping[str, object]], Awaitable[object]]

_READ_SECONDS = 10.0
_log = logging.getLogger(__name__)


class ControlError(Exception):
    """A request that makes no sense here; only another program than `cli` can send one."""


class ControlServer:
    """Listens at `control.sock` in `folder` (mode 0600) and answers each line with what `dispatch` returns.

    An async context manager, entered by who holds the DataLock: what lies at the socket's name is stale.
    """

    def __init__(self, folder: Path, dispatch: Dispatch) -> None:
        self._path = folder / SOCKET_FILE
        self._dispatch = dispatch
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            with reachable(self._path) as name:
                listener.bind(name)
            os.chmod(self._path, 0o600)  # before it listens: until then nobody can connect
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LINE_LIMIT)
        except BaseException:
            listener.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            answer = await self._answer(reader)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except ConnectionError:
            pass  # who asked has gone; what was asked is done
        except asyncio.CancelledError:
            pass  # the server ends; swallowed, for asyncio's own callback would log it
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> dict[str, object]:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                line = await reader.readline()
            command, arguments = _request(line)
        except TimeoutError:
            return _refusal("The request did not come in time.")
        except ValueError as error:  # also what readline raises for a line over the limit
            return _refusal(f"The request is not valid: {error}.")
        return await answered(self._dispatch, command, arguments)


async def answered(dispatch: Dispatch, command: str, arguments: Mapping[str, object]) -> dict[str, object]:
    """What `dispatch` returns for a command, or why it does not, as an answer of the control socket."""
    try:
        return {"ok": True, "result": await dispatch(command, arguments)}
    except (ChatError, ControlError) as error:
        return _refusal(str(error))
    except Exception as error:
        log_event(_log, "control.failed", level=logging.ERROR, exc_info=error, command=command)
        return _refusal("The server could not do this; its log tells why.")


async def perform(
    administration: "Administration", origin: str, command: str, arguments: Mapping[str, object]
) -> object:
    """Does one command and returns what JSON can hold, in a running server and on a closed database alike.

    `origin` stands in front of a sign-in link. Raises ChatError for what is refused, ControlError for what
    makes no sense.
    """
    name = _text(arguments, "name") if command.startswith("user.") and command != "user.list" else ""
    match command:
        case "user.add":
            account = await administration.add_user(
                name, _text(arguments, "role"), _text(arguments, "password")
            )
            return account.name
        case "user.list":
            return [
                {
                    "id": account.id,
                    "name": account.name,
                    "role": account.role,
                    "disabled": account.disabled,
                    "created_at": rfc3339(account.created_ms),
                }
                for account in await administration.list_users()
            ]
        case "user.password":
            await administration.set_password(name, _text(arguments, "password"))
        case "user.role":
            await administration.set_role(name, _text(arguments, "role"))
        case "user.disable":
            await administration.disable(name)
        case "user.enable":
            await administration.enable(name)
        case "user.link":
            return origin + await administration.sign_in_link(name)
        case "backup":
            await administration.backup(Path(_text(arguments, "path")))
        case _:
            raise ControlError(f"There is no command {command!r}.")
    return None


def _text(arguments: Mapping[str, object], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str):
        raise ControlError(f"The argument {name!r} is missing.")
    return value


def _request(line: bytes) -> tuple[str, Mapping[str, object]]:
    """Takes a request apart; ValueError says what is wrong with it."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(request, dict) or not isinstance(request.get("command"), str):
        raise ValueError("it names no command")
    arguments = request.get("arguments", {})
    if not isinstance(arguments, dict):
        raise ValueError("its arguments are not an object")
    return request["command"], arguments


def _refusal(sentence: str) -> dict[str, object]:
    return {"ok": False, "error": sentence}
