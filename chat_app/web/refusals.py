"""What a refusal looks like over HTTP: its status, its words, and which field of a form it is about.

`base` and the handlers use it; it decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.errors import ChatError

_STATUS = {
    "bad_credentials": 401, "forbidden": 403, "not_found": 404,
    "taken": 409, "last_owner": 409, "disabled": 409, "gone": 410, "rate_limited": 429, "busy": 503,
}  # fmt: skip
_FIELDS = {
    "bad_name": "name", "bad_password": "password", "bad_credentials": "password",
    "bad_slug": "slug", "bad_title": "title",
}  # fmt: skip

PAGES = {
    400: ("That did not arrive well", "The server could not read this request. Go back and try it again."),
    401: ("Sign in first", "This is only for people who are signed in."),
    403: ("Not allowed", "This is not for your account, or it was not sent from a page of this site."),
    404: ("Page not found", "There is no such page, or it is not for you to see."),
    405: ("Nothing to see here", "This address only takes what a form on another page sends."),
    409: ("That does not go together", "Something changed in the meantime. Go back and look again."),
    410: ("This is gone", "It was used up, has expired or was taken back."),
    413: ("Too much at once", "What was sent is larger than this server accepts. Send less of it."),
    429: ("Too many tries", "Wait a little, then try again."),
    431: ("Too many cookies", "Your browser sent more than this server accepts. Remove this site's cookies."),
    500: ("Something went wrong", "That is the server's fault. What happened is in its log."),
    503: ("Busy at the moment", "The server has too much to do. Try again in a moment."),
}
"""Heading and sentence of an error page; other statuses are told as 400 or 500 are."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a form is shown again."""

    message: str
    field: str | None
    """The field it is about; it gets the focus."""
    retry_after: int | None
    """Whole seconds."""


def status_of(error: ChatError) -> int:
    """The HTTP status of a refusal."""
    return _STATUS.get(error.code, 400)


def problem_of(error: ChatError, **fields: str) -> Problem:
    """What a form says of a refusal; `fields` names the field of a code where it is not the usual one."""
    field = fields.get(error.code, _FIELDS.get(error.code))
    return Problem(error.message, field, None if error.retry_after is None else whole_seconds(error))


def words_of(status: int) -> tuple[str, str]:
    """Heading and sentence of an error page."""
    return PAGES.get(status) or PAGES[500 if status >= 500 else 400]


def whole_seconds(error: ChatError) -> int:
    """Seconds to wait, rounded up, at least one."""
    return max(1, -int(-(error.retry_after or 0) // 1))
