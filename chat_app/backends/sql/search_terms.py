"""What a text is found by, the same in every database: its pieces of three characters, then a look at the
text itself; and how many messages are looked through without an index.

Everything else that searches uses it. It knows no SQL.
"""

from __future__ import annotations

from msgspec import Struct

from chat_app.folding import fold
from chat_app.models import Term

SCAN_LIMIT = 40_000
"""Messages looked through without an index: about 60 ms where all of them are CJK."""
NARROW_LIMIT = 20_000
"""An author or a room with at most so many messages is looked through without the index, about as long."""
DEADLINE_SECONDS = 0.5
"""A search that takes longer ends with what it has found."""
PIECE = 3
PIECES_LIMIT = 40


class Found(Struct, frozen=True):
    """Positions and ids of hits, newest first, one more than asked for where there are more."""

    hits: list[tuple[int, str]]
    rest: int | None
    """Where to go on where there are no more of them: older ones were left out."""
    late: bool = False
    """Whether the time was over."""


def pieces_of(terms: list[str]) -> list[str]:
    """What the index is asked for; nothing when every term is too short for it."""
    return sorted({piece for term in terms for piece in _pieces(term)})[:PIECES_LIMIT]


def all_pieces(text: str) -> set[str]:
    """What the index holds of a folded text."""
    return set(_pieces(text))


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE] for start in range(len(text) - PIECE + 1)]


def is_hit(content: str, terms: tuple[Term, ...]) -> bool:
    """Whether every term is in the text."""
    folded = fold(content)
    return all(_contains(folded, term) for term in terms)


def _contains(folded: str, term: Term) -> bool:
    at = folded.find(term.text)
    while at >= 0:
        end = at + len(term.text)
        if not term.whole or (
            not (at and folded[at - 1].isalnum() and term.text[0].isalnum())
            and not (end < len(folded) and folded[end].isalnum() and term.text[-1].isalnum())
        ):
            return True
        at = folded.find(term.text, at + 1)
    return False
