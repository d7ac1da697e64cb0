"""What a refusal looks like over HTTP: its status, its words, and which field of a form it is about.

`base` and the handlers use it; it decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from chat_app.errors import N_, ChatError
from chat_app.web.languages import Language

_STATUS = {
    "bad_credentials": 401, "forbidden": 403, "not_found": 404,
    "taken": 409, "last_owner": 409, "disabled": 409, "gone": 410, "rate_limited": 429, "busy": 503,
}  # fmt: skip
_FIELDS = {
    "bad_name": "name", "bad_password": "password", "bad_credentials": "password",  # nosec B105 # field names
    "bad_slug": "slug", "bad_title": "title",
}  # fmt: skip

PAGES = {
    400: (N_("That did not arrive well"), N_("The server could not read this request.")),
    401: (N_("Not signed in"), N_("Sign in first.")),
    403: (N_("Not allowed"), N_("This is not for your account, or did not come from a page of this site.")),
    404: (N_("Page not found"), N_("There is no such page, or it is not for you to see.")),
    405: (N_("Nothing to see here"), N_("This address only takes what a form on another page sends.")),
    409: (N_("That does not go together"), N_("Something changed in the meantime. Go back and look again.")),
    410: (N_("This is gone"), N_("It was used up, has expired or was taken back.")),
    413: (N_("Too much at once"), N_("What was sent is larger than this server accepts. Send less of it.")),
    429: (N_("Too many tries"), N_("Wait a little, then try again.")),
    431: (N_("Too many cookies"), N_("Remove the cookies of this site, then try again.")),
    500: (N_("Something went wrong"), N_("That is the server's fault. What happened is in its log.")),
    503: (N_("Busy at the moment"), N_("The server has too much to do. Try again in a moment.")),
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


def problem_of(error: ChatError, language: Language, **fields: str) -> Problem:
    """What a form says of a refusal in the reader's language.

    `fields` names the field of a code where it is not the usual one.
    """
    field = fields.get(error.code, _FIELDS.get(error.code))
    said = language.say(error.sentence, **error.values)
    return Problem(said, field, None if error.retry_after is None else whole_seconds(error))


def words_of(status: int) -> tuple[str, str]:
    """Heading and sentence of an error page."""
    return PAGES.get(status) or PAGES[500 if status >= 500 else 400]


def whole_seconds(error: ChatError) -> int:
    """Seconds to wait, rounded up, at least one."""
    return max(1, -int(-(error.retry_after or 0) // 1))
