"""The session and its cookie."""

import asyncio
import json

import pytest

from chat_app.core.sessions import RENEWED_MS
from tests.conftest import PASSWORD, Site, cookie_of
from tests.web.pages import account_id, to
from tests.web.raw import raw


@pytest.mark.gen_test
async def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    await site.account("Masa")
    (cookie,) = (await site.post("/login", {"name": "masa", "password": PASSWORD})).headers.get_list(
        "Set-Cookie"
    )
    name, *attributes = [part.strip() for part in cookie.split(";")]
    assert name.startswith("session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} < set(attributes) and "Secure" not in attributes


@pytest.mark.settings(trusted_proxies="127.0.0.1,::1")
@pytest.mark.gen_test
async def test_over_https_the_cookie_has_the_host_prefix_and_there_is_no_fallback(site: Site) -> None:
    plain = await site.account("Masa")
    fields = {"name": "Masa", "password": PASSWORD}
    answer = await site.post("/login", fields, X_Forwarded_Proto="https")
    (cookie,) = answer.headers.get_list("Set-Cookie")
    assert cookie.startswith("__Host-session=") and "; Secure" in cookie and "; Path=/" in cookie
    assert answer.headers["Strict-Transport-Security"]
    secure = cookie_of(answer)
    assert (await site.get("/session", cookie=secure, X_Forwarded_Proto="https")).code == 200
    assert (await site.get("/session", cookie=secure)).code == 401
    assert (await site.get("/session", cookie=plain, X_Forwarded_Proto="https")).code == 401


@pytest.mark.gen_test
async def test_signing_in_again_ends_the_session_before(site: Site) -> None:
    first = await site.account("Masa")
    answer = await site.post("/login", {"name": "Masa", "password": PASSWORD}, cookie=first)
    assert cookie_of(answer) != first
    assert (await site.get("/session", cookie=first)).code == 401
    assert to(await site.get("/login?next=/account", cookie=cookie_of(answer))) == (303, "/account")


@pytest.mark.parametrize(
    "cookie",
    [
        "session=x",
        'session="',
        "session=\xff\xfe",
        "session=2|1:0|10:1|7:session|4:eHg=|0",
        "session=a; session=b",
    ],
)
@pytest.mark.gen_test
async def test_a_cookie_that_is_none_is_nobodys_and_no_error(site: Site, cookie: str) -> None:
    head = b"GET /session HTTP/1.1\r\nHost: localhost:%d\r\nCookie: %s\r\n\r\n"
    answer = await raw(site, head % (site.app.port, cookie.encode("latin-1")))
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.gen_test
async def test_the_cookie_given_twice_is_not_signed_in(site: Site) -> None:
    cookie = await site.account("Masa")
    assert (await site.get("/session", cookie=f"{cookie}; {cookie}")).code == 401
    head = (
        f"GET /session HTTP/1.1\r\nHost: localhost:{site.app.port}\r\n" + f"Cookie: {cookie}\r\n" * 2 + "\r\n"
    )
    assert (await raw(site, head.encode())).startswith(b"HTTP/1.1 401 ")


@pytest.mark.gen_test
async def test_a_forwarding_header_of_nobodys_changes_neither_scheme_nor_cookie(site: Site) -> None:
    await site.app.services.administration.add_user("Masa", "member", PASSWORD)
    answer = await site.post(
        "/login", {"name": "Masa", "password": PASSWORD}, X_Forwarded_Proto="https", X_Scheme="https"
    )
    (cookie,) = answer.headers.get_list("Set-Cookie")
    assert cookie.startswith("session=") and "Secure" not in cookie
    assert "Strict-Transport-Security" not in answer.headers
    sessions = (await site.get("/account", cookie=cookie_of(answer), X_Forwarded_For="192.0.2.1")).body
    assert b"192.0.2.1" not in sessions


@pytest.mark.gen_test
async def test_a_session_given_from_outside_is_not_taken_over(site: Site) -> None:
    await site.app.services.administration.add_user("Masa", "member", PASSWORD)
    fields = {"name": "Masa", "password": PASSWORD}
    first = cookie_of(await site.post("/login", fields, cookie="session=planted"))
    assert "planted" not in first
    second = cookie_of(await site.post("/login", fields))
    assert first != second


@pytest.mark.gen_test
async def test_with_a_new_role_the_browser_gets_a_new_token_and_the_old_one_ends(site: Site) -> None:
    owner, before = await site.account("Olga", "owner"), await site.account("Kim")
    client = await site.join(before)
    answer = await site.post(
        f"/people/{await account_id(site, 'Kim')}/role", {"role": "moderator"}, cookie=owner
    )
    assert answer.code == 303
    asked = await site.get("/session", cookie=before)
    after = cookie_of(asked)
    assert json.loads(asked.body)["user"]["role"] == "moderator" and after not in ("", before)
    beside = await site.get("/session", cookie=before)
    assert beside.code == 200 and "Set-Cookie" not in beside.headers, "what was asked meanwhile is answered"
    sessions = site.app.services.identity.sessions
    now_ms = sessions._clock_ms
    sessions._clock_ms = lambda: now_ms() + RENEWED_MS
    assert (await site.get("/session", cookie=before)).code == 401
    assert (await site.get("/session", cookie=after)).code == 200
    assert "Set-Cookie" not in (await site.get("/session", cookie=after)).headers
    await client.say("the socket goes on")


@pytest.mark.gen_test
async def test_a_role_given_while_the_server_was_away_renews_too(site: Site) -> None:
    before = await site.account("Kim")
    kim = await account_id(site, "Kim")
    await site.app.services.database.accounts.set_role(kim, "admin")  # as the command does without a server
    site.app.services.identity.sessions.forget(kim)
    after = cookie_of(await site.get("/session", cookie=before))
    assert after not in ("", before) and (await site.get("/session", cookie=after)).code == 200


@pytest.mark.gen_test
async def test_a_new_sign_in_link_ends_the_earlier_ones_and_a_new_password_all(site: Site) -> None:
    cookie = await site.account("Masa")
    await site.account("Kim")
    administration = site.app.services.administration
    kims = await administration.sign_in_link("Kim")
    first, second = [await administration.sign_in_link("Masa") for _ in range(2)]
    assert [(await site.get(path)).code for path in (first, second, kims)] == [404, 200, 200]
    assert (await site.post(first, {})).code == 404
    fields = {"current": PASSWORD, "password": "another good one"}
    assert (await site.post("/account/password", fields, cookie=cookie)).code == 303
    assert (await site.post(second, {})).code == 404
    assert (await site.post(kims, {})).code == 303


@pytest.mark.gen_test
async def test_a_new_password_ends_a_sign_in_that_was_under_way_with_the_old_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = await site.account("Masa")
    identity = site.app.services.identity
    verified, changed = asyncio.Event(), asyncio.Event()
    verify = identity._verify

    async def slowly(password_hash: str | None, password: str) -> bool:
        right = await verify(password_hash, password)
        verified.set()
        await changed.wait()
        return right

    monkeypatch.setattr(identity, "_verify", slowly)
    racing = asyncio.ensure_future(site.post("/login", {"name": "Masa", "password": PASSWORD}))
    await verified.wait()
    monkeypatch.setattr(identity, "_verify", verify)
    fields = {"current": PASSWORD, "password": "another good one"}
    assert (await site.post("/account/password", fields, cookie=cookie)).code == 303
    changed.set()
    answer = await racing
    assert answer.code == 401 and "Set-Cookie" not in answer.headers
    assert len(await identity.sessions.of(await account_id(site, "Masa"))) == 1
