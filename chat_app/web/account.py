"""One's own account: the password, and where one is signed in."""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.errors import N_, ChatError
from chat_app.models import rfc3339
from chat_app.web.base import Access, BaseHandler

_NOTICES = {
    "password": N_("The password was changed. Every other session was signed out."),
    "language": N_("The language was changed."),
    "others": N_("Every other session was signed out."),
    "session": N_("The session was signed out."),
}


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session in the list."""

    id: str
    current: bool
    created_at: str
    last_seen_at: str
    address: str
    agent: str


class AccountHandler(BaseHandler):
    """What the forms of the page share."""

    access = Access.MEMBER

    async def show(self, *, error: ChatError | None = None) -> None:
        """The page, with what came of a form."""
        sessions = [
            SessionRow(
                id=session.id,
                current=session.id == self.my_session.id,
                created_at=rfc3339(session.created_ms),
                last_seen_at=rfc3339(session.last_seen_ms),
                address=session.address,
                agent=session.agent,
            )
            for session in await self.services.identity.sessions.of(self.me.id)
        ]
        self.render_page(
            "pages/account.html",
            http_status=self.refused(error) if error else 200,
            languages=list(self.services.assets.languages.values()),
            sessions=sorted(sessions, key=lambda row: not row.current),
            error=self.say(error),
            notice=None if error else self.notice(_NOTICES),
        )


class AccountPage(AccountHandler):
    """`/account`."""

    async def get(self) -> None:
        """The page."""
        await self.show()


class Password(AccountHandler):
    """`/account/password`."""

    async def post(self) -> None:
        """A new password; every other session ends, this one goes on under a new token."""
        try:
            token = await self.services.identity.change_password(
                self.my_session,
                self.me,
                self.field("current"),
                self.field("password"),
                address=self.client_address,
                agent=self.agent,
            )
        except ChatError as error:
            await self.show(error=error)
            return
        self.open_cookie(token)
        self.go("/account?notice=password")


class SetLanguage(AccountHandler):
    """`/account/language`."""

    async def post(self) -> None:
        """The language of the pages; empty: what the browser asks for."""
        chosen = self.field("language") or None
        if chosen is not None and chosen not in self.services.assets.languages:
            await self.show(error=ChatError("bad_request", "There is no such language here."))
            return
        await self.services.identity.set_language(self.me, chosen)
        self.go("/account?notice=language")


class EndOthers(AccountHandler):
    """`/account/sessions/end-others`."""

    async def post(self) -> None:
        """Sign out everywhere else."""
        await self.services.identity.end_others(self.my_session)
        self.go("/account?notice=others")


class EndSession(AccountHandler):
    """`/account/sessions/ID/end`."""

    async def post(self, session_id: str) -> None:
        """Sign out one of one's sessions."""
        await self.services.identity.end_session(self.me, session_id)
        if session_id == self.my_session.id:
            self.drop_cookie()
            self.go("/login")
            return
        self.go("/account?notice=session")
