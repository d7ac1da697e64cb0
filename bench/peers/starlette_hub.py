"""A room hub on Starlette and uvicorn with its standard extras (uvloop, httptools, websockets)."""

import sys

import uvicorn
from hub import relay
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

rooms: dict[str, set[WebSocket]] = {}


async def chat(socket: WebSocket) -> None:
    await socket.accept()
    room, name = socket.query_params.get("room", "lobby"), socket.query_params.get("name", "guest")
    members = rooms.setdefault(room, set())
    members.add(socket)
    try:
        while True:
            event = relay(await socket.receive_text(), room, name)
            if event is not None:
                for member in list(members):
                    try:
                        await member.send_text(event)
                    except (WebSocketDisconnect, RuntimeError):
                        members.discard(member)
    except WebSocketDisconnect:
        pass
    finally:
        members.discard(socket)


uvicorn.run(
    Starlette(routes=[WebSocketRoute("/chat", chat)]), host="127.0.0.1", port=int(sys.argv[1]), backlog=4096,
    ws_per_message_deflate=False, log_level="warning",
)  # fmt: skip
