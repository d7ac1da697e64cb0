"""Changes of a room itself: stored with the notice that tells them, in the room's own order."""

import pytest

from chat_app.errors import ChatError, Forbidden, NotFound
from chat_app.models import Committed, Manage, Member, NoticeKind, RoomInfo

from .store import NOW, Place, Store, account, run


async def private_room(store: Store) -> RoomInfo:
    return await store.rooms.create("team", "Team", account_id="id-ann", now_ms=NOW, kind="private")


async def change(
    store: Store,
    room: RoomInfo,
    kind: NoticeKind,
    *,
    who: str | None = None,
    value: str = "",
    actor: str = "ann",
) -> Committed:
    number = (await store.rooms.all()).__len__() + room.seq
    return await store.store(
        Manage(
            kind,
            f"notice-{kind}-{who}-{value}-{number}",
            room.id,
            f"id-{actor}",
            actor,
            NOW,
            account_id=who and f"id-{who}",
            value=value,
        )
    )


def named(members: tuple[Member, ...] | list[Member]) -> list[tuple[str, bool]]:
    return [(member.name, member.manager) for member in members]


def test_who_makes_a_room_manages_it(place: Place) -> None:
    async def scenario(store: Store) -> None:
        private = await private_room(store)
        public = await store.rooms.create("open", "Open", account_id="id-bob", now_ms=NOW)
        members = await store.rooms.members()
        assert (private.kind, public.kind) == ("private", "public")
        assert named(members[private.id]) == [("ann", True)]
        assert named(members[public.id]) == [("bob", True)]
        assert store.lobby.id not in members

    run(place, scenario)


def test_every_change_of_a_room_takes_a_seq_and_leaves_a_notice(place: Place) -> None:
    async def scenario(store: Store) -> None:
        room = await private_room(store)
        done = [
            await change(store, room, "added", who="bob"),
            await change(store, room, "topic", value="Ships"),
            await change(store, room, "title", value="The crew"),
            await change(store, room, "posting", value="moderators"),
            await change(store, room, "manager", who="bob"),
            await change(store, room, "archived"),
        ]
        assert [one.seq for one in done] == [1, 2, 3, 4, 5, 6]
        assert done[-1].room == (await store.rooms.all())[-1]
        assert done[-1].room == RoomInfo(
            room.id, "team", "The crew", room.epoch, 6, NOW, "private", "Ships", True, "moderators"
        )
        assert named(done[-1].members) == [("ann", True), ("bob", True)]
        page = await store.history.changes(room.id, 0, limit=10)
        assert [(m.notice, m.text, m.author) for m in page.messages] == [
            ("added", "bob", "ann"),
            ("topic", "Ships", "ann"),
            ("title", "The crew", "ann"),
            ("posting", "moderators", "ann"),
            ("manager", "bob", "ann"),
            ("archived", "", "ann"),
        ]

    run(place, scenario)


@pytest.mark.parametrize(
    ("kind", "who", "value"),
    [
        ("added", "ann", ""),
        ("removed", "bob", ""),
        ("manager", "ann", ""),
        ("topic", None, ""),
        ("title", None, "Team"),
        ("posting", None, "everyone"),
        ("restored", None, ""),
    ],
)
def test_what_is_so_already_changes_nothing(
    place: Place, kind: NoticeKind, who: str | None, value: str
) -> None:
    async def scenario(store: Store) -> None:
        room = await private_room(store)
        with pytest.raises(ChatError) as refused:
            await change(store, room, kind, who=who, value=value)
        assert refused.value.code == "unchanged"
        assert [info.seq for info in await store.rooms.all()] == [0, 0]

    run(place, scenario)


def test_nobody_unknown_is_added_or_made_a_manager(place: Place) -> None:
    async def scenario(store: Store) -> None:
        room = await private_room(store)
        for kind in ("added", "manager"):
            with pytest.raises(NotFound):
                await change(store, room, kind, who="nobody")  # type: ignore[arg-type]

    run(place, scenario)


def test_a_room_is_never_without_a_manager(place: Place) -> None:
    async def scenario(store: Store) -> None:
        room = await private_room(store)
        await store.accounts.create(account("kim"), "hash")
        await change(store, room, "added", who="kim")
        await change(store, room, "added", who="bob")
        left = await change(store, room, "left", who="ann")
        assert named(left.members) == [("bob", True), ("kim", False)]  # of one moment: the first by name

    run(place, scenario)


def test_a_direct_room_is_one_for_the_same_people(place: Place) -> None:
    async def scenario(store: Store) -> None:
        first, members, made = await store.rooms.direct(["id-ann", "id-bob"], slug="dm-1", now_ms=NOW)
        again, same, made_again = await store.rooms.direct(
            ["id-bob", "id-ann", "id-bob"], slug="dm-2", now_ms=NOW
        )
        assert (made, made_again) == (True, False)
        assert (first.kind, first.slug, again) == ("direct", "dm-1", first)
        assert named(members) == named(same) == [("ann", False), ("bob", False)]
        with pytest.raises(NotFound):
            await store.rooms.direct(["id-ann", "id-nobody"], slug="dm-3", now_ms=NOW)

    run(place, scenario)


def test_nobody_begins_a_conversation_with_a_disabled_account(place: Place) -> None:
    async def scenario(store: Store) -> None:
        for name in ("kim", "lea"):
            await store.accounts.create(account(name), "hash")
        before, *_ = await store.rooms.direct(["id-ann", "id-kim"], slug="dm-1", now_ms=NOW)
        await store.accounts.set_disabled("id-kim", True)
        for others in (["id-bob", "id-kim"], ["id-ann", "id-lea", "id-kim"]):
            with pytest.raises(NotFound):
                await store.rooms.direct(others, slug="dm-2", now_ms=NOW)
        again, _, made = await store.rooms.direct(["id-ann", "id-kim"], slug="dm-2", now_ms=NOW)
        assert (again, made) == (before, False), "what they said can still be read"
        await store.accounts.set_disabled("id-kim", False)
        assert (await store.rooms.direct(["id-bob", "id-kim"], slug="dm-2", now_ms=NOW))[2]

    run(place, scenario)


def test_a_closed_room_is_counted_and_mentioned_for_its_members_only(place: Place) -> None:
    async def scenario(store: Store) -> None:
        room = await private_room(store)
        hidden = await store.store(store.post_of("ann", "@bob", room_id=room.id))
        assert hidden.mentioned == ()
        assert [entry.room_id for entry in await store.rooms.unread("id-bob")] == [store.lobby.id]
        await change(store, room, "added", who="bob")
        seen = await store.store(store.post_of("ann", "@bob again", room_id=room.id))
        assert seen.mentioned == ("id-bob",)
        unread = (await store.rooms.unread("id-bob"))[-1]
        assert (unread.room_id, unread.count, unread.mentions) == (
            room.id,
            2,
            1,
        )  # the notice is nobody's message
        edited = await store.edit(seen.message, "ann", "@bob and more")
        assert edited.mentioned == ("id-bob",)
        await change(store, room, "removed", who="bob")
        edited = await store.edit(edited.message, "ann", "@bob still")
        assert edited.mentioned == ()

    run(place, scenario)


def test_a_notice_is_changed_by_nobody(place: Place) -> None:
    async def scenario(store: Store) -> None:
        room = await private_room(store)
        notice = (await change(store, room, "topic", value="Ships")).message
        with pytest.raises(Forbidden):
            await store.edit(notice, "ann", "Boats")
        with pytest.raises(Forbidden):
            await store.delete(notice, "ann", may_moderate=True)

    run(place, scenario)
