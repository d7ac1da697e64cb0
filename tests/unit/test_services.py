"""The services that tests start are real ones."""

import socket
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.services import PostgreSQL, Redis


def test_postgresql_runs_and_comes_back_with_what_it_held(postgresql: PostgreSQL) -> None:
    name = postgresql.database().rpartition("/")[2]
    postgresql.sql("CREATE TABLE t AS SELECT 7 AS n", name)
    postgresql.stop()
    postgresql.start()
    assert postgresql.sql("SELECT n FROM t", name) == "7"


def test_redis_comes_back_empty(redis: Redis) -> None:
    redis.stop()
    redis.start()


def test_a_free_port_is_given_once_and_never_by_the_system() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(ports) < lowest, "an outgoing connection would take it while its server restarts"
    with socket.socket(socket.AF_UNIX) as other, pytest.raises(OSError):  # as another process would
        other.bind(f"\0roomlog-tests-port-{ports[0]}")
