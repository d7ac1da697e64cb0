"""Sliding windows: how often something may happen for a key (a connection, an account, an address).

Pure counting over an injected monotonic clock; who asks decides what a refusal means.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

KEYS_LIMIT = 50_000
"""Keys remembered at once; beyond it the least recently counted one is forgotten."""


class SlidingWindow:
    """At most `limit` times within any `window_seconds`, for each key. A limit or window of 0 is off."""

    def __init__(
        self,
        limit: int,
        window_seconds: float,
        clock: Callable[[], float],
        *,
        keys_limit: int = KEYS_LIMIT,
    ) -> None:
        self._limit = limit
        self._window = window_seconds
        self._clock = clock
        self._keys_limit = keys_limit
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self._tell: Callable[[Hashable, int], None] | None = None
        self._parts = 1

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._times)

    def take(self, key: Hashable) -> float:
        """0.0 when it is allowed, and then it counts; else the seconds until it will be."""
        if self.off:
            return 0.0
        wait = self.peek(key)
        if wait <= 0:
            self.count(key)
        return wait

    def count(self, key: Hashable) -> None:
        """It happened; the caller has seen by `peek` that it may."""
        times = self._times.setdefault(key, deque())
        times.append(self._clock())
        self._times.move_to_end(key)
        self._forget()
        if self._tell is not None:
            self._tell(key, 1)

    def refund(self, key: Hashable) -> None:
        """Take back the newest one of `key`: it did not happen."""
        times = self._times.get(key)
        if times:
            times.pop()
            if not times:
                del self._times[key]
            if self._tell is not None:
                self._tell(key, -1)

    def clear(self, key: Hashable) -> None:
        """Forget everything counted for `key`."""
        if self._times.pop(key, None) is not None and self._tell is not None:
            self._tell(key, 0)

    def peek(self, key: Hashable) -> float:
        """What `take` would answer, without counting."""
        times = self._times.get(key)
        if self.off or times is None:
            return 0.0
        now = self._clock()
        while times and times[0] <= now - self._window:
            times.popleft()
        over = len(times) - max(1, self._limit // self._parts)
        return 0.0 if over < 0 else times[over] + self._window - now

    def share(self, tell: Callable[[Hashable, int], None]) -> None:
        """From now on `tell` hears what is counted here, as (key, times): taken back below 0, forgotten 0."""
        self._tell = tell

    def divide(self, parts: int) -> None:
        """Only this part of the limit is allowed here, at least once."""
        self._parts = parts

    def counted(self, key: Hashable, times: int) -> None:
        """What somebody else counted, by the sign as `share` tells it; at most twice the limit is kept."""
        if self.off:
            return
        if times == 0:
            self._times.pop(key, None)
            return
        known = self._times.setdefault(key, deque())
        for _ in range(min(-times, len(known))):
            known.pop()
        known.extend([self._clock()] * min(times, 2 * self._limit - len(known)))
        if not known:
            del self._times[key]
            return
        self._times.move_to_end(key)
        self._forget()

    @property
    def off(self) -> bool:
        """Whether it allows everything."""
        return self._limit <= 0 or self._window <= 0

    def _forget(self) -> None:
        """Drop keys from the front, where the least recently counted stand, while idle or too many."""
        idle_before = self._clock() - self._window
        while self._times:
            key, times = next(iter(self._times.items()))
            if len(self._times) <= self._keys_limit and times and times[-1] > idle_before:
                return
            del self._times[key]


def address_key(ip: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one (one customer's, RFC 6177)."""
    try:
        address = plain_address(ip)
    except ValueError:
        return ip
    if address.version == 4:
        return str(address)
    return str(ip_network((int(address), 64), strict=False))


def plain_address(ip: str) -> IPv4Address | IPv6Address:
    """The address without a zone; an IPv4 one inside IPv6 (`::ffff:1.2.3.4`) as IPv4. Raises ValueError."""
    address = ip_address(ip.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
