"""What is gone is gone: from answers, frames, the database's pages and its -wal file."""

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest

from chat_app.backends.sql import writer
from tests.conftest import Client, Site

CANARY = "canary-7f3a9c"


def files_with(site: Site, text: str) -> list[str]:
    """The files of the data folder in which these bytes stand."""
    return [
        path.name for path in site.folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()
    ]


async def forgotten(site: Site, text: str) -> None:
    """Returns when no file has it any more; the test's own limit ends the wait."""
    while files_with(site, text):  # noqa: ASYNC110  (files tell nobody when they change)
        await asyncio.sleep(0.05)


async def nowhere(site: Site, cookie: str, others: list[Client]) -> None:
    """Neither in answers nor in what a newcomer, one who resumes and those who were there are sent."""
    for path in ("/rooms/lobby", "/rooms/lobby/messages", "/rooms", "/account"):
        assert CANARY.encode() not in (await site.get(path, cookie=cookie)).body, path
    newcomer = await site.join(cookie)
    epoch = newcomer.frames[1]["epoch"]
    resumed = await site.join(cookie, f"since=0&epoch={epoch}")
    newcomer.send(type="message", text="after")
    for client in (newcomer, resumed, *others):
        await client.until("message")
        assert CANARY not in json.dumps(client.frames)


@pytest.mark.parametrize("how", ["delete", "edit"])
@pytest.mark.gen_test(timeout=180)
async def test_a_deleted_or_rewritten_text_is_nowhere_a_moment_later(site: Site, how: str) -> None:
    cookie = await site.account("Masa")
    masa = await site.join(cookie)
    first = await masa.say(f"secret {CANARY} **bold**")
    assert files_with(site, CANARY)
    watcher = await site.join(await site.account("Kim"))
    watcher.frames.clear()
    masa.send(type=how, id=first["id"], text="nothing of it")
    gone = await watcher.until("deleted" if how == "delete" else "edited")
    assert CANARY not in json.dumps(gone)
    await forgotten(site, CANARY)
    assert (site.folder / "chat.db-wal").stat().st_size == 0, "emptied, not only overwritten"
    await nowhere(site, cookie, [watcher])


@pytest.mark.gen_test(timeout=180)
async def test_a_reader_that_holds_the_wal_delays_the_forgetting_and_does_not_prevent_it(site: Site) -> None:
    masa = await site.join(await site.account("Masa"))
    first = await masa.say(CANARY)
    with closing(sqlite3.connect(site.folder / "chat.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM messages").fetchone() == (1,)
        masa.send(type="delete", id=first["id"])
        await masa.until("deleted")
        await masa.say("writing goes on")
        assert files_with(site, CANARY)
        reader.execute("COMMIT")
    await forgotten(site, CANARY)


@pytest.mark.gen_test(timeout=180)
async def test_a_busy_writer_forgets_in_time_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FORGET_SECONDS", 0.2)
    monkeypatch.setattr(writer, "QUIET_SECONDS", 3_600.0)
    masa = await site.join(await site.account("Masa"))
    first = await masa.say(CANARY)
    masa.send(type="delete", id=first["id"])
    await masa.until("deleted")
    while files_with(site, CANARY):
        await site.app.services.database.accounts.touch_sessions({"nobody": 1})
        await asyncio.sleep(0.05)


@pytest.mark.gen_test(timeout=180)
async def test_a_backup_after_the_deletion_holds_nothing_of_it(site: Site) -> None:
    masa = await site.join(await site.account("Masa"))
    first = await masa.say(CANARY)
    masa.send(type="delete", id=first["id"])
    await masa.until("deleted")
    await site.app.services.administration.backup(site.folder / "backup.db")
    assert CANARY.encode() not in (site.folder / "backup.db").read_bytes()
    assert (site.folder / "backup.db").stat().st_mode & 0o077 == 0
