"""Fault 8: connects and disconnects by the thousand leave nothing behind."""

import asyncio
import random

import pytest

from tests.conftest import PASSWORD, Site, cookie_of
from tests.faults.client import HOST, ORIGIN, Closed, Line, Refused, frame, handshake
from tests.faults.stage import ROOMS, Stage

AT_ONCE = 40
GROWTH_MIB = 16.0
"""Memory may grow by this between the first third of the connects and the last."""
WAYS = ("close", "abort", "in the handshake", "in the headers", "in mid-frame", "after the upgrade")


async def visit(address: tuple[str, int], cookie: str, room: str, way: str) -> None:
    """One connection that ends in this way."""
    if way in ("in the handshake", "in the headers"):
        _, writer = await asyncio.open_connection(*address)
        request = handshake(f"/chat?room={room}", cookie)
        writer.write(request if way == "in the handshake" else request[:-20])
        await writer.drain()
        writer.transport.abort()
        return
    line = await Line.open(address, f"/chat?room={room}", cookie)
    try:
        if way == "after the upgrade":
            return
        frames = line.frames()
        await anext(frames)
        if way == "in mid-frame":
            line.writer.write(frame(b'{"type":"typing"}' + b" " * 500)[:100])
            await line.writer.drain()
        elif way == "close":
            line.send(b"\x03\xe8", 0x8)
            while True:
                await anext(frames)
    except Closed:
        pass
    finally:
        line.abort()


async def churn(stage: Stage, chance: random.Random, visits: int) -> None:
    left = iter(range(visits))

    async def one_after_the_other() -> None:
        for _ in left:
            await visit(
                stage.address, chance.choice(stage.cookies), chance.choice(ROOMS), chance.choice(WAYS)
            )

    async with asyncio.TaskGroup() as together:
        for _ in range(AT_ONCE):
            together.create_task(one_after_the_other())


async def at_rest(stage: Stage) -> tuple[int, float]:
    """(descriptors, MiB) once no socket is open any more."""
    while await stage.metric("chat_connections") or (await stage.get("/healthz"))["clients"]:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    least = stage.descriptors()
    for _ in range(50):  # what a client broke off in its handshake is noticed a moment later
        await asyncio.sleep(0.1)
        if (count := stage.descriptors()) >= least:
            return count, stage.memory_mib()
        least = count
    return least, stage.memory_mib()


def test_thousands_of_connects_leave_no_descriptor_no_entry_and_no_memory(
    stage: Stage, chance: random.Random, long: bool
) -> None:
    visits = 100_000 if long else 3_000

    async def scenario() -> None:
        await stage.start()
        await churn(stage, chance, visits // 3)  # pools and caches take their size
        before = await at_rest(stage)
        for part in range(1, 11):
            await churn(stage, chance, visits // 15)
            if long:
                print(
                    f"{visits // 3 + part * (visits // 15)} connects: {stage.memory_mib():.1f} MiB",
                    flush=True,
                )
        after = await at_rest(stage)
        print(f"{visits} connects: {before[0]} descriptors and {before[1]:.1f} MiB after a third, "
              f"{after[0]} and {after[1]:.1f} MiB at the end")  # fmt: skip
        assert after[0] <= before[0] + 3  # of the threads that read the store, of those who just ask
        assert after[1] - before[1] < GROWTH_MIB
        assert await stage.metric("chat_errors_total") == 0
        line = await Line.open(stage.address, "/chat", stage.cookies[0])  # and it goes on serving
        assert (await anext(line.frames()))[0]["type"] == "system"
        line.abort()

    asyncio.run(asyncio.wait_for(scenario(), 1200 if long else 600))


@pytest.mark.settings(account_connections="0", address_connections="0", allowed_origins=ORIGIN)
@pytest.mark.gen_test
async def test_tasks_and_registries_return_to_where_they_were(site: Site) -> None:
    """The same inside the process, where tasks, rooms and indexes can be looked at."""
    services = site.app.services

    def sizes() -> list[int]:
        connections, room = services.connections, services.registry.by_slug("lobby")
        assert room is not None
        return [
            len(asyncio.all_tasks()), len(services.tasks._running), len(connections), len(connections._by_account),
            len(connections._by_session), len(connections._by_address), len(room.cursors), len(room._live),
            len(room._lagging), len(room._early), len(room._ring), len(room._pages), len(services.unreads._marks),
        ]  # fmt: skip

    await services.administration.add_user("Masa", "member", PASSWORD)
    fields = {"name": "Masa", "password": PASSWORD}
    cookie = cookie_of(await site.post("/login", fields, Origin=ORIGIN, Host=HOST))
    address = ("127.0.0.1", site.app.port)
    before: list[int] = []
    while sizes() != before:  # until the sign-in and the first visit have come to rest
        before = sizes()
        await visit(address, cookie, "lobby", "close")
        await asyncio.sleep(0.2)
    assert before[2] == 0
    for way in WAYS * 20:
        await visit(address, cookie, "lobby", way)
    while sizes() != before:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert b"chat_errors_total 0.0" in services.metrics.render()


def test_a_handshake_that_is_refused_says_its_status(stage: Stage) -> None:
    """The client of these tests notices refusals: otherwise none of them could fail by one."""

    async def scenario() -> None:
        await stage.start()
        with pytest.raises(Refused) as refusal:
            await Line.open(stage.address, "/chat?room=lobby", "session=none")
        assert refusal.value.status == 401

    asyncio.run(asyncio.wait_for(scenario(), 600))
