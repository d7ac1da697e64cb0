"""The servers that are compared, by name: how each is started and what the load generator must know of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import install, roomlog
from bench.loader import Loader
from bench.process import Server
from tests.ports import free_port

NODE_WS = "Node ws"
ROOMLOG = "Roomlog"


@dataclass(frozen=True)
class Peer:
    """A server to compare with. `kind` is what `install.prepare` calls what it needs."""

    name: str
    kind: str
    program: str
    flags: tuple[str, ...] = ()
    path: str = "/chat?room={room}&name={name}"


_SOCKET_IO = "/socket.io/?EIO=4&transport=websocket&room={room}&name={name}"
PEERS = (  # in this order; whom ours is held against next to it, for a shared machine changes within a minute
    Peer(NODE_WS, "node", "ws_hub.mjs"),
    Peer(ROOMLOG, "roomlog", "", ("-n", "-h"), "/chat?room={room}"),
    Peer("Bun", "bun", "bun_hub.mjs"),
    Peer("socket.io", "node", "socketio_hub.mjs", ("-s",), _SOCKET_IO),
    Peer("Tornado write_message", "python", "tornado_hub.py"),
    Peer("websockets broadcast()", "python", "websockets_hub.py"),
    Peer("aiohttp", "python", "aiohttp_hub.py"),
    Peer("Starlette on uvicorn", "python", "starlette_hub.py"),
    Peer("Go gorilla", "go", ""),
)  # fmt: skip


class Session:
    """A running server and a load generator for it."""

    def __init__(self, peer: Peer, server: Server, loader: Loader, data: Path | None) -> None:
        self.peer, self.server, self.loader, self.data = peer, server, loader, data


class Arena:
    """Where servers are started: the cores, the prepared data, the load generator."""

    def __init__(self, *, load: Path, cores: tuple[int | None, int | None], python: str = "") -> None:
        self._load = load
        self._server_core, self._client_core = cores
        self._folder = Path(tempfile.mkdtemp(prefix="roomlog-bench-"))
        self.python = python
        """Another interpreter for our server, to compare two environments."""
        self._cookies = roomlog.prepare(self._folder / "prepared")

    def close(self) -> None:
        """Leaves nothing behind."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def prepared(self) -> Path:
        """The data folder that every start copies."""
        return self._folder / "prepared"

    def copy(self) -> Path:
        """A fresh data folder."""
        return Path(shutil.copytree(self.prepared, self._folder / "data", dirs_exist_ok=False))

    def drop(self, data: Path) -> None:
        """Removes a data folder."""
        shutil.rmtree(data, ignore_errors=True)

    @contextmanager
    def session(
        self, peer: Peer, paths: list[str], *, per_room: int = 1 << 30, flags: tuple[str, ...] = (),
        data: Path | None = None,
    ) -> Iterator[Session]:  # fmt: skip
        """Starts a server with a load generator that has a line for each of `paths`."""
        own = self.copy() if peer.name == ROOMLOG and data is None else None
        try:
            with (
                self.server(peer, flags=flags, data=data or own) as server,
                self.loader(peer, server.port, paths, per_room=per_room) as loader,
            ):
                yield Session(peer, server, loader, data or own)
        finally:
            if own is not None:
                self.drop(own)

    def server(self, peer: Peer, *, flags: tuple[str, ...] = (), data: Path | None = None) -> Server:
        """A server to be entered."""
        port = free_port()
        environment: dict[str, str] = {}
        match peer.kind:
            case "node":
                command = ["node", str(install.NODE / peer.program), str(port)]
            case "bun":
                command = [str(install.BUN), str(install.NODE / peer.program), str(port)]
            case "python":
                command = [str(install.VENV / "bin" / "python"), str(install.PEERS / peer.program), str(port)]
            case "go":
                command = [str(install.GORILLA), str(port)]
            case _:
                assert data is not None
                command, environment = roomlog.command(data, port, flags), roomlog.environment()
                command[0] = self.python or command[0]
        log = self._folder / "server.log"
        return Server(command, port=port, log=log, core=self._server_core, environment=environment)

    def loader(self, peer: Peer, port: int, paths: list[str], *, per_room: int = 1 << 30) -> Loader:
        """A load generator; our server's connections carry the cookies of its accounts in turn."""
        specs = self._folder / "specs"
        cookies = self._cookies if peer.name == ROOMLOG else []
        lines = [
            f"{path}\t{cookies[number % len(cookies)]}" if cookies else path
            for number, path in enumerate(paths)
        ]
        specs.write_text("\n".join(lines) + "\n", encoding="ascii")
        return Loader(
            self._load, ports=[port], specs=specs, core=self._client_core, flags=peer.flags, per_room=per_room
        )

    def cookie(self, number: int) -> str:
        """The cookie of an account."""
        return self._cookies[number]


def paths(peer: Peer, count: int, *, rooms: int = 1) -> list[str]:
    """What `count` members ask for, the rooms one after another."""
    slugs = ["lobby"] if rooms == 1 else [f"room-{number}" for number in range(rooms)]
    each = -(-count // rooms)
    return [peer.path.format(room=slugs[n // each], name=f"member-{n % 10_000:04}") for n in range(count)]
