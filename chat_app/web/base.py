"""What all handlers share: who may call, from where, as whom, with which headers, and how a refusal looks.

The one place where a `ChatError` becomes an HTTP answer. Pages and JSON derive from `BaseHandler`; so does
the socket, which checks for itself in its own `prepare`.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping
from typing import Any, assert_never
from urllib.parse import quote, urlsplit

import msgspec
from tornado.web import HTTPError, RequestHandler

from chat_app.core.limits import address_key
from chat_app.core.permissions import allows
from chat_app.errors import Busy, ChatError
from chat_app.logs import log_event
from chat_app.models import Account, Role, Session
from chat_app.web.gate import (
    COOKIE_DAYS,
    DEVICE_DAYS,
    cookie_name,
    device_cookie_name,
    forwarded_by,
    local_path,
    peer,
    signed_value,
)
from chat_app.web.languages import Language
from chat_app.web.packing import pack, takes_gzip
from chat_app.web.refusals import Problem, problem_of, status_of, whole_seconds, words_of
from chat_app.web.services import Services, State

__all__ = ["Access", "BaseHandler", "Services", "State"]

_log = logging.getLogger("chat_app.web")
HEADERS_LIMIT_BYTES = 16 * 1024
BODY_LIMIT_BYTES = 64 * 1024
_FIELDS_LIMIT = 50
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    "Server": "roomlog",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
_HSTS = "max-age=31536000"


class Access(enum.Enum):
    """Who may call a handler; `routes` refuses to make an application with one that does not say."""

    PUBLIC = "everybody"
    MEMBER = "who is signed in"
    ADMIN = "who manages accounts and gave the password lately"


class BaseHandler(RequestHandler):
    """A request of a person or of a browser's script."""

    access: Access
    any_host = False
    """For load balancers, which ask by address."""
    answers_json = False
    compressed = False
    """For the large pages, which hold no token: a length tells something of what it is the length of."""

    def initialize(self, services: Services) -> None:
        """Called first by Tornado: everything the rest needs without asking anybody."""
        self.services = services
        self.session: Session | None = None
        self.account: Account | None = None
        self.token = self.cookie_role = ""  # nosec B105 # nobody yet
        self.client_address, self.scheme = peer(self.request, services.settings.trusted_proxies)
        services.state.forwarded_by = (
            forwarded_by(self.request, services.settings.trusted_proxies) or services.state.forwarded_by
        )
        self.remote = address_key(self.client_address)
        for name in ("Origin", "Referer"):
            try:
                urlsplit(self.request.headers.get(name, ""))
            except ValueError:  # Tornado would stumble over it, and so would we
                self.request.headers[name] = "null"
        self.set_default_headers()

    def set_default_headers(self) -> None:
        """The headers of every answer, errors too."""
        for name, value in _HEADERS.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "no-store")
        services: Services | None = getattr(self, "services", None)  # Tornado asks once before `initialize`
        if services is not None:
            self.set_header("Content-Security-Policy", services.assets.policy)
            if self.scheme == "https":
                self.set_header("Strict-Transport-Security", _HSTS)

    async def prepare(self) -> None:
        """Size, host, method, origin, session, access: in this order, before any handler's own work."""
        self.check_size()
        if not self.any_host and not self.host_allowed():
            raise HTTPError(403)
        if self.request.method not in self.methods():
            raise HTTPError(405)
        if self.request.method not in _SAFE_METHODS:
            self._check_post()
        await self.authenticate()
        await self._renew_cookie()
        self._check_access()

    def check_trusted_origin(self, origin: str) -> bool:
        """For Tornado's `cross_origin_protection`; what a browser calls another site never is ours."""
        cross = self.request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        return not cross and self.origin_allowed(origin)

    def check_size(self) -> None:
        """The limits that `server` lets pass to be refused with a page."""
        headers, line = self.request.headers, len(self.request.uri or "")
        if line + sum(len(name) + len(value) + 4 for name, value in headers.get_all()) > HEADERS_LIMIT_BYTES:
            raise HTTPError(431)
        length = headers.get("Content-Length", "0")
        if length.isdecimal() and int(length[:20]) > BODY_LIMIT_BYTES:
            raise HTTPError(413)

    def host_allowed(self) -> bool:
        """Whether the one `Host` is of the allow-list."""
        hosts = self.request.headers.get_list("Host")
        return len(hosts) == 1 and hosts[0].strip().lower() in self.services.hosts

    def origin_allowed(self, origin: str) -> bool:
        """Whether it is of the allow-list, exactly; case does not count in scheme and host."""
        return origin.lower() in self.services.origins

    async def authenticate(self) -> None:
        """Set `session` and `account` when the cookie is a living session's."""
        held = signed_value(self.request, cookie_name(self.scheme), self.settings["cookie_secret"])
        token, _, self.cookie_role = (held or "").partition(".")
        self.token = token
        found = await self.services.identity.authenticate(token) if token else None
        self.session, self.account = found or (None, None)
        self.current_user = self.account

    @property
    def me(self) -> Account:
        """Who is signed in; for handlers that only members call."""
        assert self.account is not None
        return self.account

    @property
    def my_session(self) -> Session:
        """The session; for handlers that only members call."""
        assert self.session is not None
        return self.session

    @property
    def language(self) -> Language:
        """What pages speak to this reader: as the account says, else as the browser asks."""
        chosen = self.account.language if self.account else None
        return self.services.assets.languages.choose(chosen, self.request.headers.get("Accept-Language", ""))

    def say(self, refusal: ChatError | None) -> str | None:
        """The sentence of a refusal in the reader's language."""
        return self.language.say(refusal.sentence, **refusal.values) if refusal else None

    def problem(self, refusal: ChatError | None, **fields: str) -> Problem | None:
        """What a form says of a refusal; `fields` as in `refusals.problem_of`."""
        return problem_of(refusal, self.language, **fields) if refusal else None

    def notice(self, notices: Mapping[str, str]) -> str | None:
        """What the form that led here did, by `?notice=`, in the reader's language."""
        text = notices.get(self.get_query_argument("notice", ""))
        return self.language.say(text) if text else None

    @property
    def agent(self) -> str:
        """The browser, as it calls itself."""
        return self.request.headers.get("User-Agent", "")

    def field(self, name: str) -> str:
        """A field of the form, untouched; empty when absent. Raises 400 when it is not UTF-8."""
        values = self.request.body_arguments.get(name)
        try:
            return values[-1].decode() if values else ""
        except UnicodeDecodeError:
            raise HTTPError(400) from None

    def open_cookie(self, token: str, role: Role) -> None:
        """Give the browser a session's token, and the role under which it got it."""
        self._set_cookie(cookie_name(self.scheme), f"{token}.{role}", days=COOKIE_DAYS)

    def device(self) -> tuple[str, str] | None:
        """(account, device) of a browser that was signed in before, as its cookie tells; None for others.

        It signs nobody in: guesses of this browser are counted apart from everybody else's.
        """
        keys = self.settings["cookie_secret"]
        held = signed_value(self.request, device_cookie_name(self.scheme), keys, days=DEVICE_DAYS)
        account, _, device = (held or "").partition(".")
        return (account, device) if account and device else None

    def _know_device(self) -> None:
        """A page for who is signed in: from now on this browser is known for the account.

        The device is named after the session, so that one session makes one device and no more.
        """
        device = self.device()
        if self.account and self.session and (device is None or device[0] != self.account.id):
            name = device_cookie_name(self.scheme)
            self._set_cookie(name, f"{self.account.id}.{self.session.id}", days=DEVICE_DAYS)

    def _set_cookie(self, name: str, value: str, *, days: int) -> None:
        self.set_signed_cookie(
            name, value, expires_days=days, version=2, path="/", httponly=True,
            samesite="Lax", secure=self.scheme == "https",
        )  # fmt: skip

    async def _renew_cookie(self) -> None:
        """The role changed since the browser got its token: it gets another one (a busy store: next time)."""
        if self.account is None or self.session is None or self.cookie_role == self.account.role:
            return
        try:
            token = await self.services.identity.sessions.renew(self.session, self.token)
        except Busy:
            return
        if token is not None:
            self.open_cookie(token, self.account.role)

    def drop_cookie(self) -> None:
        """Take it away again."""
        name = cookie_name(self.scheme)
        self.clear_cookie(name, path="/", httponly=True, samesite="Lax", secure=self.scheme == "https")

    def go(self, path: str) -> None:
        """303: the browser gets `path`."""
        self.redirect(path, status=303)

    def origin_here(self) -> str:
        """The site's origin, for links to be copied."""
        return f"{self.scheme}://{self.request.host.lower()}"

    def render_page(self, template: str, /, *, http_status: int | None = None, **context: object) -> None:
        """Finish with a template; what every template is given is added here."""
        if http_status is not None:
            self.set_status(http_status)
        language = self.language
        self._know_device()
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Content-Language", language.code)
        self.set_header("Vary", "Accept-Language")
        assets = self.services.assets
        everywhere: dict[str, object] = {
            "user": self.account,
            "static_url": assets.static_url,
            "style_url": assets.style_url(),
            "import_map": assets.import_map,
            "path": self.request.path,
            "problem": None,
            "can_administrate": self.account is not None and allows(self.account, "manage_accounts"),
        }
        page = assets.loaders[language.code].load(template).generate(**{**everywhere, **context})
        if self.compressed:
            self.set_header("Vary", "Accept-Language, Accept-Encoding")
        if self.compressed and takes_gzip(self.request.headers.get("Accept-Encoding", "")):
            self.set_header("Content-Encoding", "gzip")
            page = pack(page)
        self.finish(page)

    def write_json(self, payload: bytes, *, status: int | None = None) -> None:
        """Finish with JSON."""
        if status is not None:
            self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(payload)

    def refused(self, error: ChatError) -> int:
        """A form is shown again for `error`: sets what belongs to it and returns the status."""
        if error.retry_after is not None:
            self.set_header("Retry-After", str(whole_seconds(error)))
        return status_of(error)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """A `ChatError` that nobody caught gets its own status."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        super().send_error(status_of(error) if isinstance(error, ChatError) else status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The error as a page, or as JSON for scripts."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        title, message = words_of(status_code)
        said: str | None = self.language.say(message)
        code = "error"
        if isinstance(error, ChatError):
            message, code, said = error.message, error.code, self.say(error)
            self.refused(error)
        elif isinstance(error, HTTPError):
            code = {401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}.get(
                status_code, "bad_request"
            )
            if "Retry-After" not in self._headers and status_code == 429:
                self.set_header("Retry-After", "10")
        if status_code == 405:
            self.set_header("Allow", ", ".join(sorted(self.methods())))
        if self.answers_json:
            body = {"error": {"code": code, "message": message}}
            self.write_json(msgspec.json.encode(body))
            return
        if status_code in (413, 431):
            self.set_header("Connection", "close")
        self.render_page(
            "pages/error.html",
            status=status_code,
            title=self.language.say(title),
            message=said,
            retry_after=whole_seconds(error) if isinstance(error, ChatError) and error.retry_after else None,
            again=self._again(status_code),
        )

    def _again(self, status_code: int) -> str | None:
        """Where to try it again: the same page, or the one that has the form. None where that is no use."""
        if self.request.method in _SAFE_METHODS:
            return local_path(self.request.uri) if status_code in (429, 500, 503) else None
        before = urlsplit(self.request.headers.get("Referer", ""))
        if status_code in (404, 410) or not self.origin_allowed(f"{before.scheme}://{before.netloc}"):
            return None
        return local_path(before.path + (f"?{before.query}" if before.query else ""))

    def log_exception(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Only what nobody foresaw is an event; refusals are counted elsewhere."""
        if isinstance(error, (ChatError, HTTPError)):
            return
        self.services.metrics.errors.inc()
        log_event(_log, "request.failed", level=logging.ERROR, exc_info=error, route=type(self).__name__)

    async def head(self, *args: str, **kwargs: str) -> None:
        """What `get` would answer; Tornado leaves the body out (RFC 9110 section 9.3.2)."""
        if (got := self.get(*args, **kwargs)) is not None:
            await got

    @classmethod
    def methods(cls) -> set[str]:
        """What it answers to."""
        own = {
            method for method in cls.SUPPORTED_METHODS
            if method != "HEAD"
            and getattr(cls, method.lower()) is not getattr(RequestHandler, method.lower(), None)
        }  # fmt: skip
        return own | {"HEAD"} if "GET" in own else own

    def _check_post(self) -> None:
        """Every Origin is ours, whatever else is said; with a cookie one or Sec-Fetch-Site stands."""
        headers = self.request.headers
        origins = headers.get_list("Origin")
        if len(origins) > 1 or not all(self.origin_allowed(origin) for origin in origins):
            raise HTTPError(403)
        if not origins and "Sec-Fetch-Site" not in headers and "Cookie" in headers:
            raise HTTPError(403)
        if sum(map(len, self.request.body_arguments.values())) > _FIELDS_LIMIT:
            raise HTTPError(400)

    def _check_access(self) -> None:
        match self.access:
            case Access.PUBLIC:
                return
            case Access.MEMBER:
                if self.account is None:
                    self._to_sign_in()
            case Access.ADMIN:
                if self.account is None:
                    self._to_sign_in()
                elif not allows(self.account, "manage_accounts"):
                    raise HTTPError(403)
                elif not self.services.identity.is_confirmed(self.my_session):
                    self.go(f"/confirm?next={quote(self._page_path(), safe='')}")
            case _:
                assert_never(self.access)

    def _to_sign_in(self) -> None:
        if self.answers_json:
            raise HTTPError(401)
        self.go(f"/login?next={quote(self._page_path(), safe='')}")

    def _page_path(self) -> str:
        """The page to come back to: a post's own is the one that has its form."""
        if self.request.method in _SAFE_METHODS:
            return self.request.uri or "/"
        return "/" + self.request.path.lstrip("/").partition("/")[0]
