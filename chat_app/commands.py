"""What each command does, once `cli` has parsed it.

A running server is asked through its control socket, else the database is opened here. Every function
returns the exit code or raises; it prints results only. Imports that cost time stand where they are needed.
"""

import argparse
import asyncio
import contextlib
import getpass
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chat_app.settings import Settings, SettingsError

if TYPE_CHECKING:
    from chat_app.metrics import Turns
    from chat_app.worker import Worker

Command = Callable[[argparse.Namespace, Settings], int]

_PASSWORD_LIMIT = 4096  # bytes of a line; a password itself has at most 1,024 characters
_STARTING_SECONDS = 3.0  # a server that holds the lock but does not answer yet may be starting


def serve(arguments: argparse.Namespace, settings: Settings) -> int:
    from chat_app import logs
    from chat_app.data_folder import ensure_data
    from chat_app.worker import Worker

    worker = Worker.inherited(os.environ)
    if settings.processes > 1:
        return _supervise(arguments, settings)
    logs.configure(process=os.getpid() if worker else None)
    return _run(ensure_data(settings), worker)


def _run(settings: Settings, worker: "Worker | None") -> int:
    from chat_app.loop import new_loop, reserve_descriptors
    from chat_app.metrics import Turns

    reserve_descriptors()
    turns = Turns()
    with asyncio.Runner(loop_factory=lambda: new_loop(turns, settings.loop)) as runner:
        runner.run(_serve(settings, turns) if worker is None else _serve_beside(settings, turns, worker))
    return 0


async def _serve(settings: Settings, turns: "Turns") -> None:
    from chat_app.app import open_app

    stop = _stopped_by_signals()
    async with open_app(settings, announce=lambda line: print(line, flush=True), turns=turns) as app:
        await stop.wait()
        await app.drain()


async def _serve_beside(settings: Settings, turns: "Turns", worker: "Worker") -> None:
    """As one of several processes."""
    from chat_app.app import open_app
    from chat_app.worker import Dismissed

    stop = _stopped_by_signals()
    with contextlib.suppress(Dismissed):
        async with worker.attached(stop), open_app(settings, turns=turns, worker=worker) as app:
            await stop.wait()
            if worker.leaving:
                await app.step_aside()
            await app.drain()


def _stopped_by_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _supervise(arguments: argparse.Namespace, settings: Settings) -> int:
    from chat_app import logs
    from chat_app.data_folder import ensure_data
    from chat_app.supervisor import Supervisor, check

    check(settings)
    logs.configure(process=os.getpid())

    async def run() -> int:
        supervisor = Supervisor(
            ensure_data(settings),
            flags=vars(arguments),
            environment=os.environ,
            announce=lambda line: print(line, flush=True),
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, supervisor.end, number)
        loop.add_signal_handler(signal.SIGHUP, supervisor.replace)
        return await supervisor.run()

    return asyncio.run(run())


def user_add(arguments: argparse.Namespace, settings: Settings) -> int:
    password = _password(arguments)
    account = {"name": arguments.name, "role": arguments.role, "password": password}
    print(f"Added {_administer(settings, 'user.add', account)} as {arguments.role}.")
    return 0


def user_list(arguments: argparse.Namespace, settings: Settings) -> int:
    accounts = _administer(settings, "user.list", {})
    assert isinstance(accounts, list)
    rows = [("NAME", "ROLE", "STATE", "CREATED")]
    rows += [
        (row["name"], row["role"], "disabled" if row["disabled"] else "enabled", str(row["created_at"])[:10])
        for row in accounts
    ]
    _print_table(rows)
    return 0


def user_password(arguments: argparse.Namespace, settings: Settings) -> int:
    _administer(settings, "user.password", {"name": arguments.name, "password": _password(arguments)})
    print(f"{arguments.name} has a new password.")
    return 0


def user_role(arguments: argparse.Namespace, settings: Settings) -> int:
    _administer(settings, "user.role", {"name": arguments.name, "role": arguments.role})
    print(f"{arguments.name} is {arguments.role} now.")
    return 0


def user_disable(arguments: argparse.Namespace, settings: Settings) -> int:
    _administer(settings, "user.disable", {"name": arguments.name})
    print(f"{arguments.name} is shut out.")
    return 0


def user_enable(arguments: argparse.Namespace, settings: Settings) -> int:
    _administer(settings, "user.enable", {"name": arguments.name})
    print(f"{arguments.name} may sign in again.")
    return 0


def user_link(arguments: argparse.Namespace, settings: Settings) -> int:
    print(_administer(settings, "user.link", {"name": arguments.name}))
    return 0


def backup(arguments: argparse.Namespace, settings: Settings) -> int:
    file = Path(arguments.file).absolute()  # the server's working directory may be another
    if file.exists():
        raise SettingsError(f"{file} exists already; a backup is never written over another file.")
    if not file.parent.is_dir():
        raise SettingsError(f"There is no folder {file.parent}.")
    from chat_app import maintenance

    if not maintenance.backup(settings, file):
        _administer(settings, "backup", {"path": str(file)})
    print(f"The backup is in {file}.")
    return 0


def restore(arguments: argparse.Namespace, settings: Settings) -> int:
    from chat_app import maintenance
    from chat_app.data_folder import ensure_data

    file = Path(arguments.file)
    with file.open("rb"):  # says at once when it cannot be read
        pass
    maintenance.restore(ensure_data(settings), file)
    print(f"{file} is restored; every room has a new epoch.")
    return 0


def copy(arguments: argparse.Namespace, settings: Settings) -> int:
    from chat_app import maintenance

    started = time.monotonic()
    copied = maintenance.copy(settings, arguments.source, arguments.target, replace=arguments.replace)
    rows = [(name, f"{digest.rows:,}", "ok") for name, digest in copied.tables.items()]
    total = sum(digest.rows for digest in copied.tables.values())
    _print_table([("TABLE", "ROWS", "DIGEST"), *rows])
    if copied.changed:
        print(f"Copied and compared {total:,} rows in {time.monotonic() - started:.1f} s.")
    else:
        print("It holds exactly this already; nothing was changed.")
    return 0


def smoke(arguments: argparse.Namespace, settings: Settings) -> int:
    from chat_app.smoke import SmokeError, smoke as try_out

    try:
        password = _password(arguments)
        seconds = asyncio.run(
            try_out(
                url=arguments.url,
                name=arguments.name,
                password=password,
                room=arguments.room,
                timeout_seconds=arguments.timeout,
            )
        )
    except (SmokeError, SettingsError) as error:
        sys.stderr.write(f"roomlog: {error}\n")
        return 1
    print(f"A message came back in {seconds:.2f} s.")
    return 0


def _administer(settings: Settings, command: str, arguments: Mapping[str, object]) -> object:
    """Has a running server do `command`, else does it on the database; the data lock keeps it from both."""
    from chat_app.data_folder import SOCKET_FILE, DataLocked
    from chat_app.web.control_client import NoServer, ask

    if command != "user.add" and not settings.data.is_dir():
        raise SettingsError(f"There is no data folder {settings.data} (CHAT_DATA, --data).")
    deadline = time.monotonic() + _STARTING_SECONDS
    while True:
        try:
            return ask(settings.data / SOCKET_FILE, command, arguments)
        except NoServer:
            pass
        try:
            return asyncio.run(_administer_database(settings, command, arguments))
        except DataLocked as error:
            if time.monotonic() > deadline:
                raise SettingsError(f"{error} Its control socket does not answer.") from None
            time.sleep(0.1)


async def _administer_database(settings: Settings, command: str, arguments: Mapping[str, object]) -> object:
    from chat_app.administering import open_administration
    from chat_app.data_folder import ensure_data
    from chat_app.web.control import perform

    settings = ensure_data(settings)
    origin = (*settings.allowed_origins, f"http://localhost:{settings.port}")[0]
    async with open_administration(settings) as administration:
        return await perform(administration, origin, command, arguments)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _password(arguments: argparse.Namespace) -> str:
    """One line of standard input; a person at a terminal is asked, unless --password-stdin was given."""
    if sys.stdin.isatty() and not arguments.password_stdin:
        return getpass.getpass(f"Password for {arguments.name}: ")
    line = sys.stdin.buffer.readline(_PASSWORD_LIMIT)
    try:
        password = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SettingsError("The password on standard input is not UTF-8.") from None
    if not password:
        raise SettingsError("There is no password on standard input.")
    return password
