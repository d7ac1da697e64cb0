"""`/admin/security`: what is weak is said, with the fix, and only to owners."""

import os
import re

import pytest

from chat_app.settings import parse_origins
from tests.conftest import PASSWORD, Site, cookie_of
from tests.web.pages import text

WEAK = {
    "allowed_origins": "http://chat.example.org", "registration": "open", "metrics_token": "short", "rate_limit": "0",
}  # fmt: skip


def findings(page: str) -> dict[str, bool]:
    """By name: whether it is weak."""
    return {name: weak == "yes" for name, weak in re.findall(r'id="finding-(\w+)" data-weak="(\w+)"', page)}


@pytest.mark.gen_test
async def test_a_fresh_server_lacks_a_backup_only(site: Site) -> None:
    owner = await site.account("Olga", "owner")
    page = text(await site.get("/admin/security", cookie=owner))
    assert findings(page) == {
        "backup": True, "https": False, "proxy": False, "registration": False, "limits": False, "metrics": False,
    }  # fmt: skip
    assert (
        "1 thing is weak" in page
        and "There has never been a backup." in page
        and "Run the command backup" in page
    )
    await site.app.services.administration.backup(site.folder / "backup.db")
    page = text(await site.get("/admin/security", cookie=owner))
    assert not any(findings(page).values()) and "Nothing that the server can see is weak." in page
    eight_days_ago = site.app.services.clock_ms() / 1000 - 8 * 86_400
    os.utime(site.folder / "last_backup", (eight_days_ago, eight_days_ago))
    page = text(await site.get("/admin/security", cookie=owner))
    assert findings(page)["backup"] and "8 days old" in page


@pytest.mark.settings(**WEAK)
@pytest.mark.gen_test
async def test_what_is_weak_stands_first_with_its_fix(site: Site) -> None:
    await site.app.services.administration.add_user("Olga", "owner", PASSWORD)
    here = {"Host": "chat.example.org", "Origin": "http://chat.example.org"}
    owner = cookie_of(await site.post("/login", {"name": "Olga", "password": PASSWORD}, **here))
    page = text(await site.get("/admin/security", cookie=owner, X_Forwarded_For="192.0.2.1", **here))
    assert findings(page) == dict.fromkeys(
        ("backup", "https", "proxy", "registration", "limits", "metrics"), True
    )
    for said in (
        "http://chat.example.org",
        "CHAT_TRUSTED_PROXIES",
        "127.0.0.1",
        "CHAT_REGISTRATION",
        "CHAT_RATE_LIMIT",
        "openssl",
    ):
        assert said in page, said
    assert "short" not in re.sub(r"short enough", "", page), "the token itself is not shown"


@pytest.mark.settings(
    trusted_proxies="127.0.0.1,::1", allowed_origins="https://chat.example.org", metrics_token="x" * 32
)
@pytest.mark.gen_test
async def test_behind_a_trusted_proxy_with_https_the_way_is_good(site: Site) -> None:
    await site.app.services.administration.add_user("Olga", "owner", PASSWORD)
    here = {
        "Host": "chat.example.org",
        "Origin": "https://chat.example.org",
        "X_Forwarded_For": "192.0.2.1",
        "X_Forwarded_Proto": "https",
    }
    owner = cookie_of(await site.post("/login", {"name": "Olga", "password": PASSWORD}, **here))
    found = findings(text(await site.get("/admin/security", cookie=owner, **here)))
    assert [found[name] for name in ("https", "proxy", "metrics")] == [False, False, False]
    assert parse_origins("https://chat.example.org") == site.app.services.settings.allowed_origins


@pytest.mark.gen_test
async def test_it_is_for_owners_who_gave_the_password_lately(site: Site) -> None:
    await site.account("Olga", "owner")
    for role in ("member", "moderator", "admin"):
        cookie = await site.account(role, role)
        assert (await site.get("/admin/security", cookie=cookie)).code == 403
        assert "/admin/security" not in text(await site.get("/people", cookie=cookie))
    linked = cookie_of(await site.post(await site.app.services.administration.sign_in_link("Olga"), {}))
    asked = await site.get("/admin/security", cookie=linked)
    assert (asked.code, asked.headers["Location"]) == (303, "/confirm?next=%2Fadmin%2Fsecurity")
    assert (await site.get("/admin/security")).code == 303
    assert "/admin/security" in text(await site.get("/people", cookie=await site.sign_in("Olga")))
