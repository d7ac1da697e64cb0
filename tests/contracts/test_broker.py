"""`ports.Broker` over a real Redis, which is killed, stopped, emptied, cut off and given nonsense.

Everything waits for what receivers are told; the intervals are short.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis as Client

from chat_app.backends.redis import Intervals, RedisBroker
from chat_app.backends.redis_hints import HINT_BYTES, WAITING_HINTS, Outbox
from chat_app.hints import AccountChanged, Changed, Hint, RoomMade
from chat_app.metrics import BrokerMetrics, Metrics
from chat_app.models import Committed, Message
from tests.faults.proxy import Fate, Proxy
from tests.ports import free_port
from tests.services import Redis, missing_redis, need

QUICK = Intervals(
    reply_seconds=1.0,
    probe_seconds=0.1,
    patience_seconds=2.5,
    retry_seconds=(0.02, 0.2),
    gather_seconds=0.02,
    renew_seconds=0.2,
    life_seconds=4.0,
)
SECONDS = 180
"""After that a test that waits fails."""


class Heard:
    """`ports.Receiver` that keeps everything."""

    def __init__(self) -> None:
        self.hints: list[tuple[str, Hint]] = []
        self.changes: list[bool] = []
        self.alive: Mapping[str, int] = {}
        self.readings = 0
        self._more = asyncio.Event()

    def receive(self, node_id: str, hint: Hint) -> None:
        self.hints.append((node_id, hint))
        self._more.set()

    def connection_changed(self, up: bool) -> None:
        self.changes.append(up)
        self._more.set()

    def nodes_alive(self, versions: Mapping[str, int]) -> None:
        self.alive = versions
        self.readings += 1
        self._more.set()

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self._more.clear()
            await self._more.wait()

    async def changed(self, *expected: bool) -> None:
        """What was told of the connection since the last time."""
        await self.until(lambda: len(self.changes) >= len(expected))
        assert tuple(self.changes) == expected
        self.changes.clear()

    async def arrives(self) -> None:
        """Hints do, whatever it took on a busy machine to come to it."""
        await self.until(lambda: self.changes and self.changes[-1])
        self.changes.clear()

    async def heard(self, hint: Hint) -> None:
        await self.until(lambda: any(hint == one for _, one in self.hints))


class Node:
    """A broker with who hears it; `counted` reads a metric of its process."""

    def __init__(self, url: str, **options: Any) -> None:
        self.metrics = Metrics()
        self.heard = Heard()
        given: dict[str, Any] = {"installation": "0123456789abcdef", "intervals": QUICK}
        self.broker = RedisBroker(url, metrics=self.metrics, **given | options)
        self.id = self.broker.node_id

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


class Stage:
    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack

    def node(self, url: str, **options: Any) -> Node:
        """A node that has begun."""
        node = Node(url, **options)
        node.broker.start(node.heard)
        self.stack.push_async_callback(node.broker.close)
        return node

    async def nodes(self, url: str, count: int, **options: Any) -> list[Node]:
        """Nodes that hear each other."""
        nodes = [self.node(url, **options) for _ in range(count)]
        for node in nodes:
            await node.heard.arrives()
        return nodes


def play(scenario: Callable[[Stage], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(SECONDS), AsyncExitStack() as stack:
            await scenario(Stage(stack))

    asyncio.run(main())


@asynccontextmanager
async def client(redis: Redis) -> AsyncIterator[Client]:
    """What an administrator does to Redis."""
    connected = Client.from_url(redis.url, protocol=2)
    try:
        yield connected
    finally:
        await connected.aclose()


def hint(number: int) -> Hint:
    return AccountChanged(str(number))


def test_what_a_node_tells_arrives_in_its_order_at_all_others_and_not_at_itself(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob, eve = await stage.nodes(redis.url, 3)
        for number in range(300):
            ann.broker.send(hint(number))
            bob.broker.send(hint(1000 + number))
            if number % 7 == 0:
                await asyncio.sleep(0)
        await eve.heard.until(lambda: len(eve.heard.hints) == 600)
        await bob.heard.until(lambda: len(bob.heard.hints) == 300)
        await ann.heard.until(lambda: len(ann.heard.hints) == 300)
        for listener in (bob, eve):
            assert [one for node, one in listener.heard.hints if node == ann.id] == list(
                map(hint, range(300))
            )
        for listener in (ann, eve):
            of_bob = [one for node, one in listener.heard.hints if node == bob.id]
            assert of_bob == list(map(hint, range(1000, 1300)))
        assert (ann.counted("chat_hints_sent_total"), eve.counted("chat_hints_received_total")) == (300, 600)
        assert ann.counted("chat_hop_seconds_count") >= 1
        assert ann.counted("chat_broker_up") == 1

    play(scenario)


def test_a_whole_message_arrives_as_it_was_told(redis: Redis) -> None:
    message = Message("m1", "r1", 3, 3, "a1", "Ann", "schön 🙂", "<p>schön 🙂</p>", 1_800_000_000_000, "n1")
    told = Changed(Committed("message", "r1", 3, message, mentioned=("a2",)))

    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)
        ann.broker.send(told)
        await bob.heard.heard(told)

    play(scenario)


def test_what_is_told_in_one_turn_goes_out_as_one_message(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        seldom = replace(QUICK, probe_seconds=3600.0, patience_seconds=7200.0)  # no probe is counted
        ann, bob = await stage.nodes(redis.url, 2, intervals=seldom)
        async with client(redis) as administrator:
            before = (await administrator.info("commandstats"))["cmdstat_publish"]["calls"]
            for number in range(100):
                ann.broker.send(hint(number))
            await bob.heard.until(lambda: len(bob.heard.hints) == 100)
            after = (await administrator.info("commandstats"))["cmdstat_publish"]["calls"]
        assert after - before == 1

    play(scenario)


def test_messages_that_came_together_are_read_together(redis: Redis) -> None:
    """One a turn would never keep up with several busy nodes."""

    async def scenario(stage: Stage) -> None:
        (bob,) = await stage.nodes(redis.url, 1)
        message = msgspec.msgpack.encode(("another", 0, [hint(1)]))
        turn, brought = 0, set[int]()
        receive = bob.heard.receive

        def noted(node_id: str, told: Hint) -> None:
            brought.add(turn)
            receive(node_id, told)

        async def count() -> None:
            nonlocal turn
            while True:
                await asyncio.sleep(0)
                turn += 1

        bob.heard.receive = noted  # type: ignore[method-assign]
        async with client(redis) as administrator, administrator.pipeline(transaction=True) as pipe:
            for _ in range(3_000):
                pipe.publish("roomlog:0123456789abcdef", message)
            counting = asyncio.ensure_future(count())
            await pipe.execute()
            await bob.heard.until(lambda: len(bob.heard.hints) == 3_000)
            counting.cancel()
        assert len(brought) < 2_000, "in so many turns some came, and in those between nothing had arrived"

    play(scenario)


def test_redis_killed_and_back_empty_is_told_and_people_are_written_anew(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)
        ann.broker.set_people(4, {"r1": {"a1": "Ann"}, "r2": {"a1": "Ann"}})
        await bob.heard.until(lambda: bob.heard.alive == {ann.id: 4})
        redis.stop()
        for node in (ann, bob):
            await node.heard.changed(False)
            assert not node.broker.up
        assert await bob.broker.people(ann.id) is None
        assert ann.counted("chat_broker_up") == 0
        redis.start()
        for node in (ann, bob):
            await node.heard.changed(True)
            assert node.broker.up
            node.heard.alive = {}
        await bob.heard.until(lambda: bob.heard.alive == {ann.id: 4})
        await ann.heard.until(lambda: ann.heard.alive == {bob.id: 0})
        assert await bob.broker.people(ann.id) == (4, {"r1": {"a1": "Ann"}, "r2": {"a1": "Ann"}})
        ann.broker.send(hint(1))
        await bob.heard.heard(hint(1))

    play(scenario)


def test_redis_that_is_stopped_holds_up_nobody(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)
        redis.pause()
        turns = 0
        while not ann.heard.changes:
            ann.broker.send(hint(0))
            turns += 1
            await asyncio.sleep(0)
        assert turns > 100, "the loop turned thousands of times while Redis did not answer"
        await ann.heard.changed(False)
        await bob.heard.changed(False)
        assert ann.counted("chat_hints_dropped_total", reason="away") > 0
        assert ann.counted("chat_hints_sent_total") == 0
        redis.resume()
        await ann.heard.changed(True)
        await bob.heard.changed(True)
        ann.broker.send(hint(1))
        await bob.heard.heard(hint(1))

    play(scenario)


def test_closing_while_redis_is_stopped_does_not_wait_for_it(redis: Redis) -> None:
    """Who waited for an answer would wait for an hour here."""

    async def scenario(stage: Stage) -> None:
        ann = stage.node(redis.url, intervals=replace(QUICK, reply_seconds=3600.0))
        await ann.heard.arrives()  # and so its keys are just being written
        redis.pause()
        await ann.broker.close()
        redis.resume()

    play(scenario)


def test_a_killed_subscription_is_noticed_and_told_though_it_is_back_at_once(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)
        async with client(redis) as administrator:
            assert await administrator.client_kill_filter(_type="pubsub") == 2
        for node in (ann, bob):
            await node.heard.changed(True)
        ann.broker.send(hint(1))
        await bob.heard.heard(hint(1))

    play(scenario)


def test_every_connection_killed_is_survived(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)
        ann.broker.set_people(1, {"r1": {"a1": "Ann"}})
        async with client(redis) as administrator:
            await administrator.client_kill_filter(_type="normal", skipme=True)
            await administrator.client_kill_filter(_type="pubsub", skipme=True)
        for node in (ann, bob):
            await node.heard.changed(True)
        await bob.heard.until(lambda: bob.heard.alive == {ann.id: 1})
        ann.broker.send(hint(1))
        await bob.heard.heard(hint(1))

    play(scenario)


@pytest.mark.parametrize(
    ("direction", "told"),
    [("swallow_to_client_after_bytes", [False, True]), ("swallow_to_server_after_bytes", [])],
)
def test_a_line_that_looks_open_and_brings_nothing_is_given_up(
    redis: Redis, direction: str, told: list[bool]
) -> None:
    """Towards Redis it is the publishing line that is found out, by its missing replies."""

    async def scenario(stage: Stage) -> None:
        given_up = asyncio.Event()

        def fate() -> Fate:
            if proxy.lines <= 3:
                return Fate(**{direction: 2_000})
            given_up.set()
            return Fate()

        proxy = Proxy(lambda: ("127.0.0.1", redis.port), fate)
        await stage.stack.enter_async_context(proxy)
        patience = (
            QUICK.patience_seconds if told else 60.0
        )  # the other line comes first, however busy the machine
        intervals = replace(QUICK, patience_seconds=patience)
        ann = stage.node(f"redis://127.0.0.1:{proxy.address[1]}/0", intervals=intervals)
        await ann.heard.arrives()
        (bob,) = await stage.nodes(redis.url, 1)
        await given_up.wait()
        await ann.heard.until(lambda: len(ann.heard.changes) >= len(told))
        assert ann.heard.changes == told
        probes = ann.counted("chat_hop_seconds_count")
        await ann.heard.until(lambda: ann.counted("chat_hop_seconds_count") > probes + 1)
        ann.broker.send(hint(1))
        await bob.heard.heard(hint(1))
        bob.broker.send(hint(2))
        await ann.heard.heard(hint(2))
        ann.broker.set_people(1, {"r1": {"a1": "Ann"}})
        await bob.heard.until(lambda: bob.heard.alive.get(ann.id) == 1)
        assert await bob.broker.people(ann.id) == (1, {"r1": {"a1": "Ann"}})
        assert await ann.broker.people(bob.id) == (0, {})

    play(scenario)


def test_a_node_that_died_is_gone_once_its_keys_have_run_out(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        (bob,) = await stage.nodes(redis.url, 1)
        async with Proxy(lambda: ("127.0.0.1", redis.port)) as proxy:
            ann = stage.node(f"redis://127.0.0.1:{proxy.address[1]}/0")
            ann.broker.set_people(2, {"r1": {"a1": "Ann"}})
            await bob.heard.until(lambda: bob.heard.alive == {ann.id: 2})
            assert await bob.broker.people(ann.id) == (2, {"r1": {"a1": "Ann"}})
        await bob.heard.until(lambda: bob.heard.alive == {})
        assert await bob.broker.people(ann.id) is None
        async with client(redis) as administrator:
            assert await administrator.smembers("roomlog:0123456789abcdef:nodes") == {bob.id.encode()}

    play(scenario)


def test_a_node_that_closes_is_gone_at_once_and_leaves_nothing(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)
        await bob.heard.until(lambda: ann.id in bob.heard.alive)
        await ann.broker.close()
        await bob.broker.close()
        ann.broker.send(hint(1))
        async with client(redis) as administrator:
            assert await administrator.keys("*") == []

    play(scenario)


def test_what_a_node_tells_last_arrives(redis: Redis) -> None:
    """So that who leaves it for another node in its drain is known to be on the way."""

    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)
        for number in range(3):
            ann.broker.send(hint(number))
        await ann.broker.close()
        await bob.heard.heard(hint(2))
        assert bob.heard.hints == [(ann.id, hint(number)) for number in range(3)]

    play(scenario)


def test_a_new_node_is_known_once_it_is_heard(redis: Redis) -> None:
    """Not only at the next counting, which is an hour away here."""

    async def scenario(stage: Stage) -> None:
        seldom = replace(QUICK, renew_seconds=3600.0, life_seconds=7200.0)
        ann = stage.node(redis.url, intervals=seldom)
        await ann.heard.until(lambda: ann.heard.readings)
        assert ann.heard.alive == {}
        bob = stage.node(redis.url, intervals=seldom)
        await ann.heard.until(lambda: ann.heard.alive == {bob.id: 0})

    play(scenario)


def test_only_rooms_that_changed_are_written(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)
        rooms = {f"r{number}": {"a1": "Ann"} for number in range(50)}
        ann.broker.set_people(1, rooms)
        await bob.heard.until(lambda: bob.heard.alive.get(ann.id) == 1)
        async with client(redis) as administrator, administrator.monitor() as monitor:
            changed = {**rooms, "r7": {"a1": "Ann", "a2": "Bob"}}
            del changed["r8"]
            ann.broker.set_people(2, changed)
            await bob.heard.until(lambda: bob.heard.alive.get(ann.id) == 2)
            commands = []
            while not (commands and "HDEL" in commands[-1]):
                commands.append((await monitor.next_command())["command"])
        (written,) = [one for one in commands if one.startswith("HSET") and "r7" in one]
        assert "r1" not in written
        assert [one.split()[2:] for one in commands if one.startswith("HDEL")] == [["r8"]]
        assert await bob.broker.people(ann.id) == (2, changed)

    play(scenario)


def test_keys_that_vanish_are_written_anew(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)
        ann.broker.set_people(1, {"r1": {"a1": "Ann"}})
        await bob.heard.until(lambda: bob.heard.alive.get(ann.id) == 1)
        async with client(redis) as administrator:
            await administrator.flushall()
        seen = bob.heard.readings
        await bob.heard.until(lambda: bob.heard.readings > seen + 1)  # one may have been on its way
        await bob.heard.until(lambda: bob.heard.alive.get(ann.id) == 1)
        assert await bob.broker.people(ann.id) == (1, {"r1": {"a1": "Ann"}})

    play(scenario)


def test_what_cannot_be_read_is_counted_and_skipped(redis: Redis) -> None:
    channel = "roomlog:0123456789abcdef"
    newer = msgspec.msgpack.encode({"type": "of-a-newer-version", "x": 1})
    known = msgspec.msgpack.encode(hint(7))
    mixed = ("another", 0, [msgspec.Raw(newer), msgspec.Raw(known), 5])

    async def scenario(stage: Stage) -> None:
        (bob,) = await stage.nodes(redis.url, 1)
        async with client(redis) as administrator:
            for garbage in (b"", b"\xc1", b"\x91" * 5_000, b"[]", msgspec.msgpack.encode(["x", 0, 5])):
                await administrator.publish(channel, garbage)
            await administrator.publish(channel, msgspec.msgpack.encode(mixed))
        await bob.heard.heard(hint(7))
        await bob.heard.until(lambda: bob.counted("chat_hints_dropped_total", reason="unreadable") == 7)
        assert bob.heard.hints == [("another", hint(7))]
        assert bob.heard.changes == []

    play(scenario)


def test_what_a_newer_version_adds_is_left_out(redis: Redis) -> None:
    """Nodes of two versions tell each other during a rolling upgrade."""
    newer = {"type": "room", "room_id": "r1", "colour": "blue"}

    async def scenario(stage: Stage) -> None:
        (bob,) = await stage.nodes(redis.url, 1)
        async with client(redis) as administrator:
            told = msgspec.msgpack.encode(("another", 0, [newer], "more"))
            await administrator.publish("roomlog:0123456789abcdef", told)
        await bob.heard.heard(RoomMade("r1"))

    play(scenario)


def test_what_a_receiver_cannot_bear_is_counted_and_costs_the_others_nothing(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)

        def refuse(node_id: str, told: Hint) -> None:
            if told == hint(1):
                raise RuntimeError("a fault")
            bob.heard.hints.append((node_id, told))

        bob.heard.receive = refuse  # type: ignore[method-assign]
        for number in (1, 2):
            ann.broker.send(hint(number))
            await bob.heard.until(lambda number=number: bob.counted("chat_hints_received_total") == number)
        assert bob.heard.hints == [(ann.id, hint(2))]
        assert bob.counted("chat_errors_total") == 1
        assert bob.heard.changes == []

    play(scenario)
    assert "a hint failed" in caplog.text


def test_a_fault_within_the_broker_is_counted_and_does_not_end_it(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    faults = iter([RuntimeError("a fault")] * 5)

    def clock() -> float:
        if (fault := next(faults, None)) is not None:
            raise fault
        return time.monotonic()

    async def scenario(stage: Stage) -> None:
        ann = stage.node(redis.url, monotonic=clock)
        (bob,) = await stage.nodes(redis.url, 1)
        await ann.heard.arrives()
        ann.broker.send(hint(1))
        await bob.heard.heard(hint(1))
        assert ann.counted("chat_errors_total") == 5

    play(scenario)
    assert caplog.messages.count("broker failed") == 5


def test_two_installations_on_one_redis_do_not_hear_each_other(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob = await stage.nodes(redis.url, 2)
        eve = stage.node(redis.url, installation="fedcba9876543210")
        await eve.heard.arrives()
        eve.broker.set_people(1, {"r1": {"a9": "Eve"}})
        eve.broker.send(hint(1))
        ann.broker.send(hint(2))
        await bob.heard.heard(hint(2))
        await bob.heard.until(lambda: ann.id in bob.heard.alive)
        seen = eve.heard.readings
        await eve.heard.until(lambda: eve.heard.readings >= seen + 2)
        assert (eve.heard.hints, eve.heard.alive) == ([], {})
        assert (bob.heard.hints, dict(bob.heard.alive)) == ([(ann.id, hint(2))], {ann.id: 0})
        assert await bob.broker.people(eve.id) is None

    play(scenario)


def test_a_redis_that_is_not_there_at_the_start_is_told_once_and_found_later(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    redis.stop()

    async def scenario(stage: Stage) -> None:
        ann = stage.node(redis.url.replace("redis://", "redis://:hunter2@"))
        await ann.heard.changed(False)
        ann.broker.send(hint(1))
        redis.start()
        async with client(redis) as administrator:
            await administrator.acl_setuser(
                "default", enabled=True, passwords=["+hunter2"], reset_passwords=True
            )
        await ann.heard.changed(True)

    play(scenario)
    events = [record.getMessage() for record in caplog.records if record.name.startswith("chat_app")]
    assert events == ["broker.down", "broker.up"]
    assert not any("hunter2" in str(vars(record)) for record in caplog.records)


def test_a_unix_socket_and_tls_with_a_password_work(tmp_path: Path) -> None:
    need(missing_redis())
    need(None if shutil.which("openssl") else "OpenSSL is missing: sudo apt-get install -y openssl")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    redis = Redis(tmp_path, "--unixsocket", str(tmp_path / "redis.sock"))
    cert = tmp_path / "cert.pem"

    async def scenario(stage: Stage) -> None:
        async with client(redis) as administrator:
            await administrator.config_set(
                "tls-cert-file", str(cert), "tls-key-file", str(tmp_path / "key.pem"), "tls-auth-clients", "no",
                "tls-port", tls_port := str(free_port()),
            )  # fmt: skip
            await administrator.config_set("requirepass", "hunter2")
        ann = stage.node(f"unix://:hunter2@{tmp_path}/redis.sock?db=1")
        bob = stage.node(f"rediss://:hunter2@localhost:{tls_port}/3?ssl_ca_certs={cert}")
        for node in (ann, bob):
            await node.heard.arrives()
        ann.broker.send(hint(1))
        await bob.heard.heard(hint(1))

    try:
        play(scenario)
    finally:
        redis.stop()


def test_a_user_with_the_rights_of_the_operations_page_is_enough(redis: Redis) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    (rights,) = re.findall(r"^    ACL SETUSER roomlog on >PASSWORD (.+)$", page, re.MULTILINE)

    async def scenario(stage: Stage) -> None:
        async with client(redis) as administrator:
            await administrator.execute_command(
                "ACL", "SETUSER", "roomlog", "on", ">hunter2", *rights.split()
            )
        nodes = await stage.nodes(f"redis://roomlog:hunter2@127.0.0.1:{redis.port}/0", 2)
        ann, bob = nodes
        ann.broker.set_people(1, {"r1": {"a1": "Ann"}, "r2": {"a1": "Ann"}})
        await bob.heard.until(lambda: bob.heard.alive == {ann.id: 1})
        ann.broker.set_people(2, {"r1": {"a1": "Ann"}})
        await bob.heard.until(lambda: bob.heard.alive == {ann.id: 2})
        assert await bob.broker.people(ann.id) == (2, {"r1": {"a1": "Ann"}})
        ann.broker.send(hint(1))
        await bob.heard.heard(hint(1))
        async with client(redis) as administrator:
            await administrator.sadd("roomlog:0123456789abcdef:nodes", "dead")
            while await administrator.sismember("roomlog:0123456789abcdef:nodes", "dead"):
                seen = bob.heard.readings
                await bob.heard.until(lambda seen=seen: bob.heard.readings > seen)
            for node in nodes:
                await node.broker.close()
            assert await administrator.keys("*") == []
            assert await administrator.acl_log() == []

    play(scenario)


@pytest.mark.parametrize(
    "url", ["http://:hunter2@h", "redis://:hunter2@h:port", "redis://:hunter2@h?what=1", "hunter2"]
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        Node(url)
    assert "hunter2" not in str(refused.value)


def test_what_the_url_asks_for_cannot_make_the_broker_wait(redis: Redis) -> None:
    async def scenario(stage: Stage) -> None:
        ann, bob = (
            stage.node(f"{redis.url}?socket_timeout=90&decode_responses=yes&retry_on_timeout=yes&protocol=3")
            for _ in range(2)
        )
        await ann.heard.arrives()
        await bob.heard.until(lambda: ann.id in bob.heard.alive)
        ann.broker.send(hint(1))
        await bob.heard.heard(hint(1))
        redis.pause()
        assert await ann.broker.people(bob.id) is None
        redis.resume()

    play(scenario)


def test_what_waits_is_bounded_in_hints_and_in_bytes_and_counted() -> None:
    metrics = Metrics()
    outbox = Outbox(BrokerMetrics(metrics.registry))

    def dropped(reason: str) -> float | None:
        return metrics.registry.get_sample_value("chat_hints_dropped_total", {"reason": reason})

    for _ in range(WAITING_HINTS + 5):
        outbox.put(RoomMade("r"))
    assert (len(outbox), dropped("full")) == (WAITING_HINTS, 5)
    while outbox:
        outbox.take()
    big = RoomMade("r" * (HINT_BYTES - 1000))
    for _ in range(20):
        outbox.put(big)
    assert (len(outbox), dropped("full")) == (16, 9)
    outbox.put(RoomMade("r" * HINT_BYTES))
    assert dropped("large") == 1
    outbox.put(RoomMade("\ud800"))
    assert dropped("unreadable") == 1
    taken = outbox.take()
    assert len(taken) == 1
    outbox.fail(len(taken))
    outbox.put(RoomMade("r"))
    assert (len(outbox), dropped("away")) == (0, 17)
