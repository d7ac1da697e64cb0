"""A server that leaves its listener to another process (`App.step_aside`)."""

import asyncio

import pytest

from chat_app import app
from tests.conftest import Site
from tests.web.raw import RawSocket, handshake


async def opening(site: Site, number: int) -> None:
    while site.app._server.opening() != number:  # noqa: ASYNC110
        await asyncio.sleep(0)


@pytest.mark.gen_test
async def test_who_was_accepted_gets_in_before_it_drains(site: Site) -> None:
    cookie = await site.account("Ada")
    old = await RawSocket.open(site, cookie)
    reader, writer = await asyncio.open_connection("localhost", site.app.port)
    request = handshake(site, cookie=cookie)
    writer.write(request[:40])
    await opening(site, 1)
    leaving = asyncio.ensure_future(site.app.step_aside())
    with pytest.raises(ConnectionRefusedError):  # until then it would wait for the other process
        while True:
            (await asyncio.open_connection("localhost", site.app.port))[1].close()
    assert not leaving.done()
    writer.write(request[40:])
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    await leaving
    assert not site.app.services.state.draining
    assert site.app.services.clients() == 2
    writer.close()
    await old.leave()


@pytest.mark.gen_test
async def test_an_idle_connection_does_not_hold_it_up_and_a_stalled_one_for_a_while_only(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "OPENING_SECONDS", 0.2)
    reader, idle = await asyncio.open_connection("localhost", site.app.port)
    idle.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b'{"ok":true')
    await opening(site, 0)
    _, stalled = await asyncio.open_connection("localhost", site.app.port)
    stalled.write(b"GET /healthz HTTP/1.1\r\n")
    await opening(site, 1)
    await site.app.step_aside()
    assert site.app._server.opening() == 1
    idle.close()
    stalled.close()
