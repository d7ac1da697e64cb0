"""The loop's selector: every turn is measured, and no turn takes on more than so many sockets."""

import asyncio
import socket
import subprocess
import sys
import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from chat_app.listening import TURN_ACCEPTS, Listener
from chat_app.loop import TURN_EVENTS, TurnSelector, new_loop
from chat_app.metrics import Turns
from chat_app.settings import SettingsError


def sample(turns: Turns, name: str) -> float:
    registry = CollectorRegistry()
    registry.register(turns)
    lines = generate_latest(registry).decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(name + " ")))


def room_for_descriptors(program: str, soft_limit: int) -> int:
    """How large the table of descriptors is after `program`, of a process with that limit (proc(5), FDSize)."""
    told = "import re, pathlib; print(re.search(r'FDSize:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft_limit}, {soft_limit}))"
    done = subprocess.run(
        [sys.executable, "-c", "\n".join((limited, program, told))],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how large the table is")
@pytest.mark.parametrize("limit", [300, 3_000])
def test_the_table_of_descriptors_has_its_size_before_anybody_comes(limit: int) -> None:
    reserve = "from chat_app.loop import reserve_descriptors; reserve_descriptors()"
    assert room_for_descriptors("", limit) < limit
    assert room_for_descriptors(reserve, limit) >= limit


def test_a_callback_that_blocks_is_the_longest_turn() -> None:
    turns = Turns()

    async def block() -> None:
        await asyncio.sleep(0)
        time.sleep(0.03)  # noqa: ASYNC251  (what the test is about)
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=lambda: new_loop(turns)) as runner:
        runner.run(block())
    assert sample(turns, "chat_loop_longest_turn_seconds") >= 0.03
    assert sample(turns, "chat_loop_longest_turn_seconds") == 0.0, "each reading starts anew"


def test_turns_are_counted_in_their_buckets() -> None:
    turns = Turns()
    for seconds in (0.0004, 0.019, 0.021, 9.0):
        turns.observe(seconds)
    assert sample(turns, 'chat_loop_lag_seconds_bucket{le="0.02"}') == 2
    assert sample(turns, 'chat_loop_lag_seconds_bucket{le="+Inf"}') == 4
    assert sample(turns, "chat_loop_lag_seconds_sum") == pytest.approx(9.0404)


def test_who_was_not_served_in_a_turn_is_served_in_the_next_one() -> None:
    turns = Turns()
    selector = TurnSelector(turns)
    pairs = [socket.socketpair() for _ in range(2 * TURN_EVENTS - 1)]
    try:
        for one, other in pairs:
            selector.register(one, 1)
            other.send(b"x")
        first = {key.fd for key, _ in selector.select(0)}
        second = {key.fd for key, _ in selector.select(0)}  # nobody has read: all are still ready
        assert len(first) == len(second) == TURN_EVENTS
        assert first | second == {one.fileno() for one, _ in pairs}
    finally:
        selector.close()
        for pair in pairs:
            for end in pair:
                end.close()


def test_a_selector_says_what_is_ready_and_forgets_what_is_unregistered() -> None:
    selector = TurnSelector(Turns())
    one, other = socket.socketpair()
    try:
        selector.register(one, 1, "data")
        with pytest.raises(KeyError):
            selector.register(one, 1)
        assert selector.select(0) == []
        selector.modify(one, 3, "more")
        [(key, events)] = selector.select(0)
        assert (key.data, events, selector.get_key(one), len(selector.get_map())) == ("more", 2, key, 1)
        other.send(b"x")
        assert selector.select(0)[0][1] == 3
        other.close()
        one.close()
        selector.unregister(key.fd)  # a closed descriptor is no error
        with pytest.raises(KeyError):
            selector.unregister(key.fd)
    finally:
        selector.close()
        one.close()
        other.close()


def queued(listener: socket.socket) -> int:
    """How many wait to be accepted: to who connects a connection may be open before it is in the queue."""
    information = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return int.from_bytes(information[24:28], sys.byteorder)


def test_a_listener_gives_a_turn_its_share_and_everybody_in_the_end() -> None:
    listener = Listener()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    listener.setblocking(False)
    waiting = [socket.create_connection(listener.getsockname()) for _ in range(TURN_ACCEPTS * 2 + 1)]
    while queued(listener) < len(waiting):
        pass
    accepted: list[socket.socket] = []
    turns = []
    try:
        while len(accepted) < len(waiting):
            before = len(accepted)
            with pytest.raises(BlockingIOError):
                while True:
                    accepted.append(listener.accept()[0])
            turns.append(len(accepted) - before)
        assert turns == [TURN_ACCEPTS, TURN_ACCEPTS, 1]
    finally:
        for end in (*waiting, *accepted, listener):
            end.close()


def test_with_uvloop_a_timer_sees_what_kept_the_loop() -> None:
    turns = Turns()

    async def block() -> None:
        loop = asyncio.get_running_loop()
        seen = asyncio.Event()
        loop.call_later(0.06, time.sleep, 0.1)
        loop.call_later(0.07, seen.set)  # late: the timer of the lag was due before it
        await seen.wait()
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=lambda: new_loop(turns, "uvloop")) as runner:
        runner.run(block())
        assert "uvloop" in type(runner.get_loop()).__module__
    assert sample(turns, "chat_loop_longest_turn_seconds") >= 0.04


def test_uvloop_that_is_not_installed_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(SettingsError, match="uvloop is not installed"):
        new_loop(Turns(), "uvloop")
