"""What stands beside messages: replies, reactions, pins, calls, earlier texts. All of it is in the log."""

import pytest

from chat_app.backends.sql.marks import USERS_LIMIT
from chat_app.backends.sql.pins import PINS_LIMIT
from chat_app.backends.sql.reactions import EMOJI_LIMIT
from chat_app.errors import ChatError, Forbidden, NotFound
from chat_app.models import Amend, Committed, Manage, Message, Pin, React, Reaction, ReplyTo, Version

from .store import NOW, Place, Store, account, run

ANN, BOB = ("id-ann", "ann"), ("id-bob", "bob")


async def react(
    store: Store, message: Message, who: str, emoji: str, *, remove: bool = False, at_ms: int = NOW
) -> Committed:
    return await store.store(React(message.room_id, message.id, f"id-{who}", emoji, at_ms, remove=remove))


async def pin(store: Store, message: Message, *, pinned: bool = True, at_ms: int = NOW) -> Committed:
    return await store.store(Pin(message.room_id, message.id, at_ms, pinned=pinned))


async def now(store: Store, message: Message) -> Message:
    found = await store.history.get(message.room_id, message.id)
    assert found is not None
    return found


async def head(store: Store) -> int:
    return (await store.rooms.all())[0].seq


async def notice(store: Store) -> Message:
    return (
        await store.store(Manage("topic", "n", store.lobby.id, "id-ann", "ann", NOW, value="Ships"))
    ).message


# -- replies --------------------


def test_a_reply_names_the_message_it_answers_and_nothing_of_its_text(place: Place) -> None:
    async def scenario(store: Store) -> None:
        first = await store.post("ann", "a question")
        reply = await store.post("bob", "an answer", reply_to=first.id)
        assert reply.reply_to == ReplyTo(first.id, 1, *ANN)
        (page,) = [await store.history.latest(store.lobby.id, upto=2, limit=10)]
        assert page.messages == (first, reply)
        await store.accounts.rename("id-ann", "Anna", "anna")
        assert (await now(store, reply)).reply_to == ReplyTo(first.id, 1, "id-ann", "Anna")
        await store.delete(first, "ann")
        assert (await now(store, reply)).reply_to == ReplyTo(first.id, 1, "id-ann", "Anna")
        late = await store.post("bob", "to nobody", reply_to=first.id)  # it went while this was written
        assert late.reply_to == ReplyTo(first.id, 1, "id-ann", "Anna")
        assert (await store.delete(reply, "bob")).message.reply_to is None

    run(place, scenario)


def test_only_a_message_of_the_same_room_is_answered(place: Place) -> None:
    async def scenario(store: Store) -> None:
        other = await store.rooms.create("other", "Other", account_id="id-ann", now_ms=NOW)
        elsewhere = await store.post("ann", "elsewhere", room_id=other.id)
        refused, stored = await store.submit(
            store.post_of("bob", "hm?", reply_to=elsewhere.id), store.post_of("bob", "well")
        )
        assert isinstance(refused, NotFound)
        assert isinstance(stored, Committed) and stored.seq == 1  # the refused one took no seq
        with pytest.raises(NotFound):
            await store.post("bob", "hm?", reply_to="nothing")

    run(place, scenario)


def test_a_reply_sent_again_is_stored_once(place: Place) -> None:
    async def scenario(store: Store) -> None:
        first = await store.post("ann", "a question")
        once = await store.store(store.post_of("bob", "answer", nonce="n", reply_to=first.id))
        again = await store.store(store.post_of("bob", "answer", nonce="n", reply_to="nothing"))
        assert (again.duplicate, again.message.id) == (True, once.message.id)

    run(place, scenario)


# -- reactions --------------------


def test_reactions_are_counted_by_emoji_the_oldest_first(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message = await store.post("ann", "hello")
        await react(store, message, "bob", "🎉", at_ms=NOW)
        await react(store, message, "bob", "👍", at_ms=NOW + 1)
        done = await react(store, message, "ann", "🎉", at_ms=NOW + 2)
        assert (done.kind, done.seq, done.message.seq, done.message.rev) == ("reacted", 4, 1, 4)
        assert done.message.reactions == (Reaction("🎉", 2, (BOB, ANN)), Reaction("👍", 1, (BOB,)))
        page = await store.history.changes(store.lobby.id, 3, limit=10)
        assert (page.messages, page.seq) == ((done.message,), 4)
        await react(store, message, "bob", "🎉", remove=True)
        assert (await now(store, message)).reactions == (Reaction("👍", 1, (BOB,)), Reaction("🎉", 1, (ANN,)))

    run(place, scenario)


def test_the_same_reaction_again_and_the_end_of_none_change_nothing(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message = await store.post("ann", "hello")
        assert (await react(store, message, "bob", "🎉", remove=True)).duplicate
        assert not (await react(store, message, "bob", "🎉")).duplicate
        again = await react(store, message, "bob", "🎉")
        assert again.duplicate and again.message == await now(store, message)
        assert await head(store) == 2

    run(place, scenario)


def test_a_message_has_a_bounded_number_of_different_reactions(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message = await store.post("ann", "hello")
        emoji = [chr(0x1F400 + number) for number in range(EMOJI_LIMIT + 1)]
        for one in emoji[:-1]:
            await react(store, message, "bob", one)
        with pytest.raises(ChatError) as refused:
            await react(store, message, "ann", emoji[-1])
        assert refused.value.code == "too_large"
        assert (await react(store, message, "ann", emoji[0])).message.reactions[0].count == 2
        await react(store, message, "bob", emoji[1], remove=True)
        assert len((await react(store, message, "ann", emoji[-1])).message.reactions) == EMOJI_LIMIT
        assert await head(store) == EMOJI_LIMIT + 4

    run(place, scenario)


def test_of_many_who_react_the_first_are_named_and_the_others_counted(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message, quiet = await store.post("ann", "hello"), await store.post("ann", "nothing")
        names = [f"p{number:02}" for number in range(USERS_LIMIT + 5)]
        for number, name in enumerate(names):
            await store.accounts.create(account(name), "hash")
            await react(store, message, name, "🎉", at_ms=NOW + number)
        (reaction,) = (await now(store, message)).reactions
        assert reaction.count == len(names)
        assert [name for _, name in reaction.users] == names[:USERS_LIMIT]
        assert (await now(store, quiet)).reactions == ()

    run(place, scenario)


@pytest.mark.parametrize("kind", [React, Pin])
def test_what_is_not_there_or_was_written_by_nobody_is_not_marked(place: Place, kind: type) -> None:
    def change(room_id: str, message_id: str) -> React | Pin:
        if kind is Pin:
            return Pin(room_id, message_id, NOW)
        return React(room_id, message_id, "id-bob", "🎉", NOW)

    async def scenario(store: Store) -> None:
        other = await store.rooms.create("other", "Other", account_id="id-ann", now_ms=NOW)
        elsewhere = await store.post("ann", "elsewhere", room_id=other.id)
        deleted = await store.post("ann", "gone")
        await store.delete(deleted, "ann")
        for message_id in (elsewhere.id, deleted.id, "nothing"):
            with pytest.raises(NotFound):
                await store.store(change(store.lobby.id, message_id))
        with pytest.raises(Forbidden):
            await store.store(change(store.lobby.id, (await notice(store)).id))
        assert await head(store) == 3

    run(place, scenario)


def test_a_change_says_whose_reaction_it_was(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message = await store.post("ann", "hello")
        for remove in (False, True):
            done = await react(store, message, "bob", "🎉", remove=remove)
            assert done.reacted == React(message.room_id, message.id, "id-bob", "🎉", NOW, remove=remove)
        assert (await pin(store, message)).reacted is None

    run(place, scenario)


def test_the_store_knows_whose_reactions_are_beyond_those_named(place: Place) -> None:
    async def scenario(store: Store) -> None:
        message, other = await store.post("ann", "hello"), await store.post("ann", "again")
        for number in range(USERS_LIMIT):
            await store.accounts.create(account(f"p{number}"), "hash")
            await react(store, message, f"p{number}", "🎉", at_ms=NOW + number)
        await react(store, message, "bob", "🎉", at_ms=NOW + 100)
        await react(store, message, "bob", "👍")
        await react(store, other, "bob", "👀")
        await react(store, other, "bob", "👍")
        await react(store, other, "bob", "👍", remove=True)
        (reaction, _) = (await now(store, message)).reactions
        assert reaction.count == USERS_LIMIT + 1 and BOB not in reaction.users
        both = [message.id, other.id]
        assert await store.history.reacted("id-bob", both) == {
            (message.id, "🎉"),
            (message.id, "👍"),
            (other.id, "👀"),
        }
        assert await store.history.reacted("id-bob", [other.id]) == {(other.id, "👀")}
        assert await store.history.reacted("id-ann", both) == set()
        assert await store.history.reacted("id-bob", []) == set()

    run(place, scenario)


# -- pins --------------------


def test_a_pin_is_a_change_and_ends_with_another(place: Place) -> None:
    async def scenario(store: Store) -> None:
        first, second = await store.post("ann", "one"), await store.post("ann", "two")
        done = await pin(store, first, at_ms=NOW + 1)
        assert (done.kind, done.seq, done.message.pinned_ms, done.message.rev) == ("pinned", 3, NOW + 1, 3)
        assert (await pin(store, first, at_ms=NOW + 9)).duplicate
        await pin(store, second, at_ms=NOW + 2)
        assert [m.id for m in await store.history.pinned(store.lobby.id)] == [second.id, first.id]
        ended = await pin(store, first, pinned=False)
        assert (ended.seq, ended.message.pinned_ms) == (5, None)
        assert (await pin(store, first, pinned=False)).duplicate
        assert [m.id for m in await store.history.pinned(store.lobby.id)] == [second.id]

    run(place, scenario)


def test_a_room_has_a_bounded_number_of_pins(place: Place) -> None:
    async def scenario(store: Store) -> None:
        posts = [store.post_of("ann", str(number)) for number in range(PINS_LIMIT + 1)]
        messages = [done.message for done in await store.submit(*posts) if isinstance(done, Committed)]
        await store.submit(*(Pin(store.lobby.id, message.id, NOW) for message in messages[:-1]))
        with pytest.raises(ChatError) as refused:
            await pin(store, messages[-1])
        assert refused.value.code == "too_large"
        await pin(store, messages[0], pinned=False)
        await pin(store, messages[-1])
        assert len(await store.history.pinned(store.lobby.id)) == PINS_LIMIT

    run(place, scenario)


# -- mentions --------------------


def test_a_message_says_whom_it_names(place: Place) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.create(account("kim"), "hash")
        message = await store.post("ann", "@kim and @bob and @nobody and @ann")
        assert message.mentions == ("id-bob", "id-kim")
        assert await now(store, message) == message
        edited = await store.edit(message, "ann", "@kim only")
        assert edited.message.mentions == ("id-kim",)

    run(place, scenario)


def test_a_call_counts_as_a_mention_for_who_is_present_but_names_nobody(place: Place) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.create(account("kim"), "hash")
        present = ("id-ann", "id-bob", "id-kim")
        done = await store.store(store.post_of("ann", "@here and @kim", present=present))
        assert (done.message.here, done.message.mentions) == (True, ("id-kim",))
        assert set(done.mentioned) == {"id-bob", "id-kim"}
        assert await now(store, done.message) == done.message
        assert (await store.rooms.unread("id-bob"))[0].mentions == 1
        assert (await store.rooms.unread("id-kim"))[0].mentions == 1

    run(place, scenario)


def test_an_edit_keeps_whom_a_call_called_and_a_new_one_calls_who_is_present(place: Place) -> None:
    async def scenario(store: Store) -> None:
        async def edit(message: Message, text: str, present: tuple[str, ...] | None) -> Message:
            change = Amend(
                "edited", message.room_id, message.id, "id-ann", False, NOW, text=text, present=present
            )
            return (await store.store(change)).message

        await store.accounts.create(account("kim"), "hash")
        message = await store.post("ann", "@here", present=("id-bob",))
        message = await edit(message, "@here again", ("id-kim",))
        assert message.here
        assert [(await store.rooms.unread(key))[0].mentions for key in ("id-bob", "id-kim")] == [1, 0]
        message = await edit(message, "nobody", None)
        assert not message.here
        assert (await store.rooms.unread("id-bob"))[0].mentions == 0
        await edit(message, "@here", ("id-kim",))
        assert (await store.rooms.unread("id-kim"))[0].mentions == 1

    run(place, scenario)


# -- what a deletion takes along --------------------


def test_a_deleted_message_keeps_nothing_beside_it(place: Place) -> None:
    async def scenario(store: Store) -> None:
        first = await store.post("ann", "first")
        message = await store.post("ann", "@bob @here", present=("id-bob",), reply_to=first.id)
        await react(store, message, "bob", "🎉")
        await pin(store, message)
        await store.store(
            Amend("edited", message.room_id, message.id, "id-ann", False, NOW, text="@bob", keep_version=True)
        )
        gone = (await store.delete(message, "ann")).message
        assert gone == await now(store, message)
        assert (gone.text, gone.reactions, gone.pinned_ms, gone.mentions, gone.here, gone.reply_to) == (
            "", (), None, (), False, None,
        )  # fmt: skip
        assert await store.history.versions(message.id) == []
        assert await store.history.pinned(store.lobby.id) == []
        assert (await store.rooms.unread("id-bob"))[0].mentions == 0

    run(place, scenario)


# -- earlier texts --------------------


def test_earlier_texts_are_kept_only_where_it_is_asked_for(place: Place) -> None:
    async def scenario(store: Store) -> None:
        async def edit(text: str, *, keep: bool, at_ms: int) -> None:
            change = Amend(
                "edited", message.room_id, message.id, "id-ann", False, at_ms, text=text, keep_version=keep
            )
            await store.store(change)

        message = await store.post("ann", "one")
        await edit("two", keep=False, at_ms=NOW + 1)
        assert await store.history.versions(message.id) == []
        await edit("three", keep=True, at_ms=NOW + 2)
        await react(store, message, "bob", "🎉")
        await edit("three", keep=True, at_ms=NOW + 3)  # nothing new was said
        await edit("four", keep=True, at_ms=NOW + 4)
        assert await store.history.versions(message.id) == [
            Version("two", NOW + 1),
            Version("three", NOW + 3),
        ]
        await store.history.forget_versions()
        assert await store.history.versions(message.id) == []

    run(place, scenario)
