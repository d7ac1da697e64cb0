"""A room's settings, its members and direct conversations, by forms alone."""

import re

import pytest

from tests.conftest import Site


async def make(site: Site, cookie: str, slug: str, **fields: str) -> None:
    answer = await site.post("/rooms", {"slug": slug, "title": slug.title(), **fields}, cookie=cookie)
    assert (answer.code, answer.headers["Location"]) == (303, f"/rooms/{slug}")


async def page(site: Site, path: str, cookie: str) -> str:
    return (await site.get(path, cookie=cookie)).body.decode()


@pytest.mark.gen_test
async def test_a_private_room_takes_members_by_name_and_loses_them(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    await make(site, ann, "team", kind="private")
    assert (await site.get("/rooms/team", cookie=bob)).code == 404
    wrong = await site.post("/rooms/team/members", {"name": "nobody"}, cookie=ann)
    assert wrong.code == 404 and 'value="nobody"' in wrong.body.decode()
    added = await site.post("/rooms/team/members", {"name": "BOB"}, cookie=ann)
    assert added.headers["Location"] == "/rooms/team/settings?notice=added"
    again = await site.post("/rooms/team/members", {"name": "bob"}, cookie=ann)
    assert again.code == 400 and "It is so already." in again.body.decode()
    assert (await site.get("/rooms/team", cookie=bob)).code == 200
    assert 'data-room="team"' in await page(site, "/rooms/lobby", bob)
    mine, his = await page(site, "/rooms/team/settings", ann), await page(site, "/rooms/team/settings", bob)
    member = re.search(r"/rooms/team/members/(\w+)/remove", mine)
    assert member is not None and "/remove" not in his and "/leave" in his
    assert (await site.post(f"/rooms/team/members/{member[1]}/remove", {}, cookie=bob)).code == 403
    assert (await site.post(f"/rooms/team/members/{member[1]}/manager", {}, cookie=ann)).code == 303
    assert (await site.post("/rooms/team/leave", {}, cookie=ann)).headers["Location"] == "/rooms?notice=left"
    assert (await site.get("/rooms/team", cookie=ann)).code == 404
    assert (await site.post("/rooms/team/settings", {"title": "Ours"}, cookie=bob)).code == 303


@pytest.mark.gen_test
async def test_title_topic_and_who_may_write_are_changed_and_told(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    await make(site, ann, "ops")
    fields = {"title": "Operations", "topic": "  What\n runs  ", "posting": "moderators"}
    assert (await site.post("/rooms/ops/settings", fields, cookie=bob)).code == 403
    assert (await site.post("/rooms/ops/settings", fields, cookie=ann)).code == 303
    assert (await site.post("/rooms/ops/settings", fields, cookie=ann)).code == 303  # nothing left to change
    shown = await page(site, "/rooms/ops", bob)
    assert "Operations" in shown and "What runs" in shown
    assert len(re.findall(r'id="message-\d', shown)) == 3
    for bad in (
        {"title": ""},
        {"title": "x", "topic": "y" * 251},
        {"title": "x", "topic": "", "posting": "nobody"},
    ):
        refused = await site.post("/rooms/ops/settings", bad, cookie=ann)
        assert refused.code == 400 and 'role="alert"' in refused.body.decode()


@pytest.mark.gen_test
async def test_an_archived_room_leaves_the_lists_and_is_restored(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    await make(site, ann, "old")
    assert (await site.post("/rooms/old/archive", {}, cookie=bob)).code == 403
    assert (await site.post("/rooms/old/archive", {}, cookie=ann)).code == 303
    assert 'data-room="old"' not in await page(site, "/rooms/lobby", bob)
    assert (await site.get("/rooms/old", cookie=bob)).code == 200
    client = await site.join(bob, "room=old")
    client.send(type="message", text="still?", room="old")
    assert (await client.until("error"))["code"] == "forbidden"
    assert (await site.post("/rooms/old/restore", {}, cookie=ann)).code == 303
    assert 'data-room="old"' in await page(site, "/rooms/lobby", bob)
    owner = await site.account("olga", "owner")
    assert (await site.post("/rooms/lobby/archive", {}, cookie=owner)).code == 403


@pytest.mark.gen_test
async def test_a_direct_conversation_is_found_by_name_and_never_doubled(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    await site.account("kim")
    first = (await site.post("/direct", {"names": "@bob"}, cookie=ann)).headers["Location"]
    assert (await site.post("/direct", {"names": " ANN "}, cookie=bob)).headers["Location"] == first
    three = (await site.post("/direct", {"names": "bob, kim"}, cookie=ann)).headers["Location"]
    assert three != first
    assert "bob, kim" in await page(site, three, ann)
    settings = await page(site, f"{first}/settings", ann)
    assert "<bdi>bob</bdi>" in settings and "/archive" not in settings and "/members" not in settings
    assert (await site.post(f"{first}/settings", {"title": "Us"}, cookie=ann)).code == 403
    for names, status in (
        ("nobody", 404),
        ("", 400),
        ("ann", 400),
        (",".join(f"p{n}" for n in range(20)), 404),
    ):
        refused = await site.post("/direct", {"names": names}, cookie=ann)
        assert refused.code == status and 'role="alert"' in refused.body.decode()


@pytest.mark.gen_test
async def test_a_conversation_with_a_disabled_account_is_read_but_not_begun(site: Site) -> None:
    ann, bob = await site.account("ann"), await site.account("bob")
    await site.account("kim")
    first = (await site.post("/direct", {"names": "kim"}, cookie=ann)).headers["Location"]
    await site.app.services.administration.disable("kim")
    for names in ("kim", "ann, kim"):
        refused = await site.post("/direct", {"names": names}, cookie=bob)
        assert refused.code == 404 and "There is nobody of this name." in refused.body.decode()
        assert f'value="{names}"' in refused.body.decode()
    assert (await site.post("/direct", {"names": "kim"}, cookie=ann)).headers["Location"] == first
    assert "kim" in await page(site, first, ann)
    assert (await site.post("/direct", {"names": "ann"}, cookie=bob)).code == 303
