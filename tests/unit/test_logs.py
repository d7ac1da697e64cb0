"""The log: one JSON object a line, and nothing in it that must not be read."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from chat_app import logs
from chat_app.logs import log_event

CANARY = "Zm9vYmFyYmF6"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:] = before
    root.setLevel(level)


def only_line(stream: io.StringIO) -> dict[str, object]:
    (line,) = stream.getvalue().splitlines()
    found: dict[str, object] = json.loads(line)
    return found


def test_event_is_one_object_with_its_fields(stream: io.StringIO) -> None:
    log_event(
        logging.getLogger("chat_app.web.socket"), "connection.open", client="c1", code=4401, seconds=0.5
    )
    line = only_line(stream)
    assert line.pop("ts")
    assert line == {
        "level": "info",
        "logger": "chat_app.web.socket",
        "event": "connection.open",
        "client": "c1",
        "code": 4401,
        "seconds": 0.5,
    }


def test_time_is_utc_with_milliseconds(stream: io.StringIO) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "e", (), None)
    record.created = 1.5
    assert json.loads(logs.JsonFormatter().format(record))["ts"] == "1970-01-01T00:00:01.500Z"


def test_what_users_typed_cannot_break_a_line_or_steer_a_terminal(stream: io.StringIO) -> None:
    name = 'a\r\n{"event":"forged"}\x1b[2J\u202e\u2028é\x00'
    log_event(logging.getLogger("x"), "sign_in", name=name)
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert written.removesuffix("\n").isascii()
    assert written.removesuffix("\n").isprintable()
    assert only_line(stream)["name"] == name


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "setup_token",
        "password",
        "new-password",
        "Cookie",
        "cookie_secret",
        "text",
        "body",
        "Authorization",
    ],
)
def test_secret_fields_are_hidden(stream: io.StringIO, key: str) -> None:
    log_event(logging.getLogger("x"), "e", **{key: CANARY, "nested": [{key: CANARY}], "raw": CANARY.encode()})
    assert CANARY not in stream.getvalue()
    assert only_line(stream)[key] == logs.HIDDEN


@pytest.mark.parametrize(
    "text",
    [
        f"GET /setup?token={CANARY} (127.0.0.1)",
        f"GET /setup?a=1&token={CANARY}&b=2",
        f"HTTPServerRequest(uri='/link/{CANARY}', version='HTTP/1.1')",
        f"POST /join/{CANARY}",
        f"Cookie: __Host-session={CANARY}",
        f"{{'password': '{CANARY}'}}",
        f"Authorization: Bearer {CANARY}",
    ],
)
def test_secrets_inside_a_text_are_hidden(stream: io.StringIO, text: str) -> None:
    logging.getLogger("tornado.application").error("Uncaught exception %s", text)
    log_event(logging.getLogger("x"), "e", request=text)
    assert CANARY not in stream.getvalue()


def test_cookies_that_tornado_refuses_are_not_shown(stream: io.StringIO) -> None:
    logging.getLogger("tornado.general").warning("Invalid cookie signature %r", CANARY.encode())
    assert CANARY not in stream.getvalue()
    assert "Invalid cookie signature" in str(only_line(stream)["event"])


def test_exception_is_one_field(stream: io.StringIO) -> None:
    try:
        raise ValueError(f"a\nb token={CANARY}")
    except ValueError as error:
        log_event(logging.getLogger("x"), "task.failed", level=logging.ERROR, exc_info=error)
    exception = str(only_line(stream)["exception"])
    assert exception.startswith("Traceback")
    assert "ValueError: a\nb" in exception
    assert CANARY not in exception


def test_fields_cannot_take_the_place_of_the_standard_ones(stream: io.StringIO) -> None:
    log_event(logging.getLogger("x"), "e", ts="never", logger="other")
    line = only_line(stream)
    assert (line["logger"], line["logger_"], line["ts_"]) == ("x", "other", "never")


def test_odd_values_and_messages_still_give_a_line(stream: io.StringIO) -> None:
    log_event(logging.getLogger("x"), "e", error=KeyError("k"))
    assert only_line(stream)["error"] == "'k'"
    record = logging.LogRecord("x", logging.INFO, "", 0, "%d and %d", ("one",), None)
    assert json.loads(logs.JsonFormatter().format(record))["event"] == "%d and %d"


def test_long_values_are_cut(stream: io.StringIO) -> None:
    log_event(logging.getLogger("x"), "e", value="x" * 1_000_000)
    assert len(stream.getvalue()) < 20_000


def test_access_log_of_tornado_is_silent_and_warnings_are_lines(stream: io.StringIO) -> None:
    logging.getLogger("tornado.access").error("500 GET /")
    assert stream.getvalue() == ""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert only_line(stream)["logger"] == "py.warnings"


def test_where_several_write_each_line_says_who() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "e", (), None)
    assert json.loads(logs.JsonFormatter(process=7).format(record))["process"] == 7
    assert "process" not in json.loads(logs.JsonFormatter().format(record))
