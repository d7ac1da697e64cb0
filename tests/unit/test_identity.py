"""Who somebody is, over real SQLite with cheap hashes and clocks in hand."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from chat_app.backends.sql.database import SqlDatabase, open_database
from chat_app.core import sessions
from chat_app.core.administration import Administration
from chat_app.core.identity import Identity
from chat_app.core.sessions import ABSOLUTE_MS, DAY_MS, IDLE_MS, digest
from chat_app.errors import Busy, ChatError, Forbidden, NotFound, RateLimited
from chat_app.models import Account, Session

HERE: dict[str, str] = {"address": "10.0.0.1", "agent": "Test"}
PASSWORD = "correct horse battery"


class CheapHashes:
    """Hashes in no time; `before` runs before each answer, to let something happen meanwhile."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.before: Callable[[], Awaitable[None]] | None = None

    async def hash(self, password: str) -> str:
        return f"{len(self.asked)}:{password}"

    async def verify(self, password_hash: str | None, password: str) -> bool:
        self.asked.append(password_hash)
        right = password_hash is not None and password_hash.partition(":")[2] == password
        if self.before is not None:
            step, self.before = self.before, None
            await step()
        return right


class World:
    """Identity with everything it needs, and what it told."""

    def __init__(self, database: SqlDatabase) -> None:
        self.database = database
        self.now_ms = 1_700_000_000_000
        self.seconds = 0.0
        self.ended: list[tuple[list[str], int]] = []
        self.changed: list[Account] = []
        self.hashes = CheapHashes()
        self.identity = Identity(
            database.accounts,
            self.hashes,
            lambda: self.now_ms,
            lambda ids, code, reason: self.ended.append((ids, code)),
            on_account_changed=self.changed.append,
            monotonic=lambda: self.seconds,
        )
        self.administration = Administration(self.identity, database.accounts, database)

    async def account(self, name: str, role: str = "member") -> Account:
        return await self.administration.add_user(name, role, PASSWORD)

    async def sign_in(self, name: str, password: str = PASSWORD) -> tuple[str, Session, Account]:
        token = await self.identity.sign_in(name, password, **HERE)
        found = await self.identity.authenticate(token)
        assert found is not None
        return token, *found


@pytest.fixture
def world(io_loop: IOLoop, tmp_path: Path) -> Iterator[World]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[World]:
        database = await open_database(f"sqlite:///{tmp_path}/chat.db", backups=tmp_path / "backups")
        try:
            yield World(database)
        finally:
            await database.close()

    manager = opened()
    yield io_loop.run_sync(manager.__aenter__)
    io_loop.run_sync(lambda: manager.__aexit__(None, None, None))


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("chat.db*"))


async def refused(code: str, awaitable: Awaitable[Any]) -> ChatError:
    with pytest.raises(ChatError) as refusal:
        await awaitable
    assert refusal.value.code == code
    return refusal.value


@pytest.mark.gen_test
async def test_the_setup_token_makes_one_owner_once(world: World) -> None:
    identity = world.identity
    first = await identity.setup_token()
    token = await identity.setup_token()
    assert first and token and not await identity.setup_is_good(first)
    await refused("bad_password", identity.create_owner(token, "Masa", "short", **HERE))
    assert await identity.create_owner("wrong", "Masa", PASSWORD, **HERE) is None
    session = await identity.create_owner(token, "Masa", PASSWORD, **HERE)
    found = await identity.authenticate(session or "")
    assert found is not None and found[1].role == "owner"
    assert await identity.has_owner() and await identity.setup_token() is None
    assert not await identity.setup_is_good(token)
    assert await identity.create_owner(token, "Kim", PASSWORD, **HERE) is None


@pytest.mark.gen_test
async def test_the_setup_token_lives_an_hour(world: World) -> None:
    token = await world.identity.setup_token() or ""
    world.now_ms += 3_599_999
    assert await world.identity.setup_is_good(token)
    world.now_ms += 1
    assert not await world.identity.setup_is_good(token)


@pytest.mark.gen_test
async def test_unknown_wrong_and_disabled_are_refused_alike_and_take_a_hash_each(world: World) -> None:
    await world.account("Masa", "owner")
    await world.account("Kim")
    await world.administration.disable("Kim")
    said = set()
    for name, password in (
        ("nobody", PASSWORD),
        ("Masa", "wrong password"),
        ("Kim", PASSWORD),
        ("\ud800", "x"),
    ):
        said.add((await refused("bad_credentials", world.identity.sign_in(name, password, **HERE))).message)
    assert len(said) == 1 and len(world.hashes.asked) == 4


@pytest.mark.gen_test
async def test_signing_in_finds_the_name_in_any_case(world: World) -> None:
    await world.account("Masa")
    _, session, account = await world.sign_in("ＭASA")
    assert account.name == "Masa" and (session.address, session.agent) == ("10.0.0.1", "Test")
    assert session.confirmed_ms == world.now_ms


@pytest.mark.gen_test
async def test_the_database_has_only_the_digest_of_a_token(world: World, tmp_path: Path) -> None:
    await world.account("Masa")
    token, _, _ = await world.sign_in("Masa")
    assert await world.database.accounts.session(digest(token)) is not None
    files = contents(tmp_path)
    assert token.encode() not in files and digest(token).encode() in files


@pytest.mark.gen_test
async def test_five_wrong_passwords_for_an_account_from_an_address(world: World) -> None:
    await world.account("Masa")
    for _ in range(5):
        await refused("bad_credentials", world.identity.sign_in("masa", "wrong password", **HERE))
    with pytest.raises(RateLimited) as refusal:
        await world.identity.sign_in("Masa", PASSWORD, **HERE)
    assert refusal.value.retry_after == 900
    assert len(world.hashes.asked) == 5
    await world.identity.sign_in("Masa", PASSWORD, address="10.0.0.2", agent="")
    world.seconds += 900
    await world.sign_in("Masa")


@pytest.mark.gen_test
async def test_twenty_wrong_passwords_from_an_address_and_its_network(world: World) -> None:
    await world.account("Masa")
    for number in range(20):
        place = {"address": f"2001:db8::{number}", "agent": ""}
        await refused("bad_credentials", world.identity.sign_in(f"name{number}", "wrong password", **place))
    await refused(
        "rate_limited", world.identity.sign_in("Masa", PASSWORD, address="2001:db8::ffff", agent="")
    )
    await world.sign_in("Masa")


@pytest.mark.gen_test
async def test_no_more_than_five_are_tried_side_by_side(world: World) -> None:
    await world.account("Masa")
    tries = [world.identity.sign_in("Masa", f"wrong password {n}", **HERE) for n in range(12)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 7
    assert len(world.hashes.asked) == 5


@pytest.mark.gen_test
async def test_the_right_password_and_a_busy_server_are_no_failures(world: World) -> None:
    await world.account("Masa")
    for _ in range(8):
        await world.sign_in("Masa")

    async def busy() -> None:
        raise Busy

    for _ in range(8):
        world.hashes.before = busy
        await refused("busy", world.identity.sign_in("Masa", PASSWORD, **HERE))
    await world.sign_in("Masa")


@pytest.mark.gen_test
async def test_a_session_ends_idle_and_absolutely(world: World) -> None:
    await world.account("Masa")
    token, session, _ = await world.sign_in("Masa")
    for _ in range(4):
        world.now_ms += 7 * DAY_MS
        assert await world.identity.authenticate(token) is not None
    assert not world.identity.has_ended(session.id)
    world.now_ms = session.created_ms + ABSOLUTE_MS
    assert await world.identity.authenticate(token) is None
    assert world.identity.has_ended(session.id)
    assert await world.identity.sessions.of(session.account_id) == []

    token, session, _ = await world.sign_in("Masa")
    world.now_ms += IDLE_MS
    assert await world.identity.authenticate(token) is None


@pytest.mark.gen_test
async def test_an_open_socket_is_use_of_its_session(world: World) -> None:
    await world.account("Masa")
    token, session, _ = await world.sign_in("Masa")
    for _ in range(3):
        world.now_ms += 7 * DAY_MS
        assert not world.identity.has_ended(session.id)
    assert await world.identity.authenticate(token) is not None
    assert not world.identity.has_ended("unknown")


@pytest.mark.gen_test
async def test_last_seen_is_gathered_and_stored_later(world: World) -> None:
    await world.account("Masa")
    token, session, account = await world.sign_in("Masa")
    world.now_ms += 60_000
    await world.identity.authenticate(token)
    stored = await world.database.accounts.sessions(account.id)
    assert stored[0].last_seen_ms == session.last_seen_ms
    assert (await world.identity.sessions.of(account.id))[0].last_seen_ms == world.now_ms
    await world.identity.flush_seen()
    await world.identity.flush_seen()
    assert (await world.database.accounts.sessions(account.id))[0].last_seen_ms == world.now_ms


@pytest.mark.gen_test
async def test_tokens_that_are_none_are_nobodys(world: World) -> None:
    for token in ("", "x", "\ud800", "x" * 1000):
        assert await world.identity.authenticate(token) is None


@pytest.mark.gen_test
async def test_signing_out_ends_one_session_and_tells(world: World) -> None:
    await world.account("Masa")
    token, session, _ = await world.sign_in("Masa")
    other, _, _ = await world.sign_in("Masa")
    await world.identity.sign_out(session)
    assert world.ended == [([session.id], 4401)]
    assert await world.identity.authenticate(token) is None
    assert await world.identity.authenticate(other) is not None


@pytest.mark.gen_test
async def test_a_new_password_ends_every_session_and_opens_a_new_one(world: World) -> None:
    await world.account("Masa")
    token, session, account = await world.sign_in("Masa")
    other, _, _ = await world.sign_in("Masa")
    change = world.identity.change_password
    await refused("bad_credentials", change(session, account, "wrong password", "another good one", **HERE))
    await refused("bad_password", change(session, account, PASSWORD, "short", **HERE))
    fresh = await change(session, account, PASSWORD, "another good one", **HERE)
    assert await world.identity.authenticate(token) is await world.identity.authenticate(other) is None
    assert await world.identity.authenticate(fresh) is not None
    assert len(world.ended[0][0]) == 2 and world.ended[0][1] == 4401
    await world.sign_in("Masa", "another good one")
    await refused("bad_credentials", world.identity.sign_in("Masa", PASSWORD, **HERE))


@pytest.mark.gen_test
async def test_a_sign_in_racing_with_a_new_password_does_not_survive_it(world: World) -> None:
    account = await world.account("Masa")

    async def changed() -> None:
        await world.identity.set_password(account.id, "another good one")

    world.hashes.before = changed
    await refused("bad_credentials", world.identity.sign_in("Masa", PASSWORD, **HERE))
    assert await world.identity.sessions.of(account.id) == []


@pytest.mark.gen_test
async def test_a_sign_in_racing_with_disabling_does_not_survive_it(world: World) -> None:
    account = await world.account("Masa")
    world.hashes.before = lambda: world.administration.disable("Masa")
    await refused("bad_credentials", world.identity.sign_in("Masa", PASSWORD, **HERE))
    assert await world.identity.sessions.of(account.id) == []


@pytest.mark.gen_test
async def test_a_change_while_a_session_is_read_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account("Masa")
    token, _, account = await world.sign_in("Masa")
    world.identity.sessions.forget(account.id)
    read = world.database.accounts.session
    reads = 0

    async def slow(token_hash: str) -> tuple[Session, Account] | None:
        nonlocal reads
        reads += 1
        found = await read(token_hash)
        if reads == 1:
            await world.administration.set_role("Masa", "moderator")
        return found

    monkeypatch.setattr(world.database.accounts, "session", slow)
    found = await world.identity.authenticate(token)
    assert found is not None and found[1].role == "moderator" and reads == 2


@pytest.mark.gen_test
async def test_sessions_are_read_from_the_database_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account("Masa")
    token, _, _ = await world.sign_in("Masa")

    async def never(token_hash: str) -> None:
        raise AssertionError

    monkeypatch.setattr(world.database.accounts, "session", never)
    assert await world.identity.authenticate(token) is not None


@pytest.mark.gen_test
async def test_ending_others_and_one(world: World) -> None:
    kim = await world.account("Kim")
    await world.account("Masa")
    token, session, account = await world.sign_in("Masa")
    _, second, _ = await world.sign_in("Masa")
    await refused("not_found", world.identity.end_session(kim, second.id))
    await world.identity.end_session(account, second.id)
    await refused("not_found", world.identity.end_session(account, second.id))
    third, _, _ = await world.sign_in("Masa")
    await world.identity.end_others(session)
    assert await world.identity.authenticate(third) is None
    assert await world.identity.authenticate(token) is not None


@pytest.mark.gen_test
async def test_administration_needs_the_password_again_after_a_quarter_of_an_hour(world: World) -> None:
    await world.account("Masa", "owner")
    token, session, _ = await world.sign_in("Masa")
    assert world.identity.is_confirmed(session)
    world.now_ms += 900_000
    assert not world.identity.is_confirmed(session)
    await refused("bad_credentials", world.identity.confirm(session, "wrong password", address="10.0.0.1"))
    await world.identity.confirm(session, PASSWORD, address="10.0.0.1")
    found = await world.identity.authenticate(token)
    assert found is not None and world.identity.is_confirmed(found[0])


@pytest.mark.gen_test
async def test_a_sign_in_link_works_once_and_lets_set_a_password_without_the_old_one(world: World) -> None:
    await world.account("Masa", "owner")
    path = await world.administration.sign_in_link("masa")
    link = path.removeprefix("/link/")
    looked_at = await world.identity.link_owner(link)
    assert looked_at is not None and looked_at.name == "Masa"
    token = await world.identity.sign_in_by_link(link, **HERE)
    assert await world.identity.sign_in_by_link(link, **HERE) is None
    assert await world.identity.link_owner(link) is None
    found = await world.identity.authenticate(token or "")
    assert found is not None and not world.identity.is_confirmed(found[0])
    await world.identity.change_password(*found, "", "another good one", **HERE)
    await world.sign_in("Masa", "another good one")


@pytest.mark.gen_test
async def test_a_linked_session_needs_the_password_after_an_hour(world: World) -> None:
    await world.account("Masa")
    link = (await world.administration.sign_in_link("Masa")).removeprefix("/link/")
    found = await world.identity.authenticate(await world.identity.sign_in_by_link(link, **HERE) or "")
    assert found is not None
    world.now_ms += 3_600_000
    await refused("bad_credentials", world.identity.change_password(*found, "", "another good one", **HERE))


@pytest.mark.gen_test
async def test_a_sign_in_link_expires_and_is_no_use_to_who_is_disabled(world: World) -> None:
    await world.account("Masa")
    link = (await world.administration.sign_in_link("Masa")).removeprefix("/link/")
    await world.administration.disable("Masa")
    assert await world.identity.link_owner(link) is None
    assert await world.identity.sign_in_by_link(link, **HERE) is None
    await refused("disabled", world.administration.sign_in_link("Masa"))
    await world.administration.enable("Masa")
    link = (await world.administration.sign_in_link("Masa")).removeprefix("/link/")
    world.now_ms += 3_600_000
    assert await world.identity.sign_in_by_link(link, **HERE) is None


@pytest.mark.gen_test
async def test_disabling_closes_with_4403_and_enabling_lets_in_again(world: World) -> None:
    await world.account("Masa")
    token, session, _ = await world.sign_in("Masa")
    await world.administration.disable("MASA")
    assert world.ended == [([session.id], 4403)]
    assert await world.identity.authenticate(token) is None
    await refused("bad_credentials", world.identity.sign_in("Masa", PASSWORD, **HERE))
    await world.administration.enable("Masa")
    await world.sign_in("Masa")


@pytest.mark.gen_test
async def test_a_role_counts_at_once_and_is_told(world: World) -> None:
    await world.account("Masa")
    token, _, _ = await world.sign_in("Masa")
    await world.administration.set_role("Masa", "moderator")
    found = await world.identity.authenticate(token)
    assert found is not None and found[1].role == "moderator"
    assert [account.role for account in world.changed] == ["moderator"]
    await world.administration.set_role("Masa", "moderator")
    assert len(world.changed) == 1


@pytest.mark.gen_test
async def test_a_new_name_counts_at_once_and_the_session_goes_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await world.account("Masa")
    token, _, account = await world.sign_in("Masa")
    people = world.identity.people
    assert (await people.rename(account, " Māsa  ".rstrip())).name == "Māsa"
    found = await world.identity.authenticate(token)
    assert found is not None and found[1].name == "Māsa"
    assert [changed.name for changed in world.changed] == ["Māsa"]
    (line,) = [record for record in caplog.records if record.message == "account.renamed"]
    assert line.fields == {"account": account.id}  # type: ignore[attr-defined]
    await refused("bad_credentials", world.identity.sign_in("Masa", PASSWORD, **HERE))
    await world.sign_in("MĀSA")


@pytest.mark.gen_test
async def test_a_name_is_changed_three_times_a_day_and_failures_do_not_count(world: World) -> None:
    await world.account("Kim")
    await world.account("Masa")
    _, _, account = await world.sign_in("Masa")
    people = world.identity.people
    for number in range(3):
        await refused("taken", people.rename(account, "ｋim"))
        await refused("bad_name", people.rename(account, "a/b"))
        account = await people.rename(account, f"Masa {number}")
        assert await people.rename(account, f"Masa {number}") is account
    waits = await refused("rate_limited", people.rename(account, "Masa 3"))
    assert waits.retry_after == 86_400
    world.seconds += 86_400
    assert (await people.rename(account, "masa 2")).name == "masa 2"


@pytest.mark.gen_test
async def test_the_last_owner_stays(world: World) -> None:
    masa = await world.account("Masa", "owner")
    people = world.identity.people
    await refused("last_owner", people.set_role(masa, masa.id, "admin"))
    await refused("last_owner", people.disable(None, masa.id))
    await world.account("Kim", "owner")
    await people.disable(masa, masa.id)


@pytest.mark.gen_test
async def test_nobody_rises_above_himself_or_changes_his_betters(world: World) -> None:
    owner, admin = await world.account("Masa", "owner"), await world.account("Kim", "admin")
    moderator, member = await world.account("Lee", "moderator"), await world.account("Ann")
    people = world.identity.people
    for actor, target, role in (
        (admin, admin, "owner"),
        (admin, owner, "member"),
        (moderator, member, "moderator"),
        (member, member, "owner"),
    ):
        with pytest.raises(Forbidden):
            await people.set_role(actor, target.id, role)
    for act in (people.disable, people.enable, people.sign_in_link):
        with pytest.raises(Forbidden):
            await act(admin, owner.id)
        with pytest.raises(NotFound):
            await act(owner, "nobody")
    await refused("bad_request", people.set_role(owner, member.id, "king"))
    assert (await people.set_role(admin, member.id, "admin")).role == "admin"


@pytest.mark.gen_test
async def test_a_join_link_gives_its_role_as_often_as_it_says(world: World) -> None:
    masa = await world.account("Masa", "owner")
    link = await world.identity.people.create_join_link(masa, "moderator", uses=2, days=1)
    join = world.identity.join_by_link
    await refused("taken", join(link.code, "MASA", PASSWORD, **HERE))
    found = await world.identity.authenticate(await join(link.code, "Kim", PASSWORD, **HERE))
    assert found is not None and found[1].role == "moderator"
    await join(link.code, "Lee", PASSWORD, **HERE)
    await refused("gone", join(link.code, "Ann", PASSWORD, **HERE))
    await refused("not_found", join("unknown", "Ann", PASSWORD, **HERE))
    assert [shown.created_by for shown in await world.identity.people.join_links()] == ["Masa"]


@pytest.mark.gen_test
async def test_fifty_at_once_with_a_link_for_one_make_one_account(world: World) -> None:
    masa = await world.account("Masa", "owner")
    link = await world.identity.people.create_join_link(masa, "member", uses=1, days=1)
    tries = [world.identity.join_by_link(link.code, f"name{n}", PASSWORD, **HERE) for n in range(50)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert {o.code for o in outcomes if isinstance(o, ChatError)} == {"gone"}
    assert len(await world.identity.people.all()) == 2


@pytest.mark.gen_test
async def test_a_join_link_expires_and_is_revoked(world: World) -> None:
    masa, kim = await world.account("Masa", "owner"), await world.account("Kim", "admin")
    people = world.identity.people
    link = await people.create_join_link(masa, "owner", uses=5, days=1)
    with pytest.raises(Forbidden):
        await people.revoke_join_link(kim, link.code)
    await people.revoke_join_link(masa, link.code)
    await refused("gone", world.identity.join_by_link(link.code, "Ann", PASSWORD, **HERE))
    await refused("not_found", people.revoke_join_link(masa, "unknown"))
    link = await people.create_join_link(kim, "admin", uses=1, days=1)
    world.now_ms += DAY_MS
    await refused("gone", world.identity.join_link(link.code))
    with pytest.raises(Forbidden):
        await people.create_join_link(kim, "owner", uses=1, days=1)
    for uses, days in ((0, 1), (1, 0), (1001, 1), (1, 366)):
        await refused("bad_request", people.create_join_link(kim, "member", uses=uses, days=days))


@pytest.mark.gen_test
async def test_registration_is_limited_by_address_and_refusals_are_not_counted(world: World) -> None:
    register = world.identity.register
    await register("name0", PASSWORD, **HERE)
    for _ in range(30):
        await refused("taken", register("NAME0", PASSWORD, **HERE))
        await refused("bad_name", register("<>", PASSWORD, **HERE))
    for number in range(1, 20):
        await register(f"name{number}", PASSWORD, **HERE)
    await refused("rate_limited", register("one more", PASSWORD, **HERE))


@pytest.mark.gen_test
async def test_administration_by_name(world: World, tmp_path: Path) -> None:
    administration = world.administration
    await refused("bad_name", administration.add_user("<>", "member", PASSWORD))
    await refused("bad_request", administration.add_user("Masa", "king", PASSWORD))
    await administration.add_user("Masa", "owner", PASSWORD)
    await refused("taken", administration.add_user("ｍasa", "member", PASSWORD))
    await refused("not_found", administration.set_role("nobody", "member"))
    token, _, _ = await world.sign_in("Masa")
    await administration.set_password("MASA", "another good one")
    assert await world.identity.authenticate(token) is None
    assert [account.name for account in await administration.list_users()] == ["Masa"]
    await administration.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.gen_test
async def test_last_seen_is_kept_while_the_database_is_busy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.account("Masa")
    token, _, account = await world.sign_in("Masa")
    world.now_ms += 60_000
    await world.identity.authenticate(token)

    async def busy(seen: dict[str, int]) -> None:
        raise Busy

    with monkeypatch.context() as patch:
        patch.setattr(world.database.accounts, "touch_sessions", busy)
        await world.identity.flush_seen()
    await world.identity.flush_seen()
    assert (await world.database.accounts.sessions(account.id))[0].last_seen_ms == world.now_ms


@pytest.mark.gen_test
async def test_beyond_the_bounds_of_memory_sessions_are_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "CACHE_LIMIT", 1)
    monkeypatch.setattr(sessions, "KNOWN_LIMIT", 1)
    await world.account("Masa")
    tokens = [(await world.sign_in("Masa"))[0] for _ in range(3)]
    for token in tokens * 2:
        assert await world.identity.authenticate(token) is not None
