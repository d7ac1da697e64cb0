"""Reading a room from its middle, some of its messages, and names to complete."""

import pytest

from chat_app.models import Committed, Manage

from .store import NOW, Place, Store, account, run


@pytest.mark.parametrize(
    ("seq", "limit", "seqs", "more", "newer"),
    [
        (5, 4, [3, 4, 5, 6], True, True),
        (5, 5, [3, 4, 5, 6, 7], True, True),
        (1, 4, [1, 2], False, True),
        (10, 4, [8, 9, 10], True, False),
        (99, 4, [9, 10], True, False),
        (0, 4, [1, 2], False, True),
        (5, 1, [5], True, True),
        (5, 100, list(range(1, 11)), False, False),
    ],
)
def test_a_message_is_read_in_its_context(
    place: Place, seq: int, limit: int, seqs: list[int], more: bool, newer: bool
) -> None:
    async def scenario(store: Store) -> None:
        await store.submit(*(store.post_of("ann", str(number)) for number in range(10)))
        context = await store.history.around(store.lobby.id, seq, limit=limit)
        assert ([m.seq for m in context.messages], context.more, context.newer) == (seqs, more, newer)

    run(place, scenario)


@pytest.mark.parametrize(
    ("seq", "seqs", "more", "newer"),
    [
        (0, [1, 2, 3], False, True),
        (4, [5, 6, 7], True, True),
        (7, [8, 9, 10], True, False),
        (10, [], True, False),
    ],
)
def test_a_room_is_paged_forward(place: Place, seq: int, seqs: list[int], more: bool, newer: bool) -> None:
    async def scenario(store: Store) -> None:
        await store.submit(*(store.post_of("ann", str(number)) for number in range(10)))
        context = await store.history.after(store.lobby.id, seq, limit=3)
        assert ([m.seq for m in context.messages], context.more, context.newer) == (seqs, more, newer)

    run(place, scenario)


def test_some_messages_are_those_of_the_room_oldest_first(place: Place) -> None:
    async def scenario(store: Store) -> None:
        other = await store.rooms.create("other", "Other", account_id="id-ann", now_ms=NOW)
        elsewhere = await store.post("ann", "elsewhere", room_id=other.id)
        first, second = await store.post("ann", "one"), await store.post("ann", "two")
        found = await store.history.some(store.lobby.id, [second.id, "nothing", elsewhere.id, first.id])
        assert found == [first, second]

    run(place, scenario)


def test_names_are_found_by_their_beginning_and_that_of_their_words(place: Place) -> None:
    async def scenario(store: Store) -> None:
        for name in ("Anna-Maria", "jo ann", "o_anders", "Banner", "Ä%n", "x"):
            await store.accounts.create(account(name), "hash")
        await store.accounts.create(account("anton", disabled=True), "hash")

        async def names(prefix: str, limit: int = 10) -> list[str]:
            return [name for _, name in await store.accounts.named(prefix, limit=limit)]

        assert await names("an") == ["ann", "Anna-Maria", "jo ann", "o_anders"]
        assert await names("an", limit=2) == ["ann", "Anna-Maria"]
        assert await names("mar") == ["Anna-Maria"]
        assert await names("%") == []
        assert await names("ä%") == ["Ä%n"]
        assert len(await names("")) == 8

    run(place, scenario)


def test_in_a_room_who_spoke_lately_is_found_first_and_who_may_not_see_it_never(place: Place) -> None:
    async def scenario(store: Store) -> None:
        team = await store.rooms.create("team", "Team", account_id="id-ann", now_ms=NOW, kind="private")
        added = Manage("added", "n", team.id, "id-ann", "ann", NOW, account_id="id-bob")
        assert isinstance((await store.submit(added))[0], Committed)
        await store.accounts.create(account("kim"), "hash")
        for name in ("kim", "bob"):
            await store.post(name, "hello")

        async def names(room_id: str) -> list[str]:
            return [name for _, name in await store.accounts.named("", room_id=room_id, limit=10)]

        assert await names(store.lobby.id) == ["bob", "kim", "ann"]
        assert await names(team.id) == ["ann", "bob"]  # a notice is no speech

    run(place, scenario)
