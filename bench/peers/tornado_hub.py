"""A room hub on stock Tornado: `write_message` for each member, as its chat demo does."""

import asyncio
import sys
from contextlib import suppress

import tornado.web
import tornado.websocket
from hub import relay

rooms: dict[str, set["Chat"]] = {}


class Chat(tornado.websocket.WebSocketHandler):
    def check_origin(self, origin: str) -> bool:
        return True

    def open(self) -> None:
        self.room = self.get_query_argument("room", "lobby")
        self.name = self.get_query_argument("name", "guest")
        rooms.setdefault(self.room, set()).add(self)

    def on_message(self, message: str | bytes) -> None:
        event = relay(message, self.room, self.name)
        if event is not None:
            for member in rooms[self.room]:
                with suppress(tornado.websocket.WebSocketClosedError):
                    member.write_message(event)

    def on_close(self) -> None:
        rooms.get(self.room, set()).discard(self)


async def main() -> None:
    tornado.web.Application([("/chat", Chat)]).listen(int(sys.argv[1]), "127.0.0.1", backlog=4096)
    await asyncio.Event().wait()


asyncio.run(main())
