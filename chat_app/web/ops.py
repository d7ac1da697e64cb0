"""For those who run it: `/healthz`, `/readyz`, `/metrics`. Load balancers ask by address: any Host does."""

from __future__ import annotations

import asyncio
import hmac
from ipaddress import ip_address

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from tornado.web import HTTPError

from chat_app.core.cluster import Alone
from chat_app.web.base import Access, BaseHandler

READY_SECONDS = 2.0
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")


class OpsHandler(BaseHandler):
    """No cookie is read, no page is shown."""

    access = Access.PUBLIC
    any_host = True
    answers_json = True

    async def authenticate(self) -> None:
        """Nobody is signed in here, so the database is not asked."""


class Healthz(OpsHandler):
    """Whether the process answers at all."""

    async def get(self) -> None:
        """Always 200."""
        self.write_json(msgspec.json.encode({"ok": True, "clients": self.services.clients()}))


class Readyz(OpsHandler):
    """Whether new people should be sent here."""

    async def get(self) -> None:
        """503 while starting, draining, or without the database. Without Redis it serves, and says so."""
        state, broker = self.services.state, self.services.broker
        ready = state.ready and not state.draining and await self._database_ready()
        said: dict[str, object] = {"ok": ready}
        if not isinstance(broker, Alone):
            said["redis"] = "up" if broker.up else "away"
        self.write_json(msgspec.json.encode(said), status=200 if ready else 503)

    async def _database_ready(self) -> bool:
        try:
            async with asyncio.timeout(READY_SECONDS):
                return await self.services.database.ready()
        except TimeoutError:
            return False


class MetricsPage(OpsHandler):
    """Prometheus text, for this machine or who has the token; to others there is no such page."""

    async def get(self) -> None:
        """The metrics."""
        if not (self._is_local() or self._has_token()):
            raise HTTPError(404)
        page = await self.services.metrics.page()
        if page is None:
            raise HTTPError(503)
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(page)

    def _is_local(self) -> bool:
        if any(name in self.request.headers for name in _FORWARDED):
            return False
        try:
            return ip_address(self.request.remote_ip or "").is_loopback
        except ValueError:
            return False

    def _has_token(self) -> bool:
        token = self.services.settings.metrics_token
        scheme, _, given = self.request.headers.get("Authorization", "").partition(" ")
        if not token or scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
