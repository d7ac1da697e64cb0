"""A stage for each fault, and the numbers of a bounded or a long run."""

import asyncio
import random
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cluster import Cluster, Template, build_template
from tests.faults.stage import Scenery, Stage, build
from tests.services import PostgreSQL, Redis


@pytest.fixture(scope="session")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Scenery:
    return asyncio.run(build(tmp_path_factory.mktemp("scenery") / "data"))


@pytest.fixture
def stage(scenery: Scenery, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(scenery, tmp_path / "data")
    yield stage
    stage.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSQL) -> Template:
    return asyncio.run(build_template(postgresql, tmp_path_factory.mktemp("template") / "data"))


@pytest.fixture
def cluster(template: Template, postgresql: PostgreSQL, redis: Redis, tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(template, postgresql, redis.url, tmp_path)
    yield cluster
    cluster.close()


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers whose seed is printed; `--seed N` repeats a run."""
    seed = request.config.getoption("--seed")
    seed = secrets.randbits(32) if seed is None else seed
    print(f"seed {seed}: repeat with --seed {seed}")
    return random.Random(seed)


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether to take minutes instead of seconds (`--long`)."""
    return bool(request.config.getoption("--long"))
