"""A sink that can be stalled, a client that applies frames as the contract says, and a store in memory."""

import json
import time

from chat_app.core.connection import Connection
from chat_app.models import Account, Committed, Message, Page, RoomInfo


class FakeSink:
    """Takes what it has room for; `room` None: everything."""

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.received = bytearray()
        self.waiting = bytearray()
        self.closed_with: int | None = None
        self.connection: Connection | None = None
        self.offer = self._offer

    def _offer(self, data: bytes) -> int:
        if self.room is None:
            self.received += data
            return len(data)
        if self.room == 0:
            raise BlockingIOError
        taken = bytes(data[: self.room])
        self.room -= len(taken)
        self.received += taken
        return len(taken)

    def buffer(self, data: memoryview) -> None:
        self.waiting += data

    def drain(self) -> None:
        self.room = None
        self.received += self.waiting
        self.waiting.clear()
        assert self.connection is not None
        self.connection.drained()

    def progress(self) -> float:
        return time.monotonic()

    def sweep(self) -> None:
        """Nothing is left unfinished here."""

    def close(self, code: int, reason: str) -> None:
        self.closed_with = code

    def abort(self) -> None:
        self.closed_with = 1006

    def frames(self) -> list[dict]:
        found, data = [], bytes(self.received)
        while data:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4], "big"), 4
            elif length == 127:
                length, start = int.from_bytes(data[2:10], "big"), 10
            if data[0] == 0x81:
                found.append(json.loads(data[start : start + length]))
            data = data[start + length :]
        return found


def account(name: str) -> Account:
    return Account(name, name, name.casefold(), "member", False, 0)


def connect(name: str, *, room: int | None = None) -> tuple[Connection, FakeSink]:
    sink = FakeSink(room)
    connection = Connection(
        client_id=name, account=account(name), session_id=name, address="::1", default_room="lobby", sink=sink
    )
    sink.connection = connection
    return connection, sink


class MemoryHistory:
    """The store of one room."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.head = 0

    def change(self, kind: str, message_id: str, text: str = "") -> Committed:
        self.head += 1
        old = self.messages.get(message_id)
        message = Message(
            id=message_id,
            room_id="r",
            seq=old.seq if old else self.head,
            rev=self.head,
            account_id="author",
            author="author",
            text=text,
            html=None,
            sent_ms=1,
            edited_ms=1 if kind == "edited" else None,
            deleted_ms=1 if kind == "deleted" else None,
        )
        self.messages[message_id] = message
        return Committed(kind, "r", self.head, message)  # type: ignore[arg-type]

    async def latest(self, room_id: str, *, upto: int, limit: int) -> Page:
        found = sorted((m for m in self.messages.values() if m.seq <= upto), key=lambda m: m.seq)
        return Page(tuple(found[-limit:]), upto, len(found) > limit)

    async def changes(self, room_id: str, since: int, *, limit: int) -> Page:
        found = sorted((m for m in self.messages.values() if m.rev > since), key=lambda m: m.rev)
        more = len(found) > limit
        return Page(tuple(found[:limit]), found[limit - 1].rev if more else self.head, more)


class View:
    """What a client knows, by the algorithm of docs/protocol.md."""

    def __init__(self) -> None:
        self.position = 0
        self.messages: dict[str, dict] = {}
        self.seen = 0

    def apply(self, frames: list[dict]) -> None:
        for frame in frames[self.seen :]:
            if frame["type"] == "history":
                if frame["mode"] != "resumed":
                    self.messages.clear()
                for message in frame["messages"]:
                    self.messages[message["id"]] = message
                self.position = frame["seq"]
            elif "seq" in frame and frame["type"] != "ack":
                assert frame["seq"] == self.position + 1, "a hole or a duplicate"
                self.position = frame["seq"]
                self.messages[frame["message"]["id"]] = frame["message"]
        self.seen = len(frames)


INFO = RoomInfo("r", "lobby", "Lobby", "e1", 0, 0)
