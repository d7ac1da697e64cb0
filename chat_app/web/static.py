"""Static files, and the service worker made of one of them: the same for everybody, so no cookie is read."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from chat_app.web.base import Access, BaseHandler, Services
from chat_app.web.packing import takes_gzip
from chat_app.web.templates import STYLE, Versions

_DOCUMENTS_ONLY = ("Content-Security-Policy", "Cross-Origin-Opener-Policy", "Referrer-Policy", "Server")
_TYPES = {".webmanifest": "application/manifest+json", ".js": "text/javascript", ".svg": "image/svg+xml"}


def has_version(handler: RequestHandler) -> bool:
    """Whether it was asked for by its content's hash: it may be kept for good."""
    return bool(handler.get_query_argument("v", ""))


def trim(handler: RequestHandler) -> None:
    """Drop what says something of documents only: a hundred files would say it again and again."""
    for name in _DOCUMENTS_ONLY:
        handler.clear_header(name)


class StaticFiles(BaseHandler, Versions):
    """`/static/`, and the two names browsers ask for unbidden. Texts go compressed to who takes that."""

    access = Access.PUBLIC

    def initialize(self, services: Services, path: str = "", **kwargs: Any) -> None:  # type: ignore[override]
        """Both parents' shares."""
        BaseHandler.initialize(self, services)
        StaticFileHandler.initialize(self, path)
        self.packed: bytes | None = None

    def set_default_headers(self) -> None:
        """What has a version in its address may be kept; Tornado says so itself."""
        super().set_default_headers()
        self.clear_header("Cache-Control")

    def set_headers(self) -> None:
        """As few as will do, since a page has many files; one asked for without its version keeps a tag."""
        super().set_headers()
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        for name in ("Expires", "Last-Modified", "Accept-Ranges"):
            self.clear_header(name)
        if has_version(self) and PurePath(self.path).suffix != ".svg":  # which a browser shows as a document
            trim(self)

    async def authenticate(self) -> None:
        """The same for everybody, so nobody is asked who he is."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """The file; compressed only as a whole."""
        packed = self.services.assets.packed.get(self.parse_url_path(path))
        if packed is not None:
            self.set_header("Vary", "Accept-Encoding")
            if (
                takes_gzip(self.request.headers.get("Accept-Encoding", ""))
                and "Range" not in self.request.headers
            ):
                self.packed = packed
                self.set_header("Content-Encoding", "gzip")
        await super().get(path, include_body)

    async def head(self, path: str) -> None:  # type: ignore[override]
        """Tornado's own: a file is not read for it."""
        await StaticFileHandler.head(self, path)

    def compute_etag(self) -> str | None:
        """Of what is sent: the compressed file is another one. What has a version never changes."""
        if has_version(self):
            return None
        etag = super().compute_etag()
        return etag[:-1] + '-gzip"' if etag and self.packed is not None else etag

    def get_content_size(self) -> int:
        """Of what is sent."""
        return super().get_content_size() if self.packed is None else len(self.packed)

    def get_content(self, *args: Any) -> Any:  # type: ignore[override]
        """What was compressed at the start, or the file piece by piece."""
        return super().get_content(*args) if self.packed is None else self.packed

    def get_content_type(self) -> str:
        """The same on every machine, whatever its own table knows."""
        return _TYPES.get(PurePath(self.path).suffix) or super().get_content_type()

    def parse_url_path(self, url_path: str) -> str:
        """The icon under its old name; no file has a NUL in its name, and `os` stumbles over it."""
        if "\0" in url_path:
            raise HTTPError(404)
        return "icons/favicon.svg" if url_path == "favicon.ico" else super().parse_url_path(url_path)


class Style(BaseHandler):
    """`/style.css`: all sheets in one answer."""

    access = Access.PUBLIC

    async def authenticate(self) -> None:
        """The same for everybody, so nobody is asked who he is."""

    async def get(self) -> None:
        """The sheets; kept by who asks for this version."""
        assets = self.services.assets
        self.set_header("Content-Type", "text/css; charset=UTF-8")
        self.set_header("Cache-Control", "max-age=31536000" if has_version(self) else "no-cache")
        self.set_header("Vary", "Accept-Encoding")
        if takes_gzip(self.request.headers.get("Accept-Encoding", "")):
            self.set_header("Content-Encoding", "gzip")
            self.finish(assets.packed[STYLE])
        else:
            self.finish(assets.style)

    def set_etag_header(self) -> None:
        """What has a version never changes; a sheet is no document."""
        if has_version(self):
            trim(self)
        else:
            super().set_etag_header()


class ServiceWorker(BaseHandler):
    """`/sw.js`: a worker sees only what is below its own address. Asked for anew each time."""

    access = Access.PUBLIC

    async def authenticate(self) -> None:
        """The same for everybody, so nobody is asked who he is."""

    async def get(self) -> None:
        """The script, with the list of files of this version."""
        self.set_header("Content-Type", "text/javascript; charset=UTF-8")
        self.set_header("Cache-Control", "no-cache")
        self.finish(self.services.assets.worker)
