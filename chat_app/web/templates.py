"""The templates and static files: where they are, how a template is filled, and what the import map says.

Read once for an application. The folders stand inside the package when it was installed, else beside it.
"""

from __future__ import annotations

import base64
import hashlib
import json
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

    def static_url(self, path: str) -> str:
        """The address of a static file with the hash of its content."""
        return static_url(self.static, path)


def load_assets() -> Assets:
    """Read the folders once: every module's hash goes into the import map."""
    static = folder("static")
    text = json.dumps({"imports": _modules(static)}, separators=(",", ":"))
    proof = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    languages = load_languages()
    return Assets(
        languages=languages,
        loaders={code: PageLoader(folder("templates"), one) for code, one in languages.items()},
        static=static,
        import_map=Markup(f'<script type="importmap">{text}</script>'),  # nosec B704 # made of file names
        policy=_policy(f"'sha256-{proof}'"),
    )


def static_url(static: Path, path: str) -> str:
    """The versioned address of a file below `static`."""
    settings = {"static_path": str(static), "static_url_prefix": STATIC_PREFIX}
    return StaticFileHandler.make_static_url(settings, path)


def _modules(static: Path) -> dict[str, str]:
    paths = sorted(path.relative_to(static).as_posix() for path in (static / "js").rglob("*.js"))
    return {STATIC_PREFIX + path: static_url(static, path) for path in paths}


def _policy(inline_script: str) -> str:
    return (
        f"default-src 'none'; script-src 'self' {inline_script}; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; manifest-src 'self'; frame-ancestors 'none'"
    )
