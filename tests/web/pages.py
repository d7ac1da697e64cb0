"""Pages as a browser reads them: fields with their labels, ids, what an answer says and where it leads."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from tornado.httpclient import HTTPResponse

from tests.conftest import Site


@dataclass
class Page(HTMLParser):
    """What was found on a page."""

    answer: HTTPResponse
    ids: list[str] = field(default_factory=list)
    fields: list[dict[str, str]] = field(default_factory=list)
    labelled: set[str] = field(default_factory=set)
    forms: list[dict[str, str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    """By tag or id: what stands in it."""

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[tuple[str, str]] = []
        self.feed(self.answer.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._open.append((tag, found.get("id", "")))
        if "id" in found:
            self.ids.append(found["id"])
        if tag in ("input", "select", "textarea") and found.get("type") != "hidden":
            self.fields.append(found)
        elif tag == "label":
            self.labelled.add(found["for"])
        elif tag == "form":
            self.forms.append(found)
        elif tag == "a" and "href" in found:  # one in a <template> gets it from a script
            self.links.append(found["href"])

    def handle_data(self, data: str) -> None:
        if self._open:
            for key in filter(None, self._open[-1]):
                self.texts[key] = (self.texts.get(key, "") + data).strip()

    def one(self, name: str) -> dict[str, str]:
        """The one field of this name."""
        (found,) = [each for each in self.fields if each.get("name") == name and "readonly" not in each]
        return found


def text(answer: HTTPResponse) -> str:
    return html.unescape(answer.body.decode())


def alert(answer: HTTPResponse) -> str | None:
    found = re.search(r'role="alert">(.*?)<', text(answer))
    return found and found[1]


def link_in(answer: HTTPResponse, kind: str) -> str:
    found = re.search(rf'value="http://[^/"]+(/{kind}/[^"]+)"', text(answer))
    assert found is not None
    return found[1]


def to(answer: HTTPResponse) -> tuple[int, str | None]:
    return answer.code, answer.headers.get("Location")


async def account_id(site: Site, name: str) -> str:
    return next(a.id for a in await site.app.services.administration.list_users() if a.name == name)


async def invitation(site: Site, cookie: str, *, role: str = "member", uses: str = "5") -> str:
    """The path of a new invitation, as the page shows it."""
    made = await site.post("/join-links", {"role": role, "uses": uses, "days": "7"}, cookie=cookie)
    assert made.code == 303
    return link_in(await site.get(made.headers["Location"], cookie=cookie), "join")
