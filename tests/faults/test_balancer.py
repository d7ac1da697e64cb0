"""Three nodes behind nginx, round robin without sticky sessions: signing in, a rolling restart, and limits that hold
as one.
"""

import asyncio
import http.client
import http.cookies
import json
import random
import signal
import urllib.parse
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.balancer import Balancer, missing_nginx
from tests.faults.checker import Record
from tests.faults.client import HOST, ORIGIN, Line
from tests.faults.cluster import Cluster, judge_all
from tests.faults.crowd import BUSY, end_all, gather, write
from tests.faults.stage import NAMES
from tests.ports import free_port
from tests.services import need

PASSWORD = "correct horse battery"
WRITERS = 20
MESSAGES = 12
"""Of an account within the window, for the test of the limit."""
GUESSES = 5
"""Wrong passwords that `core.identity` takes for a name from one address."""
SLACK = 2
"""What may slip through while a hint is under way."""


@dataclass
class Answer:
    status: int
    body: str
    cookie: str


@pytest.fixture
def balancer(cluster: Cluster, tmp_path: Path) -> Iterator[Balancer]:
    need(missing_nginx())
    with Balancer(tmp_path / "nginx", free_port(), [node.port for node in cluster.nodes]) as balancer:
        yield balancer


def ask(balancer: Balancer, path: str, fields: dict[str, str] | None = None, cookie: str = "") -> Answer:
    """One request over a connection of its own, so that each goes to the next node."""
    connection = http.client.HTTPConnection(*balancer.address, timeout=30)
    headers = {"Host": HOST, "Origin": ORIGIN, "Cookie": cookie}
    try:
        if fields is None:
            connection.request("GET", path, headers=headers)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", path, urllib.parse.urlencode(fields), headers)
        answer = connection.getresponse()
        jar = http.cookies.SimpleCookie()
        for line in answer.headers.get_all("Set-Cookie") or ():
            jar.load(line)
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())
        return Answer(answer.status, answer.read().decode(), cookies)
    finally:
        connection.close()


def test_the_form_signs_in_on_one_node_and_the_page_and_the_socket_come_from_all(
    cluster: Cluster, balancer: Balancer
) -> None:
    async def scenario() -> None:
        await cluster.start()
        form = await asyncio.to_thread(ask, balancer, "/login")
        assert form.status == 200 and 'name="password"' in form.body
        fields = {"name": NAMES[0], "password": PASSWORD}
        signed = await asyncio.to_thread(ask, balancer, "/login", fields)
        assert signed.status == 303
        for _ in range(2 * len(cluster.nodes)):
            page = await asyncio.to_thread(ask, balancer, "/rooms/lobby", None, signed.cookie)
            assert page.status == 200 and "<main" in page.body and NAMES[0] in page.body
        lines = [await Line.open(balancer.address, "/chat", signed.cookie) for _ in cluster.nodes]
        for line in lines:
            assert (await anext(line.frames()))[0]["type"] == "system"
        assert [await node.metric("chat_connections") for node in cluster.nodes] == [1] * len(cluster.nodes)
        for line in lines:
            line.abort()

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_a_rolling_restart_under_load_loses_and_doubles_nothing_and_refuses_nobody(
    cluster: Cluster, balancer: Balancer, chance: random.Random, long: bool
) -> None:
    record = Record()

    async def scenario() -> None:
        await cluster.start()
        members = gather(
            cluster, record, chance, WRITERS, address=lambda: balancer.address, pause_seconds=(0.5, 0.5)
        )
        for member in members:
            await member.until(lambda m=member: m.position is not None)
        writing = [asyncio.create_task(write(member, 0.25)) for member in members]
        for node in cluster.nodes * (100 if long else 1):
            for member in members:
                await member.until(lambda m=member: m.line is not None)
            assert await node.stop(signal.SIGTERM) == 0
            await node.serve()
        for member in members:
            await member.until(lambda m=member: m.line is not None)
        await end_all(writing)
        ends = {code for member in members for code in member.closed}
        assert ends == {1012}, ends
        assert not any(member.refused for member in members), [member.refused for member in members]
        await judge_all(cluster, record, chance, members, excused=BUSY)
        print(f"{sum(m.opened for m in members)} connections, none refused; {len(record.acks)} messages")

    asyncio.run(asyncio.wait_for(scenario(), 3_600 if long else 600))


def test_guesses_at_a_password_count_for_all_nodes_together(cluster: Cluster, balancer: Balancer) -> None:
    async def scenario() -> None:
        await cluster.start()
        wrong = {"name": NAMES[1], "password": "not this one at all"}
        statuses = [
            (await asyncio.to_thread(ask, balancer, "/login", wrong)).status
            for _ in range(GUESSES * len(cluster.nodes))
        ]
        heard = sum(status != 429 for status in statuses)
        assert GUESSES <= heard <= GUESSES + SLACK, statuses
        right = {"name": NAMES[1], "password": PASSWORD}
        for _ in cluster.nodes:
            assert (await asyncio.to_thread(ask, balancer, "/login", right)).status == 429

    asyncio.run(asyncio.wait_for(scenario(), 600))


def test_the_messages_of_an_account_count_for_all_nodes_together(
    cluster: Cluster, balancer: Balancer
) -> None:
    """Three devices, each on another node, send one after the other."""

    async def scenario() -> None:
        await cluster.start("--account-rate-limit", str(MESSAGES))
        lines = [await Line.open(balancer.address, "/chat", cluster.cookies[2]) for _ in cluster.nodes]
        frames = [line.frames() for line in lines]
        answers: list[list[str]] = [[] for _ in lines]
        for _ in range(MESSAGES):
            for line, coming, told in zip(lines, frames, answers, strict=True):
                nonce = uuid.uuid4().hex
                event = {"type": "message", "room": "lobby", "text": "hello", "nonce": nonce}
                line.send(json.dumps(event).encode())
                told.append(await outcome(coming, nonce))
        taken = sum(told.count("ack") for told in answers)
        assert MESSAGES <= taken <= MESSAGES + SLACK, answers
        assert all("rate_limited" in told for told in answers)
        for line in lines:
            line.abort()

    asyncio.run(asyncio.wait_for(scenario(), 600))


async def outcome(frames: Any, nonce: str) -> str:
    """`ack`, or the code of the error."""
    async for found in frames:
        for frame in found:
            if frame.get("nonce") == nonce and frame["type"] in ("ack", "error"):
                return str(frame.get("code", "ack"))
    raise AssertionError("the line has ended")
