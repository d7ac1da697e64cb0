"""The templates and static files: where they are, how a template is filled, and what the import map says.

Read once for an application. The folders stand inside the package when it was installed, else beside it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from tornado.template import BaseLoader, Template
from tornado.web import StaticFileHandler

import chat_app
from chat_app.web.languages import Language, Languages, load_languages

STATIC_PREFIX = "/static/"
WORKER = "worker.js"
STYLE = "style.css"
_PAGE_FILES = {".js", ".svg"}
_COMMENTS = re.compile(rb"^[ \t]*(?://.*|/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.MULTILINE)
_TRAILING = re.compile(rb"(?<=[;,{}]) // [^\"'`\n]*$", re.MULTILINE)  # no quote follows: in no string
_INDENT = re.compile(rb"^\s+", re.MULTILINE)
_SHEET_COMMENTS = re.compile(rb"^[ \t]*/\*(?:[^*]|\*(?!/))*\*/[ \t]*\n", re.MULTILINE)
_TEXTS = {*_PAGE_FILES, ".css", ".webmanifest"}
_PACKAGE = Path(chat_app.__file__).parent


def folder(name: str) -> Path:
    """`templates` or `static`, inside the package or beside it."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


class PageTemplate(Template):
    """A Jinja2 template with Tornado's interface."""

    def __init__(self, template: jinja2.Template) -> None:
        self._template = template

    def generate(self, **kwargs: Any) -> bytes:
        """The page. Raises `jinja2.UndefinedError` for a name that was not given."""
        return self._template.render(**kwargs).encode()


class PageLoader(BaseLoader):
    """Loads templates by their path below the folder, in one language, which what they are compiled to knows.

    All is escaped but the catalogue's own texts, nothing undefined passed over.
    """

    def __init__(self, root: Path, language: Language) -> None:
        super().__init__()
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(root),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
            extensions=["jinja2.ext.i18n"],
        )
        self._environment.policies["ext.i18n.trimmed"] = True
        self._environment.filters["role"] = language.role
        self._environment.globals["language"] = language
        self._environment.install_gettext_translations(  # type: ignore[attr-defined]
            language.translations, newstyle=True
        )

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Names are full paths below the folder."""
        return name

    def _create_template(self, name: str) -> Template:
        return PageTemplate(self._environment.get_template(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """What the pages are made of."""

    languages: Languages
    loaders: dict[str, PageLoader]
    """By the language's code."""
    static: Path
    import_map: Markup
    policy: str
    """The Content-Security-Policy: closed, with the import map as the one inline script."""
    packed: Mapping[str, bytes]
    """The text files by their path, compressed once."""
    style: bytes
    """Every sheet, one after the other: twenty answers would weigh twice as much."""
    worker: bytes
    """The service worker, told which files there are."""

    def static_url(self, path: str) -> str:
        """The address of a static file with the hash of its content."""
        return static_url(self.static, path)

    def style_url(self) -> str:
        """The address of the sheets with the hash of their content."""
        return style_url(self.style)


def load_assets() -> Assets:
    """Read the folders once: every module's hash goes into the import map."""
    static = folder("static")
    text = json.dumps({"imports": _modules(static)}, separators=(",", ":"))
    proof = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    languages, style = load_languages(), _style(static)
    return Assets(
        languages=languages,
        loaders={code: PageLoader(folder("templates"), one) for code, one in languages.items()},
        static=static,
        import_map=Markup(f'<script type="importmap">{text}</script>'),  # nosec B704 # made of file names
        policy=_policy(f"'sha256-{proof}'"),
        packed={STYLE: gzip.compress(_SHEET_COMMENTS.sub(b"", style), mtime=0), **_packed(static)},
        style=style,
        worker=_worker(static, style),
    )


class Versions(StaticFileHandler):
    """Tornado's versions of static files, short: a page names a hundred of them."""

    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        """As much of the content's hash as tells it from every other content of that file."""
        return hashlib.sha256(Path(abspath).read_bytes()).hexdigest()[:10]


def static_url(static: Path, path: str) -> str:
    """The versioned address of a file below `static`."""
    settings = {"static_path": str(static), "static_url_prefix": STATIC_PREFIX}
    return Versions.make_static_url(settings, path)


def _modules(static: Path) -> dict[str, str]:
    paths = sorted(path.relative_to(static).as_posix() for path in (static / "js").rglob("*.js"))
    return {STATIC_PREFIX + path: static_url(static, path) for path in paths}


def _packed(static: Path) -> dict[str, bytes]:
    files = (path for path in static.rglob("*") if path.suffix in _TEXTS)
    return {path.relative_to(static).as_posix(): gzip.compress(_lean(path), mtime=0) for path in files}


def _lean(path: Path) -> bytes:
    """The file; a script without most comments, which are half of it, and indents (no string has lines)."""
    content = path.read_bytes()
    if path.suffix == ".js":
        for useless in (_COMMENTS, _TRAILING, _INDENT):
            content = useless.sub(b"", content)
    return content


def style_url(style: bytes) -> str:
    """The versioned address of these sheets."""
    return f"/{STYLE}?v={hashlib.sha256(style).hexdigest()[:10]}"


def _style(static: Path) -> bytes:
    """The order of the layers first, which makes any order of the others do, then each by its name."""
    first = static / "css" / "layers.css"
    others = (path for path in sorted((static / "css").rglob("*.css")) if path != first)
    return b"".join(path.read_bytes() for path in (first, *others))


def _worker(static: Path, style: bytes) -> bytes:
    """`static/worker.js`, after the addresses of what a page is made of and a name for just these files."""
    paths = sorted(path for path in static.rglob("*") if path.parent != static and path.suffix in _PAGE_FILES)
    urls = [static_url(static, path.relative_to(static).as_posix()) for path in paths]
    files = json.dumps([style_url(style), *urls])
    text = (static / WORKER).read_text(encoding="utf-8")
    version = hashlib.sha256((files + text).encode()).hexdigest()[:16]
    return f'const FILES = {files};\nconst VERSION = "{version}";\n{text}'.encode()


def _policy(inline_script: str) -> str:
    return (
        f"default-src 'none'; script-src 'self' {inline_script}; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; manifest-src 'self'; frame-ancestors 'none'"
    )
