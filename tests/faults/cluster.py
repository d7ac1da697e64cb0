"""Where the faults of several nodes are played: PostgreSQL, Redis, and three server processes that die and come back.

`Cluster` stands for the installation. A node keeps its port over all of its lives, as behind a load balancer;
`Cluster.address` is another one of the living each time it is asked.
"""

import asyncio
import itertools
import random
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.checker import Record, Stored
from tests.faults.client import Member
from tests.faults.crowd import come_to_rest, gather, judge
from tests.faults.stage import ROOMS, Running, build
from tests.ports import free_port
from tests.services import PostgreSQL

NODES = 3
SECRET = "signs the cookies of all nodes alike 0123456789 0123456789"


@dataclass(frozen=True)
class Template:
    """A database as every test begins with it, and the cookies of its accounts."""

    name: str
    cookies: tuple[str, ...]


async def build_template(postgresql: PostgreSQL, folder: Path) -> Template:
    """Accounts, a session each, and rooms, once for all tests."""
    url = postgresql.database()
    scenery = await build(folder, {"DATABASE_URL": url, "CHAT_COOKIE_SECRET": SECRET})
    return Template(url.rpartition("/")[2], scenery.cookies)


class Node(Running):
    """One process of the cluster."""

    def __init__(self, data: Path, cookies: tuple[str, ...], variables: dict[str, str], port: int) -> None:
        super().__init__(data, cookies)
        self.port = port
        self.variables = variables
        self.flags: tuple[str, ...] = ()
        self.paused = False

    async def serve(self, **variables: str) -> None:
        """Starts it, with the flags that it was given at first."""
        await self.start("--port", str(self.port), *self.flags, variables={**self.variables, **variables})

    @property
    def living(self) -> bool:
        """It runs; a stopped one does not."""
        return self.server is not None and self.server.process.poll() is None and not self.paused

    def pause(self) -> None:
        """It keeps every connection and answers nobody."""
        assert self.server is not None
        self.paused = True
        self.server.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.server is not None
        self.server.process.send_signal(signal.SIGCONT)
        self.paused = False


class Cluster:
    """A `crowd.Scene` of three nodes on one database; `redis_url` may be changed until they start."""

    def __init__(self, template: Template, postgresql: PostgreSQL, redis_url: str, folder: Path) -> None:
        self.postgresql = postgresql
        self.database_url = postgresql.database(template.name)
        self.cookies = template.cookies
        self.redis_url = redis_url
        variables = {"DATABASE_URL": self.database_url, "CHAT_COOKIE_SECRET": SECRET}
        self.nodes = [
            Node(folder / f"node{number}", template.cookies, dict(variables), free_port())
            for number in range(NODES)
        ]
        self._turn = itertools.count()

    async def start(self, *flags: str) -> None:
        """All nodes at once."""
        for node in self.nodes:
            node.flags = flags
            node.variables["REDIS_URL"] = self.redis_url
        await asyncio.gather(*(node.serve() for node in self.nodes))

    @property
    def database(self) -> str:
        """Its name on the server."""
        return self.database_url.rpartition("/")[2]

    @property
    def living(self) -> list[Node]:
        """The nodes that run."""
        return [node for node in self.nodes if node.living]

    @property
    def address(self) -> tuple[str, int]:
        """The living nodes one after the other."""
        living = self.living or self.nodes
        return living[next(self._turn) % len(living)].address

    def heads(self) -> dict[str, int]:
        """Room to head, as PostgreSQL has them."""
        rows = self.postgresql.sql("SELECT slug, seq FROM rooms", self.database).splitlines()
        return {slug: int(seq) for slug, _, seq in (row.partition("|") for row in rows)}

    async def store(self, rooms: Sequence[str] = ROOMS) -> dict[str, Stored]:
        """The rooms as every node pages them, which must be the same."""
        heads = await asyncio.to_thread(self.heads)
        found = [{room: await node.messages(room) for room in rooms} for node in self.living]
        assert all(each == found[0] for each in found), "the nodes page different messages"
        return {room: Stored(heads[room], found[0][room]) for room in rooms}

    def terminate_backends(self) -> int:
        """Ends every connection to the database; how many there were."""
        ended = self.postgresql.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            f" WHERE datname = '{self.database}' AND pid <> pg_backend_pid()"
        )
        return int(ended)

    def close(self) -> None:
        for node in self.nodes:
            if node.server is not None and node.server.process.poll() is None:
                node.resume()
            node.close()


async def judge_all(
    cluster: Cluster,
    record: Record,
    chance: random.Random,
    members: Iterable[Member],
    *,
    excused: frozenset[str | int] = frozenset(),
) -> None:
    """The promise for everybody, and for somebody new in each room of each node: what a node has in memory
    must be what the database has.
    """
    everybody = list(members)
    for number, node in enumerate(cluster.nodes):
        assert node.living, node.server and node.server.log
        everybody += gather(
            cluster, record, chance, len(ROOMS), address=lambda n=node: n.address, prefix=f"new{number}-"
        )
    await come_to_rest(cluster, everybody)
    await judge(cluster, record, everybody, excused=excused)
    for node in cluster.nodes:
        assert node.server is not None
        assert await node.metric("chat_errors_total") == 0, node.server.log
        assert "Traceback" not in node.server.log, node.server.log
