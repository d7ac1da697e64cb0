"""A rolling upgrade: the previous release goes on serving a database that was brought to this one's revision.

docs/adr/0014 has the rule. What a step may do is read from its source; what the previous release does is done
with the tables as it knows them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, insert, select, update

from chat_app.backends.sql.files import create_private, writing_engine
from chat_app.backends.sql.places import outside_the_loop
from chat_app.backends.sql.postgresql_connections import migrating_engine
from chat_app.backends.sql.revisions import MIGRATIONS
from chat_app.backends.sql.schema import HEAD_REVISION
from tests.services import PostgreSQL

from .store import NOW, Place, Store, run

STEPS = sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))
ALLOWED = {"create_table", "create_index", "add_column", "execute", "get_bind", "get_context"}
IN_SQLITE = 'if op.get_bind().dialect.name == "sqlite":\n    '
REFUSED_SQL = re.compile(r"\b(DROP|ALTER|RENAME|TRUNCATE|DELETE)\b", re.IGNORECASE)


def faults(source: str) -> Iterator[str]:
    """What of a step would keep the previous release from going on."""
    tree = ast.parse(source)
    alone = _in_sqlite_only(tree)
    made = {_text(call.args[0]) for call in _calls(tree) if call.func.attr == "create_table"}
    for call in _calls(tree):
        name, arguments = call.func.attr, call.args
        if name == "drop_index" and call in alone:
            continue  # nobody else has the file open, and whatever finds rows by it finds them without
        elif name not in ALLOWED:
            yield f"op.{name}"
        elif name == "add_column" and _text(arguments[0]) not in made and not _is_harmless(arguments[1]):
            yield f"add_column {_text(arguments[0])}: NOT NULL without a server_default"
        elif name == "create_index" and _is_unique(call) and _text(arguments[1]) not in made:
            columns = {_text(column) for column in getattr(arguments[2], "elts", [])}
            if not columns <= _added(tree):
                yield f"create_index {_text(arguments[0])}: unique over what is there already"
        elif name == "execute" and REFUSED_SQL.search(ast.unparse(arguments[0])):
            yield f"execute {ast.unparse(arguments[0])}"


def _calls(tree: ast.AST) -> Iterator[Any]:
    """The calls op.NAME(…)."""
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and ast.unparse(called.value) == "op":
            yield node


def _in_sqlite_only(tree: ast.AST) -> set[ast.AST]:
    conditions = (node for node in ast.walk(tree) if isinstance(node, ast.If))
    chosen = [
        node for node in conditions if ast.unparse(node.test) == "op.get_bind().dialect.name == 'sqlite'"
    ]
    return {part for node in chosen for statement in node.body for part in ast.walk(statement)}


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def _is_harmless(column: Any) -> bool:
    given = {keyword.arg: keyword.value for keyword in column.keywords}
    nullable = _text(given["nullable"]) if "nullable" in given else "True"
    return (nullable == "True" and "unique" not in given) or "server_default" in given


def _is_unique(call: Any) -> bool:
    return any(keyword.arg == "unique" and _text(keyword.value) != "False" for keyword in call.keywords)


def _added(tree: ast.AST) -> set[str]:
    return {_text(call.args[1].args[0]) for call in _calls(tree) if call.func.attr == "add_column"}


@pytest.mark.parametrize("step", STEPS, ids=lambda path: path.stem)
def test_a_step_only_adds(step: Path) -> None:
    assert list(faults(step.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "statement",
    [
        'op.drop_column("rooms", "topic")',
        'op.drop_table("rooms")',
        'op.drop_index("ix_messages_room_id_rev")',
        'op.alter_column("rooms", "topic", nullable=False)',
        'op.rename_table("rooms", "channels")',
        'op.create_unique_constraint("uq", "rooms", ["title"])',
        'op.create_check_constraint("ck", "rooms", "seq > 0")',
        'op.create_foreign_key("fk", "rooms", "accounts", ["a"], ["b"])',
        'op.create_index("uq_rooms_title", "rooms", ["title"], unique=True)',
        'op.add_column("rooms", sa.Column("colour", sa.String, nullable=False))',
        'op.add_column("rooms", sa.Column("colour", sa.String, unique=True))',
        'op.execute("ALTER TABLE rooms RENAME COLUMN title TO name")',
        'op.execute("drop table rooms")',
        'op.execute(sa.text("DELETE FROM tokens"))',
        'with op.batch_alter_table("rooms") as batch:\n    batch.drop_column("topic")',
        f'{IN_SQLITE}op.drop_column("rooms", "topic")',
        f'{IN_SQLITE}pass\nelse:\n    op.drop_index("ix_messages_room_id_rev")',
        'if op.get_bind().dialect.name == "postgresql":\n    op.drop_index("ix_messages_room_id_rev")',
    ],
)
def test_what_a_step_must_not_do_is_noticed(statement: str) -> None:
    assert list(faults(f"{statement}\n"))


@pytest.mark.parametrize(
    "statement",
    [
        'op.add_column("rooms", sa.Column("colour", sa.String))',
        'op.add_column("rooms", sa.Column("colour", sa.String, nullable=False, server_default="red"))',
        'op.create_table("colours", sa.Column("name", sa.String, nullable=False))',
        'op.create_index("ix_rooms_title", "rooms", ["title"])',
        'op.add_column("rooms", sa.Column("key", sa.String)); op.create_index("uq", "rooms", ["key"], unique=True)',
        'op.execute("INSERT INTO colours SELECT title FROM rooms")',
        f'{IN_SQLITE}op.drop_index("ix_messages_room_id_rev", "messages")',
    ],
)
def test_what_a_step_may_do_is_no_fault(statement: str) -> None:
    assert list(faults(f"{statement}\n")) == []


def upgraded(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def previous() -> str:
    """The revision before this one."""
    script = ScriptDirectory(str(MIGRATIONS)).get_revision(HEAD_REVISION)
    assert script is not None and isinstance(script.down_revision, str)
    return script.down_revision


def rolls(connection: Connection) -> None:
    """A database of the previous release, brought to now, on which that release goes on."""
    with connection.begin():
        upgraded(connection, previous())
        known = MetaData()
        known.reflect(connection)
        _live(connection, known, "before")
    with connection.begin():
        upgraded(connection, HEAD_REVISION)
    with connection.begin():
        _live(connection, known, "after")
        _go_on(connection, known)


def _live(connection: Connection, known: MetaData, name: str) -> None:
    """What a release stores for one person, with the columns that it knows and no other."""
    tables = known.tables
    given: dict[str, dict[str, object]] = {
        "accounts": {"id": name, "name": name, "name_key": name, "role": "member", "password_hash": "hash",
                     "disabled": False, "created_ms": NOW},
        "sessions": {"id": name, "token_hash": name, "account_id": name, "created_ms": NOW, "confirmed_ms": NOW,
                     "last_seen_ms": NOW, "expires_ms": NOW, "address": "::1", "agent": "Firefox"},
        "tokens": {"token_hash": name, "kind": "link", "account_id": name, "expires_ms": NOW, "used_ms": None},
        "join_links": {"code": name, "role": "member", "revoked": False, "created_by": name, "created_ms": NOW},
        "rooms": {"id": name, "slug": name, "slug_key": name, "title": name, "epoch": name, "seq": 0,
                  "created_ms": NOW, "created_by": name},
        "room_members": {"room_id": name, "account_id": name, "manager": True, "added_ms": NOW},
        "messages": {"id": name, "room_id": name, "seq": 1, "rev": 1, "account_id": name, "text": "hello there",
                     "nonce": name, "sent_ms": NOW},
        "mentions": {"message_id": name, "account_id": name, "room_id": name, "seq": 1},
        "reactions": {"message_id": name, "emoji": "👍", "account_id": name, "created_ms": NOW},
        "message_versions": {"message_id": name, "rev": 1, "text": "hello", "at_ms": NOW},
        "read_marks": {"account_id": name, "room_id": name, "seq": 0},
        "room_settings": {"account_id": name, "room_id": name, "notify": "all"},
    }  # fmt: skip
    for table, row in given.items():
        if table in tables:
            assert set(row) <= set(tables[table].columns.keys()), "this is what the previous release knows"
            connection.execute(insert(tables[table]), row)
    rooms, marks = tables["rooms"], tables["read_marks"]
    connection.execute(update(rooms).where(rooms.c.id == name).values(seq=1))
    connection.execute(update(marks).where(marks.c.room_id == name).values(seq=1))


def _go_on(connection: Connection, known: MetaData) -> None:
    """What was there is read, edited, deleted and left by a release that does not know of the upgrade."""
    tables = known.tables
    messages, sessions = tables["messages"], tables["sessions"]
    for table in tables.values():
        connection.execute(select(*table.columns)).all()
    edited = update(messages).where(messages.c.id == "before").values(text="changed", edited_ms=NOW, rev=2)
    connection.execute(edited)
    connection.execute(
        update(messages).where(messages.c.id == "after").values(text="", deleted_ms=NOW, rev=2)
    )
    connection.execute(update(tables["rooms"]).values(seq=2))
    connection.execute(sessions.delete().where(sessions.c.id == "before"))
    assert connection.execute(select(messages.c.text).order_by(messages.c.id)).scalars().all() == [
        "",
        "changed",
    ]


async def _this_release(store: Store) -> None:
    """And this one finds what that one stored."""
    assert {info.slug for info in await store.rooms.all()} == {"before", "after"}
    for room in await store.rooms.all():
        page = await store.history.changes(room.id, 0, limit=10)
        assert [message.text for message in page.messages] == (["changed"] if room.slug == "before" else [""])
        assert (await store.post("ann", "this release", room_id=room.id, id=f"new-{room.id}")).seq == 3
    assert (await store.accounts.by_name("after")) is not None


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_previous_release_goes_on_beside_this_one(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    if kind == "sqlite":
        place = Place(tmp_path)
        create_private(tmp_path / "chat.db")
        engine = writing_engine(tmp_path / "chat.db")
        with engine.connect() as connection:
            rolls(connection)
        engine.dispose()
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        place = Place(tmp_path, server.database())

        def work() -> None:
            with migrating_engine(place.url).sync_engine.connect() as connection:
                rolls(connection)

        outside_the_loop(work)
    run(place, _this_release)
