"""What a request says of where it comes from: address and scheme behind trusted proxies, the cookie.

Functions of a request only; `base` and nobody else calls them.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

from tornado.httputil import HTTPServerRequest
from tornado.web import decode_signed_value

from chat_app.core.limits import plain_address
from chat_app.settings import Network

COOKIE_DAYS = 30
DEVICE_DAYS = 365
NEXT_LIMIT = 2048
_FUTURE_SECONDS = 900  # more than the clocks of two of our nodes differ
_TIMESTAMP = re.compile(r"2\|\d+:\d+\|\d+:(\d{1,20})\|")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\u0080-\u009f\u2028\u2029]")


def peer(request: HTTPServerRequest, trusted: Sequence[Network]) -> tuple[str, str]:
    """(address, scheme) of who asked, as far as trusted proxies tell it; nobody else's headers count.

    Each proxy appends whom it heard: the lists are read from the right while who wrote an entry is trusted.
    """
    address = _address(request.remote_ip or "")
    if address is None or not _is_trusted(address, trusted):
        return (str(address) if address else request.remote_ip or ""), request.protocol
    passed = 1
    for entry in reversed(_list(request, "X-Forwarded-For")):
        before = _address(entry)
        if before is None:
            break
        address = before
        if not _is_trusted(address, trusted):
            break
        passed += 1
    schemes = _list(request, "X-Forwarded-Proto")
    scheme = schemes[-min(passed, len(schemes))].lower() if schemes else request.protocol
    return str(address), scheme if scheme in ("http", "https") else request.protocol


def forwarded_by(request: HTTPServerRequest, trusted: Sequence[Network]) -> str | None:
    """Who sent X-Forwarded-For without being a trusted proxy."""
    address = _address(request.remote_ip or "")
    if "X-Forwarded-For" not in request.headers or address is None or _is_trusted(address, trusted):
        return None
    return str(address)


def _list(request: HTTPServerRequest, name: str) -> list[str]:
    return [part.strip() for line in request.headers.get_list(name) for part in line.split(",")]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: alone, `1.2.3.4:5`, `[::1]` or `[::1]:5`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return plain_address(text)
    except ValueError:
        return None


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def cookie_name(scheme: str) -> str:
    """The `__Host-` prefix makes browsers insist on https, this host and the whole site (RFC 6265bis)."""
    return "__Host-session" if scheme == "https" else "session"


def device_cookie_name(scheme: str) -> str:
    """Of the cookie by which a browser is known to have been signed in (`BaseHandler.device`)."""
    return "__Host-device" if scheme == "https" else "device"


def signed_value(
    request: HTTPServerRequest, name: str, keys: dict[int, bytes], *, days: int = COOKIE_DAYS
) -> str | None:
    """What the one cookie `name` holds; None when absent, given twice, forged, too old, from the future."""
    values = [
        value.strip()
        for line in request.headers.get_list("Cookie")
        for key, _, value in (part.partition("=") for part in line.split(";"))
        if key.strip() == name
    ]
    if len(values) != 1:
        return None
    value = values[0][1:-1] if values[0][:1] == values[0][-1:] == '"' else values[0]  # RFC 6265, 4.1.1
    try:
        payload = decode_signed_value(keys, name, value, max_age_days=days, min_version=2)
        held = None if payload is None else payload.decode("ascii")
    except ValueError:  # not UTF-8, or numbers that are none
        return None
    signed_at = _TIMESTAMP.match(value)
    if signed_at is None or int(signed_at[1]) > time.time() + _FUTURE_SECONDS:
        return None
    return held


def signing_keys(secrets: Sequence[bytes]) -> tuple[dict[int, bytes], int]:
    """Every key under a number made of itself, and the newest one's: numbers stay when keys come and go."""
    return {_version(secret): secret for secret in secrets}, _version(secrets[0])


def _version(secret: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"key version" + secret).digest()[:4])


def local_path(raw: str | None) -> str:
    """Where to go next: a path of this site, else `/`. Browsers read `//` and `/\\` as another host."""
    if not raw or len(raw) > NEXT_LIMIT or _UNSAFE.search(raw):
        return "/"
    if not raw.startswith("/") or raw.startswith("//"):
        return "/"
    try:
        return quote(raw, safe="/?#%&=+:@!$'()*,;~[]")
    except UnicodeEncodeError:
        return "/"
