"""What every handler is given: the parts of the running application, made by `app.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chat_app.core.administration import Administration
from chat_app.core.chat import Chat
from chat_app.core.cluster import Alone
from chat_app.core.completion import Completion
from chat_app.core.connections import Connections
from chat_app.core.identity import Identity
from chat_app.core.limits import SlidingWindow
from chat_app.core.management import Management
from chat_app.core.rooms import Registry, Tasks
from chat_app.core.unread import Unreads
from chat_app.metrics import Metrics
from chat_app.ports import Broker, Database
from chat_app.settings import Settings
from chat_app.web.templates import Assets, load_assets


@dataclass(slots=True)
class State:
    """Where the process stands, for `/readyz`, and what it saw."""

    ready: bool = False
    draining: bool = False
    forwarded_by: str | None = None
    """Who sent a forwarding header and is no trusted proxy; for the page on security."""

    def end_ready(self) -> None:
        """Others will be asked instead."""
        self.ready = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One for an application."""

    settings: Settings
    identity: Identity
    administration: Administration
    database: Database
    chat: Chat
    management: Management
    completion: Completion
    registry: Registry
    connections: Connections
    unreads: Unreads
    metrics: Metrics
    tasks: Tasks
    state: State
    handshakes: SlidingWindow
    """Handshakes refused with 401, by `BaseHandler.remote`."""
    searches: SlidingWindow
    """Searches, by account."""
    clock_ms: Callable[[], int]
    socket_limit: int
    """Sockets the process has descriptors for."""
    broker: Broker = field(default_factory=Alone)
    assets: Assets = field(default_factory=load_assets)
    origins: frozenset[str] = field(init=False)
    hosts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        origins = frozenset(self.settings.allowed_origins)
        object.__setattr__(self, "origins", origins)
        object.__setattr__(self, "hosts", hosts_of(origins))

    def clients(self) -> int:
        """Open sockets."""
        return len(self.connections)

    def full(self) -> bool:
        """Whether one more socket is one too many for the process."""
        return self.clients() >= self.socket_limit


def hosts_of(origins: frozenset[str]) -> frozenset[str]:
    """What `Host` may be for these origins: with the scheme's own port or without it."""
    hosts = set()
    for origin in origins:
        parts = urlsplit(origin)
        hosts.add(parts.netloc)
        if parts.port is None:
            hosts.add(f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}")
    return frozenset(hosts)
