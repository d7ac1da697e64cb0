"""Administration in the browser: everybody's role, disabling, sign-in links, join links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chat_app.core.permissions import allows, grantable
from chat_app.errors import N_, ChatError
from chat_app.models import ROLES, Account, JoinLink, Role, rfc3339
from chat_app.web.base import Access, BaseHandler

_NOTICES = {
    "role": N_("The role was changed."),
    "disabled": N_("The account is disabled."),
    "enabled": N_("The account is enabled again."),
}
_LINK_NOTICES = {"revoked": N_("The invitation was revoked.")}


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
    state: Literal["usable", "revoked", "used up", "expired"]
    created_by: str


class PeopleHandler(BaseHandler):
    """What the forms of the page share."""

    access = Access.ADMIN

    async def show(
        self,
        *,
        open_id: str | None = None,
        error: ChatError | None = None,
        link: str | None = None,
        link_name: str | None = None,
    ) -> None:
        """The page, with what came of a form of the account `open_id`."""
        accounts = [_account_row(account, self.me) for account in await self.services.identity.people.all()]
        self.render_page(
            "pages/people.html",
            http_status=self.refused(error) if error else 200,
            accounts=accounts,
            open_id=open_id,
            problem=self.problem(error),
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
            changed = await self.services.identity.people.set_role(self.me, account_id, self.field("role"))
        except ChatError as error:
            await self.show(open_id=account_id, error=error)
            return
        stays = changed.id != self.me.id or allows(changed, "manage_accounts")
        self.go("/people?notice=role" if stays else "/account")


class Disable(PeopleHandler):
    """`/people/ID/disable`."""

    async def post(self, account_id: str) -> None:
        """Nobody signs in with it any more; its sockets close."""
        try:
            await self.services.identity.people.disable(self.me, account_id)
        except ChatError as error:
            await self.show(open_id=account_id, error=error)
            return
        self.go("/people?notice=disabled")


class Enable(PeopleHandler):
    """`/people/ID/enable`."""

    async def post(self, account_id: str) -> None:
        """It may sign in again."""
        try:
            await self.services.identity.people.enable(self.me, account_id)
        except ChatError as error:
            await self.show(open_id=account_id, error=error)
            return
        self.go("/people?notice=enabled")


class MakeSignInLink(PeopleHandler):
    """`/people/ID/link`."""

    async def post(self, account_id: str) -> None:
        """A one-time sign-in link, shown in this answer only."""
        try:
            account, token = await self.services.identity.people.sign_in_link(self.me, account_id)
        except ChatError as error:
            await self.show(open_id=account_id, error=error)
            return
        await self.show(link=f"{self.origin_here()}/link/{token}", link_name=account.name)


class JoinLinksHandler(BaseHandler):
    """What the forms of the page of invitations share."""

    access = Access.ADMIN

    async def show(self, *, error: ChatError | None = None) -> None:
        """The page, with what came of a form, or what was typed."""
        links = [self._row(link) for link in await self.services.identity.people.join_links()]
        usable = [link for link in links if link.state == "usable"]
        code = self.get_query_argument("created", None)
        self.render_page(
            "pages/join_links.html",
            http_status=self.refused(error) if error else 200,
            usable=usable,
            over=[link for link in links if link.state != "usable"],
            grantable=[role for role in ROLES if allows(self.me, "create_join_link", role=role)],
            role=self.field("role") or "member",
            uses=self.field("uses") or "1",
            days=self.field("days") or "7",
            problem=self.problem(error),
            notice=None if error else self.notice(_LINK_NOTICES),
            created=next((link.url for link in usable if link.code == code), None),
        )

    def _row(self, link: JoinLink) -> JoinLinkRow:
        return JoinLinkRow(
            code=link.code,
            url=f"{self.origin_here()}/join/{link.code}",
            role=link.role,
            uses_left=link.uses_left,
            expires_at=None if link.expires_ms is None else rfc3339(link.expires_ms),
            state=self._state(link),
            created_by=link.created_by,
        )

    def _state(self, link: JoinLink) -> Literal["usable", "revoked", "used up", "expired"]:
        if self.services.identity.people.is_usable(link):
            return "usable"
        if link.revoked:
            return "revoked"
        return "used up" if link.uses_left == 0 else "expired"


class JoinLinks(JoinLinksHandler):
    """`/join-links`: the invitations."""

    async def get(self) -> None:
        """The list and the form; with `?created=` the new link first."""
        await self.show()

    async def post(self) -> None:
        """A new invitation."""
        try:
            link = await self.services.identity.people.create_join_link(
                self.me, self.field("role"), uses=self._number("uses"), days=self._number("days")
            )
        except ChatError as error:
            await self.show(error=error)
            return
        self.go(f"/join-links?created={link.code}")

    def _number(self, name: str) -> int:
        raw = self.field(name)
        return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else 0


class RevokeJoinLink(JoinLinksHandler):
    """`/join-links/CODE/revoke`."""

    async def post(self, code: str) -> None:
        """Nobody joins by it any more."""
        try:
            await self.services.identity.people.revoke_join_link(self.me, code)
        except ChatError as error:
            await self.show(error=error)
            return
        self.go("/join-links?notice=revoked")


def _account_row(account: Account, viewer: Account) -> AccountRow:
    return AccountRow(
        id=account.id,
        name=account.name,
        role=account.role,
        disabled=account.disabled,
        created_at=rfc3339(account.created_ms),
        grantable=grantable(viewer, account),
    )
