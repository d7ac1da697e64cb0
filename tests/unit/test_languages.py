"""Which language a reader gets, and the catalogues against the code: whole, true to it, and safe to put in pages."""

import ast
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from chat_app.errors import Busy, ChatError, Forbidden, NotFound
from chat_app.models import ROLES
from chat_app.web.languages import ROLE_NAMES, Languages, load_languages, make_language, read_catalogue
from chat_app.web.refusals import PAGES

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("update_catalogues", ROOT / "docs" / "update_catalogues.py")
assert _spec is not None and _spec.loader is not None
update = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(update)

CODES = sorted(update.catalogues())
SCRIPTS = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "static" / "js").rglob("*.js"))}
ENGLISH_ONLY = {"protocol.py", "administration.py", "database.py", "files.py", "restore.py"}
"""What only a program or the machine's owner is told."""

NO_TEXTS = {
    "Accept", "Retry-After", "Notification", "Backspace", "Enter", "Escape", "ArrowUp", "ArrowDown", "ContextMenu", "Home", "End", "Tab",
    "This message is too large to be sent.",  # kept in English, and said by state/refusals.js
}  # fmt: skip


@pytest.fixture(scope="module")
def languages() -> Languages:
    return load_languages()


@pytest.fixture(scope="module")
def extracted() -> Catalog:
    found = update.extract()
    assert isinstance(found, Catalog)
    return found


def forms(message: Message, *, translated: bool) -> list[str]:
    given = message.string if translated else message.id
    return [given] if isinstance(given, str) else list(given)


def said(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


# -- which one --------------------


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("ja-JP,ja;q=0.9,en-US;q=0.8,en;q=0.7", "ja"),
        ("fr-FR, fr;q=0.9, de;q=0.2", "de"),
        ("fr, en;q=0.5, de;q=0.3", "en"),
        ("en;q=0.3,de;q=0.5", "de"),
        ("de;q=0,ja;q=0.1", "ja"),
        ("de;q=0", "en"),
        ("*", "en"),
        ("zh-Hant-TW , de ; q=0.9", "de"),
        ("de;q=nan, ja;q=inf, ,;;q, de_DE, \x00, " + "x" * 5000, "en"),
    ],
)
def test_the_browser_gets_the_best_of_what_it_asks_for(
    languages: Languages, accepted: str, code: str
) -> None:
    assert languages.choose(None, accepted).code == code


def test_the_account_decides_before_the_browser(languages: Languages) -> None:
    assert languages.choose("ja", "de").code == "ja"
    assert languages.choose("en", "de").code == "en"
    assert languages.choose("tlh", "de").code == "de"  # chosen when there was a catalogue for it


def test_every_language_has_its_own_name_and_direction(languages: Languages) -> None:
    assert {code: (one.name, one.direction) for code, one in languages.items()} == {
        "en": ("English", "ltr"), "de": ("Deutsch", "ltr"), "ja": ("日本語", "ltr"),
    }  # fmt: skip


# -- the catalogues --------------------


@pytest.mark.parametrize("code", CODES)
def test_a_catalogue_is_what_the_code_says(code: str) -> None:
    path = update.catalogues()[code]
    assert path.read_bytes() == update.updated(path, code), "run `python docs/update_catalogues.py`"


@pytest.mark.parametrize("code", CODES)
def test_a_catalogue_is_whole(code: str) -> None:
    catalogue = read_catalogue(update.catalogues()[code])
    assert [message.id for message in catalogue if message.fuzzy and message.id] == []
    lacking = [m.id for m in said(catalogue) if not all(form.strip() for form in forms(m, translated=True))]
    assert lacking == []
    assert {len(forms(m, translated=True)) for m in said(catalogue) if m.pluralizable} == {
        catalogue.num_plurals
    }


@pytest.mark.parametrize("code", CODES)
def test_a_translation_has_the_places_of_its_text(code: str) -> None:
    def places(text: str) -> Counter[str]:
        return Counter(re.findall(r"%(?:\(\w+\)s|.?)", text))

    for message in said(read_catalogue(update.catalogues()[code])):
        *_, last = forms(message, translated=False)
        *others, final = forms(message, translated=True)
        assert places(final) == places(last), message.id
        for form in others:  # "One message" needs no number
            assert places(form) <= places(last), message.id


@pytest.mark.parametrize("code", CODES)
def test_a_translation_has_the_markup_of_its_text_and_no_other(code: str) -> None:
    for message in said(read_catalogue(update.catalogues()[code])):
        tags = Counter(re.findall(r"<[^>]*>", forms(message, translated=False)[0]))
        for form in forms(message, translated=True):
            assert Counter(re.findall(r"<[^>]*>", form)) == tags, message.id
            assert not re.search(r'[<>"&]', re.sub(r"<[^>]*>", "", form)), (
                form
            )  # they stand in attributes too


@pytest.mark.parametrize("code", CODES)
def test_a_translation_ends_as_its_text_does(code: str) -> None:
    full = {".": ".。", "…": "…", "?": "?？", ":": ":：."}
    for message in said(read_catalogue(update.catalogues()[code])):
        text = forms(message, translated=False)[0]
        for form in forms(message, translated=True):
            assert form == form.strip() and "  " not in form
            if text[-1] in full and "%(roles)s" not in text:
                assert form[-1] in full[text[-1]], (text, form)


# -- nothing is said beside them --------------------


def test_scripts_say_only_what_can_be_extracted(extracted: Catalog) -> None:
    string = r'"(?:[^"\\]|\\.)*"'
    of_scripts = {
        m.id for m in said(extracted) if any(name.startswith("static/js/") for name, _ in m.locations)
    }
    found: set[object] = set()
    for path, source in SCRIPTS.items():
        if path.name == "words.js":
            continue
        calls = re.findall(r"(?<![\w.#])(tn?)\(\s*", source)
        literal = re.findall(rf"(?<![\w.#])t\(\s*({string})\s*[,)]", source)
        plural = re.findall(rf"(?<![\w.#])tn\(\s*({string}),\s*({string}),", source)
        assert len(calls) == len(literal) + len(plural), path
        found |= {json.loads(text) for text in literal}
        found |= {(json.loads(one), json.loads(other)) for one, other in plural}
    assert found == of_scripts


def test_scripts_hold_no_other_words(extracted: Catalog) -> None:
    """Every literal that reads like words for a person is a text of the catalogues, or known to be none."""
    known = {text for message in said(extracted) for text in forms(message, translated=False)}
    for path, source in SCRIPTS.items():
        code = re.sub(r"^\s*(?://|/?\*).*$|\s// .*$|.*new Error\(.*", "", source, flags=re.MULTILINE)
        for quoted in re.findall(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`', code):
            text = json.loads(quoted) if quoted[0] == '"' else re.sub(r"\$\{[^}]*\}", "", quoted[1:-1])
            words = re.search(r"^\W*[A-Z][a-z]+|[a-z] [a-z]", re.sub(r"Roomlog|^[#.\[].*", "", text))
            assert not words or text in known or text in NO_TEXTS, (path, text)


@pytest.mark.parametrize("code", CODES)
def test_scripts_are_given_every_text_they_say(languages: Languages, extracted: Catalog, code: str) -> None:
    texts = json.loads(languages[code].script_texts)
    wanted = {
        forms(m, translated=False)[0]
        for m in said(extracted)
        if any(name.startswith("static/js/") for name, _ in m.locations)
    }
    assert set(texts) == wanted
    plural = {text for text, given in texts.items() if isinstance(given, dict)}
    assert plural == {forms(m, translated=False)[0] for m in said(extracted) if m.pluralizable} & wanted
    categories = {"de": {"one", "other"}, "ja": {"other"}}[code]
    assert all(set(texts[text]) == categories for text in plural)


def test_plural_categories_follow_the_catalogue_of_the_language() -> None:
    catalogue = Catalog(locale="ru")
    forms_of_day = ("%(count)s день", "%(count)s дня", "%(count)s дней")
    catalogue.add(("%(count)s day", "%(count)s days"), forms_of_day, locations=[("static/js/x.js", None)])
    texts = json.loads(make_language("ru", catalogue).script_texts)
    assert texts == {"%(count)s day": dict(zip(("one", "few", "many"), forms_of_day, strict=True))}


def test_texts_for_scripts_cannot_end_their_element() -> None:
    catalogue = Catalog(locale="de")
    catalogue.add("Hello", "</script><script>alert(1)</script>", locations=[("static/js/x.js", None)])
    assert "<" not in make_language("de", catalogue).script_texts


def test_sentences_that_scripts_know_are_the_servers() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "chat_app").rglob("*.py"))
    sources += SCRIPTS[ROOT / "static/js/net/sender.js"]
    sentences = re.findall(r'\bt\(("[^"]+")', SCRIPTS[ROOT / "static/js/state/refusals.js"])
    assert len(sentences) > 10
    assert [text for text in sentences if text not in sources] == []


def test_refusals_are_literal_sentences_for_the_catalogues() -> None:
    """An f-string is not extracted: it would be told in English."""
    names = {"ChatError": 1, "NotFound": 0, "Forbidden": 0, "RateLimited": 0, "Busy": 0}
    seen = 0
    for path in (ROOT / "chat_app").rglob("*.py"):
        if path.name in ENGLISH_ONLY:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                not isinstance(node, ast.Call)
                or not isinstance(node.func, ast.Name)
                or node.func.id not in names
            ):
                continue
            for argument in node.args[names[node.func.id] :][:1]:
                seen += 1
                assert not isinstance(argument, ast.JoinedStr | ast.BinOp), (path, node.lineno)
    assert seen > 30


@pytest.mark.parametrize("error", [Busy(), NotFound(), Forbidden()])
def test_sentences_of_refusals_without_one_are_in_the_catalogues(
    error: ChatError, extracted: Catalog
) -> None:
    assert error.sentence in extracted


def test_a_refusal_is_said_in_english_and_in_the_language(languages: Languages) -> None:
    error = ChatError("bad_name", "A name has 1 to %(most)s characters.", most=24)
    assert error.message == str(error) == "A name has 1 to 24 characters."
    assert languages["de"].say(error.sentence, **error.values) == "Ein Name hat 1 bis 24 Zeichen."
    assert ChatError("failed", "50 % of /tmp/%(x)s").message == "50 % of /tmp/%(x)s"


def test_every_role_has_a_name(languages: Languages) -> None:
    assert set(ROLE_NAMES) == set(ROLES)
    assert len({languages["de"].role(role) for role in ROLES}) == len(ROLES)


def test_every_error_page_has_words(languages: Languages) -> None:
    for status, words in PAGES.items():
        for text in words:
            assert languages["ja"].say(text) != languages["en"].say(text), status
