"""People, sessions and limits over real nodes: PostgreSQL, Redis, sockets and forms."""

import json

import pytest

from tests.conftest import PASSWORD, Site, cookie_of
from tests.nodes.conftest import Installation, until


def counted(site: Site) -> dict[tuple[str, object], int]:
    """What a node has counted of everybody's attempts, by limit and key."""
    windows = site.app.services.identity.windows()
    return {
        (name, key): len(times) for name, window in windows.items() for key, times in window._times.items()
    }


@pytest.mark.gen_test(timeout=180)
async def test_who_comes_back_on_another_node_after_a_drain_never_left(installation: Installation) -> None:
    here, there = await installation.start(2)
    ann, bob, kim = [await here.account(name) for name in ("ann", "bob", "kim")]
    watcher = await there.join(ann)
    moves, stays_away = await here.join(bob), await here.join(kim)
    await watcher.until("presence", online=3)
    await here.app.drain()
    assert await moves.closed() == await stays_away.closed() == 1012
    again = await there.join(bob)
    left = await watcher.until("presence", left=["kim"])
    assert (left["online"], left["joined"]) == (2, [])
    assert not any("bob" in frame["left"] for frame in watcher.frames if frame["type"] == "presence")
    assert (await again.say("here"))["type"] == "ack"


@pytest.mark.gen_test(timeout=180)
async def test_while_redis_is_away_the_list_is_partial_and_says_so(installation: Installation) -> None:
    here, there = await installation.start(2)
    ann, bob = await here.account("ann"), await here.account("bob")
    watcher, _ = await here.join(ann), await there.join(bob)
    while (await watcher.until("presence"))["online"] != 2:
        pass
    installation.redis.stop()
    away = await watcher.until("presence", partial=True)
    assert (away["online"], away["joined"], away["left"]) == (2, [], [])
    page = await here.get("/rooms/lobby", cookie=ann)
    assert b'id="people-partial">' in page.body
    installation.redis.start()
    back = await watcher.until("presence")
    while "partial" in back:
        back = await watcher.until("presence")
    assert back["online"] == 2
    assert b'id="people-partial" hidden>' in (await here.get("/rooms/lobby", cookie=ann)).body


@pytest.mark.gen_test(timeout=180)
async def test_guesses_at_a_password_count_over_all_nodes(installation: Installation) -> None:
    sites = await installation.start(2)
    await sites[0].account("ann")
    answers = []
    for number in range(8):
        wrong = {"name": "ann", "password": "wrong password"}
        answers.append((await sites[number % 2].post("/login", wrong)).code)
        await until(lambda: counted(sites[0]) == counted(sites[1]))  # a hop may take longer than a sign-in
    assert answers == [401] * 5 + [429] * 3
    assert (await sites[1].post("/login", {"name": "ann", "password": PASSWORD})).code == 429


@pytest.mark.gen_test(timeout=180)
async def test_with_a_new_role_the_token_before_opens_on_the_other_node_as_well(
    installation: Installation,
) -> None:
    here, there = await installation.start(2)
    await here.account("olga", "owner")
    before = await here.account("kim")
    await here.app.services.administration.set_role("kim", "moderator")
    after = cookie_of(await here.get("/session", cookie=before))
    assert after not in ("", before)
    for cookie in (before, after):
        asked = await there.get("/session", cookie=cookie)
        assert asked.code == 200 and json.loads(asked.body)["user"]["role"] == "moderator"
        assert "Set-Cookie" not in asked.headers or cookie == before
