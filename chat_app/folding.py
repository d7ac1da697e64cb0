"""How two texts count as the same for whoever searches: compatibility forms and case do not matter.

The store folds what it indexes, the core what is looked for; both have to come to the same.
"""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """The text after NFKC and case folding."""
    if text.isascii():
        return text.lower()
    # Looking whether anything has to be done costs a third of doing it.
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    text = text.casefold()
    return text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)


def fold_with_origins(text: str) -> tuple[str, list[int]]:
    """The text folded character by character, and for each folded character the index it came from."""
    folded: list[str] = []
    origins: list[int] = []
    for index, character in enumerate(text):
        for one in fold(character):
            folded.append(one)
            origins.append(index)
    return "".join(folded), origins
