"""What of a room somebody wants to be notified of: stored for the account, told to its connections alone."""

import pytest

from tests.conftest import Site
from tests.web.pages import Page


@pytest.mark.gen_test
async def test_a_choice_is_told_to_ones_own_connections_and_kept(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    mine, other_tab, his = await site.join(ann), await site.join(ann), await site.join(bob)
    answer = await site.post("/rooms/lobby/notify", {"notify": "nothing"}, cookie=ann)
    assert (answer.code, answer.headers["Location"]) == (303, "/rooms/lobby/settings?notice=notify")
    for client in (mine, other_tab):
        assert (await client.until("room", room="lobby"))["notify"] == "nothing"
    await his.say("hello")
    assert not [frame for frame in his.frames if frame["type"] == "room"]
    again = await site.connect(ann)
    assert (await again.until("room"))["notify"] == "nothing"  # though the room is plain
    page = (await site.get("/rooms/lobby/settings", cookie=ann)).body.decode()
    assert '<option value="nothing" selected>' in page
    assert (
        '<option value="mentions" selected>'
        in (await site.get("/rooms/lobby/settings", cookie=bob)).body.decode()
    )


@pytest.mark.gen_test
async def test_a_conversation_calls_with_everything_and_others_with_mentions_at_first(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    slug = (await site.post("/direct", {"names": "bob"}, cookie=ann)).headers["Location"].rpartition("/")[2]
    writer = await site.join(ann, f"room={slug}")
    assert [frame["notify"] for frame in writer.frames if frame["type"] == "room"] == []
    assert (await writer.until("room"))["notify"] == "all"
    await writer.say("psst", slug)
    await (await site.join(ann)).say("hello")
    body = (await site.get("/rooms", cookie=bob)).body.decode()
    direct, lobby = body.index(f'data-room="{slug}"'), body.index('data-room="lobby"')
    assert lobby < direct and body.index('id="group-direct"') < direct
    assert 'data-kind="direct" data-notify="all" data-unread="1" data-mentions="0"' in body
    assert body[direct:].count("badge--mention") == 1
    assert "badge--mention" not in body[lobby : body.index("</a>", lobby)]
    await site.post(f"/rooms/{slug}/notify", {"notify": "nothing"}, cookie=bob)
    muted = (await site.get("/rooms", cookie=bob)).body.decode()
    row = muted[muted.index(f'data-room="{slug}"') :].partition("</li>")[0]
    assert '<span class="room-link__dot">' in row and '<span class="badge" hidden>' in row


@pytest.mark.gen_test
async def test_bad_choices_and_hidden_rooms_are_refused(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    await site.post("/rooms", {"slug": "team", "title": "Team", "kind": "private"}, cookie=ann)
    for wrong in ("", "sometimes", "ALL"):
        refused = await site.post("/rooms/lobby/notify", {"notify": wrong}, cookie=ann)
        assert refused.code == 400 and Page(refused).texts["problem"]
    for slug in ("team", "nowhere"):
        assert (await site.post(f"/rooms/{slug}/notify", {"notify": "all"}, cookie=bob)).code == 404
    assert (
        (await site.post("/rooms/lobby/notify", {"notify": "all"})).headers["Location"].startswith("/login")
    )
    assert await site.app.services.database.rooms.notifies() == {}


@pytest.mark.gen_test
async def test_rooms_come_into_the_lists_of_everybody_who_sees_them(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    hers, his = await site.join(ann), await site.join(bob)
    await site.post("/rooms", {"slug": "ops", "title": "Ops"}, cookie=ann)
    for client, may in ((hers, True), (his, False)):
        assert ("manage" in (await client.until("room", room="ops"))["may"]) == may
    await site.post("/rooms", {"slug": "team", "title": "Team", "kind": "private"}, cookie=ann)
    await hers.until("room", room="team")
    await site.post("/rooms/ops/settings", {"title": "Operations"}, cookie=ann)
    assert (await his.until("room"))["title"] == "Operations"  # so nothing was told of the private one
    await site.post("/rooms/ops/archive", {}, cookie=ann)
    assert (await his.until("room"))["archived"] is True
    assert 'id="archived"' in (await site.get("/rooms", cookie=bob)).body.decode()


@pytest.mark.gen_test
async def test_an_archived_room_is_not_told_as_unread(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    await site.post("/rooms", {"slug": "old", "title": "Old"}, cookie=ann)
    await (await site.join(ann, "room=old")).say("@bob", "old")
    waiting = await site.join(bob)
    await waiting.until("unread", room="old", mentions=1)
    await site.post("/rooms/old/archive", {}, cookie=ann)
    later = await site.join(bob)
    await (await site.join(ann)).say("hello")
    await later.until("message")
    await site.app.services.unreads.tick()
    assert not [frame for frame in later.frames if frame["type"] == "unread"]
