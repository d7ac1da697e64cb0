"""Private and direct rooms over HTTP and the socket: who may not see one is told that there is none."""

import pytest
from tornado.httpclient import HTTPClientError

from tests.conftest import Site


@pytest.mark.gen_test
async def test_who_is_no_member_finds_nothing_of_a_private_room(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob", "owner")
    owner = await site.app.services.identity.people.all()
    me = next(account for account in owner if account.name == "ann")
    await site.app.services.management.create_room(me, "team", "Team", kind="private")
    inside = await site.join(ann, "room=team")
    await inside.say("secret", "team")
    for path in ("/rooms/team", "/rooms/team/messages"):
        known, unknown = await site.get(path, cookie=bob), await site.get("/rooms/nowhere", cookie=bob)
        assert known.code == unknown.code == 404
    assert b"team" not in (await site.get("/rooms/lobby", cookie=bob)).body
    with pytest.raises(HTTPClientError) as refused:
        await site.connect(bob, "room=team")
    assert refused.value.code == 404
    outside = await site.join(bob)
    for event in ("join", "message", "typing", "leave"):
        outside.send(type=event, room="team", text="x")
        assert (await outside.until("error"))["code"] == "not_found"
    outside.send(type="read", room="team", seq=1)
    assert (await outside.until("error"))["code"] == "not_found"


@pytest.mark.gen_test
async def test_a_removed_member_leaves_before_the_next_frame(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    management = site.app.services.management
    people = {one.name: one for one in await site.app.services.identity.people.all()}
    await management.create_room(people["ann"], "team", "Team", kind="private")
    waiting = await site.join(bob)
    await management.change(people["ann"], "team", "added", account_id=people["bob"].id)
    told = await waiting.until("room", room="team")
    assert [member["name"] for member in told["members"]] == ["ann", "bob"]
    member, other_tab = await site.join(bob, "room=team"), await site.join(bob)
    writer = await site.join(ann, "room=team")
    await writer.say("hello", "team")
    await member.until("message")
    await management.change(people["ann"], "team", "removed", account_id=people["bob"].id)
    await writer.say("gone?", "team")
    assert (await member.until("removed"))["room"] == "team"
    await other_tab.until("removed", room="team")
    member.send(type="typing", room="team")
    assert (await member.until("error"))["code"] == "not_found"
    seen = [frame for frame in member.frames if frame.get("room") == "team" and frame["type"] == "message"]
    assert [frame["message"]["text"] for frame in seen] == ["hello"]


@pytest.mark.gen_test
async def test_a_change_of_a_room_is_told_live_and_after_an_absence(site: Site) -> None:
    await site.account("ann")
    bob = await site.account("bob")
    management = site.app.services.management
    people = {one.name: one for one in await site.app.services.identity.people.all()}
    room = await management.create_room(people["ann"], "ops", "Ops")
    reader = await site.join(bob, "room=ops")
    await management.change(people["ann"], "ops", "topic", value="Deploys")
    notice = (await reader.until("message"))["message"]
    assert (notice["seq"], notice["text"]) == (1, "ann set the topic: Deploys")
    assert notice["notice"] == {"kind": "topic", "value": "Deploys"}
    assert (await reader.until("room"))["topic"] == "Deploys"
    await management.change(people["ann"], "ops", "posting", value="moderators")
    await reader.until("room", posting="moderators")
    reader.send(type="message", text="may I?", room="ops")
    assert (await reader.until("error"))["code"] == "forbidden"
    back = await site.connect(bob, f"room=ops&since=1&epoch={room.info.epoch}")
    history = await back.until("history")
    assert [message["notice"]["kind"] for message in history["messages"]] == ["posting"]
    state = await back.until("room")
    assert (state["topic"], state["may"]) == ("Deploys", ["edit", "react"])


@pytest.mark.gen_test
async def test_a_direct_room_is_named_after_the_others_and_open_to_nobody_else(site: Site) -> None:
    ann, bob, kim = await site.account("ann"), await site.account("bob"), await site.account("kim", "owner")
    management = site.app.services.management
    people = {one.name: one for one in await site.app.services.identity.people.all()}
    waiting = await site.join(bob)
    room = await management.open_direct(people["ann"], ["BOB"])
    assert (await waiting.until("room"))["title"] == "ann"
    assert (await management.open_direct(people["bob"], ["ann"])) is room
    slug = room.info.slug
    writer = await site.join(ann, f"room={slug}")
    await writer.say("psst", slug)
    assert (await waiting.until("unread"))["count"] == 1
    assert (await site.get(f"/rooms/{slug}", cookie=kim)).code == 404
    assert b"psst" in (await site.get(f"/rooms/{slug}", cookie=bob)).body


@pytest.mark.gen_test
async def test_who_is_let_into_a_room_is_told_at_once_what_is_unread_there(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    management = site.app.services.management
    people = {one.name: one for one in await site.app.services.identity.people.all()}
    await management.create_room(people["ann"], "team", "Team", kind="private")
    writer, waiting = await site.join(ann, "room=team"), await site.join(bob)
    for text in ("one", "two @bob"):
        await writer.say(text, "team")
    await management.change(people["ann"], "team", "added", account_id=people["bob"].id)
    told = await waiting.until("unread", room="team")
    assert (told["count"], told["mentions"]) == (2, 0), "a name that could not see it was no mention"
    await management.change(people["ann"], "team", "removed", account_id=people["bob"].id)
    await management.change(people["ann"], "team", "added", account_id=people["bob"].id)
    assert (await waiting.until("unread", room="team"))["count"] == 2


@pytest.mark.gen_test
async def test_a_restored_room_shows_at_once_what_is_unread_there(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    management = site.app.services.management
    people = {one.name: one for one in await site.app.services.identity.people.all()}
    await management.create_room(people["ann"], "ops", "Ops")
    before = await site.join(bob)
    writer = await site.join(ann, "room=ops")
    for text in ("one", "two @bob"):
        await writer.say(text, "ops")
    await before.until("unread", room="ops", count=2)
    await management.change(people["ann"], "ops", "archived")
    after = await site.join(bob)
    await management.change(people["ann"], "ops", "restored")
    for client in (before, after):
        told = await client.until("unread", room="ops")
        assert (told["count"], told["mentions"]) == (2, 1)
        states = [frame["archived"] for frame in client.frames if frame["type"] == "room"]
        assert states[-1] is False, "not before it is in the list again"
