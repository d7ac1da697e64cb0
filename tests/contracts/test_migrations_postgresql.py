"""The same steps in PostgreSQL: what they make, who makes it when several start, and what is refused."""

import asyncio
import socket

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text

from chat_app.backends.sql import postgresql_connections
from chat_app.backends.sql.database import DatabaseError, open_database
from chat_app.backends.sql.schema import HEAD_REVISION, metadata
from chat_app.backends.sql.search_index_postgresql import index_tables
from tests.services import PostgreSQL

from .store import Place, Store, account, opened, run


@pytest.mark.parametrize("tables", [metadata, index_tables], ids=["schema", "index"])
def test_the_steps_lead_to_the_schema(shared: Place, tables: MetaData) -> None:
    def is_among(name: str | None, kind: str, parents: object) -> bool:
        """The search index has tables of its own, and one index on the messages that SQLite has not; one more
        is there for nodes of the release before.
        """
        extra = ("ix_messages_position", "ix_messages_room_id_rev")
        return name in tables.tables if kind == "table" else name not in extra

    async def scenario(store: Store) -> None:
        def differences(connection: Connection) -> list[object]:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "include_name": is_among}
            )
            found: list[object] = compare_metadata(context, tables)
            return found

        assert await store.database._readers.read(differences) == []  # type: ignore[attr-defined]

    run(shared, scenario)


def test_every_key_and_name_is_compared_byte_by_byte(shared: Place) -> None:
    async def scenario(store: Store) -> None:
        def collations(connection: Connection) -> set[tuple[str, str | None]]:
            found = connection.execute(
                text(
                    "SELECT table_name || '.' || column_name, collation_name FROM information_schema.columns "
                    "WHERE table_schema = current_schema() AND data_type = 'character varying'"
                )
            )
            return {(row[0], row[1]) for row in found}

        found = await store.database._readers.read(collations)  # type: ignore[attr-defined]
        wrong = {name for name, collation in found if collation != "C"}
        assert ("accounts.name_key", "C") in found
        assert wrong == {"alembic_version.version_num"}

    run(shared, scenario)


def test_names_come_in_the_same_order_whatever_the_language_of_the_database(
    postgresql: PostgreSQL, shared: Place
) -> None:
    name = f"{shared.name}_en"
    postgresql.sql(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'")

    async def scenario(store: Store) -> None:
        for given in ("Zoe", "Ärger", "_x", "Émile"):
            await store.accounts.create(account(given), "hash")
        assert [found.name for found in await store.accounts.all()] == [
            "_x",
            "ann",
            "bob",
            "Zoe",
            "Ärger",
            "Émile",
        ]

    run(Place(shared.folder, postgresql.url_of(name)), scenario)
    postgresql.sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_nodes_that_start_together_make_one_database(postgresql: PostgreSQL, shared: Place) -> None:
    place = Place(shared.folder, postgresql.database())

    async def main() -> None:
        stores = await asyncio.gather(*(opened(place) for _ in range(4)))
        assert len({store.lobby.id for store in stores}) == 1
        assert [len(await store.rooms.all()) for store in stores] == [1] * 4
        for store in stores:
            await store.database.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", f"of a newer version of this program (revision 9999); this version knows up to {HEAD_REVISION}."),
        ("DELETE FROM alembic_version", "of a newer version of this program (revision unknown)"),
        ("DROP TABLE alembic_version", "is a database of another program."),
        ("DROP TABLE read_marks", "is a database of another program."),
    ],
)  # fmt: skip
def test_what_is_not_ours_or_newer_is_left_alone(shared: Place, made: str, sentence: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(shared.postgresql)
        await connection.execute(made)
        with pytest.raises(DatabaseError) as refused:
            await open_database(shared.url, backups=shared.folder)
        assert sentence in str(refused.value)
        assert shared.name in str(refused.value)
        await connection.close()

    asyncio.run(main())


def test_an_encoding_that_cannot_hold_every_letter_is_refused(postgresql: PostgreSQL, shared: Place) -> None:
    name = f"{shared.name}_ascii"
    postgresql.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'")
    with pytest.raises(DatabaseError, match=r"has the encoding SQL_ASCII; make it with ENCODING 'UTF8'."):
        asyncio.run(open_database(postgresql.url_of(name), backups=shared.folder))
    postgresql.sql(f"DROP DATABASE {name}")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("{}x", "There is no such database: postgresql://127.0.0.1:{port}/{name}x."),
        ("{}?sslmode=require", 'cannot be reached: PostgreSQL server at "127.0.0.1:{port}" rejected SSL upgrade.'),
        ("{}?sslmode=no", "cannot be used: `sslmode` parameter must be one of"),
        ("{}?colour=red", 'cannot be opened: unrecognized configuration parameter "colour".'),
        ("postgresql://u:hunter2@127.0.0.1:1/x", "postgresql://127.0.0.1:1/x cannot be reached: Connect call failed"),
        ("postgresql://nobody:hunter2@127.0.0.1:{port}/{name}", 'cannot be opened: role "nobody" does not exist.'),
        ("postgresql://u:hunter2/3@h/x", "The database's URL cannot be read"),
        ("postgresql://u:hunter2@[::1/x", "The database's URL cannot be read"),
    ],
)  # fmt: skip
def test_why_it_cannot_be_opened_is_one_sentence_without_the_password(
    postgresql: PostgreSQL, shared: Place, url: str, sentence: str
) -> None:
    values = {"port": postgresql.port, "name": shared.name}
    with pytest.raises(DatabaseError) as refused:
        asyncio.run(open_database(url.format(shared.url, **values), backups=shared.folder, shared=False))
    assert sentence.format(**values) in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_a_password_that_is_refused(shared: Place) -> None:
    error = asyncpg.InvalidPasswordError('password authentication failed for user "u"')
    explained = str(postgresql_connections.explain(error, "postgresql://u:hunter2@db.example.org/chat"))
    assert explained == "postgresql://db.example.org/chat does not accept the user's password."


def test_what_is_committed_is_on_the_disk_whatever_the_default_is(
    shared: Place, postgresql: PostgreSQL
) -> None:
    postgresql.sql(f"ALTER DATABASE {shared.name} SET synchronous_commit = off")

    async def scenario(store: Store) -> None:
        def ask(connection: Connection) -> str:
            return str(connection.execute(text("SHOW synchronous_commit")).scalar_one())

        assert await store.database._writer.write(ask) == "on"  # type: ignore[attr-defined]

    run(shared, scenario)


def test_a_reader_has_a_snapshot_and_cannot_write(shared: Place) -> None:
    async def scenario(store: Store) -> None:
        def ask(connection: Connection) -> list[str]:
            names = ("transaction_isolation", "transaction_read_only")
            return [str(connection.execute(text(f"SHOW {name}")).scalar_one()) for name in names]

        assert await store.database._readers.read(ask) == ["repeatable read", "on"]  # type: ignore[attr-defined]
        assert await store.database._writer.write(ask) == ["read committed", "off"]  # type: ignore[attr-defined]

    run(shared, scenario)


def test_asyncpg_has_the_private_name_that_leads_to_the_socket(shared: Place) -> None:
    """`keep_alive` uses it: a line on which nothing comes is found out by the system."""

    async def scenario() -> None:
        connection = await postgresql_connections.connect(shared.url)
        line = connection._transport.get_extra_info("socket")
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 15_000
        await connection.close()

    asyncio.run(scenario())
