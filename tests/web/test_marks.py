"""Replies, reactions, pins and calls over the socket, and what comes back after an absence."""

import asyncio
import json
from pathlib import Path

import pytest

from chat_app.app import open_app
from chat_app.data_folder import ensure_data
from chat_app.errors import ChatError
from chat_app.models import Account, Committed, React
from chat_app.settings import load
from tests.conftest import PASSWORD, Client, Site

MANY = pytest.mark.settings(
    rate_limit="0", account_rate_limit="0", address_rate_limit="0", frame_rate_limit="0"
)


async def person(site: Site, name: str) -> Account:
    return next(one for one in await site.app.services.identity.people.all() if one.name == name)


async def twenty_react(site: Site, message_id: str, emoji: str) -> None:
    """As many as are named put it on a message of the lobby: p0 to p19, none of them connected."""
    services = site.app.services
    lobby = services.registry.by_slug("lobby")
    assert lobby is not None
    for number in range(20):
        account = await services.administration.add_user(f"p{number}", "member", PASSWORD)
        stored: asyncio.Future[Committed | ChatError] = asyncio.get_running_loop().create_future()
        change = React(lobby.info.id, message_id, account.id, emoji, number)
        services.database.history.submit(change, stored.set_result)
        outcome = await stored
        assert isinstance(outcome, Committed)
        services.chat.publish(lobby, outcome)


async def refusal(client: Client, **event: object) -> str:
    client.send(**event)
    return str((await client.until("error"))["code"])


@pytest.mark.gen_test
async def test_everything_beside_a_message_is_told_live_and_after_an_absence(site: Site) -> None:
    masa, kim_cookie = await site.join(await site.account("Masa", "moderator")), await site.account("Kim")
    kim = await site.join(kim_cookie)
    epoch = kim.frames[1]["epoch"]
    first = await masa.say("a question")
    kim.send(type="message", text="an answer", replyTo=first["id"])
    reply = (await masa.until("message", seq=2))["message"]
    me = await person(site, "Masa")
    assert reply["replyTo"] == {"id": first["id"], "seq": 1, "from": "Masa", "userId": me.id}
    kim.connection.close()
    masa.send(type="react", id=reply["id"], emoji="❤")
    reacted = await masa.until("reacted", seq=3)
    assert reacted["message"]["reactions"] == [
        {"emoji": "❤️", "count": 1, "users": [{"id": me.id, "name": "Masa"}]}
    ]
    masa.send(type="pin", id=first["id"])
    pinned = await masa.until("pinned", seq=4)
    assert pinned["message"]["pinnedAt"].endswith("Z")
    back = await site.join(kim_cookie, f"since=2&epoch={epoch}")
    history = back.frames[1]
    assert (history["mode"], history["seq"]) == ("resumed", 4)
    assert history["messages"] == [pinned["message"], reacted["message"]]
    masa.send(type="react", id=reply["id"], emoji="❤️", remove=True)
    assert "reactions" not in (await back.until("reacted", seq=5))["message"]
    masa.send(type="unpin", id=first["id"])
    assert "pinnedAt" not in (await back.until("pinned", seq=6))["message"]


@pytest.mark.settings(rate_limit="3")
@pytest.mark.gen_test
async def test_what_is_so_already_takes_no_seq_and_no_share_of_the_limit(site: Site) -> None:
    masa = await site.join(await site.account("Masa", "owner"))
    message = await masa.say("hello")
    for _ in range(5):
        masa.send(type="react", id=message["id"], emoji="🎉", remove=True)
        masa.send(type="unpin", id=message["id"])
        assert await refusal(masa, type="leave", room="nowhere") == "not_found"  # so those were handled
        await site.app.services.database.settle()
    assert (await masa.say("more"))["seq"] == 2
    assert not [frame for frame in masa.frames if frame["type"] in ("reacted", "pinned")]


@pytest.mark.settings(rate_limit="3")
@pytest.mark.gen_test
async def test_reactions_and_pins_count_towards_the_message_limits(site: Site) -> None:
    masa = await site.join(await site.account("Masa", "owner"))
    message = await masa.say("hello")
    masa.send(type="react", id=message["id"], emoji="🎉")
    masa.send(type="pin", id=message["id"])
    await masa.until("pinned")
    masa.send(type="react", id=message["id"], emoji="👍")
    assert (await masa.until("error"))["code"] == "rate_limited"


@pytest.mark.gen_test
async def test_bad_input_is_answered_and_changes_nothing(site: Site) -> None:
    owner = await person_with_room(site)
    masa = await site.join(owner, "room=lobby")
    masa.send(type="join", room="team")
    await masa.until("presence", room="team")
    hidden = await masa.say("hidden", "team")
    message = await masa.say("hello")
    kim = await site.join(await site.account("Kim"))
    assert await refusal(kim, type="react", id=message["id"], emoji="nope") == "bad_request"
    assert await refusal(kim, type="react", id=message["id"]) == "bad_request"
    assert await refusal(kim, type="react", id="nothing", emoji="👍") == "not_found"
    assert await refusal(kim, type="react", id=hidden["id"], emoji="👍") == "not_found"
    assert await refusal(kim, type="react", id=hidden["id"], emoji="👍", room="team") == "not_found"
    assert await refusal(kim, type="pin", id=hidden["id"], room="team") == "not_found"
    assert await refusal(kim, type="pin", id=message["id"]) == "forbidden"
    assert await refusal(kim, type="unpin", id=message["id"]) == "forbidden"
    assert await refusal(kim, type="message", text="hm", replyTo=hidden["id"]) == "not_found"
    assert await refusal(kim, type="message", text="hm", replyTo="nothing") == "not_found"
    refused = await refusal(masa, type="message", text="hm", replyTo=message["id"], room="team")
    assert refused == "not_found"
    kim.send(type="message", text="hm", nonce="n", replyTo="nothing")
    assert (await kim.until("error"))["nonce"] == "n"
    assert (await kim.say("well"))["seq"] == 2


async def person_with_room(site: Site) -> str:
    cookie = await site.account("Masa", "owner")
    await site.app.services.management.create_room(await person(site, "Masa"), "team", "Team", kind="private")
    return cookie


@pytest.mark.gen_test
async def test_a_room_that_is_archived_takes_no_reaction_and_no_pin(site: Site) -> None:
    cookie = await person_with_room(site)
    masa = await site.join(cookie, "room=team")
    message = await masa.say("hello", "team")
    await site.app.services.management.change(await person(site, "Masa"), "team", "archived")
    for event in ({"type": "react", "emoji": "👍"}, {"type": "pin"}, {"type": "unpin"}):
        assert await refusal(masa, id=message["id"], **event) == "forbidden"
    notice = next(frame["message"] for frame in masa.frames if "notice" in frame.get("message", {}))
    await site.app.services.management.change(await person(site, "Masa"), "team", "restored")
    for event in ({"type": "react", "emoji": "👍"}, {"type": "pin"}):
        assert await refusal(masa, id=notice["id"], **event) == "forbidden"


@pytest.mark.gen_test
async def test_here_calls_who_is_present_when_a_moderator_writes_it(site: Site) -> None:
    masa = await site.join(await site.account("Masa", "moderator"))
    kim_cookie = await site.account("Kim")
    kim = await site.join(kim_cookie)
    await site.account("Zoe")
    kim.send(type="message", text="@here and @masa")
    plain = (await masa.until("message"))["message"]
    assert "here" not in plain
    assert plain["mentions"] == [(await person(site, "Masa")).id]
    masa.send(type="message", text="@here @Zoe @nobody")
    called = (await kim.until("message", seq=2))["message"]
    assert (called["here"], called["mentions"]) == (True, [(await person(site, "Zoe")).id])
    rooms = site.app.services.database.rooms
    mentions = {
        name: (await rooms.unread((await person(site, name)).id))[0].mentions
        for name in ("Masa", "Kim", "Zoe")
    }
    assert mentions == {"Masa": 1, "Kim": 1, "Zoe": 1}
    page = json.loads((await site.get("/rooms/lobby/messages", cookie=kim_cookie)).body)
    assert page["messages"][1] == called


@pytest.mark.gen_test
async def test_who_may_not_see_a_room_is_not_mentioned_in_it(site: Site) -> None:
    masa = await site.join(await person_with_room(site), "room=team")
    await site.account("Kim")
    masa.send(type="message", text="@Kim", room="team")
    assert "mentions" not in (await masa.until("message"))["message"]


@MANY
@pytest.mark.gen_test(timeout=30)
async def test_whose_reaction_is_beyond_those_named_is_told_live_and_over_http(site: Site) -> None:
    masa_cookie = await site.account("Masa")
    masa = await site.join(masa_cookie)
    message = await masa.say("popular")
    await twenty_react(site, message["id"], "🎉")
    me = (await person(site, "Masa")).id
    masa.send(type="react", id=message["id"], emoji="🎉")
    told = await masa.until("reacted", userId=me)
    assert (told["emoji"], "remove" in told) == ("🎉", False)
    (reaction,) = told["message"]["reactions"]
    assert (reaction["count"], len(reaction["users"]), "own" in reaction) == (21, 20, False)
    late_cookie = await site.sign_in("p0")
    other_cookie = await site.account("Kim")
    for path in ("messages", f"messages?ids={message['id']}", "messages?around=1", "messages?before=2"):
        for cookie, own in ((masa_cookie, True), (late_cookie, True), (other_cookie, False)):
            answer = json.loads((await site.get(f"/rooms/lobby/{path}", cookie=cookie)).body)
            assert [one["own"] for one in answer["messages"][0]["reactions"]] == [own], path
    for cookie, own in ((masa_cookie, True), (late_cookie, True), (other_cookie, False)):
        page = (await site.get("/rooms/lobby", cookie=cookie)).body.decode()
        assert ('class="reaction reaction--own"' in page) is own
    masa.send(type="react", id=message["id"], emoji="🎉", remove=True)
    told = await masa.until("reacted", userId=me)
    assert (told["emoji"], told["remove"], told["message"]["reactions"][0]["count"]) == ("🎉", True, 20)
    answer = json.loads((await site.get("/rooms/lobby/messages", cookie=masa_cookie)).body)
    assert "own" not in answer["messages"][0]["reactions"][0], "all of them are named"


@MANY
@pytest.mark.gen_test
async def test_a_storm_of_reactions_leaves_everybody_in_step(site: Site) -> None:
    emoji = [chr(0x1F400 + number) for number in range(21)]
    people = [await site.join(await site.account(f"p{number}")) for number in range(4)]
    message = await people[0].say("react!")
    for client in people:
        for _ in range(2):
            for one in emoji[:5]:
                client.send(type="react", id=message["id"], emoji=one)
                client.send(type="react", id=message["id"], emoji=one, remove=True)
    for client in people:
        client.send(type="message", text="done", nonce="done")
    heads = [await client.until("ack", nonce="done") for client in people]
    last = max(ack["seq"] for ack in heads)
    cookie = await site.account("late")
    late = await site.join(cookie)
    state = late.frames[1]["messages"][0]
    assert late.frames[1]["seq"] == last
    assert "reactions" not in state
    for client in people:
        while not any(frame.get("seq") == last and frame["type"] == "message" for frame in client.frames):
            await client.receive()
        seqs = [frame["seq"] for frame in client.frames if frame["type"] in ("message", "reacted")]
        assert seqs == list(range(seqs[0], last + 1))
    for one in emoji[:20]:
        people[0].send(type="react", id=message["id"], emoji=one)
    await people[0].until("reacted", seq=last + 20)
    assert await refusal(people[1], type="react", id=message["id"], emoji=emoji[20]) == "too_large"


@pytest.mark.settings(edit_history="on")
@pytest.mark.gen_test
async def test_earlier_texts_are_for_who_moderates(site: Site) -> None:
    masa_cookie, kim_cookie = await site.account("Masa", "moderator"), await site.account("Kim")
    kim = await site.join(kim_cookie)
    message = await kim.say("one")
    kim.send(type="edit", id=message["id"], text="two")
    await kim.until("edited")
    path = f"/rooms/lobby/messages/{message['id']}/versions"
    answer = await site.get(path, cookie=masa_cookie)
    (version,) = json.loads(answer.body)["versions"]
    assert version["text"] == "one" and version["at"].endswith("Z")
    assert (await site.get(path, cookie=kim_cookie)).code == 403
    assert (await site.get(path)).code == 401
    assert (await site.get("/rooms/lobby/messages/nothing/versions", cookie=masa_cookie)).code == 404
    assert (await site.get(path.replace("lobby", "nowhere"), cookie=masa_cookie)).code == 404
    kim.send(type="delete", id=message["id"])
    await kim.until("deleted")
    assert json.loads((await site.get(path, cookie=masa_cookie)).body) == {"versions": []}


@pytest.mark.gen_test
async def test_without_the_setting_nothing_of_an_earlier_text_is_left(site: Site) -> None:
    kim = await site.join(await site.account("Kim", "owner"))
    message = await kim.say("canary in the first text")
    kim.send(type="edit", id=message["id"], text="two")
    await kim.until("edited")
    assert await site.app.services.database.history.versions(message["id"]) == []


def test_what_was_kept_is_forgotten_once_the_setting_is_off(tmp_path: Path) -> None:
    async def scenario() -> None:
        for switch, kept in (("on", ["one"]), ("off", [])):
            settings = ensure_data(
                load({"port": "0", "data": str(tmp_path / "data"), "edit_history": switch}, {})
            )
            async with open_app(settings) as app:
                site, history = Site(app, tmp_path), app.services.database.history
                if switch == "on":
                    kim = await site.join(await site.account("Kim"))
                    message = await kim.say("one")
                    kim.send(type="edit", id=message["id"], text="two")
                    await kim.until("edited")
                assert [version.text for version in await history.versions(message["id"])] == kept
                await site.close()

    asyncio.run(scenario())
