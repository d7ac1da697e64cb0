"""What a request says of where it comes from."""

import base64
import hashlib
import time
from ipaddress import ip_network

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import create_signed_value

from chat_app.web.gate import cookie_name, local_path, peer, signed_value, signing_keys
from chat_app.web.services import hosts_of
from chat_app.web.templates import load_assets

TRUSTED = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("::1/128"))
NEW, OLD, FOREIGN = b"n" * 32, b"o" * 32, b"f" * 32


class Line:
    """The connection of a request, as far as the request looks at it."""

    def __init__(self, address: str) -> None:
        self.context = self
        self.remote_ip = address
        self.protocol = "http"

    def set_close_callback(self, callback: object) -> None:
        """Nobody waits for it."""


def request(address: str = "127.0.0.1", **headers: str | list[str]) -> HTTPServerRequest:
    given = HTTPHeaders()
    for name, values in headers.items():
        for value in [values] if isinstance(values, str) else values:
            given.add(name.replace("_", "-"), value)
    given.add("Host", "localhost")
    line = RequestStartLine("GET", "/", "HTTP/1.1")
    return HTTPServerRequest(start_line=line, headers=given, connection=Line(address))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "forwarded", "found"),
    [
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("127.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "9.9.9.9, 1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.7", "1.2.3.4"),
        ("127.0.0.1", ["9.9.9.9", "1.2.3.4"], "1.2.3.4"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4, nonsense", "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4:5678", "1.2.3.4"),
        ("127.0.0.1", "[2001:db8::1]:5678", "2001:db8::1"),
        ("::ffff:127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "10.0.0.7", "10.0.0.7"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("0.0.0.0", "1.2.3.4", "0.0.0.0"),
        ("", "1.2.3.4", ""),
    ],
)
def test_only_trusted_proxies_tell_who_asks(address: str, forwarded: str | list[str], found: str) -> None:
    assert peer(request(address, X_Forwarded_For=forwarded), TRUSTED)[0] == found


@pytest.mark.parametrize(
    ("address", "schemes", "found"),
    [
        ("127.0.0.1", "https", "https"),
        ("127.0.0.1", "HTTPS", "https"),
        ("127.0.0.1", "https, http", "http"),
        ("127.0.0.1", "gopher", "http"),
        ("203.0.113.9", "https", "http"),
    ],
)
def test_only_trusted_proxies_tell_the_scheme(address: str, schemes: str, found: str) -> None:
    assert peer(request(address, X_Forwarded_Proto=schemes), TRUSTED)[1] == found


def test_behind_two_proxies_the_outer_one_tells_the_scheme() -> None:
    asked = request(X_Forwarded_For="1.2.3.4, 10.0.0.7", X_Forwarded_Proto="https, http")
    assert peer(asked, TRUSTED) == ("1.2.3.4", "https")


def signed(value: str = "token", *, name: str = "session", key: bytes = NEW, at: float | None = None) -> str:
    _, version = signing_keys([key])
    return create_signed_value(
        {version: key}, name, value, version=2, key_version=version, clock=lambda: at or time.time()
    ).decode()


def forged(cookie: str) -> str:
    """Return it with another last digit of the signature, whichever that was."""
    return cookie[:-1] + ("0" if cookie[-1] != "0" else "1")


def read(*cookies: str, secrets: tuple[bytes, ...] = (NEW,)) -> str | None:
    return signed_value(request(Cookie=list(cookies)), "session", signing_keys(secrets)[0])


def test_the_cookie_is_read_with_or_without_quotes() -> None:
    assert read(f"session={signed()}") == read(f'a=b; session="{signed()}"; c=d') == "token"
    assert read("a=b", f"session={signed()}") == "token"


def test_the_clock_of_the_node_that_signed_may_be_some_minutes_ahead() -> None:
    assert read(f"session={signed(at=time.time() + 600)}") == "token"


def test_an_older_key_is_still_read_and_a_dropped_one_no_more() -> None:
    cookie = f"session={signed(key=OLD)}"
    assert read(cookie, secrets=(NEW, OLD)) == read(f"session={signed()}", secrets=(NEW, OLD)) == "token"
    assert read(cookie) is read(f"session={signed(key=FOREIGN)}", secrets=(NEW, OLD)) is None


@pytest.mark.parametrize(
    "cookies",
    [
        [], ["a=b"], ["session="], ["session"], ["session=token"], [f"session={signed()[:-1]}"],
        [f"session={forged(signed())}"], [f"Session={signed()}"], [f"session={signed(name='other')}"],
        [f"session={signed()}; session={signed()}"], [f"session={signed()}", f"session={signed()}"],
        [f"session={signed()}", "session=x"], [f"session={signed(at=time.time() - 31 * 86_400)}"],
        [f"session={signed('ä')}"], ["session=\xff\xfe"],
        ['session="'], [f"session=2|1:0|99999999999:1|{'x' * 50}"],
    ],
)  # fmt: skip
def test_any_other_cookie_is_nobodys(cookies: list[str]) -> None:
    assert read(*cookies) is None


def test_a_clock_of_a_node_that_is_an_hour_ahead_is_not_believed() -> None:
    assert read(f"session={signed(at=time.time() + 3_600)}") is None


def test_a_payload_that_is_no_text_is_nobodys() -> None:
    keys, version = signing_keys([NEW])
    value = create_signed_value(keys, "session", b"\xff\xfe", version=2, key_version=version)  # type: ignore[arg-type]
    assert read(f"session={value.decode()}") is None


def test_the_cookie_on_https_has_the_host_prefix() -> None:
    assert (cookie_name("https"), cookie_name("http")) == ("__Host-session", "session")


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/rooms/lobby", "/rooms/lobby"),
        ("/rooms/lobby?before=3&x=%20", "/rooms/lobby?before=3&x=%20"),
        ("/räume", "/r%C3%A4ume"),
        ("/a b", "/a%20b"),
    ],
)
def test_next_is_a_path_of_this_site(raw: str, path: str) -> None:
    assert local_path(raw) == path


@pytest.mark.parametrize(
    "raw",
    [
        None, "", "//e", "///e", "/\\e", "\\/e", "https:e", "https://e", "javascript:alert(1)", "e", " /e", "/\te",
        "/\n/e", "/\r\nSet-Cookie: a=b", "/\x00", "/" + "a" * 2048, "/\ud800", "/\u2028",
    ],
)  # fmt: skip
def test_next_leads_nowhere_else(raw: str | None) -> None:
    assert local_path(raw) == "/"


def test_the_policy_allows_the_import_map_and_no_other_inline_script() -> None:
    assets = load_assets()
    text = str(assets.import_map).removeprefix('<script type="importmap">').removesuffix("</script>")
    proof = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{proof}';" in assets.policy
    assert "/static/js/net/socket.js?v=" in text and "unsafe" not in assets.policy


def test_a_host_may_carry_its_schemes_own_port() -> None:
    assert hosts_of(frozenset({"https://chat.example.org", "http://[::1]", "http://localhost:8080"})) == {
        "chat.example.org", "chat.example.org:443", "[::1]", "[::1]:80", "localhost:8080",
    }  # fmt: skip
