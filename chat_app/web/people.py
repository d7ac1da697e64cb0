"""Administration in the browser: everybody's role, disabling, sign-in links, join links."""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.core.permissions import allows, grantable
from chat_app.errors import N_, ChatError
from chat_app.models import ROLES, Account, JoinLink, Role, rfc3339
from chat_app.web.base import Access, BaseHandler

_NOTICES = {
    "role": N_("The role was changed."),
    "disabled": N_("The account is disabled."),
    "enabled": N_("The account is enabled again."),
}


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account in the list; `grantable`: the roles the viewer may give it, if he may change it."""

    id: str
    name: str
    role: Role
    disabled: bool
    created_at: str
    grantable: list[Role]


@dataclass(frozen=True, slots=True)
class JoinLinkRow:
    """A join link in the list."""

    code: str
    url: str
    role: Role
    uses_left: int | None
    expires_at: str | None
    revoked: bool
    usable: bool
    created_by: str


class PeopleHandler(BaseHandler):
    """What the forms of the page share."""

    access = Access.ADMIN

    async def show(
        self, *, error: ChatError | None = None, link: str | None = None, link_name: str | None = None
    ) -> None:
        """The page, with what came of a form."""
        accounts = [_account_row(account, self.me) for account in await self.services.identity.people.all()]
        self.render_page(
            "pages/people.html",
            http_status=self.refused(error) if error else 200,
            accounts=accounts,
            error=self.say(error),
            notice=None if error else self.notice(_NOTICES),
            link=link,
            link_name=link_name,
        )


class PeoplePage(PeopleHandler):
    """`/people`."""

    async def get(self) -> None:
        """The page."""
        await self.show()


class SetRole(PeopleHandler):
    """`/people/ID/role`."""

    async def post(self, account_id: str) -> None:
        """Another role."""
        try:
            await self.services.identity.people.set_role(self.me, account_id, self.field("role"))
        except ChatError as error:
            await self.show(error=error)
            return
        self.go("/people?notice=role")


class Disable(PeopleHandler):
    """`/people/ID/disable`."""

    async def post(self, account_id: str) -> None:
        """Nobody signs in with it any more; its sockets close."""
        try:
            await self.services.identity.people.disable(self.me, account_id)
        except ChatError as error:
            await self.show(error=error)
            return
        self.go("/people?notice=disabled")


class Enable(PeopleHandler):
    """`/people/ID/enable`."""

    async def post(self, account_id: str) -> None:
        """It may sign in again."""
        try:
            await self.services.identity.people.enable(self.me, account_id)
        except ChatError as error:
            await self.show(error=error)
            return
        self.go("/people?notice=enabled")


class MakeSignInLink(PeopleHandler):
    """`/people/ID/link`."""

    async def post(self, account_id: str) -> None:
        """A one-time sign-in link, shown in this answer only."""
        try:
            account, token = await self.services.identity.people.sign_in_link(self.me, account_id)
        except ChatError as error:
            await self.show(error=error)
            return
        await self.show(link=f"{self.origin_here()}/link/{token}", link_name=account.name)


class JoinLinks(BaseHandler):
    """`/join-links`: the invitations."""

    access = Access.ADMIN

    async def get(self) -> None:
        """The list and the form."""
        await self._show()

    async def post(self) -> None:
        """A new invitation."""
        try:
            link = await self.services.identity.people.create_join_link(
                self.me, self.field("role"), uses=self._number("uses"), days=self._number("days")
            )
        except ChatError as error:
            await self._show(error=error)
            return
        await self._show(created=f"{self.origin_here()}/join/{link.code}")

    def _number(self, name: str) -> int:
        raw = self.field(name)
        return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else 0

    async def _show(self, *, error: ChatError | None = None, created: str | None = None) -> None:
        links = [self._row(link) for link in await self.services.identity.people.join_links()]
        self.render_page(
            "pages/join_links.html",
            http_status=self.refused(error) if error else 200,
            links=links,
            grantable=[role for role in ROLES if allows(self.me, "create_join_link", role=role)],
            error=self.say(error),
            created=created,
        )

    def _row(self, link: JoinLink) -> JoinLinkRow:
        return JoinLinkRow(
            code=link.code,
            url=f"{self.origin_here()}/join/{link.code}",
            role=link.role,
            uses_left=link.uses_left,
            expires_at=None if link.expires_ms is None else rfc3339(link.expires_ms),
            revoked=link.revoked,
            usable=self.services.identity.people.is_usable(link),
            created_by=link.created_by,
        )


class RevokeJoinLink(BaseHandler):
    """`/join-links/CODE/revoke`."""

    access = Access.ADMIN

    async def post(self, code: str) -> None:
        """Nobody joins by it any more."""
        await self.services.identity.people.revoke_join_link(self.me, code)
        self.go("/join-links")


def _account_row(account: Account, viewer: Account) -> AccountRow:
    return AccountRow(
        id=account.id,
        name=account.name,
        role=account.role,
        disabled=account.disabled,
        created_at=rfc3339(account.created_ms),
        grantable=grantable(viewer, account),
    )
