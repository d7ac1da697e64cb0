"""Our own server for the benchmark: as users run it, with everything on; only limits are switched off.

A prepared data folder is made once and copied for each start: accounts with open sessions (signing in costs
20 ms of argon2 each, which is measured nowhere), rooms, and rooms filled in bulk.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
import time
import urllib.request
import uuid
from contextlib import closing
from pathlib import Path

from tornado.web import create_signed_value

from chat_app.backends.sql.database import open_database
from chat_app.core.names import name_key
from chat_app.core.sessions import Sessions
from chat_app.models import Account
from chat_app.web.gate import signing_keys

ACCOUNTS = 1_000
ROOMS = 50
SECRET = "a secret for the benchmark not for use 0123456789 0123456789"
UNLIMITED = (
    "--rate-limit", "--account-rate-limit", "--address-rate-limit", "--frame-rate-limit",
    "--account-connections", "--address-connections", "--failed-handshakes",
)  # fmt: skip
FIRST_MS = 1_700_000_000_000
"""When the first message of a filled room was sent."""
_BATCH = 20_000


def command(data: Path, port: int, flags: tuple[str, ...] = ()) -> list[str]:
    """What starts it."""
    off = [part for flag in UNLIMITED for part in (flag, "0")]
    return [sys.executable, "-m", "chat_app", "serve", "--port", str(port), "--data", str(data), *off, *flags]


def environment() -> dict[str, str]:
    """What it finds in its environment."""
    return {"CHAT_COOKIE_SECRET": SECRET}


def prepare(folder: Path, database_url: str = "") -> list[str]:
    """Makes the data folder, or fills the database of the URL, and returns a cookie for each account."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return asyncio.run(_prepare(folder, database_url or f"sqlite:///{folder / 'chat.db'}"))


async def _prepare(folder: Path, database_url: str) -> list[str]:
    database = await open_database(database_url, backups=folder / "backups")
    now_ms = time.time_ns() // 1_000_000
    sessions = Sessions(database.accounts, clock_ms=lambda: now_ms, on_ended=lambda ids, code, reason: None)
    keys, version = signing_keys((SECRET.encode(),))

    async def add(number: int) -> str:
        name = f"member-{number:04}"
        role = "member" if number else "owner"
        account = Account(str(uuid.uuid4()), name, name_key(name), role, False, now_ms)  # type: ignore[arg-type]
        await database.accounts.create(account, "no password opens it")
        _, token = await sessions.open(account.id, address="127.0.0.1", agent="bench")
        value = create_signed_value(keys, "session", token, version=2, key_version=version)
        return f"session={value.decode()}"

    try:
        cookies = await asyncio.gather(*(add(number) for number in range(ACCOUNTS)))
        owner = (await database.accounts.all())[0]
        for number in range(ROOMS):
            await database.rooms.create(
                f"room-{number}", f"Room {number}", account_id=owner.id, now_ms=now_ms
            )
        for slug in ("empty", "page", "big"):
            await database.rooms.create(slug, slug, account_id=owner.id, now_ms=now_ms)
    finally:
        await database.close()
    return list(cookies)


def fill(folder: Path, slug: str, count: int) -> None:
    """Puts messages into a room directly: a million of them through the front door would take minutes."""
    with closing(sqlite3.connect(folder / "chat.db")) as database:
        database.execute("PRAGMA synchronous=OFF")
        room, head = database.execute("SELECT id, seq FROM rooms WHERE slug=?", (slug,)).fetchone()
        author = database.execute("SELECT id FROM accounts LIMIT 1").fetchone()[0]
        insert = (
            "INSERT INTO messages (id, room_id, seq, rev, account_id, text, sent_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        for start in range(head + 1, head + count + 1, _BATCH):
            database.executemany(
                insert,
                (
                    (f"{slug}-{seq:010}", room, seq, seq, author, f"message {seq} {'x' * 60}", FIRST_MS + seq)
                    for seq in range(start, min(start + _BATCH, head + count + 1))
                ),
            )  # fmt: skip
        database.execute("UPDATE rooms SET seq=? WHERE id=?", (head + count, room))
        database.commit()


def position(folder: Path, slug: str) -> tuple[int, str]:
    """(head, epoch) of a room, from the file."""
    with closing(sqlite3.connect(folder / "chat.db")) as database:
        seq, epoch = database.execute("SELECT seq, epoch FROM rooms WHERE slug=?", (slug,)).fetchone()
        return int(seq), str(epoch)


class Turns:
    """What the server tells of its loop's turns between two readings of /metrics."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/metrics"
        self.longest_ms()

    def longest_ms(self) -> float:
        """The longest turn since this was asked the last time."""
        with urllib.request.urlopen(self._url, timeout=30) as answer:
            return longest_turn_ms(answer.read().decode())


def longest_turn_ms(metrics: str) -> float:
    """The longest turn in the text of /metrics."""
    found = [line for line in metrics.splitlines() if line.startswith("chat_loop_longest_turn_seconds ")]
    return float(found[0].split()[1]) * 1000 if found else 0.0
