"""Everything that can be refused, with the stable code a client reads.

The tree::

    ChatError(code, sentence, retry_after, **values)
        RateLimited   rate_limited   over a message limit; says when to try again
        Busy          busy           the writer's queue is full, or the outcome is unknown: send it again
        NotFound      not_found      unknown, or not to be seen by this person: the two alike
        Forbidden     forbidden      known, but not allowed

`ChatError` becomes a frame in `web/socket.py` and an HTTP answer in `web/base.py`, nowhere else. The
sentences are found for the catalogues, so they stand as literals and name what varies (docs/adr/0009).
"""

from __future__ import annotations


def N_(text: str) -> str:
    """Marks a text for the catalogues that is translated where it is shown."""
    return text


class ChatError(Exception):
    """A refusal with a stable `code`, a sentence for a person and, where it helps, seconds to wait.

    `message` is the sentence in English; `sentence` with `values` for its `%(name)s` is what is translated.
    """

    def __init__(
        self, code: str, sentence: str, *, retry_after: float | None = None, **values: object
    ) -> None:
        self.code = code
        self.sentence = sentence
        self.values = values
        self.message = sentence % values if values else sentence
        self.retry_after = retry_after
        super().__init__(self.message)


class RateLimited(ChatError):
    """Too much of something that is allowed; `retry_after` says when it is allowed again."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__("rate_limited", message, retry_after=retry_after)


class Busy(ChatError):
    """Nothing was refused for good: the same thing may be sent again."""

    def __init__(
        self, message: str = N_("The server is busy. Send it again."), *, retry_after: float = 1
    ) -> None:
        super().__init__("busy", message, retry_after=retry_after)


class NotFound(ChatError):
    """There is no such thing, or it is not to be seen by the one who asks."""

    def __init__(self, message: str = N_("There is no such thing here.")) -> None:
        super().__init__("not_found", message)


class Forbidden(ChatError):
    """The one who asks may see it, but not do this to it."""

    def __init__(self, message: str = N_("You may not do that.")) -> None:
        super().__init__("forbidden", message)
