"""What the contract says of events and texts, with the vectors that the browser's tests use too."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from chat_app import emojis, protocol
from chat_app.errors import ChatError
from chat_app.models import Message

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "text.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: ascii(vector["in"])[:40])
def test_a_text_is_cleaned_and_counted_as_in_the_browser(vector: dict) -> None:
    try:
        cleaned, error = protocol.clean_text(vector["in"], limit=500), None
    except ChatError as refused:
        cleaned, error = None, refused.code
    assert (cleaned, error) == (vector["out"], vector["error"])
    if cleaned is not None:
        assert len(cleaned) == vector["length"]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_says_its_length(size: int) -> None:
    framed = protocol.frame(b"x" * size)
    head = 2 if size < 126 else 4 if size < 65_536 else 10
    assert framed[0] == 0x81
    assert len(framed) == head + size


def test_a_deleted_message_has_no_text_on_the_wire() -> None:
    message = Message("i", "r", 1, 2, "a", "A", "", None, 0, deleted_ms=5)
    frame = json.loads(protocol.encode(protocol.message_view(message, "lobby")))
    assert "text" not in frame
    assert frame["deletedAt"] == "1970-01-01T00:00:00.005Z"


def test_the_document_names_every_event_field_and_code() -> None:
    document = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    structs = [
        kind
        for kind in vars(protocol).values()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__.startswith("chat_app.")
    ]
    named = set()
    for struct in structs:
        config = struct.__struct_config__
        if isinstance(config.tag, str):
            named.add(config.tag)
        named |= set(struct.__struct_encode_fields__)
    for word in named | set(get_args(protocol.ErrorCode)):
        assert re.search(rf"\b{word}\b", document), word


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("👍", "👍"), ("👍🏽", "👍🏽"), ("❤", "❤️"), ("❤️", "❤️"), ("🇩🇪", "🇩🇪"), ("1️⃣", "1️⃣"), ("1⃣", "1️⃣"),
        ("👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"), ("🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"), ("👨‍❤‍👨", "👨‍❤️‍👨"),
    ],
    ids=ascii,
)  # fmt: skip
def test_an_emoji_has_one_form(sent: str, stored: str) -> None:
    protocol.check(protocol.decode(json.dumps({"type": "react", "id": "a", "emoji": sent})))
    assert emojis.as_emoji(sent) == stored


@pytest.mark.parametrize(
    "sent",
    ["", "a", "1", "#", ":)", ":thumbsup:", "👍👍", "👍 ", " 👍", "👍a", "🇩", "\ufe0f", "\u200d", "🏽👍", "❤\ufe0e", "\ud83d",
     "👍" * 5_000, "©x", "\U000e0067", "漢", "\0"],
    ids=ascii,
)  # fmt: skip
def test_what_is_not_exactly_one_emoji_is_refused(sent: str) -> None:
    with pytest.raises(ChatError) as refused:
        protocol.check(
            protocol.decode(json.dumps({"type": "react", "id": "a", "emoji": sent}, ensure_ascii=False))
        )
    assert refused.value.code in ("bad_request", "bad_json")


@pytest.mark.parametrize("kind", ["react", "pin", "unpin", "message"])
@pytest.mark.parametrize("bad", ["", "x" * 65, "\n", "é", 7, None, ["a"]])
def test_an_event_names_its_message_by_something_like_an_id(kind: str, bad: object) -> None:
    event = (
        {"type": kind, "id": bad, "emoji": "👍"}
        if kind != "message"
        else {"type": kind, "text": "x", "replyTo": bad}
    )
    if kind == "message" and bad is None:
        protocol.check(protocol.decode(json.dumps(event)))  # as if it were not there
        return
    with pytest.raises(ChatError) as refused:
        protocol.check(protocol.decode(json.dumps(event)))
    assert refused.value.code == "bad_request"


def test_the_emoji_are_loaded_when_they_are_needed_and_not_before() -> None:
    script = "import sys, chat_app.app; from chat_app.emojis import as_emoji; assert 'emoji' not in sys.modules; assert as_emoji('👍')"
    subprocess.run([sys.executable, "-c", script], check=True)
