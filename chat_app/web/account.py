"""One's own account: the name, the password, and where one is signed in."""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.errors import ChatError
from chat_app.models import rfc3339
from chat_app.web.base import Access, BaseHandler
from chat_app.web.refusals import problem_of

_NOTICES = {
    "name": "The name was changed.",
    "password": "The password was changed. Every other session was signed out.",
    "others": "Every other session was signed out.",
    "session": "The session was signed out.",
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
        session_error: ChatError | None = None,
    ) -> None:
        """The page, with what came of a form and what was typed as `name`."""
        error = name_error or password_error or session_error
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
            name_problem=problem_of(name_error, taken="name") if name_error else None,
            password_problem=(
                problem_of(password_error, bad_credentials="current") if password_error else None
            ),
            session_problem=problem_of(session_error) if session_error else None,
            notice=None if error else _NOTICES.get(self.get_query_argument("notice", "")),
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
        self.open_cookie(token)
        self.go("/account?notice=password")


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
