"""The languages of the pages: the catalogues under `locale/`, and which one a reader gets (docs/adr/0009).

Read once for an application, straight from the `.po` files. English is the language of the code itself;
frames, JSON, logs and commands stay in it.
"""

from __future__ import annotations

import gettext
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup

import chat_app
from chat_app.errors import N_

ENGLISH = "en"
FOLDER = Path(chat_app.__file__).parent / "locale"
SCRIPTS = "static/js/"
"""What a catalogue says of a text that scripts use begins with this."""
_RANGE = re.compile(r"([a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*)(?:\s*;\s*q=([01](?:\.\d{0,3})?))?")
_SAMPLES = range(200)


ROLE_NAMES = {
    "owner": N_("owner"),
    "admin": N_("admin"),
    "moderator": N_("moderator"),
    "member": N_("member"),
}


@dataclass(frozen=True, slots=True)
class Language:
    """One language and its texts; `code` as in BCP 47, `name` in itself."""

    code: str
    name: str
    direction: str
    translations: gettext.NullTranslations
    script_texts: Markup
    """What scripts say, as JSON that may stand in a `<script>`; empty for English."""

    def say(self, text: str, **values: object) -> str:
        """The text in this language."""
        said = self.translations.gettext(text)
        return said % values if values else said

    def role(self, role: str) -> str:
        """A role's name."""
        return self.say(ROLE_NAMES[role])


class Languages(Mapping[str, Language]):
    """All of them by code."""

    def __init__(self, languages: Mapping[str, Language]) -> None:
        self._languages = dict(languages)

    def __getitem__(self, code: str) -> Language:
        return self._languages[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._languages)

    def __len__(self) -> int:
        return len(self._languages)

    def choose(self, chosen: str | None, accepted: str) -> Language:
        """What the account chose, if it is there; else the best of `Accept-Language` (RFC 9110, 12.5.4)."""
        if chosen in self._languages:
            return self._languages[chosen]
        for wanted in _ranges(accepted):
            for code in (wanted, wanted.partition("-")[0]):
                if code in self._languages:
                    return self._languages[code]
        return self._languages[ENGLISH]


def load_languages(folder: Path = FOLDER) -> Languages:
    """English and every catalogue of the folder, by code."""
    catalogues = {path.parts[-3]: read_catalogue(path) for path in folder.glob("*/LC_MESSAGES/*.po")}
    languages = {code: make_language(code, catalogue) for code, catalogue in sorted(catalogues.items())}
    return Languages({ENGLISH: make_language(ENGLISH, Catalog(locale=ENGLISH)), **languages})


def read_catalogue(path: Path) -> Catalog:
    """One `.po` file."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3])


def make_language(code: str, catalogue: Catalog) -> Language:
    """A language out of its catalogue."""
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    locale, translations = Locale.parse(code, sep="-"), gettext.GNUTranslations(compiled)
    texts = _script_texts(catalogue, locale, translations)
    return Language(
        code=code,
        name=locale.get_language_name(locale) or code,
        direction=locale.text_direction,
        translations=translations,
        script_texts=Markup(texts),  # nosec B704 # our own catalogue, `<` escaped
    )


def _script_texts(catalogue: Catalog, locale: Locale, translations: gettext.NullTranslations) -> str:
    """A text by its English; one with a number by the categories that `Intl.PluralRules` knows."""
    numbers = {locale.plural_form(n): n for n in _SAMPLES}
    texts: dict[str, str | dict[str, str]] = {}
    for message in catalogue:
        if not message.id or not any(name.startswith(SCRIPTS) for name, _ in message.locations):
            continue
        if message.pluralizable:
            one, other = list(message.id)
            texts[one] = {category: translations.ngettext(one, other, n) for category, n in numbers.items()}
        else:
            texts[str(message.id)] = translations.gettext(str(message.id))
    said = json.dumps(texts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return said.replace("<", "\\u003c") if texts else ""


def _ranges(accepted: str) -> list[str]:
    """The languages of the header in lower case, the most wanted first; nonsense is passed over."""
    found = []
    for part in accepted.split(","):
        parsed = _RANGE.fullmatch(part.strip())
        quality = float(parsed[2] or 1) if parsed else 0.0
        if parsed and quality > 0:
            found.append((quality, parsed[1].lower()))
    return [code for _, code in sorted(found, key=lambda one: -one[0])]
