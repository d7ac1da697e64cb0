"""`ports.Accounts`: names are unique, the last owner stays, and what is for once is used once."""

import asyncio

import pytest

from chat_app.errors import ChatError, NotFound
from chat_app.models import JoinLink, Role, Session

from .store import DAY, NOW, Place, Store, account, run


def session(name: str, number: int, *, created_ms: int = NOW) -> Session:
    return Session(
        id=f"session-{number}",
        account_id=f"id-{name}",
        created_ms=created_ms,
        confirmed_ms=created_ms,
        last_seen_ms=created_ms,
        expires_ms=created_ms + DAY,
        address="192.0.2.1",
        agent="a browser",
    )


def link(
    code: str, *, uses_left: int | None = 1, expires_ms: int | None = None, created_ms: int = NOW
) -> JoinLink:
    return JoinLink(code, "moderator", uses_left, expires_ms, False, "id-ann", created_ms)


def test_an_account_is_found_by_name_and_by_id(place: Place) -> None:
    async def scenario(store: Store) -> None:
        stored = await store.accounts.create(account("Zoe", "admin", disabled=True), "a hash")
        assert await store.accounts.by_name("zoe") == (stored, "a hash")
        assert await store.accounts.by_id("id-Zoe") == (stored, "a hash")
        assert await store.accounts.by_name("Zoe") is None
        assert [found.name for found in await store.accounts.all()] == ["ann", "bob", "Zoe"]

    run(place, scenario)


def test_a_name_is_taken_once(place: Place) -> None:
    async def scenario(store: Store) -> None:
        twice = [store.accounts.create(account("zoe"), "hash") for _ in range(5)]
        results = await asyncio.gather(*twice, return_exceptions=True)
        refused = [result for result in results if isinstance(result, ChatError)]
        assert [error.code for error in refused] == ["taken"] * 4

    run(place, scenario)


def test_the_first_owner_is_made_once_by_the_newest_token(place: Place) -> None:
    async def scenario(store: Store) -> None:
        accounts = store.accounts

        async def create(name: str, token: str, now_ms: int = NOW) -> bool:
            return await accounts.create_owner(account(name), "hash", token_hash=token, now_ms=now_ms)

        await accounts.put_token("old", "setup", account_id=None, expires_ms=NOW + 10)
        await accounts.put_token("new", "setup", account_id=None, expires_ms=NOW + 10)
        assert not await create("zoe", "wrong")
        assert not await create("zoe", "old")
        assert not await create("zoe", "new", NOW + 10)
        with pytest.raises(ChatError):
            await create("ann", "new")  # taken: the token stays good
        assert not await accounts.has_owner()
        results = await asyncio.gather(*(create(f"zoe{number}", "new") for number in range(5)))
        assert results.count(True) == 1
        assert await accounts.has_owner()
        await accounts.put_token("newest", "setup", account_id=None, expires_ms=NOW + 10)
        assert not await create("max", "newest")
        assert [found.role for found in await accounts.all()].count("owner") == 1

    run(place, scenario)


def test_the_last_enabled_owner_stays(place: Place) -> None:
    async def scenario(store: Store) -> None:
        accounts = store.accounts
        await accounts.create(account("one", "owner"), "hash")
        await accounts.create(account("two", "owner", disabled=True), "hash")
        assert not await accounts.set_role("id-one", "admin")
        assert not await accounts.set_disabled("id-one", True)
        assert await accounts.set_role("id-one", "owner")
        assert await accounts.set_disabled("id-two", False)
        moves = [accounts.set_role("id-one", "member"), accounts.set_disabled("id-two", True)]
        assert (await asyncio.gather(*moves)).count(True) == 1  # together they would leave none
        assert await accounts.set_role("id-ann", "admin")
        assert await accounts.set_disabled("id-bob", True)
        for unknown in (accounts.set_role("id-x", "admin"), accounts.set_disabled("id-x", True)):
            with pytest.raises(NotFound):
                await unknown

    run(place, scenario)


def test_a_new_password_replaces_the_hash(place: Place) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.set_password("id-ann", "new hash")
        found = await store.accounts.by_id("id-ann")
        assert found is not None and found[1] == "new hash"
        with pytest.raises(NotFound):
            await store.accounts.set_password("id-x", "hash")

    run(place, scenario)


def test_a_new_name_is_taken_once_and_is_that_of_every_message(place: Place) -> None:
    async def scenario(store: Store) -> None:
        accounts = store.accounts
        message = await store.post("ann", "hello")
        await accounts.rename("id-ann", "Anna", "anna")
        assert [found.name for found in await accounts.all()] == ["Anna", "bob"]
        assert await accounts.by_name("ann") is None
        stored = await store.history.get(store.lobby.id, message.id)
        assert stored is not None and stored.author == "Anna"
        await accounts.rename("id-ann", "ANNA", "anna")  # one's own name is not taken
        for taken in ("bob", "anna"):
            with pytest.raises(ChatError) as refusal:
                await accounts.rename("id-bob" if taken == "anna" else "id-ann", taken, taken)
            assert refusal.value.code == "taken"
        renamed = [accounts.rename(f"id-{name}", "Zoe", "zoe") for name in ("ann", "bob")]
        results = await asyncio.gather(*renamed, return_exceptions=True)
        assert sum(isinstance(result, ChatError) for result in results) == 1
        with pytest.raises(NotFound):
            await accounts.rename("id-x", "x", "x")

    run(place, scenario)


def test_a_language_is_chosen_and_given_up(place: Place) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.open_session(session("ann", 1), "token")
        for language in ("de", None):
            await store.accounts.set_language("id-ann", language)
            found = await store.accounts.session("token")
            assert found is not None and found[1].language == language
        with pytest.raises(NotFound):
            await store.accounts.set_language("id-nobody", "de")

    run(place, scenario)


def test_a_session_comes_with_its_account(place: Place) -> None:
    async def scenario(store: Store) -> None:
        accounts = store.accounts
        opened = session("ann", 1)
        await accounts.open_session(opened, "digest")
        assert await accounts.session("digest") == (opened, account("ann"))
        assert await accounts.session("other") is None
        await accounts.touch_sessions({"session-1": NOW + 5, "gone": NOW})
        await accounts.touch_sessions({"session-1": NOW + 3})
        await accounts.touch_sessions({})
        await accounts.confirm_session("session-1", now_ms=NOW + 7)
        (found,) = await accounts.sessions("id-ann")
        assert (found.last_seen_ms, found.confirmed_ms) == (NOW + 5, NOW + 7)

    run(place, scenario)


def test_the_living_ones_of_many_sessions_come_with_their_accounts_as_they_are(place: Place) -> None:
    async def scenario(store: Store) -> None:
        accounts = store.accounts
        for name, number in (("ann", 1), ("ann", 2), ("bob", 3)):
            await accounts.open_session(session(name, number), f"digest-{number}")
        await accounts.end_sessions("id-ann", only="session-1")
        await accounts.set_disabled("id-bob", True)
        asked = [f"session-{number}" for number in range(2_000)]  # more than go into one statement
        assert await accounts.living(asked) == {
            "session-2": account("ann"),
            "session-3": account("bob", disabled=True),
        }
        assert await accounts.living([]) == {}

    run(place, scenario)


def test_sessions_end_one_all_or_all_others(place: Place) -> None:
    async def scenario(store: Store) -> None:
        accounts = store.accounts
        for number in range(1, 5):
            await accounts.open_session(session("ann", number, created_ms=NOW + number), f"digest-{number}")
        await accounts.open_session(session("bob", 9), "digest-9")
        newest_first = [found.id for found in await accounts.sessions("id-ann")]
        assert newest_first == ["session-4", "session-3", "session-2", "session-1"]
        assert await accounts.end_sessions("id-ann", only="session-9") == []
        assert await accounts.end_sessions("id-ann", only="session-1") == ["session-1"]
        assert sorted(await accounts.end_sessions("id-ann", but="session-3")) == ["session-2", "session-4"]
        assert await accounts.end_sessions("id-ann") == ["session-3"]
        assert await accounts.session("digest-3") is None
        assert await accounts.session("digest-9") is not None

    run(place, scenario)


def test_sessions_past_their_end_go_with_the_next_sign_in(place: Place) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.open_session(session("ann", 1), "digest-1")
        await store.accounts.open_session(session("ann", 2, created_ms=NOW + DAY), "digest-2")
        assert [found.id for found in await store.accounts.sessions("id-ann")] == ["session-2"]

    run(place, scenario)


def test_living_sessions_and_some_accounts_are_found_together_however_many(place: Place) -> None:
    async def scenario(store: Store) -> None:
        accounts = store.accounts
        for number, name in enumerate(("ann", "ann", "bob")):
            await accounts.open_session(session(name, number), f"hash {number}")
        await accounts.set_disabled("id-bob", True)
        await accounts.end_sessions("id-ann", only="session-1")
        asked = [f"session-{number}" for number in range(1_200)]
        living = await accounts.living(asked)
        assert {key: (found.name, found.disabled) for key, found in living.items()} == {
            "session-0": ("ann", False),
            "session-2": ("bob", True),
        }
        some = await accounts.some(["id-bob", *(f"id-{number}" for number in range(1_200)), "id-ann"])
        assert sorted(some, key=lambda one: one.name) == [living["session-0"], living["session-2"]]
        assert await accounts.living([]) == {} and await accounts.some([]) == []

    run(place, scenario)


def test_a_replaced_token_is_known_until_it_is_forgotten_or_the_session_ends(place: Place) -> None:
    async def scenario(store: Store) -> None:
        accounts = store.accounts
        await accounts.open_session(session("ann", 1), "first")
        assert not await accounts.renew_session("session-1", "wrong", "second", now_ms=NOW)
        assert await accounts.replaced_session("wrong") is await accounts.replaced_session("first") is None
        assert await accounts.renew_session("session-1", "first", "second", now_ms=NOW + 5)
        assert not await accounts.renew_session("session-1", "first", "third", now_ms=NOW + 6)
        found = await accounts.session("second")
        assert found is not None and await accounts.session("first") is None
        assert await accounts.replaced_session("first") == (*found, NOW + 5)
        assert await accounts.replaced_session("second") is None
        await accounts.forget_replaced(["nobody's", "first"])
        assert await accounts.replaced_session("first") is None
        assert await accounts.session("second") == found
        assert await accounts.renew_session("session-1", "second", "third", now_ms=NOW + 7)
        await accounts.end_sessions("id-ann")
        assert await accounts.replaced_session("second") is await accounts.session("third") is None

    run(place, scenario)


def test_a_one_time_token_is_good_once(place: Place) -> None:
    async def scenario(store: Store) -> None:
        accounts = store.accounts
        await accounts.put_token("digest", "link", account_id="id-ann", expires_ms=NOW + 10)
        assert await accounts.peek_token("digest", "link", now_ms=NOW) == (True, "id-ann")
        assert await accounts.peek_token("digest", "setup", now_ms=NOW) == (False, None)
        assert await accounts.peek_token("digest", "link", now_ms=NOW + 10) == (False, None)
        taken = [accounts.take_token("digest", "link", now_ms=NOW) for _ in range(5)]
        assert sorted(await asyncio.gather(*taken), key=str) == [(False, None)] * 4 + [(True, "id-ann")]
        assert await accounts.peek_token("digest", "link", now_ms=NOW) == (False, None)
        await accounts.put_token("kept", "link", account_id="id-bob", expires_ms=NOW + 10)
        await accounts.put_token("setup", "setup", account_id=None, expires_ms=NOW + 10)
        assert await accounts.peek_token("kept", "link", now_ms=NOW) == (True, "id-bob")

    run(place, scenario)


def test_one_use_is_used_once_by_fifty_at_once(place: Place) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.create_join_link(link("code"))
        joined = await asyncio.gather(
            *(
                store.accounts.create_by_link(account(f"new{number}"), "hash", code="code", now_ms=NOW)
                for number in range(50)
            )
        )
        assert [found.role for found in joined if found is not None] == ["moderator"]
        assert len(await store.accounts.all()) == 3
        found = await store.accounts.join_link("code")
        assert found is not None and found.uses_left == 0

    run(place, scenario)


def test_a_taken_name_uses_nothing_up(place: Place) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.create_join_link(link("code"))
        with pytest.raises(ChatError, match="taken"):
            await store.accounts.create_by_link(account("bob"), "hash", code="code", now_ms=NOW)
        assert await store.accounts.create_by_link(account("zoe"), "hash", code="code", now_ms=NOW)

    run(place, scenario)


@pytest.mark.parametrize(
    ("given", "revoked"),
    [(link("code", uses_left=0), False), (link("code", expires_ms=NOW), False), (link("code"), True),
     (link("another"), False)],
)  # fmt: skip
def test_a_link_that_is_not_good_makes_no_account(place: Place, given: JoinLink, revoked: bool) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.create_join_link(given)
        assert await store.accounts.revoke_join_link("code" if revoked else "no-code") is revoked
        assert await store.accounts.create_by_link(account("zoe"), "hash", code="code", now_ms=NOW) is None
        assert await store.accounts.by_name("zoe") is None

    run(place, scenario)


def test_join_links_are_listed_newest_first_with_the_name_of_who_made_them(place: Place) -> None:
    async def scenario(store: Store) -> None:
        accounts = store.accounts
        await accounts.create_join_link(link("old", uses_left=None))
        await accounts.create_join_link(link("new", expires_ms=NOW + 1, created_ms=NOW + 1))
        assert [(found.code, found.created_by) for found in await accounts.join_links()] == [
            ("new", "ann"),
            ("old", "ann"),
        ]
        role: Role = "moderator"
        for name in ("x", "y"):  # any number of uses
            created = await accounts.create_by_link(account(name), "hash", code="old", now_ms=NOW)
            assert created is not None and created.role == role
        assert await accounts.join_link("no-code") is None

    run(place, scenario)
