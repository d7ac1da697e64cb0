"""URLs of the services that a server uses: `settings` reads them with these functions.

What is wrong is said without the URL itself, which may hold a password.
"""

from urllib.parse import urlsplit


def database_url(text: str) -> str:
    """The database. Raises ValueError."""
    scheme, separator, rest = text.partition("://")
    if separator and scheme in ("postgresql", "postgres"):
        return _postgresql(text)
    if not separator or scheme != "sqlite":
        raise ValueError("the database's URL begins with sqlite:/// or postgresql://")
    if not rest.startswith("/") or rest in ("/", "/:memory:") or "?" in rest or "\0" in rest:
        raise ValueError(
            "a file is needed, such as sqlite:///data/chat.db or sqlite:////var/lib/roomlog/chat.db"
        )
    return text


def _postgresql(text: str) -> str:
    try:
        parts = urlsplit(text)
        port, name = parts.port, parts.path.lstrip("/")
    except ValueError:  # whose words may hold a part of the password
        port, name = 0, ""
    if port == 0 or not name or "/" in name or "\0" in text:
        raise ValueError(
            "a database is needed, such as postgresql://USER:PASSWORD@HOST/NAME, "
            "with %XX for signs in the password that a URL has its own use for"
        )
    return text
