"""Two nodes over one database: what one does to accounts and sessions counts on the other, hints or not."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from chat_app.backends.sql.database import SqlDatabase, open_database
from chat_app.core.cluster import Cluster
from chat_app.core.connections import Connections
from chat_app.core.identity import Identity
from chat_app.core.remote_accounts import TOGETHER, AccountWatch
from chat_app.core.rooms import Registry, Tasks, follow
from chat_app.core.sessions import (
    ABSOLUTE_MS,
    RENEWED_MS,
    REPLACED_ELSEWHERE_MS,
    TRUST_SECONDS,
    digest,
)
from chat_app.errors import Busy
from chat_app.hints import AccountChanged, SessionsEnded
from chat_app.metrics import Metrics
from chat_app.models import Account, RoomInfo, Session

from .fakes import FakeSink, MemoryHistory, connect
from .people_nodes import Deaf, FakeBroker, Network

MINUTES_MS = 300_000
HERE: dict[str, str] = {"address": "192.0.2.1", "agent": "Test"}
PASSWORD = "correct horse battery"


class PlainHashes:
    async def hash(self, password: str) -> str:
        return password

    async def verify(self, password_hash: str | None, password: str) -> bool:
        return password_hash == password


class Node:
    """What a node has of accounts; its clock can be wrong, its time can pass."""

    def __init__(self, network: Network, name: str, database: SqlDatabase, *, wrong_ms: int = 0) -> None:
        self.now_ms = 1_700_000_000_000 + wrong_ms
        self.seconds = 0.0
        self.accounts = database.accounts
        self.failed = 0
        self.tasks = Tasks(self._fail)
        self.registry = Registry(
            history=MemoryHistory(),  # type: ignore[arg-type]
            history_limit=50,
            tasks=self.tasks,
        )
        self.registry.add(RoomInfo("lobby", "lobby", "Lobby", "e", 0, 0))
        self.connections = Connections(metrics=Metrics())
        self.broker = FakeBroker(network, name)
        self.changed: list[Account] = []
        self.identity = Identity(
            database.accounts,
            PlainHashes(),
            lambda: self.now_ms,
            self.connections.close_sessions,
            on_account_changed=self._apply,
            monotonic=lambda: self.seconds,
            broker=self.broker,
        )
        self.watch = AccountWatch(
            accounts=database.accounts,
            sessions=self.identity.sessions,
            connections=self.connections,
            on_changed=self._apply,
            start_task=self.tasks.start,
            rooms=self.registry.all,
        )
        deaf: Any = Deaf()
        self.broker.start(Cluster(rooms=deaf, accounts=self.watch, people=deaf, limits=deaf))

    def _fail(self) -> None:
        self.failed += 1

    def _apply(self, account: Account) -> None:
        self.changed.append(account)
        for connection in self.connections.of_account(account.id):
            connection.account = account
        self.registry.rename(account)

    async def socket(self, token: str) -> FakeSink:
        """An open one of this session."""
        session, account = await self.whose(token)
        connection, sink = connect(session.id)
        connection.account, connection.session_id = account, session.id
        self.connections.add(connection)
        return sink

    async def whose(self, token: str) -> tuple[Session, Account]:
        found = await self.identity.authenticate(token)
        assert found is not None
        return found

    async def settled(self) -> None:
        """Everything that was told is done."""
        await asyncio.sleep(0)
        while self.tasks._running:
            await asyncio.gather(*self.tasks._running)

    async def member(self, name: str) -> tuple[Account, str]:
        account = await self.identity.add(name, PASSWORD, "member")
        return account, await self.identity.sign_in(name, PASSWORD, **HERE)


def run(
    folder: Path,
    scenario: Callable[[Network, Node, Node], Awaitable[None]],
    *,
    wrong_ms: int = 0,
) -> None:
    async def main() -> None:
        database = await open_database(f"sqlite:///{folder}/chat.db", backups=folder / "backups")
        network = Network()
        one, two = Node(network, "1", database), Node(network, "2", database, wrong_ms=wrong_ms)
        try:
            await scenario(network, one, two)
        finally:
            await one.tasks.close()
            await two.tasks.close()
            await database.close()
        assert one.failed == two.failed == 0

    asyncio.run(main())


def lose_everything(network: Network) -> None:
    network.loses = lambda hint: True


# -- what is told


def test_a_sign_out_closes_the_sockets_of_the_session_on_the_other_node(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        _, token = await one.member("Masa")
        other = await one.identity.sign_in("Masa", PASSWORD, **HERE)
        here, there, stays = await one.socket(token), await two.socket(token), await two.socket(other)
        await one.identity.sign_out((await one.whose(token))[0])
        await two.settled()
        assert (here.closed_with, there.closed_with, stays.closed_with) == (4401, 4401, None)
        assert await two.identity.authenticate(token) is None
        assert await two.identity.authenticate(other) is not None
        assert not two.identity.has_ended("whatever")

    run(tmp_path, scenario)


def test_a_disabled_account_has_no_socket_and_no_session_on_the_other_node(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        masa, token = await one.member("Masa")
        there = await two.socket(token)
        await one.identity.people.disable(None, masa.id)
        await two.settled()
        assert there.closed_with == 4403 and await two.identity.authenticate(token) is None

    run(tmp_path, scenario)


def test_another_role_name_and_language_count_on_open_sockets_of_the_other_node(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        masa, token = await one.member("Masa")
        await two.socket(token)
        (connection,) = two.connections.of_account(masa.id)
        await one.identity.people.set_role(None, masa.id, "moderator")
        await two.settled()
        assert connection.account.role == (await two.whose(token))[1].role == "moderator"
        await one.identity.people.rename((await one.whose(token))[1], "Anna")
        await one.identity.set_language(masa, "de")
        await two.settled()
        assert (connection.account.name, connection.account.language) == ("Anna", "de")
        assert (await two.whose(token))[1] == connection.account
        assert two.changed[-1] == connection.account, "the rooms are told too"

    run(tmp_path, scenario)


def test_a_password_given_on_one_node_was_given_on_the_other(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        _, token = await one.member("Masa")
        for node in (one, two):
            node.now_ms += 2 * 900_000
        session, _ = await one.whose(token)
        assert not two.identity.is_confirmed((await two.whose(token))[0])
        await one.identity.confirm(session, PASSWORD, address="192.0.2.1")
        await two.settled()
        assert two.identity.is_confirmed((await two.whose(token))[0])

    run(tmp_path, scenario)


def test_a_new_password_on_one_node_ends_what_is_open_on_the_other(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        _, token = await one.member("Masa")
        there = await two.socket(token)
        session, account = await one.whose(token)
        fresh = await one.identity.change_password(session, account, PASSWORD, "another good one", **HERE)
        await two.settled()
        assert there.closed_with == 4401 and await two.identity.authenticate(token) is None
        assert await two.identity.authenticate(fresh) is not None
        assert await two.identity.sign_in("Masa", "another good one", **HERE)

    run(tmp_path, scenario)


def test_who_changes_again_while_looked_at_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        masa, token = await one.member("Masa")
        await two.socket(token)
        read, reads = two.accounts.by_id, 0

        async def slow(account_id: str) -> tuple[Account, str] | None:
            nonlocal reads
            reads += 1
            if reads == 1:
                raise Busy
            found = await read(account_id)
            if reads == 2:
                await two.accounts.set_role(masa.id, "admin")
                two.watch.account_changed(masa.id)
            return found

        monkeypatch.setattr(two.accounts, "by_id", slow)
        monkeypatch.setattr("chat_app.core.remote_accounts.BUSY_SECONDS", 0)
        two.watch.account_changed(masa.id)
        two.watch.account_changed("nobody")
        await two.settled()
        assert [account.role for account in two.changed] == ["admin"] and reads == 4

    run(tmp_path, scenario)


# -- what was lost


def test_what_no_hint_told_is_found_by_looking_every_open_session_up(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        lose_everything(network)
        tokens = {name: (await one.member(name))[1] for name in ("ended", "disabled", "renamed", "same")}
        sinks = {name: await two.socket(token) for name, token in tokens.items()}
        accounts = {name: (await two.whose(token))[1] for name, token in tokens.items()}
        await one.identity.sign_out((await one.whose(tokens["ended"]))[0])
        await one.identity.people.disable(None, accounts["disabled"].id)
        await one.identity.people.rename(accounts["renamed"], "Anna")
        assert all(sink.closed_with is None for sink in sinks.values())
        await two.watch.check()
        assert {name: sink.closed_with for name, sink in sinks.items()} == {
            "ended": 4401,
            "disabled": 4403,
            "renamed": None,
            "same": None,
        }
        assert [account.name for account in two.changed] == ["Anna"]
        (connection,) = two.connections.of_account(accounts["renamed"].id)
        assert connection.account.name == "Anna"

    run(tmp_path, scenario)


def test_a_disabled_account_whose_session_is_still_stored_is_closed(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        masa, token = await one.member("Masa")
        there = await two.socket(token)
        await one.accounts.set_disabled(masa.id, True)  # and the node died before it ended the session
        await two.watch.check()
        assert there.closed_with == 4403

    run(tmp_path, scenario)


def test_when_hints_arrive_again_everybody_is_looked_at_at_once(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        _, token = await one.member("Masa")
        there = await two.socket(token)
        network.go_away()
        await one.identity.sign_out((await one.whose(token))[0])
        await two.settled()
        assert there.closed_with is None
        network.come_back()
        await two.settled()
        assert there.closed_with == 4401

    run(tmp_path, scenario)


def test_a_name_changed_meanwhile_is_right_in_every_room_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        (masa, token), (kim, _) = await one.member("Masa"), await one.member("Kim")
        store, (room,) = MemoryHistory(), two.registry.all()
        watcher, _ = connect("watcher")
        follow(watcher, room, since=None, epoch=None)
        await two.settled()
        for author in (masa, kim):
            change = store.change("message", author.name)
            written = structs.replace(change.message, account_id=author.id, author=author.name)
            room.publish(structs.replace(change, message=written))
        network.go_away()
        await one.identity.people.rename((await one.whose(token))[1], "Anna")
        some, tries = two.accounts.some, 0

        async def busy_once(account_ids: list[str]) -> list[Account]:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise Busy
            return await some(account_ids)

        monkeypatch.setattr(two.accounts, "some", busy_once)
        monkeypatch.setattr("chat_app.core.remote_accounts.BUSY_SECONDS", 0)
        network.come_back()
        await two.settled()
        assert room.names() == {(masa.id, "Anna"), (kim.id, "Kim")}
        assert [account.name for account in two.changed] == ["Anna"], "nobody else was taken up"
        room.people.close()

    run(tmp_path, scenario)


def test_many_sessions_are_looked_up_in_parts_and_a_busy_store_is_asked_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        _, token = await one.member("Masa")
        last = await two.socket(token)
        session, account = await two.whose(token)
        asked: list[int] = []
        busy = True

        async def living(ids: set[str]) -> dict[str, Account]:
            asked.append(len(ids))
            if busy:
                raise Busy
            return {key: account for key in ids if key != session.id}

        monkeypatch.setattr(two.accounts, "living", living)
        for number in range(TOGETHER + 9):
            connection, _ = connect(f"session {number}")
            connection.account = account
            two.connections.add(connection)
        await two.watch.check()
        busy = False
        await asyncio.gather(two.watch.check(), two.watch.check())
        assert asked[0] == TOGETHER and sorted(asked[1:]) == [10, TOGETHER]
        assert last.closed_with == 4401

    run(tmp_path, scenario)


def test_a_page_is_opened_by_an_ended_session_for_four_seconds_at_most(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        lose_everything(network)
        _, token = await one.member("Masa")
        session, _ = await two.whose(token)
        await one.identity.sign_out(session)
        assert await two.identity.authenticate(token) is not None
        two.seconds += TRUST_SECONDS
        assert await two.identity.authenticate(token) is None

    run(tmp_path, scenario)


def test_nothing_kept_is_believed_while_the_broker_is_away(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        _, token = await one.member("Masa")
        await two.whose(token)
        network.go_away()
        await one.identity.sign_out((await one.whose(token))[0])
        assert await two.identity.authenticate(token) is None

    run(tmp_path, scenario)


def test_what_was_read_is_asked_for_once_in_four_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        _, token = await one.member("Masa")
        read, reads = two.accounts.session, 0

        async def counted(token_hash: str) -> tuple[Session, Account] | None:
            nonlocal reads
            reads += 1
            return await read(token_hash)

        monkeypatch.setattr(two.accounts, "session", counted)
        for _ in range(40):
            await two.whose(token)
            two.seconds += 0.25
        assert reads == 3

    run(tmp_path, scenario)


def test_hints_name_ids_and_nothing_secret(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        masa, token = await one.member("Masa")
        session, _ = await one.whose(token)
        fresh = await one.identity.sessions.renew(session, token)
        await one.identity.sign_out(session)
        assert fresh and [hint for _, hint in network.sent] == [
            AccountChanged(masa.id),
            SessionsEnded(masa.id, (session.id,), 4401, "signed out"),
        ]

    run(tmp_path, scenario)


# -- a replaced token


@pytest.mark.parametrize("wrong_ms", [0, MINUTES_MS, -MINUTES_MS])
@pytest.mark.parametrize("seen_there", [True, False])
def test_a_replaced_token_opens_on_the_other_node_for_a_minute_too(
    tmp_path: Path, wrong_ms: int, seen_there: bool
) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        _, old = await one.member("Masa")
        if seen_there:
            await two.whose(old)
        session, _ = await one.whose(old)
        fresh = await one.identity.sessions.renew(session, old)
        await two.settled()
        assert fresh is not None
        for node in (one, two):
            assert (await node.whose(old))[0].id == (await node.whose(fresh))[0].id == session.id
        assert await two.identity.sessions.renew((await two.whose(old))[0], old) is None
        one.now_ms += RENEWED_MS
        await one.identity.flush_seen()
        await one.identity.flush_seen()
        assert await one.identity.authenticate(old) is await two.identity.authenticate(old) is None
        assert await two.identity.authenticate(fresh) is not None

    run(tmp_path, scenario, wrong_ms=wrong_ms)


def test_a_replaced_token_ends_even_when_the_node_that_replaced_it_died(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        _, old = await one.member("Masa")
        session, _ = await one.whose(old)
        await one.identity.sessions.renew(session, old)
        two.now_ms += REPLACED_ELSEWHERE_MS - 1
        assert await two.identity.authenticate(old) is not None
        two.now_ms += 1
        assert await two.identity.authenticate(old) is None

    run(tmp_path, scenario)


def test_a_replaced_token_ends_with_its_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        _, old = await one.member("Masa")
        session, _ = await one.whose(old)
        await one.identity.sessions.renew(session, old)
        one.now_ms += RENEWED_MS

        async def busy(token_hashes: list[str]) -> None:
            raise Busy

        with monkeypatch.context() as patch:
            patch.setattr(one.accounts, "forget_replaced", busy)
            await one.identity.flush_seen()
        assert await one.identity.authenticate(old) is None, "here it is over anyway"
        await two.identity.sign_out(session)
        assert await two.identity.authenticate(old) is None
        await one.identity.flush_seen()
        assert await one.accounts.replaced_session(digest(old)) is None

    run(tmp_path, scenario)


# -- clocks


@pytest.mark.parametrize("wrong_ms", [MINUTES_MS, -MINUTES_MS])
def test_clocks_five_minutes_apart_break_nothing(tmp_path: Path, wrong_ms: int) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        setup = await one.identity.setup_token()
        assert setup and await two.identity.setup_is_good(setup)
        owner = await two.identity.create_owner(setup, "Olga", PASSWORD, **HERE)
        assert owner is not None
        session, olga = await one.whose(owner)
        assert one.identity.is_confirmed(session) and not one.identity.is_linked(session)
        assert not one.identity.has_ended(session.id) and not two.identity.has_ended(session.id)

        for node in (one, two):
            node.now_ms += 2 * 900_000
        assert not one.identity.is_confirmed(session)
        await two.identity.confirm(session, PASSWORD, address="192.0.2.1")
        await one.settled()
        assert one.identity.is_confirmed((await one.whose(owner))[0])
        assert two.identity.is_confirmed((await two.whose(owner))[0])

        kim = await two.identity.add("Kim", PASSWORD, "member")
        _, link = await two.identity.people.sign_in_link(None, kim.id)
        assert await one.identity.link_owner(link) == kim
        linked = await one.identity.sign_in_by_link(link, **HERE)
        assert linked and two.identity.is_linked((await two.whose(linked))[0])
        invitation = await two.identity.people.create_join_link(olga, "member", uses=1, days=1)
        assert one.identity.people.is_usable(invitation)
        joined = await one.identity.join_by_link(invitation.code, "Li", PASSWORD, **HERE)
        assert (await two.whose(joined))[1].name == "Li"

    run(tmp_path, scenario, wrong_ms=wrong_ms)


def test_last_seen_never_moves_back_and_the_end_of_a_session_is_the_same_everywhere(tmp_path: Path) -> None:
    async def scenario(network: Network, one: Node, two: Node) -> None:
        masa, token = await two.member("Masa")
        for node in (two, one):
            node.now_ms += 120_000
            await node.whose(token)
            await node.identity.flush_seen()
        (session,) = await one.accounts.sessions(masa.id)
        assert session.last_seen_ms == two.now_ms
        assert [found.id for found in await one.identity.sessions.of(masa.id)] == [session.id]
        another = await one.identity.sign_in("Masa", PASSWORD, **HERE)
        assert len(await two.identity.sessions.of(masa.id)) == 2, "a new one ends none that lives"
        one.now_ms = session.created_ms + ABSOLUTE_MS
        assert await one.identity.authenticate(token) is None and one.identity.has_ended(session.id)
        assert await two.identity.authenticate(another) is not None

    run(tmp_path, scenario, wrong_ms=MINUTES_MS)
