"""Posts that come from another site: every form refuses them before it does anything."""

import re
from collections.abc import Iterator

import pytest

from chat_app.web.routes import ROUTES
from tests.conftest import PASSWORD, Site
from tests.web.pages import account_id, invitation
from tests.web.raw import raw, request_of, status_of

FOREIGN = (
    ("Origin: http://evil.example",), ("Origin: null",), ("Sec-Fetch-Site: cross-site",), ("Sec-Fetch-Site: same-site",),
    ("Origin: http://evil.example", "Sec-Fetch-Site: same-origin"), ("Origin: {here}", "Sec-Fetch-Site: cross-site"),
    ("Origin: {here}", "Sec-Fetch-Site: same-site"), ("Origin: {here}", "Origin: http://evil.example"),
    ("Origin: {here}.evil.tld",), ("Origin: {here}@evil.tld",), ("Origin: http://[::1",), ("Origin: http://localhost",), (),
)  # fmt: skip


def posts(account: str, code: str, token: str) -> Iterator[str]:
    """The address of every form there is, with what exists in the place of its parts."""
    real = {"people": account, "join": code, "join-links": code, "link": token, "manage-rooms": "lobby"}
    for pattern, handler in ROUTES:
        if "POST" in handler.methods():
            first = pattern.split("/")[1]
            yield re.sub(r"\(\[.*?\)", real.get(first, "x"), pattern)


@pytest.mark.gen_test(timeout=180)
async def test_every_form_refuses_other_sites_before_it_does_anything(site: Site) -> None:
    owner = await site.account("Olga", "owner")
    join = await invitation(site, owner)
    link = await site.app.services.administration.sign_in_link("Olga")
    forms = list(posts(await account_id(site, "Olga"), join.rpartition("/")[2], link.rpartition("/")[2]))
    assert {"/login", "/logout", "/rooms", "/account/password", join, link} < set(forms)
    body = f"name=Olga&password={PASSWORD.replace(' ', '+')}&slug=evil&title=Evil&role=member&uses=1&days=1"
    for path in forms:
        for lines in FOREIGN:
            headers = [line.format(here=site.url) for line in lines]
            sent = request_of(site, "POST", path, *headers, f"Cookie: {owner}", body=body)
            assert await status_of(site, sent) == 403, (path, headers)
    assert (await site.get("/session", cookie=owner)).code == 200
    assert (await site.get("/rooms/evil", cookie=owner)).code == 404
    assert (await site.get(link)).code == (await site.get(join)).code == 200, "nothing was used up"
    assert (await site.post("/rooms", {}, cookie=owner, Origin=site.url.upper())).code == 400, (
        "it is the same"
    )


@pytest.mark.gen_test
async def test_a_post_with_a_cookie_says_where_it_comes_from(site: Site) -> None:
    cookie = await site.account("Masa")
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n\r\n"
    head = f"POST /rooms HTTP/1.1\r\nHost: localhost:{site.app.port}\r\n"
    for headers, status in (
        (f"Cookie: {cookie}\r\n", 403),
        (f"Cookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\n", 400),
        (f"Cookie: {cookie}\r\nOrigin: {site.url}\r\nOrigin: http://evil.example\r\n", 403),
        ("", 303),
    ):
        answer = await raw(site, (head + headers + form).encode())
        assert answer.split()[1] == str(status).encode(), headers
