"""The benchmark's own code: its figures, its report, its load generator against a real server, its micro part."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import figures, loader, report, roomlog
from bench.figures import Results, Sample
from bench.loader import Connected, Counted, Counting, LoadFailed
from bench.process import Server, tree
from bench.scenarios import Durations, fan_out, storm
from bench.servers import NODE_WS, PEERS, ROOMLOG, Arena, paths
from tests.__main__ import strict
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
SHORT = Durations(100, 300)
needs_compiler = pytest.mark.skipif(
    not shutil.which("cc") and not strict(),  # in CI a missing one fails the test
    reason="the load generator needs a C compiler: sudo apt-get install -y gcc libc6-dev",
)


def results(
    *values: tuple[int, str, float], scenario: str = "1,000 members, w32", name: str = "cpu_us"
) -> Results:
    return Results(Sample(run, scenario, server, name, value) for run, server, value in values)


def test_a_ratio_is_taken_within_a_run() -> None:
    found = results(
        (1, NODE_WS, 10.0), (1, ROOMLOG, 1.0), (2, NODE_WS, 40.0), (2, ROOMLOG, 2.0), (3, ROOMLOG, 9.0)
    )
    assert found.ratios("1,000 members, w32", ROOMLOG, "cpu_us") == [0.1, 0.05]
    summary = figures.summarise([3.0, 1.0, 2.0])
    assert summary == figures.Summary(median=2.0, low=1.0, high=3.0, count=3)
    assert figures.summarise([]) is None


@pytest.mark.parametrize(("ours", "reached"), [(0.3, True), (0.5, False)])
def test_a_target_is_judged_by_its_median(ours: float, reached: bool) -> None:
    found = results((1, NODE_WS, 10.0), (1, ROOMLOG, ours))
    verdicts = {verdict.target.title: verdict.reached for verdict in figures.judge(found)}
    assert verdicts["CPU per delivery, 1,000 members, w32"] is reached
    assert verdicts["CPU per delivery, 100 members, w32"] is None


def test_a_target_that_is_a_minimum() -> None:
    found = results(
        (1, NODE_WS, 100.0),
        (1, ROOMLOG, 120.0),
        scenario="50 rooms of 10, each 1 unreturned",
        name="messages_per_s",
    )
    verdict = next(v for v in figures.judge(found) if v.target.least)
    assert verdict.reached


def test_the_report_names_what_is_missing_and_what_failed() -> None:
    found = results((1, NODE_WS, 10.0), (1, ROOMLOG, 1.0), (2, NODE_WS, 12.0), (2, ROOMLOG, 1.0))
    text = report.render(found, machine={"Processor": "one"}, missing={"Go gorilla": "no golang"},
        failures=["storm, Bun: lost"], runs=2, when="2026-01-01")  # fmt: skip
    assert "- Not measured: Go gorilla: no golang" in text
    assert "- Failed: storm, Bun: lost" in text
    assert "| Node ws | 11.0 (10.0–12.0) |" in text
    assert "| Roomlog | 1.00 ×0.092 |" in text
    assert "at most 0.040 × Node ws | 0.092 (0.083–0.10) | **not reached** |" in text


def test_the_longest_turn_is_read_from_the_metrics() -> None:
    assert roomlog.longest_turn_ms("# HELP\nchat_loop_longest_turn_seconds 0.0125\n") == 12.5


def test_an_answer_that_cannot_be_read_is_an_error() -> None:
    assert loader.parse(b'{"event":"counting"}') == Counting()
    for line in (b"{}", b"Segmentation fault", b'{"event":"counted"}'):
        with pytest.raises(LoadFailed):
            loader.parse(line)


def test_cpu_and_memory_are_those_of_the_process_with_its_children(tmp_path: Path) -> None:
    port = free_port()
    script = (
        "import socket, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'while True: pass'])\n"
        f"listener = socket.create_server(('127.0.0.1', {port}))\n"
        "listener.accept(); listener.accept()\n"
    )
    with Server([sys.executable, "-c", script], port=port, log=tmp_path / "log", core=None) as server:
        [_, child] = tree(server._process.pid)
        before = server.cpu_us()
        while server.cpu_us() - before < 50_000:
            pass
        assert server.memory_bytes() > 1 << 20
        os.kill(child, 9)


@pytest.fixture(scope="module")
def arena() -> Arena:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roomlog, "ACCOUNTS", 20)
        made = Arena(load=loader.build(ROOT / "bench" / ".cache"), cores=(None, None))
    yield made
    made.close()


OURS = next(peer for peer in PEERS if peer.name == ROOMLOG)
TORNADO = next(peer for peer in PEERS if peer.program == "tornado_hub.py")


@needs_compiler
def test_a_tiny_run_of_our_server_loses_nothing(arena: Arena) -> None:
    found = fan_out(arena, OURS, SHORT, 20)
    assert set(found) == {"20 members, idle", "20 members, low", "20 members, w4", "20 members, w32"}
    assert found["20 members, w4"]["deliveries_per_s"] > 0
    assert found["20 members, w4"]["event_bytes"] > 217
    assert found["20 members, low"]["longest_turn_ms"] > 0


@needs_compiler
def test_everybody_resumes_at_once(arena: Arena) -> None:
    assert storm(arena, OURS, SHORT, 30)["30 connect at once"]["seconds"] > 0


class Doubling:
    """A hub that sends one message in three twice and forgets another: what the load generator must see."""

    SCRIPT = """
import asyncio, sys, tornado.web, tornado.websocket
members, count = set(), 0
class Hub(tornado.websocket.WebSocketHandler):
    def check_origin(self, origin): return True
    def open(self): members.add(self)
    def on_close(self): members.discard(self)
    def on_message(self, message):
        global count
        count += 1
        for member in members:
            for _ in range({times}): member.write_message(message)
async def main():
    tornado.web.Application([("/chat", Hub)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()
asyncio.run(main())
"""


@needs_compiler
@pytest.mark.parametrize(
    ("times", "wrong"),
    [
        ("1", None),
        ("2 if count == 3 else 1", "duplicated"),
        ("0 if count == 3 and member is not self else 1", "lost"),
    ],
)
def test_the_load_generator_sees_what_is_lost_or_doubled(
    arena: Arena, tmp_path: Path, times: str, wrong: str | None
) -> None:
    port = free_port()
    command = [sys.executable, "-c", Doubling.SCRIPT.replace("{times}", times), str(port)]
    with (
        Server(command, port=port, log=tmp_path / "log", core=None) as server,
        arena.loader(TORNADO, port, paths(TORNADO, 5)) as loading,
    ):
        assert loading.connect(5, inflight=2).up == 5
        loading.tell("load 1 4 0 50 1000")
        loading.wait(Counting)
        assert loading.wait(Counted).deliveries > 0
        loaded = loading.wait(loader.Loaded)
        assert server.cpu_us() > 0
    assert {name for name in ("lost", "duplicated") if getattr(loaded, name)} == ({wrong} if wrong else set())


@needs_compiler
def test_what_reaches_a_connection_at_another_port_is_counted_as_far(tmp_path: Path) -> None:
    """Twice the same port: every second connection stands for another server."""
    port = free_port()
    command = [sys.executable, "-c", Doubling.SCRIPT.replace("{times}", "1"), str(port)]
    specs = tmp_path / "specs"
    specs.write_text("/chat\n" * 5, encoding="ascii")
    program = loader.build(ROOT / "bench" / ".cache")
    with (
        Server(command, port=port, log=tmp_path / "log", core=None),
        loader.Loader(program, ports=[port, port], specs=specs, core=None) as loading,
    ):
        assert loading.connect(5, inflight=2).up == 5
        loading.tell("load 1 4 0 50 1000")
        loading.wait(Counting)
        counted = loading.wait(Counted)
        loaded = loading.wait(loader.Loaded)
    # Two of five are at the other port; counting may begin and end within the deliveries of the four under way.
    assert abs(loaded.far - counted.deliveries * 2 / 5) <= 10
    assert counted.deliveries > 50
    assert 0 < loaded.near_p50_ms <= loaded.near_p99_ms
    assert 0 < loaded.far_p50_ms <= loaded.far_p99_ms


@needs_compiler
def test_a_refused_handshake_is_told(arena: Arena) -> None:
    with arena.session(OURS, ["/chat?room=nowhere"]) as session:
        done = session.loader.connect(1, inflight=1)
        assert isinstance(done, Connected)
        assert (done.up, done.failed, done.refused) == (0, 1, 1)


def test_the_micro_benchmarks_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "bench/micro", "-q", "--benchmark-disable", "-p", "no:cacheprovider"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_runs_where_nothing_for_tests_is_installed() -> None:
    """`python -m bench` makes an environment with what the server needs, no more."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('pytest', 'hypothesis', 'playwright', 'websockets')))\n"
        "from bench.__main__ import _parse, steps\n"
        "from bench import install, loader, machine, report\n"
        "print(len(steps()), _parse(['--quick']).quick)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "8 True\n", done.stderr
