"""Installations for tests of what happens to a whole database: one with something of everything in it."""

from __future__ import annotations

import secrets
from typing import Any

from chat_app.models import Amend, JoinLink, Manage, Message, Pin, React, Session
from tests.contracts.store import NOW, Place, Store, run

TEXTS = (
    "hello @bob 👋",
    "明日の東京の天気",
    "Straße, 'quoted' \\ and \"more\"\n\ttwo lines",
    "",
    "x" * 5_000,
)


async def post(store: Store, author: str, text: str, **fields: Any) -> Message:
    """With an id that no other run of the same rooms has given."""
    return await store.post(author, text, **{"id": secrets.token_hex(8), **fields})


async def live_in(store: Store) -> None:
    first, *others = [await post(store, "ann", text) for text in TEXTS]
    await post(store, "bob", "an answer @ann", reply_to=first.id)
    await store.store(
        Amend("edited", first.room_id, first.id, "id-ann", False, NOW, "changed", keep_version=True)
    )
    await store.delete(others[0], "ann")
    await store.store(React(first.room_id, first.id, "id-bob", "👍🏽", NOW))
    await store.store(Pin(first.room_id, first.id, NOW))
    team = await store.rooms.create("team", "Team", account_id="id-ann", now_ms=NOW, kind="private")
    await store.store(Manage("topic", "n1", team.id, "id-ann", "ann", NOW, value="what is due"))
    await store.rooms.mark_read({("id-bob", store.lobby.id): 3})
    await store.rooms.set_notify("id-bob", store.lobby.id, "mentions")
    await store.accounts.create_join_link(JoinLink("code", "member", 3, None, False, "id-ann", NOW))
    await store.accounts.open_session(Session("s", "id-ann", NOW, NOW, NOW, NOW, "::1", "Firefox"), "hash")
    await store.accounts.put_token("token", "link", account_id="id-bob", expires_ms=NOW)


async def seen(store: Store) -> list[Any]:
    """What somebody finds there."""
    everything: list[Any] = [
        await store.rooms.all(),
        await store.rooms.members(),
        await store.rooms.notifies(),
    ]
    for room in await store.rooms.all():
        everything.append(await store.history.changes(room.id, 0, limit=100))
        everything.append(await store.history.pinned(room.id))
        everything += [await store.history.versions(m.id) for m in everything[-2].messages]
    everything.append(await store.rooms.unread("id-bob"))
    everything.append(await store.accounts.join_links())
    everything.append(await store.accounts.session("hash"))
    everything.append(await store.accounts.peek_token("token", "link", now_ms=NOW - 1))
    return everything


def looked_at(place: Place) -> list[Any]:
    found: list[Any] = []

    async def scenario(store: Store) -> None:
        found.extend(await seen(store))

    run(place, scenario)
    return found
