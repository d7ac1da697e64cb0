"""Reading a search and marking what was found."""

import pytest

from chat_app.core.search import QUERY_LIMIT, excerpt, marks, parse
from chat_app.errors import ChatError
from chat_app.models import SearchQuery, Term


def test_words_quotes_and_filters_are_told_apart() -> None:
    assert parse('Deploy "Exact Words" from:Ann in:#Ops after:2026-01-31 before:2026-03-01') == SearchQuery(
        (Term("deploy"), Term("exact words", whole=True)),
        author_key="ann",
        room_slug="ops",
        since_ms=1_769_904_000_000,
        until_ms=1_772_323_200_000,
    )
    assert parse('from:"Ann Lee"') == SearchQuery((), author_key="ann lee")
    assert parse("to:ann") == SearchQuery((Term("to:ann"),))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ('"', "empty"),
        ('""', "empty"),
        ("x" * (QUERY_LIMIT + 1), "too_large"),
        ("x" * 5_000, "too_large"),
        ("a b c d e f g h i j k l m", "too_large"),
        ("a\x00b", "bad_request"),
        ("\ud800", "bad_request"),
        ("before:yesterday", "bad_request"),
        ("after:9999-12-31", "bad_request"),
        ("after:2026-02-30", "bad_request"),
        ("in:a/b", "bad_request"),
    ],
)
def test_what_cannot_be_looked_for_has_a_clear_answer(query: str, code: str) -> None:
    with pytest.raises(ChatError) as refused:
        parse(query)
    assert refused.value.code == code


def test_marks_stand_where_the_words_stand_in_the_text_as_it_was_written() -> None:
    text = "Große STRASSE, straße"
    assert [text[start:end] for start, end in marks(text, parse("strasse").terms)] == ["STRASSE", "straße"]
    assert marks("aaaa", parse("aa").terms) == [(0, 4)]
    assert marks("nothing", parse("from:ann").terms) == []


@pytest.mark.parametrize(
    "text", ["short and canary", "x " * 200 + "canary" + " y" * 200, "canary" + " y" * 400, "z" * 600]
)
def test_an_excerpt_shows_the_first_hit_and_loses_no_letter_around_it(text: str) -> None:
    pieces = excerpt(text, parse("canary").terms)
    shown = "".join(piece for piece, _ in pieces)
    assert shown.strip("…") in text
    assert len(shown) < 400
    assert [piece for piece, found in pieces if found] == (["canary"] if "canary" in text else [])
