"""Several nodes in one process: each with a data folder, a port and a cookie secret that they share, over one
PostgreSQL database and one Redis.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from chat_app.app import open_app
from chat_app.data_folder import ensure_data
from chat_app.settings import load
from tests.conftest import Site
from tests.services import PostgreSQL, Redis

SECRET = "a secret that all nodes of an installation are given"


async def until(condition: Callable[[], bool]) -> None:
    """For what nobody is told of; the test's own deadline ends it."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


class Installation:
    """`node()` starts a further one."""

    def __init__(self, database_url: str, redis: Redis, folder: Path) -> None:
        self.redis = redis
        self._database_url = database_url
        self._folder = folder
        self._stack = AsyncExitStack()
        self.nodes: list[Site] = []

    async def node(self, **flags: str) -> Site:
        """Serves, and hears the others."""
        folder = self._folder / f"node{len(self.nodes)}"
        told: dict[str, str | None] = {"port": "0", "data": str(folder), "database_url": self._database_url}
        told["redis_url"] = self.redis.url
        settings = ensure_data(load(told | flags, {"CHAT_COOKIE_SECRET": SECRET}))
        app = await self._stack.enter_async_context(open_app(settings))
        site = Site(app, folder)
        self._stack.push_async_callback(site.close)
        self.nodes.append(site)
        await until(lambda: app.services.broker.up)
        return site

    async def start(self, count: int) -> list[Site]:
        """So many nodes."""
        return [await self.node() for _ in range(count)]

    async def heard(self, up: bool) -> None:
        """Every node knows that hints arrive, or that they do not."""
        await until(lambda: all(site.app.services.broker.up is up for site in self.nodes))

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
def installation(
    io_loop: IOLoop, tmp_path: Path, postgresql: PostgreSQL, redis: Redis
) -> Iterator[Installation]:
    installation = Installation(postgresql.database(), redis, tmp_path)
    yield installation
    io_loop.run_sync(installation.close)
