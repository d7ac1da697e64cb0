"""Reading what somebody looks for, and marking it in what was found.

    deploy "exact words" from:ann in:ops after:2026-01-31 before:2026-03-01

Every word has to be in a message, as a part of a word too; what stands in quotes as whole words. Anything
that is no filter is looked for literally. Pages call it; it knows no store.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from chat_app.core.names import name_key
from chat_app.errors import ChatError
from chat_app.folding import fold, fold_with_origins
from chat_app.models import SearchQuery, Term
from chat_app.protocol import SLUG

QUERY_LIMIT = 200
TERMS_LIMIT = 12
AROUND = 90
"""Characters shown before and after the first hit."""

_PART = re.compile(r'(?:(from|in|before|after):)?(?:"([^"]*)"|(\S+))')


def parse(raw: str) -> SearchQuery:
    """What `raw` asks for. Raises `ChatError` empty, too_large, bad_request."""
    if len(raw) > QUERY_LIMIT:
        raise ChatError("too_large", "A search has at most %(limit)s characters.", limit=QUERY_LIMIT)
    if not raw.isprintable() and re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", raw):
        raise ChatError("bad_request", "The search has control characters.")
    terms: list[Term] = []
    filters: dict[str, str] = {}
    for name, quoted, plain in _PART.findall(raw):
        value = quoted or plain
        if name and value:
            filters[name] = value
        elif not name and (folded := fold(value.strip('"')).strip()):
            terms.append(Term(folded, whole=bool(quoted)))
    if not terms and not filters:
        raise ChatError("empty", "Type what to look for.")
    if len(terms) > TERMS_LIMIT:
        raise ChatError("too_large", "Look for at most %(limit)s words at once.", limit=TERMS_LIMIT)
    room = filters.get("in", "").lstrip("#")
    if room and not SLUG.match(room):
        raise ChatError("bad_request", "in: takes the address of a room, such as in:lobby.")
    author = filters.get("from", "").lstrip("@")
    return SearchQuery(
        tuple(terms),
        author_key=name_key(author) if author else None,
        room_slug=fold(room) if room else None,
        since_ms=_day_ms(filters.get("after"), days=1),
        until_ms=_day_ms(filters.get("before")),
    )


def _day_ms(raw: str | None, *, days: int = 0) -> int | None:
    if raw is None:
        return None
    try:
        day = datetime.strptime(raw, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=days)
    except (ValueError, OverflowError):
        raise ChatError("bad_request", "before: and after: take a day such as 2026-01-31.") from None
    return int(day.timestamp() * 1000)


def marks(text: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    """Where the terms stand in `text`: (start, end), in order and without overlap."""
    folded, origins = fold_with_origins(text)
    found: list[tuple[int, int]] = []
    for term in terms:
        at = folded.find(term.text)
        while at >= 0:
            found.append((origins[at], origins[at + len(term.text) - 1] + 1))
            at = folded.find(term.text, at + len(term.text))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def excerpt(text: str, terms: Sequence[Term]) -> list[tuple[str, bool]]:
    """The text around the first hit as pieces: (piece, whether it was looked for)."""
    places = marks(text, terms)
    first = places[0][0] if places else 0
    start = max(0, first - AROUND) if first > AROUND + 20 else 0
    end = min(len(text), first + 2 * AROUND) if len(text) > start + 3 * AROUND else len(text)
    pieces: list[tuple[str, bool]] = [("…", False)] if start else []
    at = start
    for begin, stop in places:
        if begin >= end:
            break
        if begin > at:
            pieces.append((text[at:begin], False))
        pieces.append((text[max(begin, at) : min(stop, end)], True))
        at = min(stop, end)
    if at < end:
        pieces.append((text[at:end], False))
    return [*pieces, ("…", False)] if end < len(text) else pieces
