"""One's own account: the name, the password, and where one is signed in."""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.errors import N_, ChatError
from chat_app.models import rfc3339
from chat_app.web.base import Access, BaseHandler

_NOTICES = {
    "name": N_("The name was changed."),
    "language": N_("The language was changed."),
    "password": N_("The password was changed. Every other session was signed out."),
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

    async def show(
        self,
        *,
        name: str | None = None,
        name_error: ChatError | None = None,
        password_error: ChatError | None = None,
        language_error: ChatError | None = None,
        session_error: ChatError | None = None,
    ) -> None:
        """The page, with what came of a form and what was typed as `name`."""
        error = name_error or password_error or language_error or session_error
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
            sessions=sorted(sessions, key=lambda row: not row.current),
            name=self.me.name if name is None else name,
            linked=self.services.identity.is_linked(self.my_session),
            name_problem=self.problem(name_error, taken="name"),
            password_problem=self.problem(password_error, bad_credentials="current"),
            languages=list(self.services.assets.languages.values()),
            language_problem=self.problem(language_error),
            session_problem=self.problem(session_error),
            notice=None if error else self.notice(_NOTICES),
        )


class AccountPage(AccountHandler):
    """`/account`."""

    async def get(self) -> None:
        """The page."""
        await self.show()


class Name(AccountHandler):
    """`/account/name`."""

    async def post(self) -> None:
        """Another name; sessions and sockets go on under it."""
        name = self.field("name")
        try:
            await self.services.identity.people.rename(self.me, name)
        except ChatError as error:
            await self.show(name=name, name_error=error)
            return
        self.go("/account?notice=name")


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
            await self.show(password_error=error)
            return
        self.open_cookie(token, self.me.role)
        self.go("/account?notice=password")


class SetLanguage(AccountHandler):
    """`/account/language`."""

    async def post(self) -> None:
        """The language of the pages; empty: what the browser asks for."""
        chosen = self.field("language") or None
        if chosen is not None and chosen not in self.services.assets.languages:
            await self.show(language_error=ChatError("bad_request", "There is no such language here."))
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
        try:
            await self.services.identity.end_session(self.me, session_id)
        except ChatError as error:
            await self.show(session_error=error)
            return
        if session_id == self.my_session.id:
            self.drop_cookie()
            self.go("/login")
            return
        self.go("/account?notice=session")
