"""Sliding windows and what counts as one address."""

import pytest

from chat_app.core.limits import SlidingWindow, address_key


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_window_slides_and_tells_how_long_to_wait(clock: Clock) -> None:
    window = SlidingWindow(2, 10, clock)
    assert window.take("a") == 0
    clock.now += 4
    assert window.take("a") == 0
    assert window.take("a") == 6
    clock.now += 6
    assert window.take("a") == 0
    assert window.take("a") == 4


def test_keys_are_counted_apart(clock: Clock) -> None:
    window = SlidingWindow(1, 10, clock)
    assert window.take("a") == window.take("b") == 0
    assert window.take("a") == 10


def test_what_was_refused_does_not_count(clock: Clock) -> None:
    window = SlidingWindow(1, 10, clock)
    window.take("a")
    for _ in range(5):
        clock.now += 1
        window.take("a")
    assert window.peek("a") == 5


def test_a_refund_takes_back_the_newest(clock: Clock) -> None:
    window = SlidingWindow(2, 10, clock)
    window.take("a")
    clock.now += 5
    window.take("a")
    window.refund("a")
    assert window.take("a") == 0
    assert window.peek("a") == 5
    window.clear("a")
    window.refund("a")
    assert window.peek("a") == 0


def test_peeking_counts_nothing(clock: Clock) -> None:
    window = SlidingWindow(1, 10, clock)
    assert window.peek("a") == window.peek("a") == window.take("a") == 0
    assert len(window) == 1


@pytest.mark.parametrize(("limit", "seconds"), [(0, 10), (5, 0)])
def test_zero_is_off(clock: Clock, limit: int, seconds: float) -> None:
    window = SlidingWindow(limit, seconds, clock)
    assert [window.take("a") for _ in range(10)] == [0] * 10
    assert len(window) == 0


def test_idle_keys_are_forgotten(clock: Clock) -> None:
    window = SlidingWindow(5, 10, clock)
    for key in range(100):
        window.take(key)
    clock.now += 10
    window.take("fresh")
    assert len(window) == 1


def test_no_more_keys_than_the_bound_are_remembered(clock: Clock) -> None:
    window = SlidingWindow(1, 10, clock, keys_limit=3)
    for key in "abcd":
        assert window.take(key) == 0
    assert len(window) == 3
    assert window.peek("a") == 0 and window.peek("d") == 10


@pytest.mark.parametrize(
    ("ip", "key"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", "somewhere"),
    ],
)
def test_an_ipv6_address_counts_as_its_network(ip: str, key: str) -> None:
    assert address_key(ip) == key
