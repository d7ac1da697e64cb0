"""What the fuzzer feeds: the decoder, the renderer, names. Each target raises only when a promise is broken.

`fuzz.py` gives them bytes of its own making, `tests/security/test_json.py` replays the corpus without it.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from chat_app import protocol
from chat_app.core.markdown import render
from chat_app.core.names import clean_name, clean_title
from chat_app.errors import ChatError

CORPUS = Path(__file__).parent / "corpus"
MALFORMED = {"bad_json", "bad_type", "bad_request"}
_ELEMENTS = {"p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a"}


def corpus() -> list[tuple[str, bytes]]:
    """The seeds and whatever the fuzzer once found, by name."""
    return [(path.name, path.read_bytes()) for path in sorted(CORPUS.iterdir())]


def everything(data: bytes) -> None:
    """All targets, for one input."""
    decode(data)
    text = data.decode("utf-8", "replace")
    check_html(text)
    check_names(text)


def decode(data: bytes) -> None:
    """A frame's bytes: an event, or one of the documented errors; what it names is a room and a nonce or none."""
    try:
        raw = data.decode()
    except UnicodeDecodeError:
        return  # the wire closes with 1007 before anything is decoded
    try:
        event = protocol.decode(raw)
        protocol.check(event)
        if isinstance(event, protocol.PostEvent | protocol.EditEvent):
            check_html(event.text)
    except ChatError as error:
        assert error.code in MALFORMED, error.code
    for named in protocol.named(raw):
        assert named is None or len(named) <= 64
        if named is not None:
            named.encode()  # it is sent back


def check_html(text: str) -> None:
    """A text that is stored: its HTML is made of the closed set and leads nowhere but by http, https, mailto."""
    try:
        text = protocol.clean_text(text, limit=500)
    except ChatError as error:
        assert error.code in ("empty", "too_large"), error.code
        return
    rendered = render(text)
    if rendered is not None:
        _Checker(rendered)


def check_names(raw: str) -> None:
    """A name or a title: clean, or refused with its own code; clean once is clean."""
    try:
        name, key = clean_name(raw)
        assert clean_name(name) == (name, key) and name.isprintable()
    except ChatError as error:
        assert error.code == "bad_name", error.code
    try:
        title = clean_title(raw)
        assert clean_title(title) == title
    except ChatError as error:
        assert error.code == "bad_title", error.code


class _Checker(HTMLParser):
    """Another parser than the one that sanitised."""

    def __init__(self, rendered: str) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(rendered)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _ELEMENTS, tag
        given = dict(attrs)
        allowed = {"a": {"href", "rel"}, "ol": {"start"}}.get(tag, set())
        assert set(given) <= allowed, (tag, given)
        if "href" in given:
            assert urlsplit(given["href"] or "").scheme in ("http", "https", "mailto"), given
            assert given["rel"] == "noopener noreferrer nofollow"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment
