"""How SQLite searches: along one index, whatever is looked for."""

import time
from pathlib import Path

import pytest
from sqlalchemy import Connection

from chat_app.backends.sql import search_sqlite_candidates, search_terms
from chat_app.backends.sql.direct import driver_of
from chat_app.backends.sql.search_index_sqlite import indexed_upto
from chat_app.core.search import parse

from .store import DAY, NOW, Store, run
from .test_search import texts


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
