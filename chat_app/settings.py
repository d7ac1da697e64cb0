"""The settings: one table, from which come the flags, the help, docs/settings.md and the frozen `Settings`.

`cli` reads them, `app` alone is given them; nothing else sees the whole. Parsing touches no file: that is for
`data_folder`.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from chat_app.service_urls import database_url, redis_url

SECRET_BYTES = 32  # at least; HMAC-SHA256 gains nothing from more
FRAME_BYTES = 16 * 1024  # a longer message would not fit into one frame
HISTORY_LIMIT = 1_000  # more would be sent to everybody who joins
PROCESSES_LIMIT = 64

Registration = Literal["open", "invite", "closed"]
Network = IPv4Network | IPv6Network


class SettingsError(Exception):
    """What keeps the program from starting, in one sentence for who starts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the program was told; durations are in seconds, a limit of 0 is off."""

    port: int
    address: str
    data: Path
    allowed_origins: tuple[str, ...]
    allowed_origins_given: bool  # else they follow the port that was bound
    trusted_proxies: tuple[Network, ...]
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    processes: int
    cookie_secret: tuple[bytes, ...] = field(
        repr=False
    )  # newest first; empty until the data folder gave its own
    metrics_token: str | None = field(repr=False)
    registration: Registration
    history_limit: int
    max_message_length: int
    edit_history: bool
    rate_limit: int
    rate_window_seconds: float
    account_rate_limit: int
    address_rate_limit: int
    frame_rate_limit: int
    account_connections: int
    address_connections: int
    failed_handshakes: int
    heartbeat_seconds: float
    loop: Literal["asyncio", "uvloop"]


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table. `parse` raises ValueError with what is wrong, to follow the setting's title."""

    name: str
    variable: str
    flag: str | None  # None: never on a command line, where other users of the machine can read it
    metavar: str
    default: str | None  # as one would write it; {port} and {data} stand for those settings
    parse: Callable[[str], object]
    meaning: str

    @property
    def title(self) -> str:
        return f"{self.variable} ({self.flag})" if self.flag else self.variable

    def default_text(self, *, port: object = "PORT", data: object = "DATA") -> str | None:
        return None if self.default is None else self.default.format(port=port, data=data)


def load(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """Reads every setting: the flag if given, else the variable unless it is empty, else the default.

    `flags` maps names of settings to what stood on the command line. Raises SettingsError for the first that
    is wrong.
    """
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        given = flags.get(setting.name)
        if given is None:
            given = environment.get(setting.variable) or None
        if setting.name == "allowed_origins":
            values["allowed_origins_given"] = given is not None
            if given is None:
                values[setting.name] = default_origins(values["port"])
                continue
        text = (
            setting.default_text(port=values.get("port"), data=values.get("data")) if given is None else given
        )
        try:
            values[setting.name] = None if text is None else setting.parse(text)
        except ValueError as error:
            raise SettingsError(f"{setting.title}: {error}.") from None
    values["cookie_secret"] = values["cookie_secret"] or ()
    values["trusted_proxies"] = values["trusted_proxies"] or ()
    return Settings(**values)


def as_environment(
    flags: Mapping[str, object], environment: Mapping[str, str], **changes: object
) -> dict[str, str]:
    """What a process of our own is started with to be told the same: flags become variables, since everybody
    may read a command line; `changes` are by name of the setting.
    """
    given = {**flags, **changes}
    told = {row.variable: str(given[row.name]) for row in SETTINGS if given.get(row.name) is not None}
    return {**environment, **told}


def default_origins(port: int) -> tuple[str, ...]:
    """The origins of this machine at `port`, as browsers write them; none while the port is not known (0)."""
    if port == 0:
        return ()
    default = cast(str, next(setting for setting in SETTINGS if setting.name == "allowed_origins").default)
    return parse_origins(default.format(port=port))


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """Keys that sign cookies, newest first, separated by commas; the older ones are still read."""
    keys = tuple(part.strip().encode("utf-8", "surrogateescape") for part in text.split(","))
    if any(len(key) < SECRET_BYTES for key in keys):
        raise ValueError(
            f"a secret is shorter than {SECRET_BYTES} bytes; `openssl rand -hex 32` makes a good one"
        )
    return keys


def parse_origins(text: str) -> tuple[str, ...]:
    origins = dict.fromkeys(_origin(part.strip()) for part in text.split(",") if part.strip())
    if not origins:
        raise ValueError("no origin is given; one looks like https://chat.example.org")
    return tuple(origins)


_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def _origin(text: str) -> str:
    """One origin as a browser sends it: lower case, without the scheme's own port (RFC 6454, 6.2)."""
    wrong = ValueError(
        f"{text!r} is not an origin; one looks like https://chat.example.org or http://localhost:8080"
    )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not host or "@" in parts.netloc or parts.netloc.endswith(":"):
        raise wrong
    if text[len(scheme) + 3 :] != parts.netloc:  # a path, even "/", a query or a fragment
        raise ValueError(f"{text!r} is more than an origin: leave out what follows the host and port")
    host = _host_name(host, bracketed="[" in parts.netloc)
    if host is None or port == 0:
        raise wrong
    return f"{scheme}://{host}" + ("" if port in (None, {"http": 80, "https": 443}[scheme]) else f":{port}")


def _host_name(host: str, *, bracketed: bool) -> str | None:
    """A host in the form browsers send, None when it is none; international names are given as xn--…"""
    if bracketed or host.rsplit(".", 1)[-1].isdigit():
        try:
            address = ip_address(host)
        except ValueError:
            return None
        return f"[{address.compressed}]" if address.version == 6 else str(address)
    return host if len(host) <= 253 and all(map(_LABEL.fullmatch, host.split("."))) else None


def _networks(text: str) -> tuple[Network, ...]:
    networks = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ip_network(part))
        except ValueError:
            raise ValueError(f"{part!r} is not an address or a network such as 10.0.0.0/8") from None
    return tuple(networks)


def _address(text: str) -> str:
    if _host_name(text.lower(), bracketed=":" in text) is None:
        raise ValueError(f"{text!r} is not an address such as 127.0.0.1, ::1 or 0.0.0.0")
    return text


def _folder(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("no folder is given")
    return Path(text).expanduser()


def _registration(text: str) -> str:
    if text not in ("open", "invite", "closed"):
        raise ValueError(f"{text!r} is none of open, invite and closed")
    return text


def _loop(text: str) -> str:
    if text not in ("asyncio", "uvloop"):
        raise ValueError(f"{text!r} is neither asyncio nor uvloop")
    return text


def _switch(text: str) -> bool:
    if text not in ("off", "on"):
        raise ValueError(f"{text!r} is neither off nor on")
    return text == "on"


def _token(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the token is made of visible ASCII characters")
    return text


def _count(most: int | None = None, *, least: int = 0) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text) if re.fullmatch(r"[0-9]{1,10}", text) else -1
        if number < least or (most is not None and number > most):
            raise ValueError(
                f"{text!r} is not a whole number from {least}" + ("" if most is None else f" to {most}")
            )
        return number

    return parse


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 86_400:
        raise ValueError(f"{text!r} is not a number of seconds from 0 to 86400")
    return seconds


# Order counts: {port} and {data} in a default stand for rows above it.
SETTINGS: Sequence[Setting] = (
    Setting("port", "PORT", "--port", "N", "8080", _count(65_535),
        "TCP port; 0 takes any free one and tells which"),
    Setting("address", "CHAT_ADDRESS", "--address", "ADDRESS", "127.0.0.1", _address,
        "address to listen on"),
    Setting("data", "CHAT_DATA", "--data", "FOLDER", "data", _folder,
        "folder of the database, the cookie secret, the control socket and backups; made with mode 0700"),
    Setting("allowed_origins", "ALLOWED_ORIGINS", "--allowed-origins", "ORIGINS",
        "http://localhost:{port},http://127.0.0.1:{port}", parse_origins,
        "origins, comma-separated; the hosts accepted in Host are those of this list"),
    Setting("trusted_proxies", "CHAT_TRUSTED_PROXIES", "--trusted-proxies", "NETWORKS", None, _networks,
        "addresses or networks, comma-separated, whose X-Forwarded-For and X-Forwarded-Proto count; "
        "anybody else's are ignored"),
    Setting("database_url", "DATABASE_URL", "--database", "URL", "sqlite:///{data}/chat.db", database_url,
        "the database: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME, with the options of libpq "
        "such as ?sslmode=verify-full; the password may stand in PGPASSWORD or ~/.pgpass instead"),
    Setting("redis_url", "REDIS_URL", "--redis", "URL", None, redis_url,
        "for more than one process on the same PostgreSQL database: redis://, rediss:// (TLS) or unix://, "
        "with the options of redis-py such as ?ssl_ca_certs=FILE; nothing is lost when what it holds is"),
    Setting("processes", "CHAT_PROCESSES", "--processes", "COUNT", "1", _count(PROCESSES_LIMIT, least=1),
        "processes of this machine that share the port; more than one need PostgreSQL and Redis"),
    Setting("cookie_secret", "CHAT_COOKIE_SECRET", None, "SECRET", None, parse_secrets,
        "signs cookies; at least 32 bytes; an older one may follow after a comma and is still read; "
        "without it the data folder's cookie_secret, made at first start with mode 0600"),
    Setting("metrics_token", "CHAT_METRICS_TOKEN", None, "TOKEN", None, _token,
        "whoever sends `Authorization: Bearer TOKEN` may read /metrics from another machine"),
    Setting("registration", "CHAT_REGISTRATION", "--registration", "WHO", "invite", _registration,
        "open: anyone may create an account on the sign-in page; invite: only with a join link; "
        "closed: nobody"),
    Setting("history_limit", "CHAT_HISTORY_LIMIT", "--history-limit", "N", "50", _count(HISTORY_LIMIT),
        "newest messages of a room sent on joining; 0 sends none"),
    Setting("max_message_length", "CHAT_MAX_MESSAGE_LENGTH", "--max-message-length", "N", "500",
        _count(FRAME_BYTES), "code points of a message after NFC; with 0 only the frame's 16 KiB limit it"),
    Setting("edit_history", "CHAT_EDIT_HISTORY", "--edit-history", "off|on", "off", _switch,
        "on: keep what a message said before an edit, for who moderates its room; off: nothing of it is "
        "kept, and what was kept before is forgotten at the next start"),
    Setting("rate_limit", "CHAT_RATE_LIMIT", "--rate-limit", "N", "20", _count(),
        "messages from one connection within the window; 0: no limit"),
    Setting("rate_window_seconds", "CHAT_RATE_WINDOW_SECONDS", "--rate-window-seconds", "SECONDS", "10",
        _seconds, "length of the sliding window; 0 switches the three limits that use it off"),
    Setting("account_rate_limit", "CHAT_ACCOUNT_RATE_LIMIT", "--account-rate-limit", "N", "40", _count(),
        "messages from all connections of one account within the window; 0: no limit"),
    Setting("address_rate_limit", "CHAT_ADDRESS_RATE_LIMIT", "--address-rate-limit", "N", "400", _count(),
        "messages from all connections of one address within the window; 0: no limit"),
    Setting("frame_rate_limit", "CHAT_FRAME_RATE_LIMIT", "--frame-rate-limit", "N", "100", _count(),
        "frames of any kind a second from one connection; 0: no limit"),
    Setting("account_connections", "CHAT_ACCOUNT_CONNECTIONS", "--account-connections", "N", "20", _count(),
        "open sockets of one account; one more is refused with 429; 0: no limit"),
    Setting("address_connections", "CHAT_ADDRESS_CONNECTIONS", "--address-connections", "N", "500", _count(),
        "open sockets of one address; one more is refused with 429; 0: no limit"),
    Setting("failed_handshakes", "CHAT_FAILED_HANDSHAKES", "--failed-handshakes", "N", "60", _count(),
        "handshakes from one address refused with 401 in a minute before it gets 429; 0: no limit"),
    Setting("heartbeat_seconds", "CHAT_HEARTBEAT_SECONDS", "--heartbeat-seconds", "SECONDS", "30", _seconds,
        "ping every connection; one that answered nothing since the last ping is dropped; 0: no pings"),
    Setting("loop", "CHAT_LOOP", "--loop", "asyncio|uvloop", "asyncio", _loop,
        "uvloop, where it is installed, takes 5 to 30 % less of the processor, but no turn of the loop is "
        "bounded or measured exactly (docs/performance.md)"),
)  # fmt: skip
