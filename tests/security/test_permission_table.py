"""Role × action × kind of room, each tried for real over the socket and HTTP; what is expected says
`permissions.allows`, and nothing else is asked for it.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest

from chat_app.core.permissions import Action, allows
from chat_app.core.rooms import Room
from chat_app.models import ROLES, Account, Role, Standing
from tests.conftest import Client, Site

NO_LIMITS = pytest.mark.settings(
    rate_limit="0", account_rate_limit="0", address_rate_limit="0", frame_rate_limit="0"
)
STANDINGS = {
    "public": Standing(),
    "managed": Standing(member=True, manager=True),
    "moderated": Standing(posting="moderators"),
    "archived": Standing(archived=True),
    "private": Standing("private", member=True),
    "own": Standing("private", member=True, manager=True),
    "private-moderated": Standing("private", posting="moderators", member=True),
    "private-archived": Standing("private", archived=True, member=True),
    "private-strange": Standing("private"),
    "direct": Standing("direct", member=True),
    "direct-strange": Standing("direct"),
}
ELSEWHERE = {"create_room", "manage_accounts", "create_join_link", "manage_rooms", "see_security"}
"""Actions that are about no room that is there: test_authorisation.py tries them."""


class Table:
    """One actor of a role, the rooms, and in each of them messages of the actor's and of somebody else's."""

    def __init__(self, site: Site, cookie: str, client: Client, people: dict[str, Account]) -> None:
        self.site = site
        self.cookie = cookie
        self.client = client
        self.people = people
        self.rooms: dict[str, Room] = {}
        self.own: dict[str, list[str]] = {}
        self.others: dict[str, list[str]] = {}

    @property
    def actor(self) -> Account:
        return self.people["actor"]

    async def furnish(self, other: Client) -> None:
        """Every room, written in by both where the actor sees it, then closed as its name says."""
        management, people = self.site.app.services.management, self.people
        for name, standing in STANDINGS.items():
            if standing.kind == "direct":
                pair = ("actor" if standing.member else "maker", "other")
                room = await management.open_direct(people[pair[0]], [pair[1]])
            else:
                maker = people["actor" if standing.manager else "maker"]
                room = await management.create_room(maker, name, name, kind=standing.kind)
                guests = (
                    ["other", *(["actor"] if standing.member else [])] if standing.kind != "public" else []
                )
                for guest in guests:
                    if people[guest] is not maker:
                        await management.change(maker, name, "added", account_id=people[guest].id)
            self.rooms[name] = room
            slug = room.info.slug
            self.others[name] = await written(other, slug)
            self.own[name] = (
                await written(self.client, slug) if standing.member or standing.kind == "public" else []
            )
            if standing.archived:
                await management.change(people["maker"], slug, "archived")
            if standing.posting == "moderators":
                await management.change(people["maker"], slug, "posting", value="moderators")

    async def tried(self, name: str, action: Action) -> str:
        """What came of it: ok, forbidden or not_found."""
        slug = self.rooms[name].info.slug
        own, others = self.own[name] or self.others[name], self.others[name]
        match action:
            case "read":
                return await self.read(slug)
            case "post":
                return await self.sent(slug, "message", type="message", text="may I?")
            case "here":
                answer = await self.sent(slug, "message", type="message", text="@here")
                called = self.client.frames[-1].get("message")
                return (
                    answer
                    if answer != "ok" or (isinstance(called, dict) and called.get("here"))
                    else "forbidden"
                )
            case "edit":
                return await self.sent(slug, "edited", type="edit", id=own[0], text="changed")
            case "delete":
                return await self.sent(slug, "deleted", type="delete", id=own[1])
            case "react":
                return await self.sent(slug, "reacted", type="react", id=others[0], emoji="👍")
            case "pin":
                return await self.sent(slug, "pinned", type="pin", id=others[0])
            case "moderate":
                return await self.sent(slug, "deleted", type="delete", id=others[1])
            case "manage":
                title = self.rooms[name].info.title or "Us"
                return await self.posted(
                    f"/rooms/{slug}/settings", title=title, topic=f"by {self.actor.role}"
                )
            case "add_members":
                return await self.posted(f"/rooms/{slug}/members", name="third")
            case "leave":
                return await self.posted(f"/rooms/{slug}/leave")
            case _:
                raise AssertionError(action)

    async def read(self, slug: str) -> str:
        """Every way to see something of a room gives the same answer."""
        paths = ("", "/messages", "/names?q=a", "/pins", "/settings")
        codes = {(await self.site.get(f"/rooms/{slug}{path}", cookie=self.cookie)).code for path in paths}
        listed = f'data-room="{slug}"' in (await self.site.get("/rooms", cookie=self.cookie)).body.decode()
        self.client.send(type="join", room=slug)
        joined = await outcome(self.client, slug, "history")
        assert (codes, listed) == (({200}, True) if joined == "ok" else ({404}, False)), slug
        return joined

    async def sent(self, slug: str, done: str, **event: Any) -> str:
        self.client.send(room=slug, **event)
        return await outcome(self.client, slug, done)

    async def posted(self, path: str, **fields: str) -> str:
        answer = await self.site.post(path, fields, cookie=self.cookie)
        return {303: "ok", 403: "forbidden", 404: "not_found"}[answer.code]


async def written(client: Client, slug: str) -> list[str]:
    client.send(type="join", room=slug)
    await client.until("presence", room=slug)
    return [(await client.say(f"line {number}", slug))["id"] for number in range(2)]


async def outcome(client: Client, slug: str, done: str) -> str:
    while (frame := await client.receive()) is not None:
        if frame["type"] == "error" and frame["room"] == slug:
            return str(frame["code"])
        if frame["type"] == done and frame["room"] == slug:
            return "ok"
    raise AssertionError("closed")


def expected(actor: Account, action: Action, standing: Standing) -> str:
    if not allows(actor, "read", standing):
        return "not_found"
    return "ok" if allows(actor, action, standing) else "forbidden"


@NO_LIMITS
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.gen_test(timeout=180)
async def test_what_a_role_may_do_in_a_kind_of_room_is_what_happens(site: Site, role: Role) -> None:
    cookies = {name: await site.account(name) for name in ("maker", "other", "third")}
    cookies["actor"] = await site.account("actor", role)
    people = {one.name: one for one in await site.app.services.identity.people.all()}
    client, other = await site.join(cookies["actor"]), await site.join(cookies["other"])
    table = Table(site, cookies["actor"], client, people)
    await table.furnish(other)
    actions: list[Action] = [action for action in get_args(Action) if action not in ELSEWHERE]
    actions.sort(key=lambda action: action == "leave")  # nothing can be tried after it
    found, wanted = {}, {}
    for name, standing in STANDINGS.items():
        assert table.rooms[name].standing(table.actor.id) == standing, name
        for action in actions:
            wanted[name, action] = expected(table.actor, action, standing)
            found[name, action] = await table.tried(name, action)
    assert found == wanted
    assert set(wanted.values()) == {"ok", "forbidden", "not_found"}
