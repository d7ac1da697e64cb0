"""What the process counts, for `/metrics`: labels come from closed sets, never from names or rooms."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_FAST_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)


class Metrics:
    """One registry a process, made in `app.py`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of = self.registry
        self.connections = Gauge("chat_connections", "Open sockets", registry=of)
        self.opened = Counter("chat_connections_opened", "Sockets opened", registry=of)
        self.closed = Counter(
            "chat_connections_closed", "Sockets closed, by close code", ["code"], registry=of
        )
        self.messages = Counter("chat_messages", "Messages committed", registry=of)
        self.refusals = Counter("chat_refusals", "Events refused, by error code", ["code"], registry=of)
        self.handshakes = Counter(
            "chat_handshakes_refused", "Handshakes refused, by status", ["status"], registry=of
        )
        self.sign_ins = Counter("chat_sign_ins", "Sign-ins, by outcome", ["outcome"], registry=of)
        self.heartbeat_drops = Counter("chat_heartbeat_drops", "Sockets dropped for silence", registry=of)
        self.errors = Counter("chat_errors", "Errors nobody foresaw", registry=of)
        self.loop_lag = Histogram(
            "chat_loop_lag_seconds",
            "How late the event loop runs a timer",
            buckets=_FAST_SECONDS,
            registry=of,
        )
        self.commits = Histogram(
            "chat_commit_seconds",
            "Duration of a commit with its statements",
            buckets=_FAST_SECONDS,
            registry=of,
        )
        self.committed = Counter("chat_changes_committed", "Changes in all commits", registry=of)

    def commit(self, seconds: float, changes: int) -> None:
        """One group commit is done."""
        self.commits.observe(seconds)
        self.committed.inc(changes)

    def render(self) -> bytes:
        """Prometheus text."""
        return generate_latest(self.registry)
