"""The keys in Redis that live as long as a node renews them: who is on it, and which nodes there are.

`…:people:NODE` is a hash of room ids to people, names by account id in MessagePack, with the version under
the empty field; `…:nodes` the set of node ids. A node whose hash has run out is gone. Lives are counted by
Redis: the clocks of the nodes play no role. `redis_keeper.Keeper` alone calls it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from redis.asyncio import Redis

Rooms = Mapping[str, Mapping[str, str]]
VERSION = b""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, str])


class PeopleKeys:
    """The keys of one installation, written by one node. Every method raises what redis-py does."""

    def __init__(self, client: Redis, *, prefix: str, node_id: str, life_seconds: float) -> None:
        self._client = client
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
        async with self._client.pipeline(transaction=True) as pipe:
            await pipe.watch(key)
            if not await pipe.exists(key):
                before = None
            pipe.multi()  # type: ignore[no-untyped-call]
            if before is None:
                pipe.delete(key)
                before = {}
            changed = {room_id: people for room_id, people in wanted.items() if before.get(room_id) != people}
            pipe.hset(key, mapping={VERSION: str(version).encode()} | changed)  # type: ignore[arg-type]
            if gone := before.keys() - wanted.keys():
                pipe.hdel(key, *gone)
            pipe.pexpire(key, self._life_ms)
            pipe.sadd(self._nodes, self._node_id)
            pipe.pexpire(self._nodes, self._life_ms)
            await pipe.execute()
        self._written = wanted

    async def living(self) -> dict[str, int]:
        """The versions of the other nodes that live; ids of dead ones are taken out of the set."""
        ids: set[bytes] = await self._client.smembers(self._nodes)  # type: ignore[assignment]
        others = [one.decode() for one in ids if one != self._node_id.encode()]
        if not others:
            return {}
        async with self._client.pipeline(transaction=False) as pipe:
            for one in others:
                pipe.hget(self._key(one), VERSION)
            versions = dict(zip(others, await pipe.execute(), strict=True))
        if dead := [one for one, version in versions.items() if version is None]:
            await self._client.srem(self._nodes, *dead)
        return {one: int(version) for one, version in versions.items() if version is not None}

    async def read(self, node_id: str) -> tuple[int, dict[str, dict[str, str]]] | None:
        """The version and the people of a node; None when it is gone.

        Raises msgspec.DecodeError or ValueError for what another version may have written.
        """
        fields: dict[bytes, bytes] = await self._client.hgetall(self._key(node_id))  # type: ignore[assignment]
        version = fields.pop(VERSION, None)
        if version is None:
            return None
        return int(version), {room_id.decode(): _decoder.decode(people) for room_id, people in fields.items()}

    async def remove(self) -> None:
        """This node is gone."""
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.delete(self._key(self._node_id))
            pipe.srem(self._nodes, self._node_id)
            await pipe.execute()

    def _key(self, node_id: str) -> str:
        return f"{self._prefix}:people:{node_id}"
