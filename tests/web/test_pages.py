"""Pages and forms as a browser without JavaScript meets them, over real HTTP and SQLite."""

import asyncio
import json
import re
from collections.abc import Mapping

import pytest

from tests.conftest import PASSWORD, Site, cookie_of
from tests.web.pages import account_id, alert, invitation, link_in, text, to
from tests.web.raw import raw

OPEN = pytest.mark.settings(registration="open")
CLOSED = pytest.mark.settings(registration="closed")


# -- the first owner, signing in and out --------------------


@pytest.mark.gen_test
async def test_the_start_tells_of_the_setup_link_until_there_is_an_owner(site: Site) -> None:
    assert to(await site.get("/")) == (303, "/setup-needed")
    assert "printed" in text(await site.get("/setup-needed"))
    cookie = await site.account("Masa", "owner")
    assert to(await site.get("/")) == (303, "/login")
    assert to(await site.get("/setup-needed")) == (303, "/")
    assert to(await site.get("/", cookie=cookie)) == (303, "/rooms/lobby")


@pytest.mark.gen_test
async def test_the_setup_page_makes_the_owner_once(site: Site) -> None:
    token = await site.app.services.identity.setup_token() or ""
    assert (await site.get("/setup?token=wrong")).code == (await site.get("/setup")).code == 404
    assert token in text(await site.get(f"/setup?token={token}"))
    fields = {"token": token, "name": "Masa", "password": PASSWORD}
    again = await site.post("/setup", fields | {"password": "short"})
    assert again.code == 400 and alert(again) and 'value="Masa"' in text(again) and "short" not in text(again)
    assert (await site.post("/setup", fields | {"token": "wrong"})).code == 404
    made = await site.post("/setup", fields)
    assert to(made) == (303, "/")
    assert json.loads((await site.get("/session", cookie=cookie_of(made))).body)["user"]["role"] == "owner"
    assert (await site.post("/setup", fields)).code == (await site.get(f"/setup?token={token}")).code == 404


@pytest.mark.gen_test
async def test_an_address_for_posts_only_says_so(site: Site) -> None:
    cookie = await site.account("Masa")
    for path in ("/logout", "/account/password", "/register"):
        answer = await site.get(path, cookie=cookie)
        assert (answer.code, answer.headers["Allow"]) == (405, "POST")
    assert (await site.post("/account", {}, cookie=cookie)).headers["Allow"] == "GET, HEAD"


# -- making an account --------------------


@pytest.mark.gen_test
async def test_nobody_registers_unless_it_is_open(site: Site) -> None:
    assert "/register" not in text(await site.get("/login"))
    assert (await site.post("/register", {"name": "Kim", "password": PASSWORD})).code == 404


@OPEN
@pytest.mark.gen_test
async def test_everybody_registers_when_it_is_open(site: Site) -> None:
    assert "/register" in text(await site.get("/login"))
    fields = {"name": "Kim", "password": PASSWORD, "next": "/rooms"}
    answer = await site.post("/register", fields)
    assert to(answer) == (303, "/rooms")
    assert json.loads((await site.get("/session", cookie=cookie_of(answer))).body)["user"]["role"] == "member"
    taken = await site.post("/register", fields | {"name": "ｋim"})
    assert taken.code == 409 and alert(taken) and "ｋim" in text(taken)
    bad = await site.post("/register", fields | {"name": "a\r\nb"})
    assert bad.code == 400 and alert(bad)


@pytest.mark.gen_test
async def test_an_invitation_makes_an_account_and_is_used_up(site: Site) -> None:
    owner = await site.account("Masa", "owner")
    path = await invitation(site, owner, role="moderator", uses="1")
    assert "moderator" in text(await site.get(path))
    bad = await site.post(path, {"name": "Kim", "password": "short"})
    assert bad.code == 400 and alert(bad)
    assert (await site.post(path, {"name": "masa", "password": PASSWORD})).code == 409
    answer = await site.post(path, {"name": "Kim", "password": PASSWORD})
    assert to(answer) == (303, "/")
    assert (
        json.loads((await site.get("/session", cookie=cookie_of(answer))).body)["user"]["role"] == "moderator"
    )
    late = await site.post(path, {"name": "Lee", "password": PASSWORD})
    assert late.code == (await site.get(path)).code == 410 and "used up" in text(late)
    assert (await site.get("/join/unknown")).code == 404
    assert "used up" in text(await site.get("/join-links", cookie=owner))


@pytest.mark.gen_test
async def test_an_invitation_is_revoked(site: Site) -> None:
    owner = await site.account("Masa", "owner")
    path = await invitation(site, owner)
    code = path.rpartition("/")[2]
    revoke = f"/join-links/{code}/revoke"
    assert revoke in text(await site.get("/join-links", cookie=owner))
    for _ in range(2):  # a second time changes nothing
        assert to(await site.post(revoke, {}, cookie=owner)) == (303, "/join-links?notice=revoked")
    page = text(await site.get("/join-links?notice=revoked", cookie=owner))
    assert "was revoked" in page and "No invitation is open" in page and revoke not in page
    assert (await site.get(path)).code == 410
    assert (await site.post("/join-links/unknown/revoke", {}, cookie=owner)).code == 404
    for fields in ({"role": "king", "uses": "1", "days": "1"}, {"role": "member", "uses": "x", "days": "1"}):
        bad = await site.post("/join-links", fields, cookie=owner)
        assert bad.code == 400 and alert(bad)
        assert f'value="{fields["uses"]}"' in text(bad) and f'value="{fields["days"]}"' in text(bad)


@CLOSED
@pytest.mark.gen_test
async def test_nobody_joins_while_it_is_closed(site: Site) -> None:
    owner = await site.account("Masa", "owner")
    path = await invitation(site, owner)
    assert (await site.get(path)).code == 403
    assert (await site.post(path, {"name": "Kim", "password": PASSWORD})).code == 403


# -- rooms --------------------


@pytest.mark.gen_test
async def test_signed_out_pages_lead_to_the_sign_in_page_and_back(site: Site) -> None:
    assert to(await site.get("/rooms/lobby?before=3")) == (303, "/login?next=%2Frooms%2Flobby%3Fbefore%3D3")
    assert to(await site.get("/rooms/nowhere")) == (303, "/login?next=%2Frooms%2Fnowhere")
    assert to(await site.post("/rooms", {"slug": "a", "title": "A"})) == (303, "/login?next=%2Frooms")
    assert 'value="/rooms/lobby?before=3"' in text(
        await site.get("/login?next=%2Frooms%2Flobby%3Fbefore%3D3")
    )
    answer = await site.get("/rooms/lobby/messages")
    assert answer.code == 401 and json.loads(answer.body)["error"]["code"] == "unauthorized"


@pytest.mark.settings(history_limit="3", rate_limit="0", account_rate_limit="0")
@pytest.mark.gen_test
async def test_a_room_is_read_without_javascript_page_by_page(site: Site) -> None:
    cookie = await site.account("Masa")
    client = await site.join(cookie)
    for number in range(7):
        await client.say(f"number {number} <b>")
    page = text(await site.get("/rooms/lobby", cookie=cookie))
    assert [f"number {n} <b>" in page for n in range(7)] == [False] * 4 + [True] * 3
    assert 'data-seq="7"' in page and "/rooms/lobby?before=5" in page
    older = text(await site.get("/rooms/lobby?before=5", cookie=cookie))
    assert [f"number {n} <b>" in older for n in range(7)] == [False] + [True] * 3 + [False] * 3
    assert "To the newest messages" in older
    for wrong in ("x", "-1", "1e3", "9" * 17):
        assert (await site.get(f"/rooms/lobby?before={wrong}", cookie=cookie)).code == 400


@pytest.mark.gen_test
async def test_a_message_is_escaped_rendered_and_gone_once_deleted(site: Site) -> None:
    cookie = await site.account("Masa")
    client = await site.join(cookie)
    await client.say("<img src=x onerror=alert(1)>")
    await client.say("**bold**")
    gone = await client.say("secret words")
    client.send(type="delete", id=gone["id"])
    await client.until("deleted")
    body = (await site.get("/rooms/lobby", cookie=cookie)).body.decode()
    assert "&lt;img" in body and "<img src=x" not in body and "<strong>bold</strong>" in body
    assert "secret words" not in body and "This message was deleted." in body


@pytest.mark.settings(rate_limit="0", account_rate_limit="0")
@pytest.mark.gen_test
async def test_scripts_page_through_the_past(site: Site) -> None:
    cookie = await site.account("Masa")
    client = await site.join(cookie)
    for number in range(5):
        await client.say(f"number {number}")
    page = json.loads((await site.get("/rooms/lobby/messages?before=4&limit=2", cookie=cookie)).body)
    assert ([m["text"] for m in page["messages"]], page["more"]) == (["number 1", "number 2"], True)
    page = json.loads((await site.get("/rooms/lobby/messages?limit=1000", cookie=cookie)).body)
    assert (len(page["messages"]), page["more"]) == (5, False)
    assert page["messages"][0].keys() >= {"id", "room", "seq", "from", "userId", "text", "sentAt"}
    for wrong in ("before=x", "limit=-1", "limit=1.5"):
        answer = await site.get(f"/rooms/lobby/messages?{wrong}", cookie=cookie)
        assert answer.code == 400 and json.loads(answer.body)["error"]["code"] == "bad_request"
    answer = await site.get("/rooms/nowhere/messages", cookie=cookie)
    assert answer.code == 404 and json.loads(answer.body)["error"]["code"] == "not_found"


@pytest.mark.settings(history_limit="0")
@pytest.mark.gen_test
async def test_with_no_history_the_page_starts_empty_and_can_be_paged(site: Site) -> None:
    cookie = await site.account("Masa")
    await (await site.join(cookie)).say("hello there")
    page = text(await site.get("/rooms/lobby", cookie=cookie))
    assert "hello there" not in page and "/rooms/lobby?before=2" in page
    assert "hello there" in text(await site.get("/rooms/lobby?before=2", cookie=cookie))


@pytest.mark.gen_test
async def test_every_member_makes_rooms_and_sees_what_is_unread(site: Site) -> None:
    masa, kim = await site.account("Masa"), await site.account("Kim")
    assert to(await site.post("/rooms", {"slug": "tea", "title": "Tea & more"}, cookie=masa)) == (
        303,
        "/rooms/tea",
    )
    assert "Tea & more" in text(await site.get("/rooms/tea", cookie=kim))
    await (await site.join(masa, "room=tea")).say("@Kim come", room="tea")
    listed = text(await site.get("/rooms", cookie=kim))
    assert re.search(r'badge--mention[^>]*><span class="badge__count">1<', listed)
    for fields, status in (
        ({"slug": "TEA", "title": "Again"}, 409), ({"slug": "a b", "title": "x"}, 400), ({"slug": "b", "title": " "}, 400),
    ):  # fmt: skip
        answer = await site.post("/rooms", fields, cookie=masa)
        assert answer.code == status and alert(answer) and f'value="{fields["slug"]}"' in text(answer)
    assert (await site.get("/rooms/nowhere", cookie=kim)).code == 404


@pytest.mark.gen_test
async def test_a_page_shows_as_read_what_was_read_a_moment_before(site: Site) -> None:
    masa, kim = await site.account("Masa"), await site.account("Kim")
    await (await site.join(kim)).say("hello")
    assert re.search(r'badge"><span class="badge__count">1<', text(await site.get("/rooms", cookie=masa)))
    reader, other = await site.join(masa), await site.join(masa)
    reader.send(type="read", seq=1)
    await other.until("read", seq=1)
    assert re.search(
        r'badge" hidden><span class="badge__count">0<', text(await site.get("/rooms", cookie=masa))
    )


@pytest.mark.gen_test
async def test_a_page_waits_for_what_was_read_to_be_stored(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    masa, kim = await site.account("Masa"), await site.account("Kim")
    await (await site.join(kim)).say("hello")
    reader, other = await site.join(masa), await site.join(masa)
    rooms, storing, gate = site.app.services.database.rooms, asyncio.Event(), asyncio.Event()
    store = rooms.mark_read

    async def slowly(positions: Mapping[tuple[str, str], int]) -> None:
        storing.set()
        await gate.wait()
        await store(positions)

    monkeypatch.setattr(rooms, "mark_read", slowly)
    reader.send(type="read", seq=1)
    await other.until("read", seq=1)
    await storing.wait()
    page = asyncio.ensure_future(site.get("/rooms", cookie=masa))
    for _ in range(20):  # while the page's request goes on
        await site.get("/session", cookie=masa)
    gate.set()
    assert re.search(r'badge" hidden><span class="badge__count">0<', text(await page))


# -- one's account --------------------


@pytest.mark.gen_test
async def test_a_new_password_keeps_this_browser_and_ends_the_others(site: Site) -> None:
    cookie = await site.account("Masa")
    other = await site.sign_in("Masa")
    client = await site.join(other)
    fields = {"current": PASSWORD, "password": "another good one"}
    wrong = await site.post("/account/password", fields | {"current": "x" * 12}, cookie=cookie)
    assert wrong.code == 401 and alert(wrong)
    assert (await site.post("/account/password", fields | {"password": "short"}, cookie=cookie)).code == 400
    answer = await site.post("/account/password", fields, cookie=cookie)
    assert to(answer) == (303, "/account?notice=password")
    assert await client.closed() == 4401
    assert "was changed" in text(await site.get("/account?notice=password", cookie=cookie_of(answer)))
    assert to(await site.get("/account", cookie=cookie)) == (303, "/login?next=%2Faccount")
    await site.sign_in("Masa", "another good one")


@pytest.mark.gen_test
async def test_sessions_are_listed_and_ended(site: Site) -> None:
    cookie = await site.account("Masa")
    second, third = await site.sign_in("Masa"), await site.sign_in("Masa")
    page = text(await site.get("/account", cookie=cookie))
    ids = re.findall(r"/account/sessions/([0-9a-f]+)/end", page)
    assert len(ids) == 2 and page.count("this one") == 1 and "127.0.0.1" in page
    ended = await site.post(f"/account/sessions/{ids[0]}/end", {}, cookie=cookie)
    assert to(ended) == (303, "/account?notice=session")
    assert (await site.post(f"/account/sessions/{ids[0]}/end", {}, cookie=cookie)).code == 404
    assert to(await site.post("/account/sessions/end-others", {}, cookie=cookie)) == (
        303,
        "/account?notice=others",
    )
    assert [(await site.get("/session", cookie=c)).code for c in (cookie, second, third)] == [200, 401, 401]


@pytest.mark.gen_test
async def test_ending_ones_own_session_signs_out(site: Site) -> None:
    cookie = await site.account("Masa")
    (session,) = await site.app.services.identity.sessions.of(await account_id(site, "Masa"))
    assert to(await site.post(f"/account/sessions/{session.id}/end", {}, cookie=cookie)) == (303, "/login")


# -- administration --------------------


@pytest.mark.gen_test
async def test_administration_is_for_administrators(site: Site) -> None:
    await site.account("Masa", "owner")
    for role, status in (("member", 403), ("moderator", 403), ("admin", 200)):
        cookie = await site.account(role, role)
        for path in ("/people", "/join-links"):
            assert (await site.get(path, cookie=cookie)).code == status
        page = text(await site.get("/rooms", cookie=cookie))
        assert ('href="/people"' in page) == (status == 200)
    member = await site.sign_in("member")
    target = await account_id(site, "member")
    for path in (
        f"/people/{target}/role",
        f"/people/{target}/disable",
        f"/people/{target}/link",
        "/join-links",
    ):
        assert (await site.post(path, {"role": "owner"}, cookie=member)).code == 403
    assert to(await site.get("/people")) == (303, "/login?next=%2Fpeople")


@pytest.mark.gen_test
async def test_people_are_given_roles_and_disabled(site: Site) -> None:
    owner, admin = await site.account("Masa", "owner"), await site.account("Kim", "admin")
    lee = await site.account("Lee")
    masa_id, lee_id = await account_id(site, "Masa"), await account_id(site, "Lee")
    assert to(await site.post(f"/people/{lee_id}/role", {"role": "moderator"}, cookie=admin)) == (
        303,
        "/people?notice=role",
    )
    assert json.loads((await site.get("/session", cookie=lee)).body)["user"]["role"] == "moderator"
    for cookie, path, fields, status in (
        (admin, f"/people/{lee_id}/role", {"role": "owner"}, 403),
        (admin, f"/people/{masa_id}/disable", {}, 403),
        (admin, f"/people/{masa_id}/link", {}, 403),
        (admin, f"/people/{masa_id}/enable", {}, 403),
        (owner, f"/people/{masa_id}/disable", {}, 409),
        (owner, f"/people/{masa_id}/role", {"role": "member"}, 409),
        (owner, "/people/unknown/disable", {}, 404),
    ):
        answer = await site.post(path, fields, cookie=cookie)
        assert answer.code == status and alert(answer)
    client = await site.join(lee)
    assert to(await site.post(f"/people/{lee_id}/disable", {}, cookie=owner)) == (
        303,
        "/people?notice=disabled",
    )
    assert await client.closed() == 4403
    assert (await site.get("/session", cookie=lee)).code == 401
    assert "disabled" in text(await site.get("/people?notice=disabled", cookie=owner))
    assert to(await site.post(f"/people/{lee_id}/enable", {}, cookie=owner)) == (
        303,
        "/people?notice=enabled",
    )
    await site.sign_in("Lee")


@pytest.mark.gen_test
async def test_a_sign_in_link_is_used_by_the_post_only(site: Site) -> None:
    owner = await site.account("Masa", "owner")
    await site.account("Kim")
    shown = await site.post(f"/people/{await account_id(site, 'Kim')}/link", {}, cookie=owner)
    path = link_in(shown, "link")
    for _ in range(2):
        assert "Kim" in text(await site.get(path))
    answer = await site.post(path, {})
    assert to(answer) == (303, "/account")
    assert (await site.get(path)).code == (await site.post(path, {})).code == 404
    fields = {"current": "", "password": "another good one"}
    assert (await site.post("/account/password", fields, cookie=cookie_of(answer))).code == 303


@pytest.mark.gen_test
async def test_administration_asks_for_the_password_after_a_sign_in_link(site: Site) -> None:
    await site.account("Masa", "owner")
    answer = await site.post(await site.app.services.administration.sign_in_link("Masa"), {})
    cookie = cookie_of(answer)
    assert to(await site.get("/people?x=1", cookie=cookie)) == (303, "/confirm?next=%2Fpeople%3Fx%3D1")
    assert to(await site.post("/join-links", {}, cookie=cookie)) == (303, "/confirm?next=%2Fjoin-links")
    assert 'value="/people"' in text(await site.get("/confirm?next=/people", cookie=cookie))
    wrong = await site.post("/confirm", {"password": "x" * 12, "next": "/people"}, cookie=cookie)
    assert wrong.code == 401 and alert(wrong)
    assert to(await site.post("/confirm", {"password": PASSWORD, "next": "//e"}, cookie=cookie)) == (303, "/")
    assert (await site.get("/people", cookie=cookie)).code == 200


# -- who may ask, from where --------------------


@pytest.mark.gen_test
async def test_what_is_no_page_is_a_page_that_says_so(site: Site) -> None:
    answer = await site.get("/nowhere")
    assert answer.code == 404 and "<h1>Page not found</h1>" in text(answer)
    assert (await site.get("/rooms/lobby%0a")).code == 404
    trace = f"TRACE / HTTP/1.1\r\nHost: localhost:{site.app.port}\r\n\r\n".encode()
    assert (await raw(site, trace)).startswith(b"HTTP/1.1 405 ")


@pytest.mark.gen_test
async def test_an_error_nobody_foresaw_is_a_page_and_counted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> bool:
        raise RuntimeError("no")

    services = site.app.services
    monkeypatch.setattr(services.database.accounts, "has_owner", broken)
    answer = await site.get("/")
    assert answer.code == 500 and "log" in text(answer) and "RuntimeError" not in text(answer)
    assert services.metrics.registry.get_sample_value("chat_errors_total") == 1


@pytest.mark.settings(account_connections="1")
@pytest.mark.gen_test
async def test_the_session_tells_why_a_socket_did_not_open(site: Site) -> None:
    cookie = await site.account("Masa")
    assert (await site.get("/session")).code == 401
    await site.join(cookie)
    answer = await site.get("/session", cookie=cookie)
    assert answer.code == 429 and answer.headers["Retry-After"] == "10"
    assert json.loads(answer.body)["error"]["code"] == "rate_limited"


@pytest.mark.settings(failed_handshakes="1")
@pytest.mark.gen_test
async def test_the_session_tells_of_too_many_refused_handshakes(site: Site) -> None:
    cookie = await site.account("Masa")
    await site.get("/chat", Origin=site.url)
    answer = await site.get("/session", cookie=cookie)
    assert answer.code == 429 and 50 < int(answer.headers["Retry-After"]) <= 60


# -- operations --------------------


@pytest.mark.gen_test
async def test_health_and_readiness(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.join(await site.account("Masa"))
    assert json.loads((await site.get("/healthz")).body) == {"ok": True, "clients": 1}
    assert (await site.get("/readyz")).code == 200
    site.app.services.state.ready = False
    assert (await site.get("/readyz")).code == 503
    site.app.services.state.ready = True

    async def never() -> bool:
        raise TimeoutError

    monkeypatch.setattr(site.app.services.database, "ready", never)
    assert (await site.get("/readyz")).code == 503
    assert (await site.get("/healthz")).code == 200


@pytest.mark.gen_test
async def test_metrics_are_for_this_machine(site: Site) -> None:
    answer = await site.get("/metrics")
    assert answer.code == 200 and b"chat_connections " in answer.body
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert (await site.get("/metrics", X_Forwarded_For="127.0.0.1")).code == 404
    assert (await site.get("/metrics", X_Forwarded_For="1.2.3.4", Authorization="Bearer ")).code == 404


@pytest.mark.gen_test
async def test_metrics_of_all_processes_that_cannot_be_had_are_none(site: Site) -> None:
    async def nobody_answers() -> bytes | None:
        return None

    site.app.services.metrics.everybodys = nobody_answers
    assert (await site.get("/metrics")).code == 503


@pytest.mark.settings(metrics_token="let-me-in")
@pytest.mark.gen_test
async def test_metrics_are_for_who_has_the_token(site: Site) -> None:
    far = {"X_Forwarded_For": "1.2.3.4"}
    for authorization, status in (
        ("Bearer let-me-in", 200), ("bearer let-me-in", 200), ("Bearer other", 404), ("Basic let-me-in", 404), ("", 404),
    ):  # fmt: skip
        assert (await site.get("/metrics", Authorization=authorization, **far)).code == status
