"""`ports.Rooms`: the rooms, and how far each account has read them."""

import pytest

from chat_app.errors import ChatError
from chat_app.models import Manage, RoomSurvey, Unread

from .store import NOW, Place, Store, run


def test_a_new_database_has_the_lobby_and_keeps_it(place: Place) -> None:
    epochs: set[str] = set()

    async def scenario(store: Store) -> None:
        (lobby,) = await store.rooms.all()
        assert (lobby.slug, lobby.title, lobby.seq) == ("lobby", "Lobby", 0)
        epochs.add(lobby.epoch)

    run(place, scenario)
    run(place, scenario)
    assert len(epochs) == 1


def test_a_slug_is_taken_in_any_case(place: Place) -> None:
    async def scenario(store: Store) -> None:
        room = await store.rooms.create("Team", "The team", account_id="id-ann", now_ms=NOW)
        assert (room.slug, room.title, room.seq) == ("Team", "The team", 0)
        assert room.epoch != store.lobby.epoch
        with pytest.raises(ChatError) as refused:
            await store.rooms.create("tEAM", "Another", account_id="id-ann", now_ms=NOW)
        assert refused.value.code == "taken"
        assert {found.slug for found in await store.rooms.all()} == {"lobby", "Team"}

    run(place, scenario)


def test_rooms_are_surveyed_with_who_made_them_and_what_is_in_them(place: Place) -> None:
    async def scenario(store: Store) -> None:
        team = await store.rooms.create("Team", "The team", account_id="id-ann", now_ms=NOW)
        message = await store.post("ann", "one")
        await store.post("bob", "two")
        await store.edit(message, "ann", "one again")
        surveys = {found.info.slug: found for found in await store.rooms.survey()}
        assert surveys["Team"] == RoomSurvey(team, 0, "ann")
        lobby = surveys["lobby"]
        assert (lobby.info.seq, lobby.messages, lobby.created_by) == (3, 2, None)

    run(place, scenario)


def test_unread_counts_what_others_wrote_after_the_mark(place: Place) -> None:
    async def scenario(store: Store) -> None:
        room = store.lobby.id
        await store.post("ann", "one @bob")
        await store.post("bob", "mine @ann")
        deleted = await store.post("ann", "two @bob")
        await store.post("ann", "three @bob")
        await store.delete(deleted, "ann")
        assert await store.rooms.unread("id-bob") == [Unread(room, 0, 2, 2, head=5)]
        await store.rooms.mark_read({("id-bob", room): 1})
        assert await store.rooms.unread("id-bob") == [Unread(room, 1, 1, 1, head=5)]
        await store.rooms.mark_read({("id-bob", room): 5})
        assert await store.rooms.unread("id-bob") == [Unread(room, 5, 0, 0, head=5)]
        assert await store.rooms.unread("id-ann") == [Unread(room, 0, 1, 1, head=5)]

    run(place, scenario)


def test_each_room_has_its_own_entry(place: Place) -> None:
    async def scenario(store: Store) -> None:
        other = await store.rooms.create("other", "Other", account_id="id-ann", now_ms=NOW)
        await store.post("ann", "here @bob")
        await store.post("ann", "there", room_id=other.id)
        await store.rooms.mark_read({("id-bob", store.lobby.id): 1})
        found = {entry.room_id: entry for entry in await store.rooms.unread("id-bob")}
        assert found == {
            store.lobby.id: Unread(store.lobby.id, 1, 0, 0, head=1),
            other.id: Unread(other.id, 0, 1, 0, head=1),
        }

    run(place, scenario)


def test_unread_stops_counting_at_a_thousand(place: Place) -> None:
    async def scenario(store: Store) -> None:
        await store.submit(*(store.post_of("ann", "@bob") for _ in range(1001)))
        assert await store.rooms.unread("id-bob") == [Unread(store.lobby.id, 0, 1000, 1000, head=1001)]

    run(place, scenario)


def test_a_read_position_never_moves_back(place: Place) -> None:
    async def scenario(store: Store) -> None:
        room = store.lobby.id
        await store.rooms.mark_read({("id-bob", room): 3, ("id-ann", room): 1})
        await store.rooms.mark_read({("id-bob", room): 2, ("id-ann", room): 4})
        await store.rooms.mark_read({})
        assert [entry.read_seq for entry in await store.rooms.unread("id-bob")] == [3]
        assert [entry.read_seq for entry in await store.rooms.unread("id-ann")] == [4]

    run(place, scenario)


def test_what_somebody_wants_to_be_notified_of_is_kept_by_room_and_account(place: Place) -> None:
    async def scenario(store: Store) -> None:
        ops = await store.rooms.create("ops", "Ops", account_id="id-ann", now_ms=NOW)
        assert await store.rooms.notifies() == {}
        await store.rooms.set_notify("id-ann", ops.id, "all")
        await store.rooms.set_notify("id-bob", ops.id, "mentions")
        await store.rooms.set_notify("id-ann", store.lobby.id, "nothing")
        await store.rooms.set_notify("id-ann", ops.id, "nothing")
        assert await store.rooms.notifies() == {
            ops.id: {"id-ann": "nothing", "id-bob": "mentions"},
            store.lobby.id: {"id-ann": "nothing"},
        }

    run(place, scenario)


def test_heads_are_told_of_all_rooms_at_once(place: Place) -> None:
    async def scenario(store: Store) -> None:
        ops = await store.rooms.create("ops", "Ops", account_id="id-ann", now_ms=NOW, kind="private")
        message = await store.post("ann", "one")
        await store.edit(message, "ann", "two")
        await store.post("ann", "one", room_id=ops.id)
        assert await store.rooms.heads() == {store.lobby.id: 2, ops.id: 1}

    run(place, scenario)


def test_one_room_is_told_with_its_members_and_what_they_chose(place: Place) -> None:
    async def scenario(store: Store) -> None:
        ops = await store.rooms.create("ops", "Ops", account_id="id-ann", now_ms=NOW, kind="private")
        added = Manage("added", "n", ops.id, "id-ann", "ann", NOW, account_id="id-bob")
        changed = (await store.store(added)).room
        await store.rooms.set_notify("id-bob", ops.id, "nothing")
        await store.rooms.set_notify("id-bob", store.lobby.id, "all")
        found = await store.rooms.one(room_id=ops.id)
        assert found is not None and found == await store.rooms.one(slug="ops")
        assert (found.info, found.notifies) == (changed, {"id-bob": "nothing"})
        assert [(member.name, member.manager) for member in found.members] == [("ann", True), ("bob", False)]
        for nothing in ({"room_id": "no-room"}, {"slug": "no-room"}):
            assert await store.rooms.one(**nothing) is None

    run(place, scenario)
