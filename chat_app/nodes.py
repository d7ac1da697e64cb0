"""What this process has to do with the other nodes of its installation, put together. `app.py` calls it.

Without REDIS_URL there are none, and nothing here runs: no timer, no query, no connection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta

from tornado.ioloop import PeriodicCallback

from chat_app.core.cluster import ALONE, Cluster
from chat_app.core.follower import Follower
from chat_app.core.limits import SlidingWindow
from chat_app.core.remote_accounts import CHECK_SECONDS, AccountWatch
from chat_app.core.remote_people import PeopleElsewhere
from chat_app.core.rooms import Registry, Tasks
from chat_app.core.shared_limits import LimitGossip
from chat_app.metrics import Metrics
from chat_app.models import LOBBY, Account, RoomInfo
from chat_app.ports import Broker
from chat_app.settings import Settings, SettingsError
from chat_app.web.services import Services


class Nodes:
    """Made when the rooms are known and before those who tell; joined when everybody is there who is told."""

    def __init__(
        self,
        settings: Settings,
        rooms: Iterable[RoomInfo],
        registry: Registry,
        tasks: Tasks,
        metrics: Metrics,
    ) -> None:
        self.broker: Broker = ALONE
        self._people: PeopleElsewhere | None = None
        if settings.redis_url is not None:
            self.broker = _broker(settings.redis_url, rooms, metrics)
            self._people = PeopleElsewhere(broker=self.broker, registry=registry, start_task=tasks.start)

    def is_elsewhere(self, account_id: str) -> bool:
        """Whether an account is on another node."""
        return self._people is not None and self._people.is_elsewhere(account_id)

    def join(
        self,
        services: Services,
        *,
        windows: Mapping[str, SlidingWindow],
        on_account_changed: Callable[[Account], None],
        stack: AsyncExitStack,
    ) -> None:
        """From now on what other nodes do happens here too, until the stack is left: then this one is gone
        for them.
        """
        if self._people is None:
            return
        database, tasks = services.database, services.tasks
        follower = Follower(
            history=database.history,
            rooms=database.rooms,
            registry=services.registry,
            chat=services.chat,
            management=services.management,
            unreads=services.unreads,
            tasks=tasks,
        )
        accounts = AccountWatch(
            accounts=database.accounts,
            sessions=services.identity.sessions,
            connections=services.connections,
            on_changed=on_account_changed,
            start_task=tasks.start,
            rooms=services.registry.all,
        )
        limits = LimitGossip(broker=self.broker, windows=windows)
        stack.push_async_callback(self.broker.close)
        stack.callback(self._people.close)
        self.broker.start(Cluster(rooms=follower, accounts=accounts, people=self._people, limits=limits))
        tasks.start(follower.run())
        check = PeriodicCallback(accounts.check, timedelta(seconds=CHECK_SECONDS))
        check.start()
        stack.callback(check.stop)


def _broker(url: str, rooms: Iterable[RoomInfo], metrics: Metrics) -> Broker:
    """What is in the database tells apart those who share a Redis; a restored one has another epoch."""
    # redis-py takes 100 ms to load: who has SQLite need not wait for it
    from chat_app.backends.redis import RedisBroker

    lobby = next(info for info in rooms if info.slug == LOBBY)
    installation = hashlib.sha256(f"{lobby.id} {lobby.epoch}".encode()).hexdigest()[:16]
    try:
        return RedisBroker(url, installation=installation, metrics=metrics)
    except ValueError as error:
        raise SettingsError(f"REDIS_URL (--redis) cannot be used: {error}.") from None
