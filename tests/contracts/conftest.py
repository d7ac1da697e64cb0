"""Both databases: a test that takes a `place` runs over each."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import PostgreSQL

from .store import Place, migrated


@pytest.fixture(scope="session")
def template(postgresql: PostgreSQL) -> str:
    """What makes a new PostgreSQL database a copy of a migrated one."""
    url = postgresql.database()
    migrated(url)
    copying = "STRATEGY FILE_COPY" if int(postgresql.sql("SHOW server_version_num")) >= 150000 else ""
    return f"TEMPLATE {url.rpartition('/')[2]} {copying}"  # the other strategy takes three times as long


@pytest.fixture
def shared(postgresql: PostgreSQL, template: str, tmp_path: Path) -> Iterator[Place]:
    """A database that several nodes may open."""
    name = f"test_{secrets.token_hex(6)}"
    postgresql.sql(f"CREATE DATABASE {name} {template}")
    yield Place(tmp_path, postgresql.url_of(name))
    postgresql.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a database is, or is about to be made."""
    if request.param == "sqlite":
        return Place(tmp_path)
    found: Place = request.getfixturevalue("shared")
    return found
