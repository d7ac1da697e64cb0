"""The keys in Redis that live as long as a node renews them: who is on it, and which nodes there are.

`…:people:NODE` is a hash of room ids to people, names by account id in MessagePack, with the version under
the empty field; `…:nodes` the set of node ids. A node whose hash has run out is gone. Lives are counted by
Redis: the clocks of the nodes play no role. `redis_keeper.Keeper` alone calls it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from redis.exceptions import WatchError

from chat_app.backends.redis_line import Line

Rooms = Mapping[str, Mapping[str, str]]
VERSION = b""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, str])


class PeopleKeys:
    """The keys of one installation, written by one node over a line of its own. Every method raises AWAY."""

    def __init__(self, line: Line, *, prefix: str, node_id: str, life_seconds: float) -> None:
        self._line = line
        self._prefix = prefix
        self._node_id = node_id
        self._life_ms = int(life_seconds * 1000)
        self._nodes = f"{prefix}:nodes"
        self._written: dict[bytes, bytes] | None = None

    async def write(self, version: int, rooms: Rooms, *, anew: bool) -> None:
        """Stores what changed since the last time and renews the life; everything where it has run out.

        In one transaction with the version, so that nobody reads the one without the other.
        """
        key = self._key(self._node_id)
        wanted = {
            room_id.encode(): _encoder.encode(dict(people)) for room_id, people in rooms.items() if people
        }
        before, self._written = (None if anew else self._written), None
        _, exists = await self._line.ask_all([("WATCH", key), ("EXISTS", key)])
        commands: list[Sequence[str | bytes | int]] = [("MULTI",)]
        if before is None or not exists:
            commands.append(("DEL", key))
            before = {}
        changed = {VERSION: str(version).encode()}
        changed |= {room_id: people for room_id, people in wanted.items() if before.get(room_id) != people}
        commands.append(("HSET", key, *(part for field in changed.items() for part in field)))
        if gone := before.keys() - wanted.keys():
            commands.append(("HDEL", key, *gone))
        commands.append(("PEXPIRE", key, self._life_ms))
        commands.append(("SADD", self._nodes, self._node_id))
        commands.append(("PEXPIRE", self._nodes, self._life_ms))
        *_, done = await self._line.ask_all([*commands, ("EXEC",)])
        if done is None:
            raise WatchError("the key ran out meanwhile")
        self._written = wanted

    async def living(self) -> dict[str, int]:
        """The versions of the other nodes that live; ids of dead ones are taken out of the set."""
        ids = cast(list[bytes], await self._line.ask("SMEMBERS", self._nodes))
        others = sorted(one.decode() for one in ids if one != self._node_id.encode())
        if not others:
            return {}
        versions = await self._line.ask_all([("HGET", self._key(one), VERSION) for one in others])
        found = dict(zip(others, cast(list[bytes | None], versions), strict=True))
        if dead := [one for one, version in found.items() if version is None]:
            await self._line.ask("SREM", self._nodes, *dead)
        return {one: int(version) for one, version in found.items() if version is not None}

    async def read(self, line: Line, node_id: str) -> tuple[int, dict[str, dict[str, str]]] | None:
        """The version and the people of a node, over another line; None when it is gone.

        Raises msgspec.DecodeError or ValueError for what another version may have written.
        """
        flat = cast(list[Any], await line.ask("HGETALL", self._key(node_id)))
        fields: dict[bytes, bytes] = dict(zip(flat[::2], flat[1::2], strict=True))
        version = fields.pop(VERSION, None)
        if version is None:
            return None
        return int(version), {room_id.decode(): _decoder.decode(people) for room_id, people in fields.items()}

    async def remove(self) -> None:
        """This node is gone."""
        key = self._key(self._node_id)
        await self._line.ask_all([("MULTI",), ("DEL", key), ("SREM", self._nodes, self._node_id), ("EXEC",)])

    def _key(self, node_id: str) -> str:
        return f"{self._prefix}:people:{node_id}"
