"""People, invitations and rooms as the owner's pages have them, without scripts."""

import html
import json
import re

import pytest

from tests.conftest import Site
from tests.web.pages import Page


async def ids(site: Site) -> dict[str, str]:
    return {account.name: account.id for account in await site.app.services.administration.list_users()}


@pytest.mark.gen_test
async def test_rooms_are_listed_with_what_is_in_them_and_get_other_titles(site: Site) -> None:
    owner, member = await site.account("Masa", "owner"), await site.account("Kim")
    await site.post("/rooms", {"slug": "tea", "title": "Tea & more"}, cookie=member)
    await (await site.join(member, "room=tea")).say("hello", room="tea")
    shown = html.unescape((await site.get("/manage-rooms", cookie=owner)).body.decode())
    (tea,) = re.findall(r'id="room-tea">.*?</span>', shown, re.DOTALL)
    for part in ("Tea & more", "/rooms/tea", "1 message ", "Kim"):
        assert part in tea
    (lobby,) = re.findall(r'id="room-lobby">.*?</span>', shown, re.DOTALL)
    assert "0 messages" in lobby and shown.index("room-lobby") < shown.index("room-tea")

    answer = await site.post("/manage-rooms/tea/title", {"title": " Coffee <b> "}, cookie=owner)
    assert (answer.code, answer.headers["Location"]) == (303, "/manage-rooms?notice=title")
    assert (await site.post("/manage-rooms/tea/title", {"title": "Coffee <b>"}, cookie=owner)).code == 303
    page = (await site.get("/manage-rooms?notice=title", cookie=owner)).body.decode()
    assert "The title was changed." in page and "Coffee &lt;b&gt;" in page and "<b>" not in page
    for path in ("/rooms/tea", "/rooms", "/rooms/lobby"):
        assert "Coffee &lt;b&gt;" in (await site.get(path, cookie=member)).body.decode()
    assert (await site.post("/manage-rooms/nowhere/title", {"title": "x"}, cookie=owner)).code == 404


@pytest.mark.gen_test
async def test_other_titles_are_given_by_administrators_who_gave_the_password_lately(site: Site) -> None:
    await site.account("Masa", "owner")
    for role, status in (("member", 403), ("moderator", 403), ("admin", 303)):
        cookie = await site.account(role, role)
        answer = await site.post("/manage-rooms/lobby/title", {"title": "Hall"}, cookie=cookie)
        assert answer.code == status
        assert (await site.get("/manage-rooms", cookie=cookie)).code == (200 if status == 303 else 403)
        links = Page(await site.get("/rooms", cookie=cookie)).links
        assert ("/manage-rooms" in links) == (status == 303)
    entered = await site.post(await site.app.services.administration.sign_in_link("Masa"), {})
    cookie = entered.headers["Set-Cookie"].partition(";")[0]
    answer = await site.post("/manage-rooms/lobby/title", {"title": "Hall"}, cookie=cookie)
    assert answer.headers["Location"] == "/confirm?next=%2Fmanage-rooms"


@pytest.mark.gen_test
async def test_what_a_person_may_not_change_is_not_offered(site: Site) -> None:
    await site.account("Masa", "owner")
    admin = await site.account("Kim", "admin")
    await site.account("Lee")
    known = await ids(site)
    page = Page(await site.get("/people", cookie=admin))
    actions = {form.get("action", "") for form in page.forms}
    assert not any(known["Masa"] in action for action in actions)
    for name in ("Kim", "Lee"):
        assert {f"/people/{known[name]}/{act}" for act in ("role", "link", "disable")} <= actions
    offered = re.findall(r"<option[^>]*>(\w+)<", page.answer.body.decode())
    assert set(offered) == {"admin", "moderator", "member"}
    invitations = (await site.get("/join-links", cookie=admin)).body.decode()
    assert re.findall(r"<option[^>]*>(\w+)<", invitations) == ["admin", "moderator", "member"]


@pytest.mark.gen_test
async def test_an_admin_does_not_revoke_what_only_an_owner_can_make(site: Site) -> None:
    owner, admin = await site.account("Masa", "owner"), await site.account("Kim", "admin")
    made = await site.post("/join-links", {"role": "owner", "uses": "1", "days": "1"}, cookie=owner)
    code = made.headers["Location"].rpartition("=")[2]
    assert f"/join-links/{code}/revoke" not in (await site.get("/join-links", cookie=admin)).body.decode()
    refused = await site.post(f"/join-links/{code}/revoke", {}, cookie=admin)
    assert refused.code == 403 and Page(refused).texts["problem"]
    above = await site.post("/join-links", {"role": "owner", "uses": "1", "days": "1"}, cookie=admin)
    assert above.code == 403 and Page(above).texts["problem"]
    assert (await site.get(f"/join/{code}")).code == 200


@pytest.mark.gen_test
async def test_who_gives_up_administration_is_sent_to_a_page_he_may_see(site: Site) -> None:
    owner = await site.account("Masa", "owner")
    await site.account("Kim", "owner")
    masa_id = (await ids(site))["Masa"]
    answer = await site.post(f"/people/{masa_id}/role", {"role": "admin"}, cookie=owner)
    assert answer.headers["Location"] == "/people?notice=role"
    answer = await site.post(f"/people/{masa_id}/role", {"role": "member"}, cookie=owner)
    assert answer.headers["Location"] == "/account"
    assert (await site.get("/account", cookie=owner)).code == 200
    assert json.loads((await site.get("/session", cookie=owner)).body)["user"]["role"] == "member"


@pytest.mark.gen_test
async def test_a_refused_form_is_open_again_and_dangerous_ones_say_what_they_do(site: Site) -> None:
    owner = await site.account("Masa", "owner")
    masa_id = (await ids(site))["Masa"]
    answer = await site.post(f"/people/{masa_id}/disable", {}, cookie=owner)
    body = answer.body.decode()
    assert answer.code == 409 and '<details class="manage" open>' in body
    before, _, _ = body.partition(f'action="/people/{masa_id}/disable"')
    assert before.rstrip().endswith('<form class="sure__panel" method="post"')
    assert "Nobody else is here yet." in body


@pytest.mark.gen_test
async def test_an_invitation_sent_twice_or_reloaded_makes_no_other_by_itself(site: Site) -> None:
    owner = await site.account("Masa", "owner")
    made = await site.post("/join-links", {"role": "member", "uses": "1", "days": "1"}, cookie=owner)
    for _ in range(2):
        page = (await site.get(made.headers["Location"], cookie=owner)).body.decode()
        assert page.count("/revoke") == 1 and page.count("The new invitation link") == 1
    assert "The new invitation" not in (await site.get("/join-links?created=x", cookie=owner)).body.decode()
