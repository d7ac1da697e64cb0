"""`ports.Search`: what one may see is found as it is now, indexed or not yet."""

import time

import pytest
from sqlalchemy import Connection, select, text

from chat_app.backends.sql import search_sqlite, search_terms
from chat_app.backends.sql.search_index_postgresql import hashes, messages_index
from chat_app.backends.sql.search_index_sqlite import CHUNK
from chat_app.core.search import parse
from chat_app.models import Manage, SearchPage

from .store import DAY, NOW, Place, Store, run


async def find(
    store: Store, query: str, *, who: str = "bob", before: int | None = None, limit: int = 20
) -> SearchPage:
    return await store.database.search.find(parse(query), account_id=f"id-{who}", before=before, limit=limit)


async def texts(store: Store, query: str, **options: object) -> list[str]:
    return [message.text for message in (await find(store, query, **options)).messages]  # type: ignore[arg-type]


@pytest.mark.parametrize("indexed", [True, False])
def test_parts_of_words_in_any_script_and_case_are_found_newest_first(place: Place, indexed: bool) -> None:
    async def scenario(store: Store) -> None:
        for written in (
            "Deploying tonight",
            "the DEPLOY failed",
            "明日の東京の天気は晴れです",
            "Straße gesperrt",
            "ｆｕｌｌ width",
        ):
            await store.post("ann", written)
        if indexed:
            await store.database.search.catch_up()
        assert await texts(store, "deploy") == ["the DEPLOY failed", "Deploying tonight"]
        assert await texts(store, "ploy fail") == ["the DEPLOY failed"]
        assert await texts(store, '"deploy"') == ["the DEPLOY failed"]
        assert await texts(store, "東京の") == ["明日の東京の天気は晴れです"]
        assert await texts(store, "天気") == ["明日の東京の天気は晴れです"]
        assert await texts(store, "strasse") == ["Straße gesperrt"]
        assert await texts(store, "FULL") == ["ｆｕｌｌ width"]
        assert await texts(store, "deploy nothing-such") == []

    run(place, scenario)


def left(connection: Connection) -> int:
    """How many entries of the index have the pieces of "canary"."""
    if connection.dialect.name == "postgresql":
        found = select(messages_index.c.message_id).where(
            messages_index.c.pieces.contains(hashes(["can", "ary"]))
        )
        return len(connection.execute(found).all())
    matching = text('SELECT count(*) FROM messages_index WHERE messages_index MATCH \'"can" AND "ary"\'')
    return int(connection.execute(matching).scalar_one())


@pytest.mark.parametrize("indexed", [True, False])
def test_edits_and_deletions_are_followed_at_once(place: Place, indexed: bool) -> None:
    async def scenario(store: Store) -> None:
        first, second = (
            await store.post("ann", "the first canary"),
            await store.post("ann", "the second canary"),
        )
        if indexed:
            await store.database.search.catch_up()
        await store.edit(first, "ann", "the first sparrow")
        await store.delete(second, "ann")
        assert await texts(store, "canary") == []
        assert await texts(store, "sparrow") == ["the first sparrow"]
        await store.database.search.catch_up()
        assert await texts(store, "canary") == []
        assert await texts(store, "sparrow") == ["the first sparrow"]

        assert await store.database._readers.read(left) == 0  # type: ignore[attr-defined]

    run(place, scenario)


def test_only_rooms_that_one_sees_are_looked_through(place: Place) -> None:
    async def scenario(store: Store) -> None:
        secret = await store.rooms.create("team", "Team", account_id="id-ann", now_ms=NOW, kind="private")
        await store.post("ann", "the plan", room_id=secret.id)
        await store.database.search.catch_up()
        assert await texts(store, "plan", who="ann") == ["the plan"]
        for query in ("plan", "in:team", "in:team plan", "from:ann", "pl"):
            assert await texts(store, query) == []

    run(place, scenario)


def test_filters_narrow_it(place: Place) -> None:
    async def scenario(store: Store) -> None:
        ops = await store.rooms.create("ops", "Ops", account_id="id-ann", now_ms=NOW)
        await store.post("ann", "one build", sent_ms=NOW)
        await store.post("bob", "two builds", sent_ms=NOW + DAY)
        await store.post("bob", "three builds", room_id=ops.id, sent_ms=NOW + 2 * DAY)
        await store.database.search.catch_up()
        day = time.strftime("%Y-%m-%d", time.gmtime((NOW + DAY) / 1000))
        assert await texts(store, "build from:BOB") == ["three builds", "two builds"]
        assert await texts(store, "build from:@ann") == ["one build"]
        assert await texts(store, "build in:OPS") == ["three builds"]
        assert await texts(store, "in:#ops") == ["three builds"]
        assert await texts(store, f"build after:{day}") == ["three builds"]
        assert await texts(store, f"build before:{day}") == ["one build"]
        assert await texts(store, "build from:nobody") == await texts(store, "build in:nowhere") == []

    run(place, scenario)


def test_notices_are_no_hits(place: Place) -> None:
    async def scenario(store: Store) -> None:
        room = await store.rooms.create("team", "Team", account_id="id-ann", now_ms=NOW, kind="private")
        await store.rooms.direct(["id-ann", "id-bob"], slug="dm-1", now_ms=NOW)
        await store.store(Manage("topic", "n1", room.id, "id-ann", "ann", NOW, value="about canaries"))
        assert await texts(store, "canaries", who="ann") == []
        await store.database.search.catch_up()
        assert await texts(store, "canaries", who="ann") == []

    run(place, scenario)


def test_hits_are_paged_through_without_a_gap_across_the_end_of_the_index(place: Place) -> None:
    async def scenario(store: Store) -> None:
        for number in range(7):
            await store.post("ann", f"build {number}")
        await store.database.search.catch_up()
        for number in range(7, 12):
            await store.post("ann", f"build {number}")
        seen: list[str] = []
        before = None
        while True:
            page = await find(store, "build", before=before, limit=3)
            seen += [message.text for message in page.messages]
            before = page.next
            if before is None:
                break
        assert seen == [f"build {number}" for number in range(11, -1, -1)]
        assert page.complete

    run(place, scenario)


def test_a_term_too_short_for_the_index_is_looked_for_in_the_newest_and_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_terms, "SCAN_LIMIT", 5)

    async def scenario(store: Store) -> None:
        for number in range(12):
            await store.post("ann", f"山{number}")
        first = await find(store, "山", limit=20)
        assert (len(first.messages), first.complete) == (5, False)
        second = await find(store, "山", before=first.next, limit=20)
        third = await find(store, "山", before=second.next, limit=20)
        assert [len(page.messages) for page in (second, third)] == [5, 2]
        assert (third.next, third.complete) == (None, True)

    run(place, scenario)


def test_a_search_that_takes_too_long_ends_with_what_it_has(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(store: Store) -> None:
        await store.submit(*(store.post_of("ann", f"build {number}") for number in range(500)))
        await store.database.search.catch_up()
        monkeypatch.setattr(search_terms, "DEADLINE_SECONDS", -1.0)
        monkeypatch.setattr(search_sqlite, "_STEPS", 1)
        page = await find(store, "nothing build")
        assert (page.messages, page.complete) == ((), False)
        monkeypatch.undo()
        assert (await find(store, "build 42")).complete  # the connection is as it was

    run(place, scenario)


def test_the_index_catches_up_in_chunks(place: Place) -> None:
    async def scenario(store: Store) -> None:
        await store.submit(*(store.post_of("ann", f"build {number}") for number in range(CHUNK + 1)))
        await store.database.search.catch_up()
        table = "search_progress" if place.postgresql else "search_state"
        column = "seq" if place.postgresql else "upto"
        reached = text(f"SELECT {column} FROM {table}")
        upto = await store.database._readers.read(  # type: ignore[attr-defined]
            lambda connection: connection.execute(reached).scalar_one()
        )
        assert upto == CHUNK + 1
        assert await texts(store, '"build 0"') == ["build 0"]

    run(place, scenario)


@pytest.mark.parametrize(
    "query", ['"', "'", "a OR b", "NEAR(a b)", "* -x", "%", "_", "\\", "text:abc", "((((", "😀😀😀"]
)
def test_operators_are_literal(place: Place, query: str) -> None:
    async def scenario(store: Store) -> None:
        await store.post("ann", f"here: {query} .")
        await store.post("ann", "nothing of it")
        for _ in range(2):
            try:
                found = await texts(store, query)
            except Exception as error:
                assert getattr(error, "code", "") == "empty"
            else:
                assert found == [f"here: {query} ."]
            await store.database.search.catch_up()

    run(place, scenario)


def test_what_the_index_lags_behind_is_looked_through_in_stretches_without_a_hole(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_terms, "SCAN_LIMIT", 4)

    async def scenario(store: Store) -> None:
        for number in range(3):
            await store.post("ann", f"build {number}")
        await store.database.search.catch_up()
        for number in range(3, 12):
            await store.post("ann", f"build {number}")
        seen: list[str] = []
        before, complete = None, []
        while True:
            page = await find(store, "build", before=before)
            seen += [message.text for message in page.messages]
            complete.append(page.complete)
            if (before := page.next) is None:
                break
        assert seen == [f"build {number}" for number in range(11, -1, -1)]
        assert complete == [False, False, True]

    run(place, scenario)
