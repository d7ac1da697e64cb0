"""A room hub on aiohttp: `send_str` for each member."""

import asyncio
import sys

from aiohttp import WSMsgType, web
from hub import relay

rooms: dict[str, set[web.WebSocketResponse]] = {}


async def chat(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    room, name = request.query.get("room", "lobby"), request.query.get("name", "guest")
    members = rooms.setdefault(room, set())
    members.add(socket)
    try:
        async for received in socket:
            if received.type is WSMsgType.TEXT and (event := relay(received.data, room, name)) is not None:
                for member in list(members):
                    try:
                        await member.send_str(event)
                    except ConnectionError:
                        members.discard(member)
    finally:
        members.discard(socket)
    return socket


async def main() -> None:
    app = web.Application()
    app.add_routes([web.get("/chat", chat)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1]), backlog=4096).start()
    await asyncio.Event().wait()


asyncio.run(main())
