"""Where several processes are measured: PostgreSQL that syncs, Redis, our server one to three times, and the load.

`nodes.py` takes a `Grid` for a whole benchmark and starts an `Installation` on it for each measurement. Nothing
is pinned to a core: all of it shares the machine, and CPU is counted for each process by itself.
"""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import roomlog
from bench.loader import Counted, Counting, Loaded, Loader
from bench.process import Server, tree
from bench.servers import PEERS, ROOMLOG, paths
from tests.faults.client import ORIGIN
from tests.ports import free_port
from tests.services import PostgreSQL, Redis

OURS = next(peer for peer in PEERS if peer.name == ROOMLOG)
INFLIGHT = 32
QUIET_MS = 1_200
WARMUP_MS = 500
RUN_MS = 2_000
SQLITE = "SQLite"
POSTGRESQL = "PostgreSQL"


_ROOMS = (
    "INSERT INTO rooms (id, slug, slug_key, title, epoch, seq, created_ms, kind)"
    " SELECT gen_random_uuid(), 'further-' || n, 'further-' || n, 'Further', 'epoch', 0, 0, 'private'"
    " FROM generate_series(1, {count}) AS n"
)


class Wrong(Exception):
    """Something was lost, doubled or refused: figures of that are worth nothing."""


@dataclass(frozen=True)
class Used:
    """CPU in µs: of each process of the server, of PostgreSQL, Redis and the load generator."""

    nodes: tuple[float, ...]
    postgresql: float
    redis: float
    loader: float

    def since(self, before: Used) -> Used:
        """What was used meanwhile."""
        return Used(
            tuple(now - then for now, then in zip(self.nodes, before.nodes, strict=True)),
            self.postgresql - before.postgresql, self.redis - before.redis, self.loader - before.loader,
        )  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What one load brought."""

    counted: Counted
    loaded: Loaded
    used: Used
    commit_ms: float
    """Of a transaction, in the mean."""


@dataclass
class Installation:
    """The running processes of one server, and what they share."""

    servers: list[Server]
    redis: Redis | None
    postgresql: PostgreSQL | None

    @property
    def ports(self) -> list[int]:
        return [server.port for server in self.servers]

    def used(self, loader: Loader) -> Used:
        """CPU so far."""
        redis = self.redis.process if self.redis else None
        return Used(
            tuple(cpu_us(server.pid) for server in self.servers),
            cpu_us(self.postgresql.pid) if self.postgresql else 0.0,
            cpu_us(redis.pid) if redis else 0.0,
            cpu_us(loader.pid),
        )

    def metric(self, number: int, name: str) -> float:
        """A sample of /metrics of one process."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[number], timeout=30)
        try:
            connection.request("GET", "/metrics", headers={"Host": f"localhost:{self.ports[0]}"})
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0


def published(redis: Redis) -> int:
    """How often something was published so far."""
    with socket.create_connection(("127.0.0.1", redis.port), 5) as line:
        line.sendall(b"INFO commandstats\r\n")
        text = ""
        while not text.endswith("\r\n\r\n") and "cmdstat_publish:" not in text.partition("\r\n\r\n")[0]:
            text += line.recv(65536).decode()
    found = re.search(r"cmdstat_publish:calls=(\d+)", text)
    return int(found[1]) if found else 0


def cpu_us(pid: int) -> float:
    """CPU so far of a process, its threads and its living descendants: by the scheduler, which counts in ns, for
    /proc/PID/stat counts in hundredths of a second and Redis needs less than one for thousands of hints.
    """
    total = 0
    for each in tree(pid):
        for thread in Path(f"/proc/{each}/task").glob("*/schedstat"):
            try:
                total += int(thread.read_text(encoding="ascii").split()[0])
            except OSError:
                continue
    return total / 1000


class Grid:
    """PostgreSQL and prepared data, for as long as it is entered."""

    def __init__(self, *, load: Path) -> None:
        self._load = load
        self._folder = Path(tempfile.mkdtemp(prefix="roomlog-nodes-"))
        self.postgresql = PostgreSQL(fsync="on", shared_buffers="256MB")
        self._cookies = {SQLITE: roomlog.prepare(self._folder / "sqlite")}
        url = self.postgresql.database()
        self._cookies[POSTGRESQL] = roomlog.prepare(self._folder / "postgresql", url)
        self._template = url.rpartition("/")[2]

    def close(self) -> None:
        """Leaves nothing behind."""
        self.postgresql.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def cookie(self, number: int) -> str:
        """The cookie of an account on PostgreSQL."""
        return self._cookies[POSTGRESQL][number]

    @contextmanager
    def installation(self, kind: str, count: int = 1, *, further_rooms: int = 0) -> Iterator[Installation]:
        """`count` processes on a fresh database, where there are `further_rooms` that nobody may see."""
        home = Path(tempfile.mkdtemp(dir=self._folder))
        with ExitStack() as stack:
            redis = None
            environment = roomlog.environment()
            if kind == POSTGRESQL:
                redis = Redis(home)
                stack.callback(redis.stop)
                url = environment["DATABASE_URL"] = self.postgresql.database(self._template)
                self.postgresql.sql(_ROOMS.format(count=further_rooms), url.rpartition("/")[2])
                environment["REDIS_URL"] = f"redis://127.0.0.1:{redis.port}/0"
            ports = [free_port() for _ in range(count)]
            servers = []
            for number, port in enumerate(ports):
                data = home / f"node{number}"
                if kind == SQLITE:
                    shutil.copytree(self._folder / "sqlite", data)
                command = roomlog.command(
                    data, port, ("--allowed-origins", f"http://localhost:{ports[0]},{ORIGIN}")
                )
                log = home / f"node{number}.log"
                servers.append(stack.enter_context(
                    Server(command, port=port, log=log, core=None, environment=environment)
                ))  # fmt: skip
            yield Installation(servers, redis, self.postgresql if kind == POSTGRESQL else None)
        shutil.rmtree(home, ignore_errors=True)

    @contextmanager
    def loaded(
        self, kind: str, count: int, paths: list[str], *, per_room: int = 1 << 30, further_rooms: int = 0
    ) -> Iterator[tuple[Installation, Loader]]:
        """The same with a load generator that has a line for each of `paths`, to the processes in turn."""
        with self.installation(kind, count, further_rooms=further_rooms) as installation:
            cookies = self._cookies[kind]
            specs = self._folder / "specs"
            lines = [f"{path}\t{cookies[number % len(cookies)]}\n" for number, path in enumerate(paths)]
            specs.write_text("".join(lines), encoding="ascii")
            flags = ("-n", "-h")
            with Loader(
                self._load, ports=installation.ports, specs=specs, core=None, flags=flags, per_room=per_room
            ) as loader:
                yield installation, loader


def run(
    installation: Installation, loader: Loader, *, senders: int, window: int = 0, rate: float = 0.0
) -> Run:
    """One load on open connections."""
    loader.tell(f"load {senders} {window} {rate} {WARMUP_MS} {RUN_MS}")
    loader.wait(Counting)
    before = installation.used(loader)
    counted = loader.wait(Counted)
    used = installation.used(loader).since(before)
    loaded = loader.wait(Loaded)
    if loaded.duplicated or loaded.lost or loaded.reset or loaded.closed:
        raise Wrong(str(loaded))
    count, seconds = (installation.metric(0, f"chat_commit_seconds_{name}") for name in ("count", "sum"))
    return Run(counted, loaded, used, seconds / max(1.0, count) * 1000)


@contextmanager
def opened(
    grid: Grid, kind: str, count: int, members: int, *, rooms: int = 1, further_rooms: int = 0
) -> Iterator[tuple[Installation, Loader]]:
    """Processes with members that are connected and at rest."""
    lines = paths(OURS, members, rooms=rooms)
    with grid.loaded(kind, count, lines, per_room=members // rooms, further_rooms=further_rooms) as (
        there,
        loader,
    ):
        done = loader.connect(members, inflight=INFLIGHT)
        if done.up != members or done.failed:
            raise Wrong(str(done))
        loader.settle(QUIET_MS)
        yield there, loader
