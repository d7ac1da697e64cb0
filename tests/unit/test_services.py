"""The services that tests start are real ones."""

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
