"""The one list of addresses, and the Tornado application made of it."""

from __future__ import annotations

from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from chat_app.web import (
    account,
    direct,
    manage_rooms,
    messages,
    ops,
    pages,
    people,
    room_settings,
    search,
    security,
    sessions,
)
from chat_app.web.base import Access, BaseHandler, Services
from chat_app.web.gate import signing_keys
from chat_app.web.socket import ChatSocket
from chat_app.web.static import ServiceWorker, StaticFiles, Style
from chat_app.web.templates import STATIC_PREFIX

_SLUG = r"([a-zA-Z0-9_-]{1,32})"
_ID = r"([a-zA-Z0-9_-]{1,64})"

ROUTES: tuple[tuple[str, type[BaseHandler]], ...] = (
    (r"/", pages.Start),
    (r"/setup-needed", sessions.SetupNeeded),
    (r"/setup", sessions.Setup),
    (r"/login", sessions.Login),
    (r"/register", sessions.Register),
    (r"/logout", sessions.Logout),
    (rf"/join/{_ID}", sessions.Join),
    (rf"/link/{_ID}", sessions.SignInLink),
    (r"/session", sessions.SessionInfo),
    (r"/confirm", sessions.Confirm),
    (r"/rooms", pages.Rooms),
    (rf"/rooms/{_SLUG}", pages.RoomPage),
    (rf"/rooms/{_SLUG}/messages", messages.RoomMessages),
    (rf"/rooms/{_SLUG}/messages/{_ID}/versions", messages.MessageVersions),
    (rf"/rooms/{_SLUG}/pins", messages.RoomPins),
    (rf"/rooms/{_SLUG}/names", messages.RoomNames),
    (rf"/rooms/{_SLUG}/settings", room_settings.RoomSettings),
    (rf"/rooms/{_SLUG}/notify", room_settings.RoomNotify),
    (rf"/rooms/{_SLUG}/archive", room_settings.Archive),
    (rf"/rooms/{_SLUG}/restore", room_settings.Restore),
    (rf"/rooms/{_SLUG}/leave", room_settings.LeaveRoom),
    (rf"/rooms/{_SLUG}/members", room_settings.AddMember),
    (rf"/rooms/{_SLUG}/members/{_ID}/remove", room_settings.RemoveMember),
    (rf"/rooms/{_SLUG}/members/{_ID}/manager", room_settings.MakeManager),
    (r"/names", messages.Names),
    (r"/direct", direct.Direct),
    (r"/search", search.Search),
    (r"/search/messages", search.SearchMessages),
    (r"/account", account.AccountPage),
    (r"/account/name", account.Name),
    (r"/account/password", account.Password),
    (r"/account/language", account.SetLanguage),
    (r"/account/sessions/end-others", account.EndOthers),
    (rf"/account/sessions/{_ID}/end", account.EndSession),
    (r"/people", people.PeoplePage),
    (rf"/people/{_ID}/role", people.SetRole),
    (rf"/people/{_ID}/disable", people.Disable),
    (rf"/people/{_ID}/enable", people.Enable),
    (rf"/people/{_ID}/link", people.MakeSignInLink),
    (r"/join-links", people.JoinLinks),
    (rf"/join-links/{_ID}/revoke", people.RevokeJoinLink),
    (r"/manage-rooms", manage_rooms.ManageRooms),
    (rf"/manage-rooms/{_SLUG}/title", manage_rooms.SetTitle),
    (r"/admin/security", security.SecurityPage),
    (r"/healthz", ops.Healthz),
    (r"/readyz", ops.Readyz),
    (r"/metrics", ops.MetricsPage),
    (r"/style\.css", Style),
    (r"/sw\.js", ServiceWorker),
    (r"/chat", ChatSocket),
)


def make_routes(services: Services) -> list[URLSpec]:
    """Every address with its handler. Raises TypeError when a handler does not say who may call it."""
    for pattern, handler in ROUTES:
        check_access(pattern, handler)
    return [URLSpec(pattern + r"\Z", handler, {"services": services}) for pattern, handler in ROUTES]


def check_access(pattern: str, handler: type[RequestHandler]) -> None:
    """Raises TypeError when `handler` does not declare its access."""
    if not isinstance(getattr(handler, "access", None), Access):
        raise TypeError(f"{handler.__name__} at {pattern} does not say who may call it.")


def make_application(services: Services) -> Application:
    """The application that `app.py` serves."""
    keys, newest = signing_keys(services.settings.cookie_secret)
    return Application(
        make_routes(services),
        cookie_secret=keys,
        key_version=newest,
        cross_origin_protection=True,
        default_handler_class=pages.NotFoundPage,
        default_handler_args={"services": services},
        static_path=str(services.assets.static),
        static_url_prefix=STATIC_PREFIX,
        static_handler_class=StaticFiles,
        static_handler_args={"services": services},
        log_function=lambda handler: None,
        compress_response=False,
        debug=False,
    )
