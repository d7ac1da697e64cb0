"""Who belongs here: names, roles, disabling, one-time sign-in links and join links.

Called by the account page and those of administration with who acts, and by `Administration` with None: the
machine's owner, who may do everything but remove the last owner.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from msgspec import structs

from chat_app.core.limits import SlidingWindow
from chat_app.core.names import clean_name
from chat_app.core.permissions import allows
from chat_app.core.sessions import DAY_MS, DISABLED, Sessions, digest, new_token
from chat_app.errors import ChatError, Forbidden, NotFound, RateLimited
from chat_app.logs import log_event
from chat_app.models import ROLES, Account, JoinLink, Role
from chat_app.ports import Accounts

_log = logging.getLogger(__name__)

LINK_MS = 3_600_000
RENAMES = 3
"""Of one account a day: a name is how the others know who wrote something."""
RENAMES_SECONDS = 86_400
USES_LIMIT = 1000
DAYS_LIMIT = 365


class People:
    """What changes an account, but its password."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        *,
        clock_ms: Callable[[], int],
        on_account_changed: Callable[[Account], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._clock_ms = clock_ms
        self._on_account_changed = on_account_changed
        self.renames = SlidingWindow(RENAMES, RENAMES_SECONDS, monotonic)
        """Shared by the nodes; forgotten when all of them restart."""

    async def rename(self, account: Account, name: str) -> Account:
        """One's own name; the same one again changes nothing. Raises `ChatError` bad_name, taken, and
        `RateLimited`.
        """
        shown, key = clean_name(name)
        if shown == account.name:
            return account
        if wait := self.renames.take(account.id):
            raise RateLimited("The name was changed often enough for today.", retry_after=wait)
        try:
            await self._accounts.rename(account.id, shown, key)
        except ChatError:
            self.renames.refund(account.id)
            raise
        log_event(_log, "account.renamed", account=account.id)
        return self._changed(structs.replace(account, name=shown, name_key=key))

    async def set_role(self, actor: Account | None, account_id: str, role: str) -> Account:
        """Give a role up to one's own to somebody up to one's own. Raises `ChatError("last_owner")`."""
        wanted = as_role(role)
        target = await self._target(actor, account_id, role=wanted)
        if target.role == wanted:
            return target
        if not await self._accounts.set_role(account_id, wanted):
            raise ChatError("last_owner", "The last owner stays an owner.")
        return self._changed(structs.replace(target, role=wanted))

    async def disable(self, actor: Account | None, account_id: str) -> Account:
        """Nobody signs in with it any more, its sockets close with 4403. Raises `ChatError("last_owner")`."""
        target = await self._target(actor, account_id)
        if not await self._accounts.set_disabled(account_id, True):
            raise ChatError("last_owner", "The last owner cannot be disabled.")
        await self._sessions.end(account_id, code=DISABLED, reason="account disabled")
        return self._changed(structs.replace(target, disabled=True))

    async def enable(self, actor: Account | None, account_id: str) -> Account:
        """It may sign in again."""
        target = await self._target(actor, account_id)
        await self._accounts.set_disabled(account_id, False)
        return self._changed(structs.replace(target, disabled=False))

    async def sign_in_link(self, actor: Account | None, account_id: str) -> tuple[Account, str]:
        """The token of a link that signs in once within an hour, for who forgot the password."""
        target = await self._target(actor, account_id)
        if target.disabled:
            raise ChatError("disabled", "This account is disabled. Enable it first.")
        token = new_token()
        await self._accounts.put_token(
            digest(token), "link", account_id=account_id, expires_ms=self._clock_ms() + LINK_MS
        )
        return target, token

    async def create_join_link(self, actor: Account, role: str, *, uses: int, days: int) -> JoinLink:
        """An invitation with a role up to one's own. Raises `ChatError("bad_request")` and `Forbidden`."""
        wanted = as_role(role)
        if not (1 <= uses <= USES_LIMIT and 1 <= days <= DAYS_LIMIT):
            raise ChatError(
                "bad_request",
                "A link has 1 to %(uses)s uses and 1 to %(days)s days.",
                uses=USES_LIMIT,
                days=DAYS_LIMIT,
            )
        if not allows(actor, "create_join_link", role=wanted):
            raise Forbidden("A role can be given only up to your own.")
        now = self._clock_ms()
        link = JoinLink(
            code=new_token()[:22],
            role=wanted,
            uses_left=uses,
            expires_ms=now + days * DAY_MS,
            revoked=False,
            created_by=actor.id,
            created_ms=now,
        )
        await self._accounts.create_join_link(link)
        return link

    async def revoke_join_link(self, actor: Account, code: str) -> None:
        """Nobody joins by it any more."""
        link = await self._accounts.join_link(code)
        if link is None:
            raise NotFound
        if not allows(actor, "create_join_link", role=link.role):
            raise Forbidden
        await self._accounts.revoke_join_link(code)

    async def join_links(self) -> list[JoinLink]:
        """All of them, newest first; `created_by` is a name."""
        return await self._accounts.join_links()

    async def all(self) -> list[Account]:
        """Every account by name."""
        return await self._accounts.all()

    def is_usable(self, link: JoinLink) -> bool:
        """Whether somebody can still join by it."""
        expired = link.expires_ms is not None and self._clock_ms() >= link.expires_ms
        return not link.revoked and not expired and link.uses_left != 0

    async def _target(self, actor: Account | None, account_id: str, *, role: Role | None = None) -> Account:
        found = await self._accounts.by_id(account_id)
        if found is None:
            raise NotFound
        if actor is not None and not allows(actor, "manage_accounts", target=found[0], role=role):
            raise Forbidden("Only somebody with a higher role may do that.")
        return found[0]

    def _changed(self, account: Account) -> Account:
        self._sessions.changed(account.id)
        self._on_account_changed(account)
        return account


def as_role(raw: str) -> Role:
    """One of the roles. Raises `ChatError("bad_request")`."""
    for role in ROLES:
        if role == raw:
            return role
    raise ChatError("bad_request", "A role is one of %(roles)s.", roles=", ".join(ROLES))
