"""The steps from one version of the database to the next."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from chat_app.backends.sql import revisions
from chat_app.backends.sql.files import create_private, writing_engine
from chat_app.backends.sql.schema import HEAD_REVISION, metadata

from .store import NOW, Store, run

ANN = ("id-old", "Ann", "ann-key", "member", "hash", 0, NOW)
INSERT = "INSERT INTO accounts (id, name, name_key, role, password_hash, disabled, created_ms) VALUES (?,?,?,?,?,?,?)"


def make(path: Path, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database as the version with this revision left it."""
    create_private(path)
    with monkeypatch.context() as patch:
        patch.setattr(revisions, "HEAD_REVISION", revision)
        revisions.migrate(path, backups=None)


def test_the_steps_lead_to_the_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "chat.db"
    make(path, HEAD_REVISION, monkeypatch)
    engine = writing_engine(path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_accounts_of_the_first_version_read_in_the_language_of_their_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.db"
    make(path, "0001", monkeypatch)
    with closing(sqlite3.connect(path)) as old, old:
        old.execute(INSERT, ANN)

    async def scenario(store: Store) -> None:
        found = await store.accounts.by_id("id-old")
        assert found is not None
        assert (found[0].name, found[0].language) == ("Ann", None)

    run(tmp_path, scenario)
    (copy,) = (tmp_path / "backups").glob(f"before-{HEAD_REVISION}-*.db")
    assert revisions.stored_revision(copy) == "0001"


def test_statements_of_the_first_version_still_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "chat.db"
    make(path, HEAD_REVISION, monkeypatch)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(INSERT, ANN)
        assert connection.execute("SELECT language FROM accounts").fetchall() == [(None,)]
