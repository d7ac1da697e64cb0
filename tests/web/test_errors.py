"""Every error is a page in the design of the others, with a sentence and a way on; what is too large too."""

import asyncio

import pytest
from tornado.httpclient import HTTPResponse

from chat_app.errors import Busy, ChatError, Forbidden, NotFound, RateLimited
from chat_app.web.refusals import PAGES
from tests.conftest import Site
from tests.web.pages import Page


def check(answer: HTTPResponse, status: int) -> Page:
    """What every error page has."""
    assert answer.code == status
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert "Content-Security-Policy" in answer.headers
    if "/static/" not in answer.effective_url:
        assert answer.headers["Cache-Control"] == "no-store"
    page = Page(answer)
    assert (
        str(status) in answer.body.decode() and page.texts["h1"] and page.texts["h1"] in page.texts["title"]
    )
    assert "/" in page.links
    return page


def failing(error: Exception, monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    async def fail() -> bool:
        raise error

    monkeypatch.setattr(site.app.services.database.accounts, "has_owner", fail)


async def raw(site: Site, request: bytes) -> bytes:
    """Everything that comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.app.port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def said_nothing(site: Site, request: bytes) -> bool:
    """Whether the server only hung up; with a reset where it left a part of the request unread."""
    try:
        return await raw(site, request) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ChatError("bad_request", "That is not a number."), 400),
        (ChatError("bad_credentials", "The password is wrong."), 401),
        (Forbidden("Not for you."), 403),
        (NotFound("It never was."), 404),
        (ChatError("taken", "Somebody has it."), 409),
        (ChatError("gone", "It was used up."), 410),
        (RateLimited("Too many of them.", retry_after=600), 429),
        (Busy("The disk is slow."), 503),
    ],
)
@pytest.mark.gen_test
async def test_a_refusal_is_a_page_that_says_what_it_is(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: ChatError, status: int
) -> None:
    failing(error, monkeypatch, site)
    answer = await site.get("/")
    page = check(answer, status)
    assert error.message in answer.body.decode() and page.texts["h1"] == PAGES[status][0]
    if error.retry_after is not None:
        assert answer.headers["Retry-After"] == str(int(error.retry_after))
    assert ("in 10 minutes" in answer.body.decode()) == (status == 429)
    assert (">Sign in<" in answer.body.decode()) == (status == 401)
    assert ("Try it again" in answer.body.decode()) == (status in (429, 503))


@pytest.mark.gen_test
async def test_a_mistake_of_ours_is_a_page_without_its_details(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(RuntimeError("the secret"), monkeypatch, site)
    answer = await site.get("/")
    check(answer, 500)
    assert PAGES[500][1].partition("'")[0] in answer.body.decode() and b"secret" not in answer.body


@pytest.mark.gen_test
async def test_the_addresses_of_errors_are_pages(site: Site) -> None:
    member = await site.account("Kim")
    for path, status in (
        ("/rooms/lobby?before=x", 400), ("/people", 403), ("/nowhere", 404), ("/rooms/nowhere", 404),
        ("/static/no.js", 404), ("/logout", 405), ("/setup?token=x", 404), ("/join/x", 404), ("/link/x", 404),
    ):  # fmt: skip
        page = check(await site.get(path, cookie=member), status)
        assert "Back to the chat" in page.answer.body.decode() or path.startswith("/static") or status == 405


@pytest.mark.gen_test
async def test_after_a_refused_post_the_way_back_is_the_page_with_the_form(site: Site) -> None:
    cookie = await site.account("Kim")
    fields = {f"field{number}": "x" for number in range(51)}
    for referer, links in (
        (f"{site.url}/rooms?a=%22b&c=d", ["/rooms?a=%22b&c=d", "/"]),
        ("http://evil.example/rooms", ["/"]),
        (f"{site.url}//evil.example/", ["/", "/"]),
        ("http://[::1", ["/"]),
        ("", ["/"]),
    ):
        page = check(await site.post("/rooms", fields, cookie=cookie, Referer=referer), 400)
        assert page.links[1:] == links, referer  # the first is the site's name


@pytest.mark.gen_test
async def test_unknown_methods_are_refused_with_a_page(site: Site) -> None:
    for method in ("TRACE", "BREW", "CONNECT", "PUT"):
        head = f"{method} /login HTTP/1.1\r\nHost: localhost:{site.app.port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        answer = await raw(site, head.encode())
        assert answer.startswith(b"HTTP/1.1 405 ") and b"\r\nAllow: GET, HEAD, POST\r\n" in answer, method
        assert b"<h1>" in answer and b"Content-Security-Policy" in answer


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1024 * 1024])
@pytest.mark.gen_test
async def test_a_body_that_is_too_large_is_read_and_refused_with_a_page(site: Site, size: int) -> None:
    cookie = await site.account("Kim")
    check(await site.post("/rooms", {"title": "x" * (size - len("title="))}, cookie=cookie), 413)
    assert (await site.post("/login", {"name": "x" * (60 * 1024)})).code == 401


@pytest.mark.gen_test
async def test_a_body_beyond_that_and_one_in_pieces_are_not_read(site: Site) -> None:
    head = f"POST /login HTTP/1.1\r\nHost: localhost:{site.app.port}\r\n"
    for more in (
        f"Content-Length: {1024 * 1024 + 1}\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n100001\r\nx",
    ):
        assert (await raw(site, (head + more).encode())).startswith(b"HTTP/1.1 400 ")


@pytest.mark.gen_test
async def test_too_many_cookies_are_refused_with_a_page_and_do_not_open_a_socket(site: Site) -> None:
    cookie = await site.account("Kim")
    assert (await site.get("/rooms", cookie=f"{cookie}; x={'x' * (15 * 1024)}")).code == 200
    large = f"{cookie}; x={'x' * (16 * 1024)}"
    for path in ("/rooms", "/nowhere", "/static/js/main.js"):
        page = check(await site.get(path, cookie=large), 431)
        assert "cookies" in page.texts["h1"]
    assert (await site.get("/chat", cookie=large, Origin=site.url)).code == 431
    assert (await site.get("/session", cookie=large)).headers["Content-Type"] == "application/json"
    head = f"GET / HTTP/1.1\r\nHost: localhost:{site.app.port}\r\nCookie: x={'x' * (48 * 1024)}\r\n\r\n"
    assert await said_nothing(site, head.encode())


@pytest.mark.gen_test
async def test_bytes_that_are_no_request_are_refused(site: Site) -> None:
    for request in (
        b"hello\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
    ):
        assert (await raw(site, request)).startswith(b"HTTP/1.1 400 "), request
