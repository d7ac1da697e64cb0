"""A room hub on websockets: its `broadcast()`."""

import asyncio
import sys
from urllib.parse import parse_qs, urlsplit

from hub import relay
from websockets.asyncio.server import ServerConnection, broadcast, serve

rooms: dict[str, set[ServerConnection]] = {}


async def chat(socket: ServerConnection) -> None:
    assert socket.request is not None
    query = parse_qs(urlsplit(socket.request.path).query)
    room, name = query.get("room", ["lobby"])[0], query.get("name", ["guest"])[0]
    members = rooms.setdefault(room, set())
    members.add(socket)
    try:
        async for raw in socket:
            event = relay(raw, room, name)
            if event is not None:
                broadcast(members, event)
    finally:
        members.discard(socket)


async def main() -> None:
    async with serve(chat, "127.0.0.1", int(sys.argv[1]), compression=None, backlog=4096):
        await asyncio.Event().wait()


asyncio.run(main())
