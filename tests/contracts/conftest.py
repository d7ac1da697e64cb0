"""Both databases: a test that takes a `place` runs over each."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import PostgreSQL

from .store import Place, migrated


@pytest.fixture(scope="session")
def template(postgresql: PostgreSQL) -> str:
    """The name of a migrated PostgreSQL database, of which each test gets a copy."""
    url = postgresql.database()
    migrated(url)
    return url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where a new database is, or is about to be made."""
    if request.param == "sqlite":
        yield Place(tmp_path)
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = f"test_{secrets.token_hex(6)}"
    server.sql(f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('template')}")
    yield Place(tmp_path, server.url_of(name))
    server.sql(f"DROP DATABASE {name} WITH (FORCE)")
