"""Searching over HTTP."""

import json
from urllib.parse import quote

import pytest

from tests.conftest import Site


@pytest.mark.gen_test
async def test_a_hit_is_shown_in_its_context_with_the_word_marked(site: Site) -> None:
    ann = await site.account("ann")
    writer = await site.join(ann)
    ack = await writer.say("we <b>deploy</b> & tonight")
    page = (await site.get("/search?q=DEPLOY", cookie=ann)).body.decode()
    assert "we &lt;b&gt;<mark>deploy</mark>&lt;/b&gt; &amp; tonight" in page
    assert f'href="/rooms/lobby?at={ack["seq"]}#message-{ack["seq"]}"' in page
    answer = json.loads((await site.get("/search/messages?q=deploy", cookie=ann)).body)
    (hit,) = answer["hits"]
    assert (hit["message"]["id"], hit["title"], hit["marks"]) == (ack["id"], "Lobby", [[6, 12]])
    assert (answer["next"], answer["complete"]) == (None, True)


@pytest.mark.gen_test
async def test_bad_searches_have_clear_answers(site: Site) -> None:
    ann = await site.account("ann")
    for query, status in ((quote('"'), 400), ("x" * 5_000, 400), ("in:a%2Fb", 400)):
        page = await site.get(f"/search?q={query}", cookie=ann)
        answer = await site.get(f"/search/messages?q={query}", cookie=ann)
        assert page.code == answer.code == status
        assert json.loads(answer.body)["error"]["message"]
        assert 'role="alert"' in page.body.decode()
    assert (await site.get("/search/messages?q=x&before=soon", cookie=ann)).code == 400
    assert (await site.get("/search/messages?q=x")).code == 401
    assert (await site.get("/search?q=x")).code == 303
    assert (await site.get("/search", cookie=ann)).code == 200


@pytest.mark.gen_test
async def test_searches_are_limited(site: Site) -> None:
    ann = await site.account("ann")
    codes = [(await site.get("/search/messages?q=x", cookie=ann)).code for _ in range(21)]
    assert codes == [200] * 20 + [429]
