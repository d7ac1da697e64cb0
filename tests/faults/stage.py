"""Where faults are played: a data folder with accounts and rooms, and a server process that dies and comes back.

The clients keep one address, `Stage.address`, while the server has a new port after each start.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.web import create_signed_value

from chat_app.administering import open_administration
from chat_app.backends.sql.database import open_database
from chat_app.data_folder import ensure_data
from chat_app.settings import load
from chat_app.web.gate import signing_keys
from tests.faults.checker import Stored
from tests.faults.client import HOST, ORIGIN
from tests.processes import MODULE, Server

NAMES = tuple(f"member{n}" for n in range(8))
ROOMS = ("lobby", "one", "two", "three", "four")
NO_LIMITS = (
    "--rate-limit", "0", "--account-rate-limit", "0", "--address-rate-limit", "0", "--frame-rate-limit", "0",
    "--account-connections", "0", "--address-connections", "0", "--allowed-origins", ORIGIN,
)  # fmt: skip
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Scenery:
    """A data folder as every test begins with it, and the cookies of its accounts."""

    folder: Path
    cookies: tuple[str, ...]


async def build(folder: Path, variables: Mapping[str, str] | None = None) -> Scenery:
    """Accounts, a session each, and rooms; `variables` may name another database and secret."""
    settings = ensure_data(load({"data": str(folder), "port": "0"}, variables or {}))
    keys, newest = signing_keys(settings.cookie_secret)
    cookies = []
    async with open_administration(settings) as administration:
        await administration.add_user("owner", "owner", "correct horse battery")
        for name in NAMES:
            await administration.add_user(name, "member", "correct horse battery")
    database = await open_database(settings.database_url, backups=folder / "backups")
    owner = (await database.accounts.all())[0]
    for room in ROOMS[1:]:
        await database.rooms.create(
            room, room.title(), account_id=owner.id, now_ms=time.time_ns() // 1_000_000
        )
    sessions = await _sessions(database.accounts)
    for token in sessions:
        signed = create_signed_value(keys, "session", token, version=2, key_version=newest)
        cookies.append(f"session={signed.decode()}")
    await database.close()
    return Scenery(folder, tuple(cookies))


async def _sessions(accounts: Any) -> list[str]:
    from chat_app.core.sessions import Sessions

    sessions = Sessions(accounts, clock_ms=lambda: time.time_ns() // 1_000_000, on_ended=lambda *_: None)
    found = {account.name: account for account in await accounts.all()}
    return [(await sessions.open(found[name].id, address="127.0.0.1", agent=""))[1] for name in NAMES]


class Running:
    """A server process that a test starts, ends and asks, again and again."""

    def __init__(self, data: Path, cookies: tuple[str, ...]) -> None:
        self.data = data
        self.cookies = cookies
        self.server: Server | None = None
        self._starting: Server | None = None
        self.port = 1  # nobody listens there
        self.starts = 0

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    async def start(
        self,
        *flags: str,
        variables: Mapping[str, str] | None = None,
        program: Sequence[str] = MODULE,
    ) -> None:
        server = Server(self.data, *NO_LIMITS, *flags, program=program, variables=variables)
        self._starting = server
        await asyncio.to_thread(server.__enter__)
        self.server, self.port, self._starting = server, server.port, None
        self.starts += 1

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends the server by a signal; its exit code."""
        assert self.server is not None
        return await asyncio.to_thread(self.server.stop, number)

    async def ended(self) -> int:
        """Waits until the server has ended by itself; its exit code."""
        assert self.server is not None
        code = await asyncio.to_thread(self.server.process.wait, 300)
        assert self.server.process.stdout is not None
        self.server.process.stdout.close()
        return code

    def close(self) -> None:
        for server in (self.server, self._starting):  # a test that fails may end in the middle of a start
            if server is not None and server.process.poll() is None:
                server.stop(signal.SIGKILL)

    # -- what the server shows --------------------

    async def get(self, path: str) -> Any:
        """JSON, or text where it is none; raises urllib's HTTPError."""
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Host": HOST, "Cookie": self.cookies[0]}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") else text

    async def messages(self, room: str) -> list[dict[str, Any]]:
        """A room as it is paged over HTTP."""
        found: list[dict[str, Any]] = []
        path = f"/rooms/{room}/messages?limit=100"
        page = await self.get(path)
        found[:0] = page["messages"]
        while page["more"]:
            page = await self.get(f"{path}&before={found[0]['seq']}")
            found[:0] = page["messages"]
        return found

    async def metric(self, name: str) -> float:
        """One sample of /metrics by its name with labels; 0 while there is none."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", await self.get("/metrics"), re.MULTILINE)
        return float(found[1]) if found else 0.0

    @property
    def pid(self) -> int:
        assert self.server is not None
        return self.server.process.pid

    def memory_mib(self) -> float:
        """Resident memory of the server."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * PAGE_BYTES / 2**20

    def cpu_seconds(self) -> float:
        """User and system time of the server."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Stage(Running):
    """One test's data folder and server."""

    def __init__(self, scenery: Scenery, data: Path) -> None:
        shutil.copytree(scenery.folder, data)
        super().__init__(data, scenery.cookies)

    async def store(self, rooms: Sequence[str] = ROOMS) -> dict[str, Stored]:
        """The rooms as they are paged over HTTP; the heads are the database's."""
        heads = await asyncio.to_thread(self.heads)
        return {room: Stored(heads[room], await self.messages(room)) for room in rooms}

    def heads(self) -> dict[str, int]:
        """Room to head, as SQLite has them."""
        with closing(sqlite3.connect(f"file:{self.data / 'chat.db'}?mode=ro", uri=True)) as connection:
            return dict(connection.execute("SELECT slug, seq FROM rooms").fetchall())
