"""A message's text to HTML, once, at posting: a closed set of elements, sanitised.

Called by `chat.py`. Links are http, https and mailto; no images, no raw HTML, no headings.
"""

from __future__ import annotations

import html
import re

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

_TAGS = {"p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
_RULES = ["paragraph", "text", "newline", "escape", "backticks", "emphasis", "link", "autolink", "linkify",
          "fence", "blockquote", "list", "balance_pairs", "fragments_join", "text_join", "normalize", "block",
          "inline"]  # fmt: skip
# A text without any of these is its own rendering: most messages never reach the parser.
_SIGN = re.compile(r"[*_`\[\]<>&\\~\n]")
_LIST = re.compile(r"\s*(?:[-+]|\d{1,9}[.)])\s")
_LINK = re.compile(r"://|mailto:", re.IGNORECASE)
_markdown = MarkdownIt("zero", {"linkify": True, "breaks": True, "maxNesting": 12}).enable(
    _RULES, ignoreInvalid=True
)
assert _markdown.linkify is not None
_markdown.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
_ABSOLUTE = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


def _whole_links(state: StateCore) -> None:
    """`[x]()` is a link without an address for the parser: it stays its text."""
    for block in state.tokens:
        bad = False
        for token in block.children or ():
            if token.type == "link_open":
                bad = not _ABSOLUTE.match(str(token.attrGet("href") or ""))
            if bad and token.type in ("link_open", "link_close"):
                token.type, token.tag, token.attrs = "text", "", {}


# Others stay text. nh3 alone would leave those without a scheme, which lead to pages of this site.
_markdown.validateLink = lambda url: _ABSOLUTE.match(url) is not None  # type: ignore[method-assign]
_markdown.core.ruler.push("whole_links", _whole_links)


def render(text: str) -> str | None:
    """Sanitised HTML, or None where it would only be the escaped text."""
    if not (_SIGN.search(text) or _LIST.match(text) or (":" in text and _LINK.search(text))):
        return None
    rendered = nh3.clean(
        _markdown.render(text),
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    ).strip()
    inner = rendered.removeprefix("<p>").removesuffix("</p>")
    if (
        "<p>" not in inner
        and rendered == f"<p>{inner}</p>"
        and html.unescape(inner) == text
        and "<" not in inner
    ):
        return None
    return rendered
