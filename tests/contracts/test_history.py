"""`ports.History`: what is accepted has the next seq, is stored once, and is read back as it is now."""

import asyncio

import pytest
from sqlalchemy import Connection

from chat_app.errors import Busy, ChatError, Forbidden, NotFound
from chat_app.models import Amend, Committed

from .store import DAY, NOW, Place, Store, account, held, run


def seqs(results: list[Committed | ChatError]) -> list[int]:
    return [result.seq for result in results if isinstance(result, Committed)]


def test_every_change_takes_the_next_seq_and_results_come_in_that_order(place: Place) -> None:
    async def scenario(store: Store) -> None:
        first = await store.post("ann", "one")
        results = await store.submit(
            store.post_of("ann", "two"),
            Amend("edited", store.lobby.id, first.id, "id-ann", False, NOW, text="ONE"),
            store.post_of("bob", "three"),
            Amend("deleted", store.lobby.id, first.id, "id-ann", False, NOW),
        )
        assert seqs(results) == [2, 3, 4, 5]
        assert [room.seq for room in await store.rooms.all()] == [5]

    run(place, scenario)


def test_what_waits_becomes_one_commit_of_at_most_512(place: Place) -> None:
    async def scenario(store: Store) -> None:
        commits: list[int] = []
        posts = [store.post_of("ann", str(number)) for number in range(600)]
        async with held(store, place):
            waiting = asyncio.create_task(store.submit(*posts))
            await asyncio.sleep(0)
            store.database.commit_seconds = lambda seconds, changes: commits.append(changes)
        assert seqs(await waiting) == list(range(1, 601))
        assert max(commits) <= 512
        assert len(commits) <= 3

    run(place, scenario)


def test_a_full_queue_refuses_at_once_and_stores_what_it_took(place: Place) -> None:
    async def scenario(store: Store) -> None:
        results: list[Committed | ChatError] = []
        taken = 0
        async with held(store, place):
            with pytest.raises(Busy):
                for number in range(20):
                    store.history.submit(store.post_of("ann", str(number)), results.append)
                    taken += 1
            assert taken == 9
            settled = asyncio.create_task(store.database.settle())  # is never refused, or a drain would fail
            await asyncio.sleep(0)
        await settled
        assert seqs(results) == list(range(1, taken + 1))
        assert (await store.post("ann", "afterwards")).seq == taken + 1

    run(place, scenario, queue_limit=9)


def test_a_nonce_is_stored_once_whatever_the_text(place: Place) -> None:
    async def scenario(store: Store) -> None:
        first = await store.post("ann", "one", nonce="n")
        await store.edit(first, "ann", "edited")
        again = await store.store(store.post_of("ann", "other", nonce="n"))
        assert (again.duplicate, again.seq) == (True, 1)
        assert (again.message.id, again.message.text, again.message.rev) == (first.id, "edited", 2)
        assert (await store.post("bob", "mine", nonce="n")).seq == 3

    run(place, scenario)


def test_a_nonce_is_stored_once_within_one_batch_too(place: Place) -> None:
    async def scenario(store: Store) -> None:
        posts = [store.post_of("ann", text, nonce="same") for text in ("one", "two", "three")]
        async with held(store, place):
            waiting = asyncio.create_task(store.submit(*posts))
            await asyncio.sleep(0)
        results = await waiting
        assert [(r.seq, r.duplicate, r.message.text) for r in results if isinstance(r, Committed)] == [
            (1, False, "one"),
            (1, True, "one"),
            (1, True, "one"),
        ]
        assert len((await store.history.changes(store.lobby.id, 0, limit=10)).messages) == 1

    run(place, scenario)


def test_a_bad_post_breaks_no_other_one(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(store: Store) -> None:
        posts = (
            store.post_of("ann", "one"),
            store.post_of("nobody", "by an unknown account"),
            store.post_of("ann", "a lone \ud800 surrogate"),
            store.post_of("ann", "elsewhere", room_id="no-room"),
            store.post_of("bob", "two"),
        )
        async with held(store, place):
            waiting = asyncio.create_task(store.submit(*posts))
            await asyncio.sleep(0)
        results = await waiting
        # Nothing is promised of the order between rooms.
        (elsewhere,) = [result for result in results if isinstance(result, NotFound)]
        results.remove(elsewhere)
        one, unknown, surrogate, two = results
        assert seqs([one, two]) == [1, 2]
        assert isinstance(unknown, ChatError) and isinstance(surrogate, ChatError)
        assert "database.change_refused" in caplog.text
        assert "lone" not in caplog.text  # what people write is in no log

    run(place, scenario)


def test_a_function_that_waits_beside_a_bad_post_is_called_once(place: Place) -> None:
    """The transaction of a batch with a bad post may be begun again."""

    async def scenario(store: Store) -> None:
        calls: list[Connection] = []
        async with held(store, place):
            bad, good = store.post_of("nobody", "by an unknown account"), store.post_of("ann", "one")
            waiting = asyncio.create_task(store.submit(good, bad))
            called = asyncio.create_task(store.database._writer.write(calls.append))  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        assert seqs(await waiting) == [1]
        await called
        assert len(calls) == 1

    run(place, scenario)


def test_pages_go_back_from_the_newest(place: Place) -> None:
    async def scenario(store: Store) -> None:
        for number in range(1, 8):
            await store.post("ann", str(number))
        room = store.lobby.id
        latest = await store.history.latest(room, upto=6, limit=3)
        assert [m.seq for m in latest.messages] == [4, 5, 6]
        assert (latest.seq, latest.more) == (6, True)
        middle = await store.history.before(room, 4, limit=2)
        assert ([m.seq for m in middle.messages], middle.more) == ([2, 3], True)
        oldest = await store.history.before(room, 2, limit=2)
        assert ([m.seq for m in oldest.messages], oldest.more) == ([1], False)
        assert (await store.history.latest("no-room", upto=5, limit=5)).messages == ()

    run(place, scenario)


def test_changes_are_rows_by_rev_in_their_state_now(place: Place) -> None:
    async def scenario(store: Store) -> None:
        room = store.lobby.id
        one = await store.post("ann", "one")
        two = await store.post("bob", "two")
        await store.post("ann", "three")
        await store.edit(one, "ann", "ONE")
        await store.delete(two, "bob")
        first = await store.history.changes(room, 0, limit=2)
        assert [(m.seq, m.rev, m.text) for m in first.messages] == [(3, 3, "three"), (1, 4, "ONE")]
        assert (first.seq, first.more) == (4, True)
        rest = await store.history.changes(room, first.seq, limit=2)
        assert [(m.seq, m.rev, m.text, m.html) for m in rest.messages] == [(2, 5, "", None)]
        assert (rest.seq, rest.more) == (5, False)
        nothing = await store.history.changes(room, 5, limit=2)
        assert (nothing.messages, nothing.seq, nothing.more) == ((), 5, False)
        with pytest.raises(NotFound):
            await store.history.changes("no-room", 0, limit=1)

    run(place, scenario)


@pytest.mark.parametrize("limit", [1, 2, 3, 20])
def test_pages_of_changes_hold_every_message_once_by_rev(place: Place, limit: int) -> None:
    """Changed ones lie between new ones, before and behind where a page begins."""

    async def scenario(store: Store) -> None:
        posted = [await store.post("ann", f"text {number}") for number in range(6)]
        await store.edit(posted[1], "ann", "again")
        posted.append(await store.post("bob", "between"))
        await store.delete(posted[6], "bob")
        await store.edit(posted[4], "ann", "once")
        await store.edit(posted[1], "ann", "a third time")
        posted += [await store.post("bob", "last"), await store.post("bob", "really")]
        now = [await store.history.get(store.lobby.id, message.id) for message in posted]
        expected = sorted((message.rev, message.id, message.text) for message in now if message)
        for since in range(14):
            position, found, more = since, [], True
            while more:
                page = await store.history.changes(store.lobby.id, position, limit=limit)
                found += [(message.rev, message.id, message.text) for message in page.messages]
                assert len(page.messages) <= limit
                position, more = page.seq, page.more
            assert found == [change for change in expected if change[0] > since], since
            assert position == 13

    run(place, scenario)


def test_get_finds_a_message_only_in_its_room(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message = await store.post("ann", "one", html="<b>one</b>", nonce="n")
        assert await store.history.get(store.lobby.id, message.id) == message
        assert await store.history.get("no-room", message.id) is None
        assert await store.history.get(store.lobby.id, "no-message") is None

    run(place, scenario)


def test_only_the_author_edits_and_only_for_a_day(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message = await store.post("ann", "one")
        with pytest.raises(Forbidden):
            await store.edit(message, "bob", "two")
        edited = await store.edit(message, "ann", "in time", at_ms=NOW + DAY)
        assert (edited.kind, edited.seq, edited.message.edited_ms) == ("edited", 2, NOW + DAY)
        assert (edited.message.seq, edited.message.author, edited.message.sent_ms) == (1, "ann", NOW)
        with pytest.raises(Forbidden, match="Messages can be edited for 24 hours"):
            await store.edit(message, "ann", "late", at_ms=NOW + DAY + 1)
        assert [room.seq for room in await store.rooms.all()] == [2]

    run(place, scenario)


def test_what_else_is_wrong_is_told_only_to_who_might_change_the_message(place: Place) -> None:
    async def scenario(store: Store) -> None:
        first = await store.post("ann", "one")
        for actor, message_id, code in (  # ann wrote it
            ("ann", first.id, "empty"), ("bob", first.id, "forbidden"), ("ann", "no-message", "not_found"),
        ):  # fmt: skip
            for kind in ("edited", "deleted"):
                change = Amend(
                    kind,
                    store.lobby.id,
                    message_id,
                    f"id-{actor}",
                    False,
                    NOW,
                    refusal=ChatError("empty", "No."),
                )
                with pytest.raises(ChatError) as refused:
                    await store.store(change)
                assert refused.value.code == code
        assert (await store.post("ann", "two")).seq == 2, "nothing was stored and no seq is missing"

    run(place, scenario)


def test_a_deleted_message_can_neither_be_edited_nor_deleted(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message = await store.post("ann", "one")
        deleted = await store.delete(message, "ann")
        assert (deleted.kind, deleted.message.text, deleted.message.deleted_ms) == ("deleted", "", NOW)
        with pytest.raises(NotFound):
            await store.edit(message, "ann", "again")
        with pytest.raises(NotFound):
            await store.delete(message, "ann")
        await store.rooms.create("other", "Other", account_id="id-ann", now_ms=NOW)
        with pytest.raises(NotFound):
            await store.store(Amend("deleted", "no-room", message.id, "id-ann", False, NOW))

    run(place, scenario)


@pytest.mark.parametrize(
    ("author", "actor", "allowed"),
    [("member", "moderator", True), ("moderator", "moderator", True), ("admin", "moderator", False),
     ("owner", "admin", False), ("admin", "owner", True)],
)  # fmt: skip
def test_moderation_goes_as_high_as_ones_own_role(
    place: Place, author: str, actor: str, allowed: bool
) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.create(account("writer", author), "hash")  # type: ignore[arg-type]
        await store.accounts.create(account("judge", actor), "hash")  # type: ignore[arg-type]
        message = await store.post("writer", "one")
        with pytest.raises(Forbidden):
            await store.delete(message, "judge")
        if allowed:
            assert (await store.delete(message, "judge", may_moderate=True)).message.text == ""
        else:
            with pytest.raises(Forbidden):
                await store.delete(message, "judge", may_moderate=True)

    run(place, scenario)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@bob", ["id-bob"]),
        ("hello @BOB, and @bob again", ["id-bob"]),
        ("@bob smith is the longer name", ["id-bob smith"]),
        ("@bob smithson is not", ["id-bob"]),
        ("(@Ｂｏｂ)", ["id-bob"]),
        ("mail@bob and @bobby", []),
        ("@ann is myself", []),
        ("@", []),
        ("@bob\nsmith", ["id-bob"]),
        ("@x " * 10 + "@bob", []),
        ("@x " * 9 + "@bob", ["id-bob"]),
    ],
)
def test_mentions_are_the_longest_names_after_an_at(place: Place, text: str, named: list[str]) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.create(account("bob smith"), "hash")
        assert list((await store.store(store.post_of("ann", text))).mentioned) == named

    run(place, scenario)


def test_mentions_follow_edits_and_deletions(place: Place) -> None:
    async def scenario(store: Store) -> None:
        async def mentions() -> int:
            return (await store.rooms.unread("id-bob"))[0].mentions

        message = await store.post("ann", "nobody")
        assert await mentions() == 0
        assert (await store.edit(message, "ann", "@bob")).mentioned == ("id-bob",)
        assert await mentions() == 1
        await store.edit(message, "ann", "nobody again")
        assert await mentions() == 0
        await store.edit(message, "ann", "@bob")
        await store.delete(message, "ann")
        assert await mentions() == 0

    run(place, scenario)


def test_a_receiver_that_fails_keeps_nothing_from_the_next_one(place: Place) -> None:
    async def scenario(store: Store) -> None:
        def fail(_: Committed | ChatError) -> None:
            raise ValueError("a bug in the receiver")

        store.history.submit(store.post_of("ann", "one"), fail)
        assert (await store.post("ann", "two")).seq == 2

    run(place, scenario)
