"""Two and three nodes of one installation: what happens on one is seen on the others, with Redis and without."""

import asyncio
import json
from typing import Any

import pytest

from chat_app.settings import SettingsError
from tests.conftest import Client, Site
from tests.nodes.conftest import Installation


async def make(site: Site, cookie: str, slug: str, **fields: str) -> None:
    answer = await site.post("/rooms", {"slug": slug, "title": slug.title(), **fields}, cookie=cookie)
    assert answer.code == 303, answer.body


async def messages(client: Client, count: int) -> list[dict[str, Any]]:
    """The first `count` that came live."""
    while True:
        seen = [frame["message"] for frame in client.frames if frame["type"] == "message"]
        if len(seen) >= count:
            return seen
        assert await client.receive() is not None, client.connection.close_code


@pytest.mark.gen_test(timeout=180)
async def test_messages_of_all_nodes_come_in_the_same_order_on_each(installation: Installation) -> None:
    sites = await installation.start(3)
    cookie = await sites[0].account("ann")
    writers = [await site.join(cookie) for site in sites]
    readers = [await site.join(cookie) for site in sites]

    async def write(number: int) -> None:
        for count in range(10):
            await writers[number].say(f"{number}.{count}")

    await asyncio.gather(*map(write, range(3)))
    everything = [await messages(client, 30) for client in (*writers, *readers)]
    assert [message["seq"] for message in everything[0]] == list(range(1, 31))
    assert all(one == everything[0] for one in everything)
    for number in range(3):
        own = [message["text"] for message in everything[0] if message["text"].startswith(f"{number}.")]
        assert own == [f"{number}.{count}" for count in range(10)]


@pytest.mark.gen_test(timeout=180)
async def test_an_edit_and_a_reaction_elsewhere_are_seen(installation: Installation) -> None:
    here, there = await installation.start(2)
    cookie = await here.account("ann")
    writer, reader = await here.join(cookie), await there.join(cookie)
    ack = await writer.say("first")
    await reader.until("message")
    writer.send(type="edit", id=ack["id"], text="second")
    edited = await reader.until("edited")
    assert edited["message"]["text"] == "second"
    reader.send(type="react", id=ack["id"], emoji="👍", action="add")
    assert (await writer.until("reacted"))["message"]["reactions"][0]["emoji"] == "👍"


@pytest.mark.gen_test(timeout=180)
async def test_who_is_removed_on_one_node_loses_the_room_on_another(installation: Installation) -> None:
    here, there = await installation.start(2)
    ann, bob = await here.account("ann"), await here.account("bob")
    await make(here, ann, "team", kind="private")
    member = await there.join(bob)
    assert (await here.post("/rooms/team/members", {"name": "bob"}, cookie=ann)).code == 303
    await member.until("room", room="team")
    member.send(type="join", room="team")
    await member.until("presence", room="team")
    writer = await here.join(ann, "room=team")
    await writer.say("hello", "team")
    assert (await member.until("message"))["message"]["text"] == "hello"
    people = {one.name: one for one in await here.app.services.identity.people.all()}
    path = f"/rooms/team/members/{people['bob'].id}/remove"
    assert (await here.post(path, {}, cookie=ann)).code == 303
    await member.until("removed", room="team")
    await writer.say("gone?", "team")
    member.send(type="typing", room="team")
    assert (await member.until("error"))["code"] == "not_found"
    assert "gone?" not in json.dumps(member.frames)
    assert (await there.get("/rooms/team", cookie=bob)).code == 404


@pytest.mark.gen_test(timeout=180)
async def test_a_session_that_ends_on_one_node_closes_its_sockets_on_another(
    installation: Installation,
) -> None:
    here, there = await installation.start(2)
    cookie = await here.account("ann")
    other = await here.sign_in("ann")
    client, stays = await there.join(cookie), await there.join(other)
    assert (await here.post("/logout", {}, cookie=cookie)).code == 303
    assert await client.closed() == 4401
    assert (await stays.say("still here"))["type"] == "ack"
    assert (await there.get("/rooms/lobby", cookie=cookie)).code == 303


@pytest.mark.gen_test(timeout=180)
async def test_a_disabled_account_and_another_name_count_on_every_node(installation: Installation) -> None:
    here, there = await installation.start(2)
    ann, bob = await here.account("ann"), await here.account("bob")
    writer, watcher = await there.join(bob), await there.join(ann)
    people = {one.name: one for one in await here.app.services.identity.people.all()}
    await here.app.services.identity.people.rename(people["bob"], "Robert")
    assert "Robert" in (await watcher.until("presence", left=["bob"]))["joined"]
    await writer.say("by another name")
    assert (await watcher.until("message"))["message"]["from"] == "Robert"
    await here.app.services.administration.disable("Robert")
    assert await writer.closed() == 4403


@pytest.mark.gen_test(timeout=180)
async def test_people_and_typing_of_other_nodes_are_shown(installation: Installation) -> None:
    here, there = await installation.start(2)
    ann, bob = await here.account("ann"), await here.account("bob")
    watcher = await here.join(ann)
    typist = await there.connect(bob)
    await typist.until("presence", online=2)
    assert (await watcher.until("presence", joined=["bob"]))["online"] == 2
    typist.send(type="typing")
    await watcher.until("typing", users=["bob"])
    typist.connection.close()
    assert (await watcher.until("presence", left=["bob"]))["online"] == 1


@pytest.mark.gen_test(timeout=180)
async def test_unread_counts_and_read_positions_follow(installation: Installation) -> None:
    here, there = await installation.start(2)
    ann, bob = await here.account("ann"), await here.account("bob")
    await make(here, ann, "ops")
    reader = await there.join(bob)
    writer, other_tab = await here.join(ann, "room=ops"), await here.join(bob)
    ack = await writer.say("@bob look", "ops")
    told = await reader.until("unread", room="ops", count=1)
    assert told["mentions"] == 1
    await other_tab.until("unread", room="ops", count=1)
    other_tab.send(type="read", room="ops", seq=ack["seq"])
    assert (await reader.until("read", room="ops"))["seq"] == ack["seq"]


@pytest.mark.gen_test(timeout=180)
async def test_a_room_made_on_one_node_is_there_on_another_at_once(installation: Installation) -> None:
    here, there = await installation.start(2)
    ann = await here.account("ann")
    watcher = await there.join(ann)
    await make(here, ann, "ops")
    assert (await there.get("/rooms/ops", cookie=ann)).code == 200
    reader = await there.connect(ann, "room=ops")
    await reader.until("presence", room="ops")
    await watcher.until("room", room="ops")
    await (await here.join(ann, "room=ops")).say("hello", "ops")
    assert (await reader.until("message"))["message"]["text"] == "hello"


@pytest.mark.gen_test(timeout=180)
async def test_everything_arrives_without_redis_and_quickly_again_after_it(
    installation: Installation,
) -> None:
    here, there = await installation.start(2)
    ann = await here.account("ann")
    writer, reader = await here.join(ann), await there.join(ann)
    installation.redis.stop()
    await writer.say("one")
    await reader.until("message", room="lobby")
    await installation.heard(False)
    for site in (here, there):
        answer = await site.get("/readyz")
        assert (answer.code, json.loads(answer.body)) == (200, {"ok": True, "redis": "away"})
    await writer.say("two")
    assert (await reader.until("message"))["message"]["text"] == "two"
    session = await here.account("bob")
    ending = await there.join(session)
    assert (await here.post("/logout", {}, cookie=session)).code == 303
    assert await ending.closed() == 4401
    installation.redis.start()
    await installation.heard(True)
    await writer.say("three")
    assert (await reader.until("message"))["message"]["text"] == "three"
    assert [message["seq"] for message in await messages(reader, 3)] == [1, 2, 3]
    assert json.loads((await there.get("/readyz")).body) == {"ok": True, "redis": "up"}


@pytest.mark.gen_test(timeout=180)
async def test_a_node_starts_without_redis_and_finds_it_later(installation: Installation) -> None:
    (here,) = await installation.start(1)
    installation.redis.stop()
    await installation.heard(False)
    starting = asyncio.ensure_future(installation.node())
    ann = await here.account("ann")
    writer = await here.join(ann)
    while len(installation.nodes) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    reader = await installation.nodes[1].join(ann)
    await writer.say("without")
    assert (await reader.until("message"))["message"]["text"] == "without"
    installation.redis.start()
    await starting
    await writer.say("with")
    assert (await reader.until("message"))["message"]["text"] == "with"


@pytest.mark.gen_test
async def test_a_redis_url_that_cannot_be_used_keeps_a_node_from_starting(installation: Installation) -> None:
    with pytest.raises(SettingsError) as refused:
        await installation.node(redis_url="redis://:hunter2@localhost?colour=blue")
    assert str(refused.value) == "REDIS_URL (--redis) cannot be used: one of its options is unknown."
    with pytest.raises(SettingsError, match=r"SQLite .* has one"):
        await installation.node(database_url="sqlite:///chat.db")
