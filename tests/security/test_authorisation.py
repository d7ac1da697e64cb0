"""Role by action by kind of room, over HTTP and over the socket, on fresh and on open connections.

What is expected comes from `core.permissions`, whose own table is in tests/unit/test_permissions.py: here every way in
is tried against it. A further action without an attempt here, or a further kind of room, fails.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product
from typing import get_args

import pytest

from chat_app.core.permissions import Action, allows, grantable
from chat_app.models import ROLES, Account, Role
from tests.conftest import PASSWORD, Client, Site
from tests.security.test_guessing import cheap_hashes
from tests.security.test_permission_table import ELSEWHERE
from tests.web.pages import account_id, invitation

KINDS = ("public",)  # private and direct rooms follow with them


def account(role: Role) -> Account:
    return Account(role, role, role, role, disabled=False, created_ms=0)


class Actor:
    """Somebody of a role with a session and an open socket, in a room of a kind that somebody else wrote in."""

    def __init__(self, site: Site, cookie: str, client: Client, room: str, author: Client) -> None:
        self.site, self.cookie, self.client, self.room, self.author = site, cookie, client, room, author
        self._number = 0

    async def http(self, path: str, fields: dict[str, str] | None = None) -> bool:
        """Whether it is done; a refusal has to be a 403 or 404."""
        ask = (
            self.site.get(path, cookie=self.cookie)
            if fields is None
            else self.site.post(path, fields, cookie=self.cookie)
        )
        answer = await ask
        assert answer.code in (200, 303, 403, 404), (path, answer.code)
        if answer.code == 303:
            assert not answer.headers["Location"].startswith(("/login", "/confirm")), path
        return answer.code in (200, 303)

    async def event(self, **event: object) -> bool:
        """Whether it is done, by what comes next that tells."""
        self._number += 1
        mark = f"after-{self._number}"
        self.client.send(**event, room=self.room)
        self.client.send(type="message", text="mark", room=self.room, nonce=mark)
        error = None
        while (frame := await self.client.receive()) is not None:
            if frame.get("nonce") == mark:
                break
            if frame["type"] == "error":
                error = frame["code"]
        assert error in (None, "forbidden", "not_found"), error
        return error is None

    async def slug(self) -> str:
        self._number += 1
        return f"{self.client.frames[0]['user']['id'][:12]}-{self._number}"


async def read(actor: Actor) -> list[bool]:
    fresh = await actor.site.connect(actor.cookie, f"room={actor.room}")
    await fresh.until("history", room=actor.room)
    done = [await actor.http(f"/rooms/{actor.room}"), await actor.http(f"/rooms/{actor.room}/messages")]
    return [
        *done,
        await actor.event(type="join"),
        await actor.event(type="typing"),
        await actor.event(type="read", seq=1),
    ]


async def post(actor: Actor) -> list[bool]:
    return [await actor.event(type="message", text="hello")]


async def create_room(actor: Actor) -> list[bool]:
    return [await actor.http("/rooms", {"slug": await actor.slug(), "title": "New"})]


async def moderate(actor: Actor) -> list[bool]:
    written = await actor.author.say("by another member", actor.room)
    return [await actor.event(type="delete", id=written["id"])]


async def manage_accounts(actor: Actor) -> list[bool]:
    person = f"/people/{await account_id(actor.site, 'Target')}"
    done = [await actor.http("/people")]
    for path in ("disable", "enable", "link"):
        done.append(await actor.http(f"{person}/{path}", {}))
    return [*done, await actor.http(f"{person}/role", {"role": "member"})]


async def create_join_link(actor: Actor) -> list[bool]:
    made = await actor.http("/join-links", {"role": "member", "uses": "1", "days": "1"})
    return [made, await actor.http("/join-links")]


async def manage_rooms(actor: Actor) -> list[bool]:
    retitled = await actor.http(f"/manage-rooms/{actor.room}/title", {"title": "Title"})
    return [retitled, await actor.http("/manage-rooms")]


async def see_security(actor: Actor) -> list[bool]:
    return [await actor.http("/admin/security")]


ATTEMPTS: dict[Action, Callable[[Actor], Awaitable[list[bool]]]] = {
    "read": read, "post": post, "create_room": create_room, "moderate": moderate, "manage_accounts": manage_accounts,
    "create_join_link": create_join_link, "manage_rooms": manage_rooms, "see_security": see_security,
}  # fmt: skip
ANY_NUMBER = pytest.mark.settings(
    rate_limit="0", account_rate_limit="0", address_rate_limit="0", frame_rate_limit="0"
)


async def make_actor(site: Site, role: Role, kind: str) -> Actor:
    cheap_hashes(site)
    author = await site.account("Author")
    await site.account("Target")
    assert kind == "public"
    assert (await site.post("/rooms", {"slug": "here", "title": "Here"}, cookie=author)).code == 303
    cookie = await site.account("Actor", role)
    client = await site.join(cookie, "room=here")
    return Actor(site, cookie, client, "here", await site.join(author, "room=here"))


async def check(actor: Actor, role: Role, when: str) -> None:
    for action, attempt in ATTEMPTS.items():
        expected = allows(account(role), action)
        done = await attempt(actor)
        assert set(done) == {expected}, f"{when}: {role} may {action}: {expected}, but {done}"


def test_every_action_is_tried_here_or_in_the_table_of_rooms() -> None:
    assert set(ATTEMPTS) >= ELSEWHERE
    assert set(ATTEMPTS) <= set(get_args(Action))


@ANY_NUMBER
@pytest.mark.parametrize(("kind", "role"), list(product(KINDS, ROLES)))
@pytest.mark.gen_test(timeout=180)
async def test_each_role_may_what_the_table_says(site: Site, kind: str, role: Role) -> None:
    await check(await make_actor(site, role, kind), role, "from the start")


@ANY_NUMBER
@pytest.mark.parametrize(
    ("before", "after"),
    [("owner", "member"), ("admin", "moderator"), ("moderator", "member"), ("member", "owner")],
)
@pytest.mark.gen_test(timeout=180)
async def test_another_role_counts_on_open_connections_before_the_next_frame(
    site: Site, before: Role, after: Role
) -> None:
    actor = await make_actor(site, before, "public")
    await site.account("Olga", "owner")
    await check(actor, before, "before")
    await site.app.services.administration.set_role("Actor", after)
    await check(actor, after, "after")


@pytest.mark.parametrize(("actor", "target", "wanted"), list(product(("admin", "owner"), ROLES, ROLES)))
@pytest.mark.gen_test
async def test_a_role_is_given_only_up_to_ones_own(
    site: Site, actor: Role, target: Role, wanted: Role
) -> None:
    cheap_hashes(site)
    await site.account("Olga", "owner")
    cookie = await site.account("Actor", actor)
    await site.account("Target", target)
    path = f"/people/{await account_id(site, 'Target')}/role"
    allowed = wanted in grantable(account(actor), account(target))
    assert (await site.post(path, {"role": wanted}, cookie=cookie)).code == (303 if allowed else 403)
    roles = {a.name: a.role for a in await site.app.services.administration.list_users()}
    assert roles["Target"] == (wanted if allowed else target)


@pytest.mark.gen_test
async def test_nobody_invites_above_the_own_role_or_deletes_what_a_higher_one_wrote(site: Site) -> None:
    cheap_hashes(site)
    owner, admin, moderator = [await site.account(role, role) for role in ("owner", "admin", "moderator")]
    fields = {"uses": "1", "days": "1"}
    for cookie, role, status in (
        (admin, "owner", 403),
        (moderator, "member", 403),
        (admin, "admin", 303),
        (owner, "owner", 303),
    ):
        assert (await site.post("/join-links", {"role": role, **fields}, cookie=cookie)).code == status
    written = await (await site.join(owner)).say("from above")
    for cookie in (admin, moderator):
        client = await site.join(cookie)
        client.send(type="delete", id=written["id"])
        assert (await client.until("error"))["code"] == "forbidden"


@pytest.mark.gen_test
async def test_who_is_disabled_hears_nothing_more(site: Site) -> None:
    masa, kim = await site.join(await site.account("Masa")), await site.join(await site.account("Kim"))
    await kim.say("before")
    await site.app.services.administration.disable("Masa")
    await kim.say("not for Masa")
    assert await masa.closed() == 4403
    texts = [frame["message"].get("text") for frame in masa.frames if frame["type"] == "message"]
    assert texts == ["before"]


@pytest.mark.gen_test
async def test_a_room_that_is_not_there_is_the_same_by_every_way(site: Site) -> None:
    """What a private room has to look like to who may not see it."""
    cookie = await site.account("Masa")
    client = await site.join(cookie)
    for event in ("join", "leave", "typing", "message", "read"):
        client.send(type=event, room="nowhere", text="x", seq=1)
        error = await client.until("error")
        assert (error["code"], error["message"]) == ("not_found", "There is no such room."), event
    client.send(type="message", text="@nobody hello", nonce="n")
    await client.until("ack")
    for path in ("/rooms/nowhere", "/rooms/nowhere/messages", "/manage-rooms/nowhere/title"):
        assert (await site.get(path, cookie=cookie)).code in (404, 405), path


@pytest.mark.gen_test(timeout=180)
async def test_one_invitation_for_one_lets_one_in_of_fifty(site: Site) -> None:
    cheap_hashes(site)
    path = await invitation(site, await site.account("Olga", "owner"), uses="1")
    answers = await asyncio.gather(
        *(site.post(path, {"name": f"Guest {n}", "password": PASSWORD}) for n in range(50))
    )
    codes = [answer.code for answer in answers]
    assert codes.count(303) == 1 and set(codes) <= {303, 410, 503}, "503: too many hashes at once"
    assert len(await site.app.services.administration.list_users()) == 2


@pytest.mark.gen_test
async def test_an_expired_or_revoked_invitation_is_gone_and_the_last_owner_stays(site: Site) -> None:
    owner = await site.account("Olga", "owner")
    path, other = await invitation(site, owner), await invitation(site, owner)
    assert (await site.post(f"/join-links/{other.rpartition('/')[2]}/revoke", {}, cookie=owner)).code == 303
    people = site.app.services.identity.people
    now_ms = people._clock_ms
    people._clock_ms = lambda: now_ms() + 8 * 86_400_000
    for gone in (path, other):
        assert (await site.get(gone)).code == 410
        assert (await site.post(gone, {"name": "Kim", "password": PASSWORD})).code == 410
    me = f"/people/{await account_id(site, 'Olga')}"
    for form, fields in (("disable", {}), ("role", {"role": "admin"})):
        assert (await site.post(f"{me}/{form}", fields, cookie=owner)).code == 409
