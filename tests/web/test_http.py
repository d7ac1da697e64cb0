"""HTTP as a hostile reader of the contract tries it: what tests/web/test_pages.py does not ask already."""

import json
import re
import time

import pytest

from tests.conftest import PASSWORD, Site, cookie_of
from tests.web.raw import answered


async def status(site: Site, request: str) -> int:
    return (await answered(site, request.replace("\n", "\r\n").encode("latin-1")))[0]


def request(site: Site, method: str, path: str, *headers: str, body: str = "") -> str:
    lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{site.app.port}", *headers]
    if body or method == "POST":
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\n".join([*lines, "", body])


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
async def test_every_form_refuses_other_sites_before_it_does_anything(site: Site) -> None:
    owner = await site.account("Olga", "owner")
    accounts = await site.app.services.administration.list_users()
    made = await site.post("/join-links", {"role": "member", "uses": "5", "days": "7"}, cookie=owner)
    join = re.search(r"created=([\w-]+)", made.headers["Location"])
    assert join is not None
    link = await site.app.services.administration.sign_in_link("Olga")
    person = f"/people/{accounts[0].id}"
    forms = (
        "/login", "/logout", "/register", "/setup", "/rooms", "/account/password", "/account/sessions/end-others", "/confirm",
        f"/account/sessions/{'0' * 32}/end", f"{person}/role", f"{person}/disable", f"{person}/enable", f"{person}/link",
        "/join-links", "/join-links/x/revoke", f"/join/{join[1]}", link,
    )  # fmt: skip
    body = f"name=Olga&password={PASSWORD.replace(' ', '+')}&slug=evil&title=Evil&role=member"
    for path in forms:
        for headers in (
            ("Origin: http://evil.example",), ("Origin: null",), ("Sec-Fetch-Site: cross-site",), ("Sec-Fetch-Site: same-site",),
            ("Origin: http://evil.example", "Sec-Fetch-Site: same-origin"), (f"Origin: {site.url}", "Sec-Fetch-Site: cross-site"), (),
        ):  # fmt: skip
            sent = request(site, "POST", path, *headers, f"Cookie: {owner}", body=body)
            assert await status(site, sent) == 403, (path, headers)
    assert (await site.get("/session", cookie=owner)).code == 200
    assert (await site.get("/rooms/evil", cookie=owner)).code == 404
    assert (await site.get(link)).code == (await site.get(f"/join/{join[1]}")).code == 200, (
        "nothing was used up"
    )


@pytest.mark.gen_test
async def test_a_method_that_is_not_served_is_405_with_allow(site: Site) -> None:
    cookie = await site.account("Masa")
    for path, allowed in (
        ("/", "GET, HEAD"), ("/login", "GET, HEAD, POST"), ("/logout", "POST"), ("/session", "GET, HEAD"), ("/rooms", "GET, HEAD, POST"),
        ("/rooms/lobby", "GET, HEAD"), ("/rooms/lobby/messages", "GET, HEAD"), ("/healthz", "GET, HEAD"), ("/setup", "GET, HEAD, POST"),
    ):  # fmt: skip
        for method in ("TRACE", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
            code, headers = await answered(
                site,
                request(site, method, path, f"Cookie: {cookie}", f"Origin: {site.url}")
                .replace("\n", "\r\n")
                .encode(),
            )
            assert (code, headers.get("allow")) == (405, allowed), (method, path)
            assert "session=" not in str(headers), "TRACE gives nothing back"
    assert (await site.get("/logout", cookie=cookie)).code == 405
    assert (await site.get("/session", cookie=cookie)).code == 200


@pytest.mark.gen_test
async def test_head_is_get_without_a_body(site: Site) -> None:
    cookie = await site.account("Masa")
    for path, code in (
        ("/", 303), ("/login", 303), ("/rooms/lobby", 200), ("/session", 200), ("/rooms/nowhere", 404), ("/healthz", 200), ("/readyz", 200),
        ("/metrics", 200), ("/nowhere", 404), ("/static/js/main.js", 200),
    ):  # fmt: skip
        head = await answered(
            site, request(site, "HEAD", path, f"Cookie: {cookie}").replace("\n", "\r\n").encode()
        )
        assert head[0] == code, path
        assert "content-security-policy" in head[1]
    assert await status(site, request(site, "HEAD", "/logout", f"Cookie: {cookie}")) == 405


@pytest.mark.gen_test
async def test_guesses_are_throttled_by_account_and_address_whatever_headers_say(site: Site) -> None:
    for name in ("Masa", "Kim", "Lee", "Ada", "Bea"):
        await site.app.services.administration.add_user(name, "member", PASSWORD)
    for number in range(5):
        answer = await site.post(
            "/login",
            {"name": "Masa", "password": "x" * 12},
            X_Forwarded_For=f"192.0.2.{number}",
            X_Real_IP="1.1.1.1",
        )
        assert answer.code == 401
    answer = await site.post("/login", {"name": " MASA ", "password": PASSWORD}, X_Forwarded_For="192.0.2.99")
    assert (
        answer.code == 429 and int(answer.headers["Retry-After"]) > 800 and "Set-Cookie" not in answer.headers
    )
    assert (await site.post("/login", {"name": "Kim", "password": PASSWORD})).code == 303
    for number in range(15):
        name = ("Kim", "Lee", "Ada", f"nobody {number}")[number % 4]
        assert (await site.post("/login", {"name": name, "password": "x" * 12})).code == 401
    answer = await site.post("/login", {"name": "Bea", "password": PASSWORD})
    assert answer.code == 429, "20 of the address"


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
async def test_unknown_and_known_names_take_as_long(site: Site) -> None:
    await site.app.services.administration.add_user("Masa", "member", PASSWORD)
    seconds: dict[str, list[float]] = {"Masa": [], "nobody": []}
    for _ in range(4):
        for name, spent in seconds.items():
            started = time.perf_counter()
            assert (await site.post("/login", {"name": name, "password": "x" * 12})).code == 401
            spent.append(time.perf_counter() - started)
    quickest = {name: min(spent) for name, spent in seconds.items()}
    assert quickest["nobody"] > quickest["Masa"] / 4, "an unknown name is hashed too"


@pytest.mark.gen_test
async def test_bodies_and_headers_over_the_limit_are_refused_and_the_server_goes_on(site: Site) -> None:
    form = "name=" + "x" * (64 * 1024)
    assert await status(site, request(site, "POST", "/login", f"Origin: {site.url}", body=form)) in (
        0,
        400,
        413,
    )
    assert await status(site, request(site, "GET", "/login", "X-Filler: " + "x" * 20_000)) in (0, 400, 431)
    assert await status(site, f"GET /{'x' * 20_000} HTTP/1.1\nHost: localhost:{site.app.port}\n\n") in (
        0,
        400,
        414,
        431,
    )
    for broken in (
        "GARBAGE\n\n",
        "GET / HTTP/9.9\nHost: a\n\n",
        "GET /login HTTP/1.1\n\n",
        "GET  HTTP/1.1\nHost: a\n\n",
    ):
        assert await status(site, broken) in (0, 400, 403, 404, 505)
    twice = request(site, "GET", "/login", "Host: evil.example")
    assert await status(site, twice) in (400, 403)
    assert (await site.get("/login")).code == 200
    assert site.app.services.metrics.registry.get_sample_value("chat_errors_total") == 0


@pytest.mark.gen_test
async def test_odd_queries_and_paths_are_no_errors_of_the_server(site: Site) -> None:
    cookie = await site.account("Masa")
    for path in (
        "/rooms/lobby?before=%ff", "/login?next=%ff", "/login?next=%00", "/setup?token=%ff", "/setup?token=%ed%a0%80", "/join/%00", "/join/%ff",
        "/link/%ff", "/rooms/%00", "/rooms/%ff", "/rooms/%2e%2e", "/%ff", "/%", "/?%", "/login?next=%0d%0aX:y", "/people/%ff/role",
        "/static/%ff", "/static/js/%2e%2e/%2e%2e/setup.cfg", "/static/js", "/static/js/", "/static/" + "a" * 3_000, "//evil.example/", "/account?notice=%ff",
    ):  # fmt: skip
        for headers in ((f"Cookie: {cookie}",), ()):
            code, answer = await answered(
                site, request(site, "GET", path, *headers).replace("\n", "\r\n").encode()
            )
            assert 200 <= code < 500, (path, code)
            assert "x" not in answer and "evil.example" not in answer.get("location", "").replace(
                "%2F%2Fevil.example", ""
            )
    assert site.app.services.metrics.registry.get_sample_value("chat_errors_total") == 0


@pytest.mark.gen_test
async def test_names_and_titles_show_as_text_everywhere(site: Site) -> None:
    owner = await site.account("O'Neil", "owner")
    await site.post("/rooms", {"slug": "x", "title": "<script>alert(1)</script>\"'&"}, cookie=owner)
    for path in ("/rooms", "/rooms/x", "/people", "/account", "/join-links", "/rooms/lobby"):
        page = (await site.get(path, cookie=owner)).body.decode()
        assert "<script>alert" not in page, path
        assert not re.search(r"<[^>]+\son\w+=", page) and "javascript:" not in page
        assert not re.search(r"<(script|style)(?![^>]*(src=|importmap))[^>]*>", page), (
            "nothing inline but the import map"
        )


@pytest.mark.parametrize(
    "name",
    [
        "x" * 25,
        "",
        " ",
        "a\u202eb",
        "a\x00b",
        "a\r\nb",
        "<b>",
        "a@b",
        "a/b",
        "😀",
        "e" + "\u0301" * 9,
        "\u200b",
    ],
)
@pytest.mark.gen_test
async def test_a_bad_name_is_refused_with_a_message_and_never_replaced(site: Site, name: str) -> None:
    token = await site.app.services.identity.setup_token() or ""
    answer = await site.post("/setup", {"token": token, "name": name, "password": PASSWORD})
    assert answer.code == 400 and "Set-Cookie" not in answer.headers
    assert re.search(rb'role="alert">[^<]*name', answer.body)
    assert await site.app.services.administration.list_users() == []


@pytest.mark.gen_test
async def test_the_setup_form_takes_its_token_from_the_body_only(site: Site) -> None:
    token = await site.app.services.identity.setup_token() or ""
    fields = {"name": "Masa", "password": PASSWORD}
    assert (await site.post(f"/setup?token={token}", fields)).code == 404
    assert (await site.post("/setup", fields | {"token": token, "role": "member"})).code == 303
    (made,) = await site.app.services.administration.list_users()
    assert (made.name, made.role) == ("Masa", "owner")


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
