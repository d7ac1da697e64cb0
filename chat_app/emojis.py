"""What counts as one emoji: the sequences recommended for general interchange (RGI, Unicode TS #51).

`protocol` asks. The list is the library's and takes about 40 ms to load: the start does not wait for it,
`app` loads it in the background once the server listens.
"""

from __future__ import annotations

from functools import cache

LENGTH_LIMIT = 16
"""Code points; the longest emoji has ten."""
_VARIATION = "\ufe0f"


@cache
def known() -> dict[str, str]:
    """The full form of every emoji by each of its forms: keyboards leave variation selectors out."""
    from emoji import EMOJI_DATA, STATUS

    status = {text: data["status"] for text, data in EMOJI_DATA.items()}
    full = {
        text.replace(_VARIATION, ""): text for text in status if status[text] == STATUS["fully_qualified"]
    }
    return {text: full[bare] for text in status if (bare := text.replace(_VARIATION, "")) in full}


def as_emoji(raw: str) -> str | None:
    """The one form in which an emoji is stored and sent; None when `raw` is not exactly one emoji."""
    if not 1 <= len(raw) <= LENGTH_LIMIT or raw.isascii():
        return None
    return known().get(raw)


def load() -> None:
    """So that nobody waits for the list later."""
    known()
