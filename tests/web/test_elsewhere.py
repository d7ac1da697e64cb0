"""What another node made just now: pages and the handshake ask the store before they say that there is none."""

import pytest
from tornado.httpclient import HTTPClientError

from chat_app.core.rooms import Room
from chat_app.errors import Busy
from tests.conftest import Site


class Asked:
    """`rooms.Elsewhere`: finds the room `late` when it is asked, or is busy."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.names: list[str] = []

    def behind(self, room: Room) -> None:
        raise AssertionError("nothing is missing")

    async def ask(self, account_id: str, slug: str) -> None:
        self.names.append(slug)
        if slug == "busy":
            raise Busy()
        services = self._site.app.services
        state = await services.database.rooms.one(slug=slug)
        if state is not None and services.registry.by_slug(slug) is None:
            services.registry.add(state.info, state.members, state.notifies)


@pytest.mark.gen_test
async def test_pages_and_the_handshake_find_what_another_node_made(site: Site) -> None:
    services = site.app.services
    cookie = await site.account("ann")
    (ann,) = await services.administration.list_users()
    asked = Asked(site)
    for slug in ("late", "later", "latest", "settled"):
        await services.database.rooms.create(slug, slug, account_id=ann.id, now_ms=1)
    assert (await site.get("/rooms/late", cookie=cookie)).code == 404
    services.registry.elsewhere = asked
    assert (await site.get("/rooms/late", cookie=cookie)).code == 200
    assert (await site.get("/rooms/later/messages", cookie=cookie)).code == 200
    assert (await site.get("/rooms/settled/settings", cookie=cookie)).code == 200
    assert (await (await site.connect(cookie, "room=latest")).until("history"))["room"] == "latest"
    assert asked.names == ["late", "later", "settled", "latest"]
    assert (await site.get("/rooms/none", cookie=cookie)).code == 404
    assert (await site.get("/rooms/lobby", cookie=cookie)).code == 200
    assert asked.names[4:] == ["none"]


@pytest.mark.gen_test
async def test_a_join_finds_what_another_node_made_and_a_message_right_behind_it_is_stored(
    site: Site,
) -> None:
    services = site.app.services
    cookie = await site.account("ann")
    (ann,) = await services.administration.list_users()
    client = await site.join(cookie)
    services.registry.elsewhere = asked = Asked(site)
    await services.database.rooms.create("late", "late", account_id=ann.id, now_ms=1)
    client.send(type="join", room="late")
    ack = await client.say("at once", "late")
    assert (ack["room"], ack["seq"], asked.names) == ("late", 1, ["late"])
    assert [frame for frame in client.frames if frame["type"] == "error"] == []
    client.send(type="join", room="none")
    assert (await client.until("error", room="none"))["code"] == "not_found"


@pytest.mark.gen_test
async def test_a_busy_store_is_no_missing_room(site: Site) -> None:
    cookie = await site.account("ann")
    site.app.services.registry.elsewhere = Asked(site)
    assert (await site.get("/rooms/busy", cookie=cookie)).code == 503
    with pytest.raises(HTTPClientError) as refused:
        await site.connect(cookie, "room=busy")
    assert (refused.value.code, refused.value.response.headers["Retry-After"]) == (503, "1")
