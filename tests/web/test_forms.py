"""The forms of every page: labelled, described, bounded, ready for password managers, kept after an error."""

import pytest
from tornado.httpclient import HTTPResponse

from tests.conftest import PASSWORD, Site, cookie_of
from tests.web.pages import Page

OPEN = pytest.mark.settings(registration="open")
LIMITS = {"name": "24", "password": "1024", "current": "1024", "title": "64", "slug": "32"}


def check(answer: HTTPResponse) -> Page:
    """What holds on every page."""
    page = Page(answer)
    assert len(page.ids) == len(set(page.ids)), page.ids
    for each in page.fields:
        named = "aria-label" in each or each.get("id") in page.labelled or "readonly" in each
        assert named, each
        assert set(each.get("aria-describedby", "").split()) <= set(page.ids), each
        if each.get("name") in LIMITS and "readonly" not in each:
            assert each["maxlength"] == LIMITS[each["name"]], each
        if each.get("type") == "password":
            new = each["autocomplete"] == "new-password"
            assert (each["autocomplete"], each.get("minlength")) in (
                ("new-password", "10"),
                ("current-password", None),
            )
            assert not new or "10" in page.texts[each["aria-describedby"].split()[0]]
    for form in page.forms:
        assert "action" not in form or form["method"] == "post"
    assert sum("autofocus" in each for each in page.fields) <= 1
    return page


@OPEN
@pytest.mark.gen_test
async def test_every_form_is_labelled_bounded_and_known_to_password_managers(site: Site) -> None:
    token = await site.app.services.identity.setup_token()
    check(await site.get(f"/setup?token={token}"))
    owner = await site.account("Masa", "owner")
    await site.account("Kim")
    login = check(await site.get("/login"))
    assert [each["id"] for each in login.fields] == ["name", "password", "new-name", "new-password"]
    assert [each["autocomplete"] for each in login.fields] == [
        "username", "current-password", "username", "new-password",
    ]  # fmt: skip
    made = await site.post("/join-links", {"role": "member", "uses": "5", "days": "7"}, cookie=owner)
    join = f"/join/{made.headers['Location'].rpartition('=')[2]}"
    assert check(await site.get(join)).one("password")["autocomplete"] == "new-password"
    for path in ("/account", "/people", "/join-links", "/rooms", "/manage-rooms", "/confirm", "/rooms/lobby"):
        check(await site.get(path, cookie=owner))


@pytest.mark.parametrize(
    ("path", "fields", "wrong", "status"),
    [
        ("/login", {"name": "Masa", "password": "x" * 12}, "password", 401),
        ("/register", {"name": "ｋim", "password": PASSWORD}, "name", 409),
        ("/register", {"name": "a/b", "password": PASSWORD}, "name", 400),
        ("/register", {"name": "Lee", "password": "short"}, "password", 400),
        ("/account/name", {"name": "kim"}, "name", 409),
        ("/account/name", {"name": "a/b"}, "name", 400),
        ("/account/password", {"current": "x" * 12, "password": "another good one"}, "current", 401),
        ("/account/password", {"current": PASSWORD, "password": "short"}, "password", 400),
        ("/confirm", {"password": "x" * 12}, "password", 401),
        ("/rooms", {"slug": "LOBBY", "title": "A & b"}, "slug", 409),
        ("/rooms", {"slug": "a b", "title": "A & b"}, "slug", 400),
        ("/rooms", {"slug": "fine", "title": "\u200b"}, "title", 400),
        ("/manage-rooms/lobby/title", {"title": "\u200b"}, "title", 400),
    ],
)
@OPEN
@pytest.mark.gen_test
async def test_what_is_wrong_is_told_with_its_field_which_has_the_focus(
    site: Site, path: str, fields: dict[str, str], wrong: str, status: int
) -> None:
    owner = await site.account("Masa", "owner")
    await site.account("Kim")
    answer = await site.post(path, fields, cookie=None if path in ("/login", "/register") else owner)
    assert answer.code == status
    page = check(answer)
    assert page.ids.count("problem") == 1 and page.texts["problem"]
    (found,) = [each for each in page.fields if "aria-invalid" in each]
    assert found["name"] == wrong and "autofocus" in found
    assert "problem" in found["aria-describedby"].split()
    for name, value in fields.items():
        kept = [
            each.get("value") for each in page.fields if each.get("name") == name and "readonly" not in each
        ]
        if name in ("password", "current"):
            assert value not in answer.body.decode() and set(kept) <= {None}
        else:
            assert kept[-1 if path == "/register" else 0] == value


@pytest.mark.gen_test
async def test_after_a_sign_in_link_the_old_password_is_not_asked_for(site: Site) -> None:
    await site.account("Masa")
    entered = await site.post(await site.app.services.administration.sign_in_link("Masa"), {})
    cookie = cookie_of(entered)
    page = check(await site.get("/account", cookie=cookie))
    assert [each["name"] for each in page.fields if each.get("type") == "password"] == ["password"]
    changed = await site.post("/account/password", {"password": "another good one"}, cookie=cookie)
    assert changed.code == 303
    page = check(await site.get("/account", cookie=cookie_of(changed)))
    assert page.one("current")["autocomplete"] == "current-password" and "required" in page.one("current")
