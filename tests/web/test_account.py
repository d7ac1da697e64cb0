"""Another name for an account, as everybody meets it: pages, sockets, rooms, the sign-in."""

import asyncio
import json
import re

import pytest
from msgspec import structs

from chat_app.models import Change
from chat_app.ports import Done
from tests.conftest import PASSWORD, Site
from tests.web.pages import Page


@pytest.mark.gen_test
async def test_a_new_name_counts_at_once_everywhere(site: Site) -> None:
    cookie = await site.account("Masa")
    masa, kim = await site.join(cookie), await site.join(await site.account("Kim"))
    await masa.say("before")
    await kim.until("message")
    answer = await site.post("/account/name", {"name": "Māsa"}, cookie=cookie)
    assert (answer.code, answer.headers["Location"]) == (303, "/account?notice=name")
    assert "Set-Cookie" not in answer.headers
    told = await kim.until("presence", left=["Masa"])
    assert "Māsa" in told["joined"] and told["online"] == 2
    await masa.say("after")
    assert (await kim.until("message"))["message"]["from"] == "Māsa"

    page = (await site.get("/account?notice=name", cookie=cookie)).body.decode()
    assert "The name was changed." in page and "Māsa" in page and "Masa" not in page
    assert json.loads((await site.get("/session", cookie=cookie)).body)["user"]["name"] == "Māsa"
    room = (await site.get("/rooms/lobby", cookie=cookie)).body.decode()
    assert "before" in room and "Māsa" in room and "Masa" not in room
    late = await site.join(await site.sign_in("Kim"))
    (history,) = [frame for frame in late.frames if frame["type"] == "history"]
    assert [message["from"] for message in history["messages"]] == ["Māsa", "Māsa"]
    assert "Māsa" in late.frames[-1]["users"] and "Masa" not in late.frames[-1]["users"]
    assert (await site.post("/login", {"name": "Masa", "password": PASSWORD})).code == 401
    await site.sign_in("māsa")
    await site.account("Masa")  # the old name is free


@pytest.mark.gen_test
async def test_a_message_on_its_way_while_its_author_is_renamed_has_the_new_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = await site.account("Masa")
    masa, kim = await site.join(cookie), await site.join(await site.account("Kim"))
    history, submit = site.app.services.database.history, site.app.services.database.history.submit
    queued = asyncio.Event()
    held: list[tuple[Change, Done]] = []

    def hold(change: Change, done: Done) -> None:
        held.append((change, done))
        queued.set()

    monkeypatch.setattr(history, "submit", hold)
    masa.send(type="message", text="on its way", nonce="n")
    await queued.wait()
    assert (await site.post("/account/name", {"name": "Another"}, cookie=cookie)).code == 303
    ((change, done),) = held
    submit(structs.replace(change), done)
    assert (await kim.until("message"))["message"]["from"] == "Another"
    late = await site.join(await site.sign_in("Kim"))
    (history_frame,) = [frame for frame in late.frames if frame["type"] == "history"]
    assert history_frame["messages"][0]["from"] == "Another"


@pytest.mark.gen_test
async def test_the_fourth_new_name_of_a_day_has_to_wait(site: Site) -> None:
    cookie = await site.account("Masa")
    for number in range(3):
        assert (await site.post("/account/name", {"name": f"Masa {number}"}, cookie=cookie)).code == 303
        again = await site.post("/account/name", {"name": f"Masa {number}"}, cookie=cookie)
        assert again.code == 303  # sent twice it changes nothing
    answer = await site.post("/account/name", {"name": "Masa 3"}, cookie=cookie)
    assert answer.code == 429 and 86_000 < int(answer.headers["Retry-After"]) <= 86_400
    page = Page(answer)
    assert "in 24 hours" in answer.body.decode() and page.one("name")["value"] == "Masa 3"


@pytest.mark.gen_test
async def test_a_session_that_ended_already_is_told_on_the_page(site: Site) -> None:
    cookie = await site.account("Masa")
    await site.sign_in("Masa")
    (other,) = re.findall(
        r"/account/sessions/([0-9a-f]+)/end", (await site.get("/account", cookie=cookie)).body.decode()
    )
    path = f"/account/sessions/{other}/end"
    assert (await site.post(path, {}, cookie=cookie)).code == 303
    again = await site.post(path, {}, cookie=cookie)
    assert again.code == 404 and "ended already" in Page(again).texts["problem"]
    assert "Nowhere else." in again.body.decode()
