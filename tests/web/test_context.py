"""Messages over HTTP: around one, some of them, what is pinned, names; and the pages for who has no scripts."""

import html
import json
import re

import pytest
from tornado.httpclient import HTTPResponse

from tests.conftest import Site


def body(answer: HTTPResponse) -> dict:
    assert answer.code == 200, answer.body
    return json.loads(answer.body)


def seqs(answer: HTTPResponse) -> list[int]:
    return [message["seq"] for message in body(answer)["messages"]]


async def ten(site: Site, cookie: str) -> list[dict]:
    client = await site.join(cookie)
    return [await client.say(f"text {number}") for number in range(1, 11)]


@pytest.mark.gen_test
async def test_scripts_read_around_after_and_some_messages(site: Site) -> None:
    cookie = await site.account("Masa")
    acks = await ten(site, cookie)
    around = await site.get("/rooms/lobby/messages?around=5&limit=4", cookie=cookie)
    assert seqs(around) == [3, 4, 5, 6]
    assert (body(around)["more"], body(around)["newer"]) == (True, True)
    after = await site.get("/rooms/lobby/messages?after=7&limit=100", cookie=cookie)
    assert (seqs(after), body(after)["newer"]) == ([8, 9, 10], False)
    before = body(await site.get("/rooms/lobby/messages?before=3", cookie=cookie))
    assert set(before) == {"messages", "more"}
    ids = ",".join([acks[4]["id"], "nothing", acks[1]["id"], ""])
    assert seqs(await site.get(f"/rooms/lobby/messages?ids={ids}", cookie=cookie)) == [2, 5]
    for query in (
        "around=x",
        "around=-1",
        "after=",
        "around=1&after=1",
        "ids=a&before=1",
        "ids=" + "a," * 101,
    ):
        assert (await site.get(f"/rooms/lobby/messages?{query}", cookie=cookie)).code == 400, query


@pytest.mark.settings(history_limit="4")
@pytest.mark.gen_test
async def test_a_permalink_opens_a_message_in_its_context_without_scripts(site: Site) -> None:
    cookie = await site.account("Masa")
    await ten(site, cookie)
    page = html.unescape((await site.get("/rooms/lobby?at=3", cookie=cookie)).body.decode())
    assert re.findall(r'id="message-(\d+)"', page) == ["1", "2", "3", "4"]
    assert len(re.findall("message--marked", page)) == 1
    assert re.search(r'class="message[^"]*message--marked[^"]*"\s+id="message-3"', page)
    assert 'href="/rooms/lobby?after=4"' in page
    newer = (await site.get("/rooms/lobby?after=4", cookie=cookie)).body.decode()
    assert re.findall(r'id="message-(\d+)"', newer) == ["5", "6", "7", "8"]
    assert "message--marked" not in newer
    last = (await site.get("/rooms/lobby?after=8", cookie=cookie)).body.decode()
    assert "load-newer" not in last and 'href="/rooms/lobby?before=9"' in last
    assert "load-newer" in (await site.get("/rooms/lobby?before=9", cookie=cookie)).body.decode()
    assert "load-newer" not in (await site.get("/rooms/lobby", cookie=cookie)).body.decode()
    assert (await site.get("/rooms/lobby?at=x", cookie=cookie)).code == 400


@pytest.mark.gen_test
async def test_a_page_shows_what_a_message_answers_its_reactions_and_its_pin(site: Site) -> None:
    cookie = await site.account("Masa", "owner")
    masa = await site.join(cookie)
    first = await masa.say("a <question>\n" + "x" * 200)
    masa.send(type="message", text="@here an answer", replyTo=first["id"])
    reply = await masa.until("message", seq=2)
    masa.send(type="react", id=reply["message"]["id"], emoji="🎉")
    masa.send(type="pin", id=reply["message"]["id"])
    await masa.until("pinned")
    page = (await site.get("/rooms/lobby", cookie=cookie)).body.decode()
    quote = re.search(r'<a class="message__quote" (.*?)</a>', page, re.DOTALL)
    assert quote is not None
    assert 'href="/rooms/lobby?at=1#message-1"' in quote[1] and f'data-reply-id="{first["id"]}"' in quote[1]
    assert "a &lt;question&gt; xxx" in quote[1] and "…" in quote[1] and "x" * 120 not in quote[1]
    reaction = re.search(
        r"""<li class="reaction reaction--own" data-emoji="🎉" data-count="1" data-users='(.*?)'""", page
    )
    assert reaction is not None
    assert json.loads(html.unescape(reaction[1]))[0]["name"] == "Masa"
    assert len(re.findall(r'message__pinned">', page)) == len(re.findall(" data-here>?", page)) == 1
    masa.send(type="delete", id=first["id"])
    await masa.until("deleted")
    page = (await site.get("/rooms/lobby", cookie=cookie)).body.decode()
    quote = re.search(r'<a class="message__quote" (.*?)</a>', page, re.DOTALL)
    assert quote is not None and "This message was deleted." in quote[1]


@pytest.mark.gen_test
async def test_pins_are_a_page_for_browsers_and_json_for_scripts(site: Site) -> None:
    cookie = await site.account("Masa", "owner")
    masa = await site.join(cookie)
    browser = {"cookie": cookie, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert b"Nothing is pinned here." in (await site.get("/rooms/lobby/pins", **browser)).body
    for text in ("one", "two", "three"):
        await masa.say(text)
    for seq in (3, 1):
        masa.send(type="pin", id=next(f["id"] for f in masa.frames if f["type"] == "ack" and f["seq"] == seq))
        await masa.until("pinned")
    assert seqs(await site.get("/rooms/lobby/pins", cookie=cookie)) == [1, 3]
    page = (await site.get("/rooms/lobby/pins", **browser)).body.decode()
    assert re.findall(r'id="message-(\d+)"', page) == ["1", "3"]
    assert 'href="/rooms/lobby?at=3#message-3"' in page
    signed_out = await site.get("/rooms/lobby/pins")
    assert (signed_out.code, signed_out.headers["Content-Type"]) == (401, "application/json")
    assert (await site.get("/rooms/lobby/pins", Accept="text/html")).code == 303


@pytest.mark.gen_test
async def test_notices_are_sentences_on_pages_too(site: Site) -> None:
    cookie = await site.account("Masa", "owner")
    (me,) = await site.app.services.identity.people.all()
    await site.app.services.management.create_room(me, "team", "Team", kind="private")
    await site.app.services.management.change(me, "team", "topic", value="Ships")
    page = (await site.get("/rooms/team", cookie=cookie)).body.decode()
    assert "Masa set the topic: Ships" in page and 'data-notice="topic"' in page


@pytest.mark.gen_test
async def test_names_are_completed_for_who_may_see_the_room(site: Site) -> None:
    cookie, kim_cookie = await site.account("Masa"), await site.account("Kim")
    await site.account("Mika")
    people = {one.name: one for one in await site.app.services.identity.people.all()}
    await site.app.services.management.create_room(people["Masa"], "team", "Team", kind="private")
    await site.join(kim_cookie)

    async def names(path: str) -> list[tuple[str, bool]]:
        return [(one["name"], one["here"]) for one in body(await site.get(path, cookie=cookie))["names"]]

    assert await names("/rooms/lobby/names?q=") == [("Kim", True), ("Masa", False), ("Mika", False)]
    assert await names("/rooms/lobby/names?q=MI") == [("Mika", False)]
    assert await names("/rooms/team/names") == [("Masa", False)]
    assert await names("/names?q=ki") == [("Kim", True)]
    assert await names("/names?q=%25") == []
    assert await names("/names?q=" + "x" * 5_000) == []
    await site.app.services.administration.disable("Mika")
    assert await names("/names?q=mi") == []
    assert (await site.get("/names?q=a")).code == 401


@pytest.mark.gen_test
async def test_who_may_not_see_a_room_finds_nothing_of_its_messages(site: Site) -> None:
    cookie, kim_cookie = await site.account("Masa", "owner"), await site.account("Kim", "owner")
    people = {one.name: one for one in await site.app.services.identity.people.all()}
    await site.app.services.management.create_room(people["Masa"], "team", "Team", kind="private")
    masa = await site.join(cookie, "room=team")
    hidden = await masa.say("hidden", "team")
    for path in (
        f"messages?ids={hidden['id']}", "messages?around=1", "messages?after=0", f"messages/{hidden['id']}/versions",
        "pins", "names?q=",
    ):  # fmt: skip
        assert (await site.get(f"/rooms/team/{path}", cookie=kim_cookie)).code == 404, path
    assert seqs(await site.get(f"/rooms/lobby/messages?ids={hidden['id']}", cookie=kim_cookie)) == []
    lobby_path = f"/rooms/lobby/messages/{hidden['id']}/versions"
    assert (await site.get(lobby_path, cookie=kim_cookie)).code == 404
