"""`ports.Search`: what one may see is found as it is now, indexed or not yet."""

import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from chat_app.backends.sql import search_sqlite, search_sqlite_candidates, search_terms
from chat_app.backends.sql.direct import driver_of
from chat_app.backends.sql.search_index_sqlite import CHUNK, indexed_upto
from chat_app.core.search import parse
from chat_app.models import SearchPage

from .store import DAY, NOW, Store, run


async def find(
    store: Store, query: str, *, who: str = "bob", before: int | None = None, limit: int = 20
) -> SearchPage:
    return await store.database.search.find(parse(query), account_id=f"id-{who}", before=before, limit=limit)


async def texts(store: Store, query: str, **options: object) -> list[str]:
    return [message.text for message in (await find(store, query, **options)).messages]  # type: ignore[arg-type]


@pytest.mark.parametrize("indexed", [True, False])
def test_parts_of_words_in_any_script_and_case_are_found_newest_first(tmp_path: Path, indexed: bool) -> None:
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

    run(tmp_path, scenario)


@pytest.mark.parametrize("indexed", [True, False])
def test_edits_and_deletions_are_followed_at_once(tmp_path: Path, indexed: bool) -> None:
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

        def left(connection: Connection) -> int:
            found = text('SELECT count(*) FROM messages_index WHERE messages_index MATCH \'"can" AND "ary"\'')
            return int(connection.execute(found).scalar_one())

        assert await store.database._readers.read(left) == 0

    run(tmp_path, scenario)


def test_only_rooms_that_one_sees_are_looked_through(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        secret = await store.rooms.create("team", "Team", account_id="id-ann", now_ms=NOW, kind="private")
        await store.post("ann", "the plan", room_id=secret.id)
        await store.database.search.catch_up()
        assert await texts(store, "plan", who="ann") == ["the plan"]
        for query in ("plan", "in:team", "in:team plan", "from:ann", "pl"):
            assert await texts(store, query) == []

    run(tmp_path, scenario)


def test_filters_narrow_it(tmp_path: Path) -> None:
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

    run(tmp_path, scenario)


def test_notices_are_no_hits(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        room = await store.rooms.create("team", "Team", account_id="id-ann", now_ms=NOW, kind="private")
        await store.rooms.direct(["id-ann", "id-bob"], slug="dm-1", now_ms=NOW)
        from chat_app.models import Manage

        await store.store(Manage("topic", "n1", room.id, "id-ann", "ann", NOW, value="about canaries"))
        assert await texts(store, "canaries", who="ann") == []
        await store.database.search.catch_up()
        assert await texts(store, "canaries", who="ann") == []

    run(tmp_path, scenario)


def test_hits_are_paged_through_without_a_gap_across_the_end_of_the_index(tmp_path: Path) -> None:
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

    run(tmp_path, scenario)


def test_a_term_too_short_for_the_index_is_looked_for_in_the_newest_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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

    run(tmp_path, scenario)


def test_a_search_that_takes_too_long_ends_with_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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

    run(tmp_path, scenario)


def test_the_index_catches_up_in_chunks(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        await store.submit(*(store.post_of("ann", f"build {number}") for number in range(CHUNK + 1)))
        await store.database.search.catch_up()
        upto = await store.database._readers.read(
            lambda c: c.execute(text("SELECT upto FROM search_state")).scalar_one()
        )
        assert upto == CHUNK + 1
        assert await texts(store, '"build 0"') == ["build 0"]

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    "query", ['"', "'", "a OR b", "NEAR(a b)", "* -x", "%", "_", "\\", "text:abc", "((((", "😀😀😀"]
)
def test_operators_are_literal(tmp_path: Path, query: str) -> None:
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

    run(tmp_path, scenario)


def plan(connection: Connection, query: str) -> list[str]:
    """What SQLite does for each statement of a search, and that it answers."""
    driver = driver_of(connection)
    scope = search_sqlite_candidates.scope_of(driver, parse(query), "id-bob")
    assert scope is not None
    pieces = search_terms.pieces_of([term.text for term in parse(query).terms])
    found = search_sqlite_candidates.plan_of(
        driver, scope, pieces, upto=indexed_upto(connection), before=None
    )
    assert found.statements
    return [
        "; ".join(row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", values))
        for statement, values in found.statements
    ]


@pytest.mark.parametrize(
    ("query", "narrow", "way"),
    [
        ("deploy", False, "SCAN messages_index VIRTUAL TABLE INDEX"),
        ("deploy from:ann", False, "SCAN messages_index VIRTUAL TABLE INDEX"),
        ("deploy in:lobby", False, "SCAN messages_index VIRTUAL TABLE INDEX"),
        ("deploy after:2020-01-01", False, "SCAN messages_index VIRTUAL TABLE INDEX"),
        ("東京", False, "SEARCH messages USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("in:lobby", False, "SEARCH messages USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("東京 from:ann", True, "SEARCH messages USING INDEX sqlite_autoindex_messages_3 (account_id=?"),
        (
            "deploy from:ann in:lobby",
            True,
            "SEARCH messages USING INDEX sqlite_autoindex_messages_3 (account_id=? AND room_id=?)",
        ),
        ("東京 in:lobby", True, "SEARCH messages USING INDEX sqlite_autoindex_messages_2 (room_id=?)"),
    ],
)
def test_every_search_runs_along_one_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, narrow: bool, way: str
) -> None:
    """With a million messages anything else takes seconds; only the few of an author are sorted."""
    monkeypatch.setattr(search_terms, "NARROW_LIMIT", 100 if narrow else 0)

    async def scenario(store: Store) -> None:
        await store.post("ann", "deploy")
        await store.database.search.catch_up()
        if "deploy" not in query:
            await store.post("ann", "東京")
        for steps in await store.database._readers.read(lambda connection: plan(connection, query)):
            assert steps.startswith(way), steps
            assert ("TEMP B-TREE" in steps) == (narrow and "from:" in query), steps
            if way.startswith("SCAN"):
                assert "SEARCH messages USING INTEGER PRIMARY KEY (rowid=?)" in steps

    run(tmp_path, scenario)


def test_the_rows_of_a_time_are_found_with_slack_for_a_clock_set_anew(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        day = time.strftime("%Y-%m-%d", time.gmtime(NOW / 1000))
        start = NOW - NOW % DAY
        for number, sent_ms in enumerate([start - 3 * DAY, start - 1, start + 5, start - 2, start + 2 * DAY]):
            await store.post("ann", f"build {number}", sent_ms=sent_ms)
        await store.database.search.catch_up()
        assert await texts(store, f"build before:{day}") == ["build 3", "build 1", "build 0"]
        yesterday = time.strftime("%Y-%m-%d", time.gmtime((start - DAY) / 1000))
        assert await texts(store, f"build after:{yesterday}") == ["build 4", "build 2"]

        def rows(connection: Connection) -> tuple[int, int]:
            query = parse(f"after:{yesterday} before:{day}")
            scope = search_sqlite_candidates.scope_of(driver_of(connection), query, "id-bob")
            assert scope is not None
            return scope.low, scope.high

        assert await store.database._readers.read(rows) == (2, 5)

    run(tmp_path, scenario)


def test_what_the_index_lags_behind_is_looked_through_in_stretches_without_a_hole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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

    run(tmp_path, scenario)
