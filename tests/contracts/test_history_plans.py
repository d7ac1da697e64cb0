"""What changed after a position is read along two indexes, however many messages a room has (ADR 0015)."""

from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql as dialect

from chat_app.backends.sql.direct import Statement, driver_of
from chat_app.backends.sql.history import _by_rev
from tests.services import PostgreSQL

from .store import Place, Store, run


def test_sqlite_begins_at_the_position(tmp_path: Path) -> None:
    def plan(connection: Connection) -> list[str]:
        statement = Statement(_by_rev("lobby", 10, 101))
        rows = driver_of(connection).execute(
            f"EXPLAIN QUERY PLAN {statement.text}", ("lobby", 10, 101, 0) * 2 + (101, 0)
        )
        return [row[3] for row in rows]

    async def scenario(store: Store) -> None:
        steps = await store.database._readers.read(plan)  # type: ignore[attr-defined]
        assert [step for step in steps if "messages" in step] == [
            "SEARCH messages USING INDEX sqlite_autoindex_messages_2 (room_id=? AND seq>?)",
            "SEARCH messages USING INDEX ix_messages_changed (room_id=? AND rev>?)",
        ]

    run(Place(tmp_path), scenario)


def test_postgresql_begins_at_the_position(shared: Place, postgresql: PostgreSQL) -> None:
    def plan(connection: Connection, room_id: str) -> str:
        compiled = _by_rev(room_id, 1_990, 11).compile(
            dialect=dialect.dialect(), compile_kwargs={"literal_binds": True}
        )
        return "\n".join(connection.execute(text(f"EXPLAIN {compiled}")).scalars())

    async def scenario(store: Store) -> None:
        await store.submit(*(store.post_of("ann", f"build {number}") for number in range(2_000)))
        postgresql.sql("VACUUM ANALYZE", str(shared.postgresql).rpartition("/")[2])
        found = await store.database._readers.read(  # type: ignore[attr-defined]
            lambda connection: plan(connection, store.lobby.id)
        )
        assert "messages_room_id_seq_key" in found and "AND (seq > 1990))" in found, found
        assert "ix_messages_changed" in found and "AND (rev > 1990))" in found, found

    run(shared, scenario)
