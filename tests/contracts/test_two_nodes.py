"""Two nodes on one PostgreSQL database: one order, one row for a nonce, one owner left, one direct room."""

import asyncio

import asyncpg

from chat_app.errors import ChatError
from chat_app.models import Change, Committed, Manage, React, Unread

from .store import NOW, Place, Store, account, run_two

POSTS = 150


async def read_along(store: Store, looked: asyncio.Event, done: asyncio.Event) -> None:
    """Nobody ever sees a hole; `looked` is set by each look."""
    since = 0
    while True:
        last = done.is_set()
        page = await store.history.changes(store.lobby.id, since, limit=1000)
        assert [message.seq for message in page.messages] == list(range(since + 1, page.seq + 1))
        since = page.seq
        looked.set()
        if last:
            return


def test_two_writers_in_one_room_take_turns_and_readers_see_no_hole(shared: Place) -> None:
    async def scenario(first: Store, second: Store) -> None:
        looked, done, together = asyncio.Event(), asyncio.Event(), asyncio.Barrier(2)
        looking = asyncio.create_task(read_along(first, looked, done))

        async def write(store: Store) -> list[int]:
            seqs: list[int] = []
            for number in range(POSTS // 3):  # of three that wait together
                if number % 5 == 0:  # neither is done before the other has begun, nor before somebody looked
                    looked.clear()
                    await together.wait()
                    await looked.wait()
                names = [
                    store.post_of("ann", str(number), nonce=f"{id(store)}-{number}-{n}") for n in range(3)
                ]
                results = await store.submit(*names)
                seqs += [result.seq for result in results if isinstance(result, Committed)]
            return seqs

        one, two = await asyncio.gather(write(first), write(second))
        done.set()
        await looking
        assert sorted(one + two) == list(range(1, 2 * POSTS + 1))
        assert one == sorted(one) and two == sorted(two)
        assert min(max(one), max(two)) > POSTS, "they wrote at the same time"

    run_two(shared, scenario)


def test_one_nonce_on_both_at_once_is_one_row(shared: Place) -> None:
    async def scenario(first: Store, second: Store) -> None:
        for number in range(20):
            posts = [store.post_of("ann", "one", nonce=f"n{number}") for store in (first, second)]
            one, two = await asyncio.gather(first.store(posts[0]), second.store(posts[1]))
            assert one.seq == two.seq == number + 1
            assert one.message.id == two.message.id
            assert sorted((one.duplicate, two.duplicate)) == [False, True]
        page = await first.history.changes(first.lobby.id, 0, limit=100)
        assert [message.seq for message in page.messages] == list(range(1, 21))

    run_two(shared, scenario)


def test_changes_of_all_kinds_on_both_take_every_seq_once(shared: Place) -> None:
    async def scenario(first: Store, second: Store) -> None:
        message = await first.post("ann", "hello")
        room = first.lobby.id

        def changes(store: Store, who: str) -> list[Change]:
            return [
                React(room, message.id, f"id-{who}", "🎉", NOW),
                store.post_of(who, "more"),
                Manage("topic", f"topic-{who}", room, f"id-{who}", who, NOW, value=who),
                React(room, message.id, f"id-{who}", "🎉", NOW, remove=True),
                Manage("title", f"title-{who}", room, f"id-{who}", who, NOW, value=who),
            ]

        results = await asyncio.gather(
            first.submit(*changes(first, "ann")), second.submit(*changes(second, "bob"))
        )
        seqs = [result.seq for of_node in results for result in of_node if isinstance(result, Committed)]
        assert sorted(seqs) == list(range(2, 12))
        state = await second.rooms.one(room_id=room)
        assert state is not None and (state.info.seq, await first.rooms.heads()) == (11, {room: 11})
        last = {"id-ann": "ann", "id-bob": "bob"}
        topics = [
            m for m in (await first.history.latest(room, upto=11, limit=99)).messages if m.notice == "topic"
        ]
        assert state.info.topic == last[topics[-1].account_id]

    run_two(shared, scenario)


def test_rooms_go_on_while_another_room_is_held(shared: Place) -> None:
    async def scenario(first: Store, second: Store) -> None:
        other = await first.rooms.create("other", "Other", account_id="id-ann", now_ms=NOW)
        holder = await asyncpg.connect(shared.postgresql)
        async with holder.transaction():
            await holder.execute("SELECT FROM rooms WHERE id = $1 FOR UPDATE", first.lobby.id)
            waiting = asyncio.create_task(first.post("ann", "waits"))
            for store in (first, second):
                await store.post("ann", "goes on", room_id=other.id)
            assert not waiting.done()
        assert (await waiting).seq == 1
        await holder.close()

    run_two(shared, scenario)


def test_two_owners_cannot_each_be_the_last_to_go(shared: Place) -> None:
    async def scenario(first: Store, second: Store) -> None:
        for number in range(10):
            one, two = f"one{number}", f"two{number}"
            for name in (one, two):
                await first.accounts.create(account(name, "owner"), "hash")
            if number:
                await first.accounts.set_role(f"id-one{number - 1}", "member")
                await first.accounts.set_role(f"id-two{number - 1}", "member")
            moves = (
                first.accounts.set_role(f"id-{one}", "member"),
                second.accounts.set_disabled(f"id-{two}", True),
            )
            assert sorted(await asyncio.gather(*moves)) == [False, True]
            await first.accounts.set_disabled(f"id-{two}", False)

    run_two(shared, scenario)


def test_the_first_owner_is_made_once_on_two_nodes(shared: Place) -> None:
    async def scenario(first: Store, second: Store) -> None:
        tokens = [(first, "a"), (second, "b")] * 5
        await asyncio.gather(
            *(
                store.accounts.put_token(token, "setup", account_id=None, expires_ms=NOW + 10)
                for store, token in tokens
            )
        )
        good = [(await first.accounts.peek_token(token, "setup", now_ms=NOW))[0] for token in ("a", "b")]
        assert sorted(good) == [False, True]
        made = await asyncio.gather(
            *(
                store.accounts.create_owner(account(f"zoe{number}"), "hash", token_hash=token, now_ms=NOW)
                for number, (store, token) in enumerate(tokens)
            )
        )
        assert made.count(True) == 1

    run_two(shared, scenario)


def test_what_both_store_of_the_same_thing_is_there_once(shared: Place) -> None:
    async def scenario(first: Store, second: Store) -> None:
        both, lobby = (first, second), first.lobby.id
        direct = await asyncio.gather(
            *(
                store.rooms.direct(["id-ann", "id-bob"], slug=f"dm-{n}", now_ms=NOW)
                for n, store in enumerate(both)
            )
        )
        assert len({info.id for info, _, _ in direct}) == 1
        assert sorted(made for _, _, made in direct) == [False, True]
        named = await asyncio.gather(
            *(store.rooms.create("ops", "Ops", account_id="id-ann", now_ms=NOW) for store in both),
            return_exceptions=True,
        )
        assert sorted(getattr(result, "code", "made") for result in named) == ["made", "taken"]
        accounts = await asyncio.gather(
            *(store.accounts.create(account("zoe"), "hash") for store in both), return_exceptions=True
        )
        assert [error.code for error in accounts if isinstance(error, ChatError)] == ["taken"]
        await asyncio.gather(*(store.rooms.set_notify("id-ann", lobby, "all") for store in both))
        assert await first.rooms.notifies() == {lobby: {"id-ann": "all"}}
        marks = [{("id-ann", lobby): n, ("id-bob", lobby): 9 - n} for n in range(10)]
        await asyncio.gather(*(store.rooms.mark_read(mark) for store in both for mark in marks))
        for name in ("ann", "bob"):
            unread = [entry for entry in await first.rooms.unread(f"id-{name}") if entry.room_id == lobby]
            assert unread == [Unread(lobby, 9, 0, 0, head=0)]

    run_two(shared, scenario)
