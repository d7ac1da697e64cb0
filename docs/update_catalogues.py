"""Brings the catalogues under chat_app/locale up to the texts in the code.

    .venv/bin/python docs/update_catalogues.py       # every language
    .venv/bin/python docs/update_catalogues.py fr    # begins another one as well

New texts come in empty, changed ones fuzzy, and the tests say so until a person has translated them; what is
no longer said goes.
"""

import io
import re
import sys
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "chat_app" / "locale"
METHODS = [
    ("chat_app/protocol.py", "ignore"),  # what only a program can get wrong is told in English
    ("chat_app/**.py", "python"),
    ("templates/**.html", "jinja2"),
    ("static/js/**.js", "javascript"),
]
OPTIONS = {"templates/**.html": {"newstyle_gettext": "true", "trimmed": "true"}}
KEYWORDS = {
    "_": None, "gettext": None, "ngettext": (1, 2), "N_": None, "t": None, "tn": (1, 2),
    "ChatError": (2,), "RateLimited": None, "Busy": None, "NotFound": None, "Forbidden": None,
}  # fmt: skip
_NOISE = re.compile(
    rb'^"(?:Project-Id|Report-Msgid|POT-Creation|PO-Revision|Last-Translator|Language-Team|Generated-By)\b.*\n',
    re.MULTILINE,
)
SEARCHED = ("chat_app", "templates", "static")


def extract() -> Catalog:
    """Every text of the code with the files that say it."""
    found = Catalog(charset="utf-8")
    for file, _, text, comments, context in extract_from_dir(
        ROOT, METHODS, OPTIONS, KEYWORDS, directory_filter=_wanted
    ):
        found.add(text, locations=[(file, None)], auto_comments=comments, context=context)
    return found


def catalogues() -> dict[str, Path]:
    """Every catalogue by its language."""
    return {path.parts[-3]: path for path in sorted(FOLDER.glob("*/LC_MESSAGES/*.po"))}


def main(new: list[str]) -> None:
    """Update every catalogue and begin the `new` ones."""
    paths = catalogues() | {code: FOLDER / code / "LC_MESSAGES" / "messages.po" for code in new}
    for code, path in paths.items():
        content = updated(path, code)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def updated(path: Path, code: str) -> bytes:
    """What the catalogue should be."""
    catalogue = Catalog(locale=Locale.parse(code, sep="-"), charset="utf-8", fuzzy=False)
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=catalogue.locale)
    catalogue.update(extract(), update_header_comment=False)
    catalogue.obsolete.clear()
    catalogue.header_comment = f"# Roomlog in {Locale.parse(code, sep='-').get_language_name('en')}."
    return written(catalogue)


def written(catalogue: Catalog) -> bytes:
    """The file without what changes with every run, and without what nobody fills in."""
    file = io.BytesIO()
    write_po(file, catalogue, width=100, include_lineno=False)
    return _NOISE.sub(b"", file.getvalue())


def _wanted(folder: str) -> bool:
    place = Path(folder).absolute().relative_to(ROOT).parts
    return not place or place[0] in SEARCHED


if __name__ == "__main__":
    main(sys.argv[1:])
