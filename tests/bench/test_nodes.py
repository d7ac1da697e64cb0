"""`python -m bench nodes` on small loads: several real processes, a real PostgreSQL and Redis."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import grid, loader, nodes, roomlog
from bench.grid import POSTGRESQL, SQLITE, Grid, opened
from bench.nodes import Load, Measured
from tests.packages import strict
from tests.services import missing_postgresql, missing_redis, need

ROOT = Path(__file__).parents[2]
needs_compiler = pytest.mark.skipif(
    not shutil.which("cc") and not strict(),  # in CI a missing one fails the test
    reason="the load generator needs a C compiler: sudo apt-get install -y gcc libc6-dev",
)


@pytest.fixture(scope="module")
def small() -> Iterator[Grid]:
    need(missing_postgresql())
    need(missing_redis())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roomlog, "ACCOUNTS", 10)
        patch.setattr(grid, "WARMUP_MS", 100)
        patch.setattr(grid, "RUN_MS", 1_500)
        made = Grid(load=loader.build(ROOT / "bench" / ".cache"))
        yield made
        made.close()


@needs_compiler
def test_a_hop_is_measured_between_two_processes(small: Grid) -> None:
    found = nodes.hop(small)
    assert 0 < found["near_p50_ms"] <= found["near_p99_ms"]
    assert 0 < found["far_p50_ms"] <= found["far_p99_ms"]


@needs_compiler
def test_what_each_part_used_is_counted_by_itself(small: Grid) -> None:
    with opened(small, POSTGRESQL, 2, 4) as (there, loading):
        done = grid.run(there, loading, senders=1, window=1)
    assert all(
        used > 0 for used in (*done.used.nodes, done.used.postgresql, done.used.redis, done.used.loader)
    )
    assert done.used.nodes[0] > done.used.nodes[1], "the sender is on the first one"
    # Half of the four are on the other process; counting may begin or end within the deliveries of one message.
    assert abs(done.loaded.far - done.counted.deliveries / 2) <= 2
    assert done.commit_ms > 0


@needs_compiler
def test_the_same_load_runs_on_sqlite_and_on_postgresql(small: Grid) -> None:
    asked, found = Load("small", members=6, rooms=2, senders=3, window=1), Measured()
    for kind in (SQLITE, POSTGRESQL):
        nodes.compare(small, found, (asked.title, kind, 1), asked)
    (sqlite,), (postgresql,) = (found.figures["small", kind, 1] for kind in (SQLITE, POSTGRESQL))
    assert sqlite["deliveries_per_s"] == pytest.approx(3 * sqlite["messages_per_s"], rel=0.3)
    assert sqlite["postgresql_us_per_message"] == 0 < postgresql["postgresql_us_per_message"]
    assert postgresql["cpu_us_all"] > postgresql["cpu_us"]
