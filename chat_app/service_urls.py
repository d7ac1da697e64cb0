"""URLs of the services that a server uses: `settings` reads them with these functions.

What is wrong is said without the URL itself, which may hold a password.
"""

import re
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


def redis_url(text: str) -> str:
    """Redis. Raises ValueError."""
    scheme = text.partition("://")[0]
    if scheme not in ("redis", "rediss", "unix"):
        raise ValueError("Redis's URL begins with redis://, rediss:// or unix://")
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # whose words may hold a part of the password
        usable = False
    else:
        if scheme == "unix":
            usable = parts.path.startswith("/")
        elif not re.fullmatch(r"(/[0-9]{0,5})?", parts.path):
            usable = False
    if not usable or "\0" in text:
        raise ValueError(
            "a server is needed, such as redis://:PASSWORD@HOST:6379/0 or unix:///run/redis/redis.sock, "
            "with %XX for signs in the password that a URL has its own use for"
        )
    return text
