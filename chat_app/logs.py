"""The log: one JSON object a line on standard error.

`cli` configures it once; everybody writes through `log_event`. No body, password, cookie or token ever comes
out, and what users typed cannot break a line or steer a terminal, for JSON escapes it.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

HIDDEN = "[hidden]"
_HIDDEN_WORDS = frozenset(
    {"authorization", "body", "cookie", "cookies", "password", "secret", "text", "token", "tokens"}
)
_SECRET_IN_TEXT = re.compile(
    r"(?i)(?P<name>\b\w*(?:token|password|secret|cookie|session|authorization)\w*['\"]?\s*[=:]\s*)"
    r"(?:b?'[^']*'|b?\"[^\"]*\"|(?:bearer\s+)?[^\s&,;'\")]+)"
    r"|(?P<path>/(?:link|join)/)[\w.~%-]+"
)
_TEXT_LIMIT = 16 * 1024  # characters of one value; the rest is cut off


def configure(stream: TextIO | None = None, level: int = logging.INFO, *, process: int | None = None) -> None:
    """Sends every logger's records to `stream` (standard error) as JSON lines; Python's warnings too.

    `process` goes into each line, where several write to one stream.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(process=process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    for name in ("tornado.access", "alembic", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)  # the application writes its own line
    logging.lastResort = None


def log_event(
    logger: logging.Logger,
    event: str,
    /,
    *,
    level: int = logging.INFO,
    exc_info: BaseException | bool | None = None,
    **fields: object,
) -> None:
    """Writes one line: `event` is a fixed dotted name ("connection.open"), the fields hold what varies."""
    logger.log(level, event, exc_info=exc_info, extra={"fields": fields})


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: ts, level, logger, event, the fields, and the traceback as `exception`."""

    def __init__(self, *, process: int | None = None) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "ts": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _event(record),
        }
        if self._process is not None:
            line["process"] = self._process
        fields = getattr(record, "fields", None)
        if isinstance(fields, Mapping):
            line |= {key if key not in line else f"{key}_": value for key, value in _scrubbed(fields).items()}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = _cleaned(self.formatException(record.exc_info))
        elif record.exc_text:
            line["exception"] = _cleaned(record.exc_text)
        return json.dumps(line, ensure_ascii=True, default=lambda value: _cleaned(str(value)))


def _event(record: logging.LogRecord) -> str:
    if record.args and "cookie" in str(record.msg).lower():  # Tornado logs the value of a cookie it refuses
        return _cleaned(str(record.msg))
    try:
        return _cleaned(record.getMessage())
    except (TypeError, ValueError):  # the arguments do not fit the message: still worth a line
        return _cleaned(str(record.msg))


def _scrubbed(fields: Mapping[object, object]) -> dict[str, object]:
    return {
        str(key): HIDDEN if value is not None and _is_hidden(str(key)) else _value(value)
        for key, value in fields.items()
    }


def _value(value: object) -> object:
    match value:
        case str():
            return _cleaned(value)
        case Mapping():
            return _scrubbed(value)
        case list() | tuple() | set() | frozenset():
            return [_value(item) for item in value]
        case bytes():
            return HIDDEN  # keys, frames, bodies: never for a log
    return value


def _is_hidden(key: str) -> bool:
    return not _HIDDEN_WORDS.isdisjoint(re.split(r"[^a-z]+", key.lower()))


def _cleaned(text: str) -> str:
    return _SECRET_IN_TEXT.sub(lambda found: f"{found['name'] or found['path']}{HIDDEN}", text[:_TEXT_LIMIT])
