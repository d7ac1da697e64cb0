"""HTTP as a hostile reader of the contract tries it: what tests/web/test_pages.py does not ask already."""

import asyncio
import json

import pytest
from tornado.simple_httpclient import HTTPStreamClosedError

from chat_app.web import ops
from tests.conftest import Site
from tests.core.people_nodes import FakeBroker, Network
from tests.web.raw import answered, request_of, status_of


@pytest.mark.gen_test
async def test_the_session_is_json_with_the_user_and_nothing_else(site: Site) -> None:
    cookie = await site.account("Masa", "moderator")
    answer = await site.get("/session", cookie=cookie)
    assert answer.code == 200 and answer.headers["Content-Type"].startswith("application/json")
    body = json.loads(answer.body)
    assert body.keys() == {"user"} and body["user"].keys() == {"id", "name", "role"}
    assert (body["user"]["name"], body["user"]["role"]) == ("Masa", "moderator")


@pytest.mark.settings(rate_limit="0", account_rate_limit="0", frame_rate_limit="0", history_limit="2")
@pytest.mark.gen_test
async def test_the_past_is_paged_to_the_first_message_without_a_hole(site: Site) -> None:
    cookie = await site.account("Masa")
    client = await site.join(cookie)
    for number in range(1, 131):
        client.send(type="message", text=str(number), nonce=str(number))
    await client.until("ack", nonce="130")

    async def page(query: str) -> tuple[list[int], bool]:
        answer = await site.get(f"/rooms/lobby/messages{query}", cookie=cookie)
        assert answer.code == 200, query
        body = json.loads(answer.body)
        assert body.keys() == {"messages", "more"}
        return [message["seq"] for message in body["messages"]], body["more"]

    for limit in ("100", "101", "1000000"):
        assert await page(f"?limit={limit}") == (list(range(31, 131)), True)
    assert await page("?limit=1") == ([130], True)
    assert await page("?before=131&limit=1") == ([130], True)
    assert await page("?before=999999") == (await page(""))
    assert await page("?before=1") == await page("?before=0") == ([], False)
    assert await page("?before=2&limit=5") == ([1], False)
    seen, before = [], 131
    while True:
        seqs, more = await page(f"?before={before}&limit=33")
        seen = seqs + seen
        if not more:
            break
        before = seqs[0]
    assert seen == list(range(1, 131))
    for wrong in (
        "limit=0",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1.0",
        "before=",
        "before=-1",
        "before=1e3",
        "before=%00",
        "limit=%D9%A1",
    ):
        answer = await site.get(f"/rooms/lobby/messages?{wrong}", cookie=cookie)
        assert answer.code == 400 and json.loads(answer.body)["error"]["code"] == "bad_request", wrong


@pytest.mark.gen_test
async def test_pages_of_the_past_show_what_was_edited_and_not_what_was_deleted(site: Site) -> None:
    cookie = await site.account("Masa")
    client = await site.join(cookie)
    first, second = await client.say("one"), await client.say("canary")
    client.send(type="edit", id=first["id"], text="two")
    client.send(type="delete", id=second["id"])
    await client.until("deleted")
    answer = await site.get("/rooms/lobby/messages", cookie=cookie)
    edited, deleted = json.loads(answer.body)["messages"]
    assert edited["text"] == "two" and "editedAt" in edited
    assert "text" not in deleted and "html" not in deleted and "deletedAt" in deleted
    assert b"canary" not in answer.body + (await site.get("/rooms/lobby", cookie=cookie)).body


@pytest.mark.gen_test
async def test_head_is_get_without_a_body(site: Site) -> None:
    cookie = await site.account("Masa")
    for path, code in (
        ("/", 303), ("/login", 303), ("/rooms/lobby", 200), ("/session", 200), ("/rooms/nowhere", 404), ("/healthz", 200), ("/readyz", 200),
        ("/metrics", 200), ("/nowhere", 404), ("/static/js/main.js", 200),
    ):  # fmt: skip
        head = await answered(
            site, request_of(site, "HEAD", path, f"Cookie: {cookie}").replace("\n", "\r\n").encode()
        )
        assert head[0] == code, path
        assert "content-security-policy" in head[1]
    assert await status_of(site, request_of(site, "HEAD", "/logout", f"Cookie: {cookie}")) == 405


@pytest.mark.gen_test
async def test_ready_says_503_while_draining_and_without_the_database(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no() -> bool:
        return False

    monkeypatch.setattr(site.app.services.database, "ready", no)
    assert (await site.get("/readyz")).code == 503
    monkeypatch.undo()
    assert (await site.get("/readyz")).code == 200
    site.app.services.state.draining = True
    assert (await site.get("/readyz")).code == 503
    assert json.loads((await site.get("/healthz")).body) == {"ok": True, "clients": 0}
    site.app.services.state.draining = False
    assert json.loads((await site.get("/readyz")).body) == {"ok": True}


@pytest.mark.gen_test
async def test_a_request_that_came_before_the_end_is_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the end of the listener lets it go on here: whoever hangs up then loses the answer."""
    asked, release = asyncio.Event(), asyncio.Event()

    async def ready() -> bool:
        asked.set()
        await release.wait()
        return True

    def stop() -> None:
        stop_listening()
        release.set()

    stop_listening = site.app._server.stop
    monkeypatch.setattr(ops, "READY_SECONDS", 60.0)
    monkeypatch.setattr(site.app.services.database, "ready", ready)
    monkeypatch.setattr(site.app._server, "stop", stop)
    asking = asyncio.ensure_future(site.get("/readyz"))
    await asked.wait()
    await site.app.drain()
    assert (await asking).code == 200
    assert site.app._server.answering() == 0


@pytest.mark.gen_test
async def test_an_answer_that_does_not_come_holds_up_the_end_for_a_while_only(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def never() -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(ops, "READY_SECONDS", 600.0)
    monkeypatch.setattr("chat_app.app.ANSWERS_SECONDS", 0.1)
    monkeypatch.setattr(site.app.services.database, "ready", never)
    asking = asyncio.ensure_future(site.get("/readyz"))
    await asked.wait()
    await site.app.drain()
    with pytest.raises(HTTPStreamClosedError):
        await asking


@pytest.mark.gen_test
async def test_ready_says_whether_redis_is_there_and_serves_without(site: Site) -> None:
    network = Network()
    object.__setattr__(site.app.services, "broker", FakeBroker(network, "here"))
    for up, said in ((True, "up"), (False, "away")):
        network.up = up
        answer = await site.get("/readyz")
        assert (answer.code, json.loads(answer.body)) == (200, {"ok": True, "redis": said})
    site.app.services.state.draining = True
    answer = await site.get("/readyz")
    assert (answer.code, json.loads(answer.body)) == (503, {"ok": False, "redis": "away"})
    site.app.services.state.draining = False
