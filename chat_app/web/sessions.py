"""Signing in and out: the forms, the links, the first owner, and `/session` for the browser's scripts."""

from __future__ import annotations

import logging

import msgspec
from tornado.web import HTTPError

from chat_app.errors import ChatError, Forbidden, NotFound
from chat_app.logs import log_event
from chat_app.protocol import UserView
from chat_app.web.base import Access, BaseHandler
from chat_app.web.gate import local_path

_log = logging.getLogger("chat_app.sign_in")


class SignInHandler(BaseHandler):
    """What the ways to sign in have in common."""

    access = Access.PUBLIC

    async def enter(self, token: str, way: str, to: str) -> None:
        """Signed in by `way`: a new cookie, the end of the session there was, one line in the log."""
        if self.session is not None:
            await self.services.identity.sign_out(self.session)
        found = await self.services.identity.authenticate(token)
        if found is None:  # ended in this very moment
            self.go("/login")
            return
        self.open_cookie(token, found[1].role)
        self.services.metrics.sign_ins.labels("ok").inc()
        log_event(_log, "sign_in.ok", way=way, account=found[1].id, address=self.client_address)
        self.go(to)

    def count_refusal(self, error: ChatError, way: str) -> None:
        """A sign-in that did not work: counted and logged without the name, which may be a password."""
        outcome = {"bad_credentials": "refused", "rate_limited": "throttled"}.get(error.code, "failed")
        self.services.metrics.sign_ins.labels(outcome).inc()
        log_event(_log, "sign_in.refused", way=way, code=error.code, address=self.client_address)

    def show_form(
        self,
        *,
        target: str,
        name: str | None = None,
        error: ChatError | None = None,
        register_name: str | None = None,
        register_error: ChatError | None = None,
    ) -> None:
        """The sign-in page, again with what was typed (never a password)."""
        failure = error or register_error
        self.render_page(
            "pages/login.html",
            http_status=self.refused(failure) if failure else 200,
            name=name,
            next=target,
            problem=self.problem(error),
            registration_open=self.services.settings.registration == "open",
            register_name=register_name,
            register_problem=self.problem(register_error, taken="name"),
        )


class Login(SignInHandler):
    """`/login`."""

    async def get(self) -> None:
        """The form; who is signed in goes on."""
        target = local_path(self.get_query_argument("next", "/"))
        if self.account is not None:
            self.go(target)
            return
        self.show_form(target=target)

    async def post(self) -> None:
        """Name and password."""
        name, target = self.field("name"), local_path(self.field("next"))
        try:
            token = await self.services.identity.sign_in(
                name,
                self.field("password"),
                address=self.client_address,
                agent=self.agent,
                device=self.device(),
            )
        except ChatError as error:
            self.count_refusal(error, "password")
            self.show_form(target=target, name=name, error=error)
            return
        await self.enter(token, "password", target)


class Register(SignInHandler):
    """`/register`: an account for everybody, where the settings say so."""

    async def post(self) -> None:
        """Name and password of a new member."""
        if self.services.settings.registration != "open":
            raise NotFound
        name, target = self.field("name"), local_path(self.field("next"))
        try:
            token = await self.services.identity.register(
                name, self.field("password"), address=self.client_address, agent=self.agent
            )
        except ChatError as error:
            self.show_form(target=target, register_name=name, register_error=error)
            return
        await self.enter(token, "register", target)


class Setup(SignInHandler):
    """`/setup?token=…`: the first owner."""

    async def get(self) -> None:
        """The form; 404 with a token that is no good."""
        token = self.get_query_argument("token", "")
        if not await self.services.identity.setup_is_good(token):
            raise NotFound
        self.render_page("pages/setup.html", token=token, name=None)

    async def post(self) -> None:
        """Make the owner."""
        token, name = self.field("token"), self.field("name")
        identity = self.services.identity
        if not await identity.setup_is_good(token):
            raise NotFound
        try:
            session = await identity.create_owner(
                token, name, self.field("password"), address=self.client_address, agent=self.agent
            )
        except ChatError as error:
            self.render_page(
                "pages/setup.html",
                http_status=self.refused(error),
                token=token,
                name=name,
                problem=self.problem(error, taken="name"),
            )
            return
        if session is None:
            raise NotFound
        await self.enter(session, "setup", "/")


class SetupNeeded(BaseHandler):
    """`/setup-needed`: where the link was printed, while there is no owner."""

    access = Access.PUBLIC

    async def get(self) -> None:
        """The page, or back to the start."""
        if await self.services.identity.has_owner():
            self.go("/")
            return
        self.render_page("pages/setup_needed.html")


class Join(SignInHandler):
    """`/join/CODE`: an account by invitation."""

    async def get(self, code: str) -> None:
        """The form; 404 for an unknown code, 410 for one that is used up, expired or revoked."""
        self._check_open()
        link = await self.services.identity.join_link(code)
        self.render_page("pages/join.html", code=code, name=None, role=link.role)

    async def post(self, code: str) -> None:
        """Make the account."""
        self._check_open()
        name, identity = self.field("name"), self.services.identity
        link = await identity.join_link(code)
        try:
            token = await identity.join_by_link(
                code, name, self.field("password"), address=self.client_address, agent=self.agent
            )
        except ChatError as error:
            if error.code in ("gone", "not_found"):
                raise
            self.render_page(
                "pages/join.html",
                http_status=self.refused(error),
                code=code,
                name=name,
                role=link.role,
                problem=self.problem(error, taken="name"),
            )
            return
        await self.enter(token, "join", "/")

    def _check_open(self) -> None:
        if self.services.settings.registration == "closed":
            raise Forbidden("Nobody can join at the moment.")


class SignInLink(SignInHandler):
    """`/link/TOKEN`: a one-time sign-in link. Looking at it, as mail programs do, uses nothing up."""

    async def get(self, token: str) -> None:
        """A page with a button."""
        account = await self.services.identity.link_owner(token)
        if account is None:
            raise NotFound("This link was used, has expired or never was one. Ask for a new one.")
        self.render_page("pages/link.html", token=token, name=account.name)

    async def post(self, token: str) -> None:
        """Use it up and go where a new password can be set."""
        session = await self.services.identity.sign_in_by_link(
            token, address=self.client_address, agent=self.agent
        )
        if session is None:
            raise NotFound("This link was used, has expired or never was one. Ask for a new one.")
        await self.enter(session, "link", "/account")


class Logout(BaseHandler):
    """`/logout`."""

    access = Access.PUBLIC

    async def post(self) -> None:
        """The session is gone, its sockets close, and the browser forgets what it kept of this site."""
        if self.session is not None:
            await self.services.identity.sign_out(self.session)
            log_event(_log, "sign_out", account=self.me.id, address=self.client_address)
        self.drop_cookie()
        self.set_header("Clear-Site-Data", '"cache", "storage"')
        self.go("/login")


class SessionInfo(BaseHandler):
    """`/session`: what a browser asks after a socket that never opened, since it cannot see why."""

    access = Access.PUBLIC
    answers_json = True

    async def get(self) -> None:
        """200, 401 without a session, 429 while a socket would be refused."""
        if self.account is None:
            raise HTTPError(401)
        services, settings = self.services, self.services.settings
        connections = services.connections
        of_account, of_address = settings.account_connections, settings.address_connections
        if wait := services.handshakes.peek(self.remote):
            self._refuse(wait)
        elif (
            services.full()
            or (of_account and len(connections.of_account(self.account.id)) >= of_account)
            or (of_address and connections.count_of_address(self.remote) >= of_address)
        ):
            self._refuse(10)
        user = UserView(self.account.id, self.account.name, self.account.role)
        self.write_json(msgspec.json.encode({"user": user}))

    def _refuse(self, seconds: float) -> None:
        raise ChatError("rate_limited", "Too many connections. Try again later.", retry_after=seconds)


class Confirm(BaseHandler):
    """`/confirm`: administration asks for the password again."""

    access = Access.MEMBER

    async def get(self) -> None:
        """The form."""
        target = local_path(self.get_query_argument("next", "/"))
        self.render_page("pages/confirm.html", next=target)

    async def post(self) -> None:
        """The password."""
        target = local_path(self.field("next"))
        try:
            await self.services.identity.confirm(
                self.my_session, self.field("password"), address=self.client_address
            )
        except ChatError as error:
            self.render_page(
                "pages/confirm.html",
                http_status=self.refused(error),
                next=target,
                problem=self.problem(error),
            )
            return
        self.go(target)
