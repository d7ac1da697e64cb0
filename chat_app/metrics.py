"""What the process counts, for `/metrics`: labels come from closed sets, never from names or rooms."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_FAST_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)


class Turns(Collector):
    """How long the turns of the event loop take; `loop.TurnSelector` tells each. Cheaper than a Histogram."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_FAST_SECONDS) + 1)
        self._sum = self._longest = 0.0

    def observe(self, seconds: float) -> None:
        """A turn is over."""
        self._counts[bisect_left(_FAST_SECONDS, seconds)] += 1
        self._sum += seconds
        if seconds > self._longest:
            self._longest = seconds

    def collect(self) -> Iterator[Metric]:
        """For the registry. The longest turn is the one since this was asked the last time."""
        bounds = [*map(str, _FAST_SECONDS), "+Inf"]
        yield HistogramMetricFamily(
            "chat_loop_lag_seconds",
            "Duration of a turn of the event loop: what comes meanwhile waits as long",
            buckets=list(zip(bounds, accumulate(self._counts), strict=True)),
            sum_value=self._sum,
        )
        longest, self._longest = self._longest, 0.0
        yield GaugeMetricFamily(
            "chat_loop_longest_turn_seconds",
            "The longest turn of the event loop since the last reading of this page",
            value=longest,
        )


class Metrics:
    """One registry a process, made in `app.py`; `turns` comes from who made the loop."""

    def __init__(self, turns: Turns | None = None) -> None:
        self.everybodys: Callable[[], Awaitable[bytes | None]] | None = None
        """With several processes: the page of all of them, None when it cannot be had."""
        self.registry = CollectorRegistry()
        self.registry.register(turns or Turns())
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

    async def page(self) -> bytes | None:
        """Prometheus text, of all processes where there are several; None when it cannot be had now."""
        return self.render() if self.everybodys is None else await self.everybodys()


class BrokerMetrics:
    """What a node counts of what the nodes tell each other; there only where there is a broker."""

    def __init__(self, of: CollectorRegistry) -> None:
        self.up = Gauge("chat_broker_up", "Whether hints of other nodes arrive now", registry=of)
        self.sent = Counter("chat_hints_sent", "Hints told to the other nodes", registry=of)
        self.received = Counter("chat_hints_received", "Hints of other nodes", registry=of)
        self.dropped = Counter(
            "chat_hints_dropped",
            "Hints lost here, by reason; comparing with the database heals it",
            ["reason"],
            registry=of,
        )
        self.hop = Histogram(
            "chat_hop_seconds",
            "How long it takes what a node tells to arrive",
            buckets=_FAST_SECONDS,
            registry=of,
        )


_SAMPLE = re.compile(r"([^{ ]+)(?:\{(.*)\})? (\S+)")


def merged(pages: Mapping[str, str]) -> str:
    """One page of those of several processes: every sample has the label `process`, its key in `pages`."""
    families: dict[str, tuple[list[str], list[str]]] = {}
    for process, page in pages.items():
        about: list[str] = []
        samples: list[str] = []
        for line in page.splitlines():
            if line.startswith("# "):
                about, samples = families.setdefault(line.split(" ", 3)[2], ([], []))
                if line not in about:
                    about.append(line)
            elif found := _SAMPLE.fullmatch(line):
                labels = f'process="{process}"' + (f",{found[2]}" if found[2] else "")
                samples.append(f"{found[1]}{{{labels}}} {found[3]}")
    return "".join(f"{line}\n" for about, samples in families.values() for line in (*about, *samples))
