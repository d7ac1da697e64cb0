"""Limits over several nodes: counted everywhere, decided alone."""

import asyncio

import pytest

from chat_app.core.identity import Identity
from chat_app.core.limits import SlidingWindow
from chat_app.core.shared_limits import KEY_LIMIT, LimitGossip
from chat_app.hints import Counted, Hint
from chat_app.protocol import encode

from .people_nodes import FakeBroker, Network, run


class NoHashes:
    """Every password is wrong."""

    async def hash(self, password: str) -> str:
        raise AssertionError

    async def verify(self, password_hash: str | None, password: str) -> bool:
        return False


class Gossip:
    """A node with one window of 4 in 10 s."""

    def __init__(self, network: Network, name: str, *, limit: int = 4, keys_limit: int = 50) -> None:
        loop = asyncio.get_running_loop()
        self.window = SlidingWindow(limit, 10, loop.time, keys_limit=keys_limit)
        self.limits = LimitGossip(broker=FakeBroker(network, name), windows={"window": self.window})
        network.brokers[name].start(self)

    def receive(self, node_id: str, hint: Hint) -> None:
        assert isinstance(hint, Counted)
        self.limits.counted(hint)

    def connection_changed(self, up: bool) -> None:
        self.limits.connection_changed(up)

    def nodes_alive(self, versions: object) -> None:
        raise AssertionError("tested by number")


async def hop() -> None:
    await asyncio.sleep(0.01)


def sent(network: Network) -> list[Hint]:
    found = [hint for _, hint in network.sent]
    network.sent.clear()
    return found


@pytest.mark.parametrize("key", ["account", ("mark", "2001:db8::/64"), "ａ\ud800 “", ""])
def test_what_one_node_counts_the_others_count_too(key: object) -> None:
    async def scenario() -> None:
        network = Network()
        one, two = Gossip(network, "1"), Gossip(network, "2")
        for node in (one, one, two):
            assert node.window.take(key) == 0
        await hop()
        assert one.window.take(key) == 0
        await hop()
        assert 9 < two.window.take(key) <= 10 and 9 < one.window.take(key) <= 10
        assert two.window.take("another") == 0
        await asyncio.sleep(10)
        assert two.window.take(key) == 0

    run(scenario)


def test_what_is_counted_in_one_turn_is_told_once_and_what_was_taken_back_not_at_all() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = Gossip(network, "1"), Gossip(network, "2")
        for _ in range(3):
            one.window.take("a")
        one.window.take("b")
        one.window.refund("b")
        await hop()
        assert sent(network) == [Counted("window", '"a"', 3)]
        assert two.window.peek("a") == 0 and two.window.take("a") == 0 and two.window.peek("a") > 0
        one.window.refund("a")
        one.window.refund("a")
        await hop()
        assert two.window.take("a") == 0 and two.window.take("a") == 0 and two.window.peek("a") > 0
        one.window.refund("never counted")
        one.window.clear("never counted")
        await hop()
        assert sent(network).pop() == Counted("window", '"a"', 2)
        one.window.refund("never counted")
        await hop()
        assert sent(network) == []

    run(scenario)


def test_what_is_forgotten_is_forgotten_everywhere() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = Gossip(network, "1"), Gossip(network, "2")
        for _ in range(4):
            two.window.take("a")
        await hop()
        assert one.window.peek("a") > 0
        sent(network)
        one.window.clear("a")
        one.window.take("a")
        await hop()
        assert sent(network) == [Counted("window", '"a"', 0), Counted("window", '"a"', 1)]
        assert [two.window.take("a") for _ in range(4)] == [0, 0, 0, pytest.approx(10, abs=0.1)]

    run(scenario)


def test_without_the_broker_a_node_has_its_share_of_those_last_alive() -> None:
    async def scenario() -> None:
        network = Network()
        one = Gossip(network, "1", limit=7)
        one.limits.nodes_alive(2)
        network.go_away()
        assert [one.window.take("a") == 0 for _ in range(4)] == [True, True, False, False]
        network.come_back()
        assert [one.window.take("a") == 0 for _ in range(6)] == [True] * 5 + [False]
        one.limits.nodes_alive(20)
        network.go_away()
        assert [one.window.take("b") == 0 for _ in range(2)] == [True, False], "one at least"
        assert one.window.peek("a") == pytest.approx(10)

    run(scenario)


def test_the_wait_is_right_when_more_was_counted_than_the_limit() -> None:
    async def scenario() -> None:
        one = Gossip(Network(), "1", limit=2)
        one.window.take("a")
        await asyncio.sleep(1)
        one.window.take("a")
        await asyncio.sleep(1)
        one.limits.counted(Counted("window", '"a"', 1))
        assert one.window.take("a") == pytest.approx(9)
        await asyncio.sleep(9)
        assert one.window.take("a") == 0

    run(scenario)


def test_nothing_that_comes_from_outside_grows_the_memory() -> None:
    async def scenario() -> None:
        network = Network()
        one = Gossip(network, "1", keys_limit=50)
        for number in range(1_000):
            one.limits.counted(Counted("window", f'"{number}"', 1))
        assert len(one.window) == 50
        one.limits.counted(Counted("window", '"many"', 10**9))
        one.limits.counted(Counted("window", '"none"', -(10**9)))
        assert len(one.window._times["many"]) == 8 and "none" not in one.window._times
        for key in ("", "{", "[1]", "[[]]", '{"a": 1}', "3", "[" * 5_000, f'"{"x" * KEY_LIMIT}"'):
            one.limits.counted(Counted("window", key, 1))
        one.limits.counted(Counted("nothing", '"a"', 1))
        assert len(one.window) == 50
        one.window.take("x" * KEY_LIMIT)
        await hop()
        assert sent(network) == []
        off = SlidingWindow(0, 10, lambda: 0)
        off.counted("a", 1)
        assert len(off) == 0

    run(scenario)


def test_guesses_at_a_password_count_over_the_nodes_and_no_name_is_told() -> None:
    class Nobody:
        async def by_name(self, name_key: str) -> None:
            return None

    async def scenario() -> None:
        network = Network()
        identities = []
        for name in ("1", "2"):
            identity = Identity(
                Nobody(),  # type: ignore[arg-type]
                NoHashes(),
                lambda: 0,
                lambda *ended: None,
                monotonic=asyncio.get_running_loop().time,
            )
            node = Gossip(network, name)
            node.limits = LimitGossip(broker=network.brokers[name], windows=identity.windows())
            identities.append(identity)
        codes = []
        for number in range(6):
            try:
                await identities[number % 2].sign_in("Secret", "wrong", address="192.0.2.1", agent="")
            except Exception as error:
                codes.append(getattr(error, "code", repr(error)))
            await hop()
        assert codes == ["bad_credentials"] * 5 + ["rate_limited"]
        told = b"".join(encode(hint) for hint in sent(network))
        assert b"192.0.2.1" in told and b"ecret" not in told

    run(scenario)


def test_alone_nothing_is_told() -> None:
    window = SlidingWindow(2, 10, lambda: 0.0)  # no loop runs here
    assert window.take("a") == window.take("a") == 0 and window.take("a") > 0
    window.refund("a")
    window.clear("a")
    assert len(window) == 0
