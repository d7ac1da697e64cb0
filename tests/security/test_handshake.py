"""The handshake over raw sockets: every check of the contract's table, and which of two failures is told."""

import json
import time

import pytest
from tornado.web import create_signed_value, decode_signed_value

from chat_app.core.sessions import ABSOLUTE_MS, DAY_MS, IDLE_MS
from chat_app.data_folder import ensure_data
from chat_app.settings import load
from chat_app.web.gate import signing_keys
from tests.conftest import PASSWORD, Site
from tests.web.raw import RawSocket, answered, handshake


async def status(site: Site, **request: object) -> int:
    return (await answered(site, handshake(site, **request)))[0]  # type: ignore[arg-type]


@pytest.mark.settings(account_connections="1")
@pytest.mark.gen_test
async def test_the_first_failing_check_is_the_one_that_is_told(site: Site) -> None:
    cookie = await site.account("Masa")
    await site.join(cookie)
    wrong: list[tuple[int, dict[str, str]]] = [
        (403, {"Origin": "http://evil.example"}), (401, {"cookie": "session=x"}), (404, {"query": "room=nowhere"}), (429, {}),
    ]  # fmt: skip

    for first in range(len(wrong)):
        request = {"cookie": cookie}
        for _, change in reversed(wrong[first:]):
            request.update(change)
        assert await status(site, **request) == wrong[first][0], request
    assert await status(site, cookie="session=x", query="since=1") == 401


@pytest.mark.gen_test
async def test_origin_is_one_and_of_the_allow_list(site: Site) -> None:
    cookie, port = await site.account("Masa"), site.app.port
    for origin in (
        "", "null", "localhost", f"localhost:{port}", f"//localhost:{port}", "http://localhost", f"http://localhost:{port + 1}",
        f"https://localhost:{port}", f"ws://localhost:{port}", f"http://localhost:{port}/", f"http://localhost:{port}.evil.tld",
        f"http://localhost:{port}@evil.tld", f"http://evil.tld#localhost:{port}", f"http://localhost.:{port}",
        f"http://x.localhost:{port}", f"{site.url}, {site.url}", f"{site.url} {site.url}", "http://[::1", "http://[::1]", "\xff",
        f"http://localhost:{port}\x00",
    ):  # fmt: skip
        for fetch_site in ("same-origin", "none", "cross-site"):
            found = await status(site, cookie=cookie, Origin=origin, Sec_Fetch_Site=fetch_site)
            assert found == (400 if "\x00" in origin else 403), origin
    for without in (("Origin",), ("Origin", "Cookie")):
        assert await status(site, cookie=cookie, without=without) == 403
        assert await status(site, cookie=cookie, without=without, Sec_Fetch_Site="same-origin") == 403
    for second in (site.url, "http://evil.example"):
        assert await status(site, cookie=cookie, more=(("Origin", second),)) == 403
    assert await status(site, cookie=cookie, Sec_Fetch_Site="cross-site") == 101, "each on its own"
    assert await status(site, cookie=cookie, Origin=f"HTTP://LocalHost:{port}") == 101
    assert await status(site, cookie=cookie, Origin=f"http://127.0.0.1:{port}") == 101


@pytest.mark.gen_test
async def test_host_is_one_and_of_the_allow_list_whatever_the_origin(site: Site) -> None:
    cookie, port = await site.account("Masa"), site.app.port
    for host in (
        "evil.example",
        "localhost",
        f"localhost:{port + 1}",
        f"localhost:{port}.evil.tld",
        f"user@localhost:{port}",
    ):
        for origin in (site.url, f"http://{host}"):
            found = await status(site, cookie=cookie, Host=host, Origin=origin)
            assert found == (400 if "@" in host else 403), host
    assert await status(site, cookie=cookie, Host=f"LOCALHOST:{port}") == 101
    assert await status(site, cookie=cookie, without=("Host",)) == 400
    assert await status(site, cookie=cookie, more=(("Host", "evil.example"),)) == 400
    assert await status(site, cookie=cookie, more=(("X-Forwarded-Host", "evil.example"),)) == 101


@pytest.mark.gen_test
async def test_the_cookie_is_one_whole_living_and_of_an_enabled_account(site: Site) -> None:
    cookie = await site.account("Masa")
    name, _, value = cookie.partition("=")
    inner = value.strip('"')
    for wrong in (
        "", "session", "session=", "session=x", f"Session={value}", f"__Host-session={value}", f"other={value}",
        f"session={inner[:-1]}", f"session={inner[1:]}", f"session={inner}0", f"session={inner[::-1]}", "session=\xff\xfe",
        f"{cookie}; {cookie}", f"{cookie}; session=x", f"session=x; {cookie}", f"{cookie}; session", "session=" + "9" * 4_301,
        "session=2|1:0|10:" + "9" * 400 + "|7:session|4:eHg=|00",
    ):  # fmt: skip
        assert await status(site, cookie=wrong) == 401, wrong
    assert await status(site) == 401
    assert await status(site, cookie=cookie, more=(("Cookie", cookie),)) == 401
    assert await status(site, cookie=f"theme=dark; {cookie}; x=y") == 101
    assert name == "session"
    revoked = await site.sign_in("Masa")
    await site.post("/logout", {}, cookie=revoked)
    assert await status(site, cookie=revoked) == 401
    await site.app.services.administration.disable("Masa")
    assert await status(site, cookie=cookie) == 401
    await site.app.services.administration.enable("Masa")
    assert await status(site, cookie=cookie) == 401, "its sessions ended"


@pytest.mark.gen_test
async def test_a_cookie_of_another_key_name_or_time_is_nobodys(site: Site) -> None:
    value = (await site.account("Masa")).partition("=")[2].strip('"')
    (secret,) = ensure_data(load({"data": str(site.folder)}, {})).cookie_secret
    keys, version = signing_keys([secret])
    held = decode_signed_value(keys, "session", value, min_version=2)
    assert held is not None

    def signed(*, name: str = "session", key: bytes = secret, number: int = version, days: float = 0) -> str:
        moment = time.time() + days * 86_400
        made = create_signed_value(
            {number: key}, name, held.decode(), version=2, key_version=number, clock=lambda: moment
        )
        return f"session={made.decode()}"

    assert await status(site, cookie=signed()) == 101
    for wrong in (
        signed(key=b"f" * 32), signed(key=b"f" * 32, number=signing_keys([b"f" * 32])[1]), signed(number=version + 1),
        signed(name="other"), signed(name="device"), signed(name="__Host-session"), signed(days=-31), signed(days=1),
    ):  # fmt: skip
        assert await status(site, cookie=wrong) == 401, wrong


@pytest.mark.gen_test
async def test_a_session_past_its_end_or_idle_for_too_long_opens_nothing(site: Site) -> None:
    cookie = await site.account("Masa")
    sessions = site.app.services.identity.sessions
    now_ms = sessions._clock_ms
    assert await status(site, cookie=cookie) == 101
    sessions._clock_ms = lambda: now_ms() + IDLE_MS + 1
    assert await status(site, cookie=cookie) == 401
    for day in range(0, 30, 10):  # used every ten days
        sessions._clock_ms = lambda day=day: now_ms() + day * DAY_MS
        assert await status(site, cookie=cookie) == 101
    sessions._clock_ms = lambda: now_ms() + ABSOLUTE_MS
    assert await status(site, cookie=cookie) == 401


@pytest.mark.gen_test
async def test_room_and_position_are_read_from_the_query(site: Site) -> None:
    cookie = await site.account("Masa")
    for query in (
        "room=",
        "room=a%20b",
        "room=" + "a" * 33,
        "room=..%2Flobby",
        "room=%00",
        "room=LOBBY",
        "room=%ff",
        "room=guest",
    ):
        assert await status(site, cookie=cookie, query=query) in (400, 404), query
    for query in (
        "since=1", "epoch=x", "since=x&epoch=x", "since=&epoch=x", "since=-1&epoch=x", "since=1.5&epoch=x", "since=1e3&epoch=x",
        "since=NaN&epoch=x", "since=%D9%A1&epoch=x", "since=1&epoch=", "since=1&epoch=a%20b", "since=1&epoch=%00",
        "since=1&since=2&epoch=x", "since=1&epoch=x&epoch=x", "room=lobby&room=lobby", "since=0x1&epoch=x", "since=true&epoch=x",
    ):  # fmt: skip
        assert await status(site, cookie=cookie, query=query) == 400, query
    for query in ("since=99999999999999999999&epoch=x", "since=" + "9" * 4_301 + "&epoch=x"):
        assert await status(site, cookie=cookie, query=query) == 101, query
    for query in ("", "room=lobby", "unknown=1", "since=0&epoch=x"):
        assert await status(site, cookie=cookie, query=query) == 101, query


@pytest.mark.gen_test
async def test_what_is_no_handshake_is_refused_after_the_checks(site: Site) -> None:
    cookie = await site.account("Masa")
    for wrong in (
        {"without": ("Upgrade",)}, {"without": ("Connection",)}, {"without": ("Sec-WebSocket-Key",)}, {"Upgrade": "h2c"},
        {"Sec_WebSocket_Key": "short"}, {"Sec_WebSocket_Key": ""}, {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ"},
        {"Sec_WebSocket_Key": "*" * 22 + "=="}, {"Sec_WebSocket_Key": "A" * 43 + "="}, {"Connection": "keep-alive"}, {"without": ("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version")},
    ):  # fmt: skip
        assert await status(site, cookie=cookie, **wrong) == 400, wrong
        assert await status(site, **wrong) == 401, wrong
    for version in ("12", "14", "x"):
        code, headers = await answered(site, handshake(site, cookie=cookie, Sec_WebSocket_Version=version))
        assert code == 426 and headers["sec-websocket-version"] == "13"
    for method in ("POST", "HEAD", "PUT"):
        code, headers = await answered(site, handshake(site, cookie=cookie, method=method))
        assert (code, headers["allow"]) == (405, "GET"), method
    assert await status(site, cookie=cookie, version="1.0") == 400


@pytest.mark.gen_test
async def test_headers_over_the_limit_are_refused_and_neighbours_stay(site: Site) -> None:
    cookie = await site.account("Masa")
    neighbour = await site.join(cookie)
    assert await status(site, cookie=cookie, X_Filler="x" * 20_000) == 431
    await neighbour.say("still here")


@pytest.mark.settings(failed_handshakes="2")
@pytest.mark.gen_test
async def test_only_401_counts_as_a_failed_handshake_and_429_says_when(site: Site) -> None:
    cookie = await site.account("Masa")
    for _ in range(5):
        assert await status(site, cookie=cookie, Origin="http://evil.example") == 403
        assert await status(site, cookie=cookie, query="room=nowhere") == 404
        assert await status(site, cookie=cookie, query="since=1") == 400
    for number in range(2):  # another address in a header of nobody's is not another address
        assert await status(site, X_Forwarded_For=f"192.0.2.{number}") == 401
    code, headers = await answered(site, handshake(site, X_Forwarded_For="192.0.2.9", X_Real_IP="192.0.2.9"))
    assert code == 429 and int(headers["retry-after"]) >= 1


@pytest.mark.settings(failed_handshakes="0", account_connections="0", address_connections="0")
@pytest.mark.gen_test
async def test_0_switches_the_limits_of_the_handshake_off(site: Site) -> None:
    cookie = await site.account("Masa")
    for _ in range(70):
        assert await status(site) == 401
    sockets = [await RawSocket.open(site, cookie) for _ in range(25)]
    assert json.loads((await site.get("/healthz")).body)["clients"] == 25
    for socket in sockets:
        await socket.leave()


@pytest.mark.settings(address_connections="3")
@pytest.mark.gen_test
async def test_one_socket_too_many_of_an_address_gets_429_until_one_closes(site: Site) -> None:
    cookies = [await site.account(name) for name in ("Masa", "Kim")]
    clients = [await site.join(cookies[number % 2]) for number in range(3)]
    assert await status(site, cookie=cookies[1]) == 429
    assert (await site.get("/session", cookie=cookies[1])).code == 429
    clients[0].connection.close()
    await clients[0].closed()
    assert await status(site, cookie=cookies[1]) == 101


@pytest.mark.settings(trusted_proxies="127.0.0.1,::1", address_connections="1", failed_handshakes="1")
@pytest.mark.gen_test
async def test_behind_a_trusted_proxy_addresses_are_those_of_the_header(site: Site) -> None:
    cookie = await site.account("Masa")
    first = await site.connect(cookie, **{"X-Forwarded-For": "192.0.2.1"})
    await first.until("system")
    assert await status(site, cookie=cookie, X_Forwarded_For="192.0.2.1") == 429
    assert await status(site, cookie=cookie, X_Forwarded_For="10.9.9.9, 192.0.2.1") == 429, (
        "the last entry counts"
    )
    assert await status(site, cookie=cookie, X_Forwarded_For="192.0.2.2") == 101
    assert await status(site, X_Forwarded_For="2001:db8::1") == 401
    assert await status(site, X_Forwarded_For="2001:db8::2") == 429, "an IPv6 address counts as its /64"
    assert await status(site, X_Forwarded_For="2001:db8:0:1::2") == 401


@pytest.mark.settings(allowed_origins="https://chat.example.org", trusted_proxies="127.0.0.1,::1")
@pytest.mark.gen_test
async def test_behind_https_only_the_host_cookie_opens_a_socket(site: Site) -> None:
    await site.app.services.administration.add_user("Masa", "member", PASSWORD)
    here = {"Host": "chat.example.org", "Origin": "https://chat.example.org"}
    answer = await site.post(
        "/login", {"name": "Masa", "password": PASSWORD}, X_Forwarded_Proto="https", **here
    )
    (line,) = answer.headers.get_list("Set-Cookie")
    cookie = line.partition(";")[0]
    assert (
        cookie.startswith("__Host-session=")
        and "Secure" in line
        and "Path=/" in line
        and "Domain" not in line
    )
    assert await status(site, cookie=cookie, X_Forwarded_Proto="https", **here) == 101
    assert await status(site, cookie=cookie, **here) == 401
    plain = cookie.removeprefix("__Host-")
    assert await status(site, cookie=plain, X_Forwarded_Proto="https", **here) == 401
    assert await status(site, cookie=f"{cookie}; {cookie}", X_Forwarded_Proto="https", **here) == 401
