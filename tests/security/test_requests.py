"""Requests that no browser sends: methods, hosts, paths, sizes, headers."""

import html
import re
import urllib.parse

import pytest
from tornado.web import RequestHandler

from chat_app.web.base import BaseHandler
from chat_app.web.routes import ROUTES, check_access
from chat_app.web.templates import load_assets
from tests.conftest import PASSWORD, Site
from tests.web.pages import invitation, text, to
from tests.web.raw import answered, raw, request_of, status_of


@pytest.mark.gen_test
async def test_a_method_that_is_not_served_is_405_with_allow(site: Site) -> None:
    cookie = await site.account("Masa")
    for path, allowed in (
        ("/", "GET, HEAD"), ("/login", "GET, HEAD, POST"), ("/logout", "POST"), ("/session", "GET, HEAD"), ("/rooms", "GET, HEAD, POST"),
        ("/rooms/lobby", "GET, HEAD"), ("/rooms/lobby/messages", "GET, HEAD"), ("/healthz", "GET, HEAD"), ("/setup", "GET, HEAD, POST"),
    ):  # fmt: skip
        for method in ("TRACE", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
            code, headers = await answered(
                site,
                request_of(site, method, path, f"Cookie: {cookie}", f"Origin: {site.url}")
                .replace("\n", "\r\n")
                .encode(),
            )
            assert (code, headers.get("allow")) == (405, allowed), (method, path)
            assert "session=" not in str(headers), "TRACE gives nothing back"
    assert (await site.get("/logout", cookie=cookie)).code == 405
    assert (await site.get("/session", cookie=cookie)).code == 200


@pytest.mark.gen_test
async def test_odd_queries_and_paths_are_no_errors_of_the_server(site: Site) -> None:
    cookie = await site.account("Masa")
    for path in (
        "/rooms/lobby?before=%ff", "/login?next=%ff", "/login?next=%00", "/setup?token=%ff", "/setup?token=%ed%a0%80", "/join/%00", "/join/%ff",
        "/link/%ff", "/rooms/%00", "/rooms/%ff", "/rooms/%2e%2e", "/%ff", "/%", "/?%", "/login?next=%0d%0aX:y", "/people/%ff/role",
        "/static/%ff", "/static/js/%2e%2e/%2e%2e/setup.cfg", "/static/js", "/static/js/", "/static/" + "a" * 3_000, "//evil.example/", "/account?notice=%ff",
    ):  # fmt: skip
        for headers in ((f"Cookie: {cookie}",), ()):
            code, answer = await answered(
                site, request_of(site, "GET", path, *headers).replace("\n", "\r\n").encode()
            )
            assert 200 <= code < 500, (path, code)
            assert "x" not in answer and "evil.example" not in answer.get("location", "").replace(
                "%2F%2Fevil.example", ""
            )
    assert site.app.services.metrics.registry.get_sample_value("chat_errors_total") == 0


@pytest.mark.gen_test
async def test_names_and_titles_show_as_text_everywhere(site: Site) -> None:
    owner = await site.account("O'Neil", "owner")
    await site.post("/rooms", {"slug": "x", "title": "<script>alert(1)</script>\"'&"}, cookie=owner)
    for path in ("/rooms", "/rooms/x", "/people", "/account", "/join-links", "/rooms/lobby"):
        page = (await site.get(path, cookie=owner)).body.decode()
        assert "<script>alert" not in page, path
        assert not re.search(r"<[^>]+\son\w+=", page) and "javascript:" not in page
        assert not re.search(r"<(script|style)(?![^>]*(src=|importmap))[^>]*>", page), (
            "nothing inline but the import map"
        )


@pytest.mark.parametrize(
    "name",
    [
        "x" * 25,
        "",
        " ",
        "a\u202eb",
        "a\x00b",
        "a\r\nb",
        "<b>",
        "a@b",
        "a/b",
        "😀",
        "e" + "\u0301" * 9,
        "\u200b",
    ],
)
@pytest.mark.gen_test
async def test_a_bad_name_is_refused_with_a_message_and_never_replaced(site: Site, name: str) -> None:
    token = await site.app.services.identity.setup_token() or ""
    answer = await site.post("/setup", {"token": token, "name": name, "password": PASSWORD})
    assert answer.code == 400 and "Set-Cookie" not in answer.headers
    assert re.search(rb'role="alert">[^<]*name', answer.body)
    assert await site.app.services.administration.list_users() == []


@pytest.mark.gen_test
async def test_the_setup_form_takes_its_token_from_the_body_only(site: Site) -> None:
    token = await site.app.services.identity.setup_token() or ""
    fields = {"name": "Masa", "password": PASSWORD}
    assert (await site.post(f"/setup?token={token}", fields)).code == 404
    assert (await site.post("/setup", fields | {"token": token, "role": "member"})).code == 303
    (made,) = await site.app.services.administration.list_users()
    assert (made.name, made.role) == ("Masa", "owner")


@pytest.mark.gen_test
async def test_only_the_sites_own_host_is_answered(site: Site) -> None:
    cookie = await site.account("Masa")
    for path in ("/", "/login", "/rooms/lobby", "/static/js/main.js", "/nowhere"):
        assert (await site.get(path, cookie=cookie, Host="evil.example")).code == 403
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 200)):
        assert (await site.get(path, Host="evil.example")).code == status
    assert (await site.get("/login", Host=f"LOCALHOST:{site.app.port}")).code == 200
    assert (await raw(site, b"GET /login HTTP/1.0\r\n\r\n")).split()[1] in (b"400", b"403")


@pytest.mark.gen_test
async def test_static_files_are_kept_by_version_and_nothing_else_is_reached(site: Site) -> None:
    page = text(await site.get("/login"))
    versioned = re.search(r'src="(/static/js/main\.js\?v=[0-9a-f]+)"', page)
    assert versioned is not None
    answer = await site.get(versioned[1])
    assert answer.code == 200 and "max-age" in answer.headers["Cache-Control"]
    assert (await site.get("/favicon.ico")).headers["Content-Type"] == "image/svg+xml"
    head = "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n"
    for path in ("/static/../setup.cfg", "/static/%2e%2e/setup.cfg", "/static/..%2fsetup.cfg", "/static/%00", "/static/a%00b",
                 "/static/", "/static//etc/passwd"):  # fmt: skip
        assert (await raw(site, (head % (path, site.app.port)).encode())).split()[1] in (b"403", b"404"), path


@pytest.mark.gen_test
async def test_forms_that_are_none_are_refused(site: Site) -> None:
    many = {f"field{number}": "x" for number in range(51)}
    assert (await site.post("/login", many)).code == 400
    body = b"name=%FF%FE&password=x"
    head = f"POST /login HTTP/1.1\r\nHost: localhost:{site.app.port}\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    assert (await raw(site, head.encode() + body)).startswith(b"HTTP/1.1 400 ")


def test_every_handler_says_who_may_call_it() -> None:
    for pattern, handler in ROUTES:
        check_access(pattern, handler)
    with pytest.raises(TypeError):
        check_access("/x", type("Forgotten", (RequestHandler,), {}))


@pytest.mark.gen_test
async def test_an_address_over_the_limit_is_431_and_what_is_no_request_400(site: Site) -> None:
    long = f"GET /{'x' * 20_000} HTTP/1.1\nHost: localhost:{site.app.port}\n\n"
    assert await status_of(site, long) == 431
    for broken in (
        "GARBAGE\n\n",
        "GET / HTTP/9.9\nHost: a\n\n",
        "GET /login HTTP/1.1\n\n",
        "GET  HTTP/1.1\nHost: a\n\n",
    ):
        assert await status_of(site, broken) == 400, broken
    assert await status_of(site, request_of(site, "GET", "/login", "Host: evil.example")) == 400, "two hosts"
    assert (await site.get("/login")).code == 200
    assert site.app.services.metrics.registry.get_sample_value("chat_errors_total") == 0


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/rooms/lobby?before=3", "/rooms/lobby?before=3"), ("/ä", "/%C3%A4"), ("//e", "/"), ("///e", "/"), ("/\\e", "/"),
        ("\\/e", "/"), ("https:e", "/"), ("https://e", "/"), ("javascript:alert(1)", "/"), ("/\r\nX: y", "/"), ("/\t/e", "/"),
        ("e", "/"), ("/%0d%0aX:y", "/%0d%0aX:y"), ("/" + "a" * 3_000, "/"),
    ],
)  # fmt: skip
@pytest.mark.gen_test
async def test_next_leads_to_a_path_of_this_site_only(site: Site, target: str, path: str) -> None:
    cookie = await site.account("Masa")
    fields = {"name": "Masa", "password": PASSWORD, "next": target}
    signed_in = await site.post("/login", fields)
    assert to(signed_in) == (303, path) and "X" not in signed_in.headers
    assert to(await site.post("/confirm", fields, cookie=cookie)) == (303, path)
    quoted = urllib.parse.quote(target, safe="")
    assert to(await site.get(f"/login?next={quoted}", cookie=cookie)) == (303, path)
    assert f'value="{html.escape(path)}"' in (await site.get(f"/login?next={quoted}")).body.decode()


async def every_page(site: Site, owner: str) -> list[tuple[str, type[BaseHandler]]]:
    """Every address that can be looked at, with what exists in the place of its parts, and its handler."""
    administration = site.app.services.administration
    setup, link = "/setup?token=x", await administration.sign_in_link("Olga")
    real = {
        "rooms": "lobby",
        "link": link.rpartition("/")[2],
        "join": (await invitation(site, owner)).rpartition("/")[2],
    }
    paths = []
    for pattern, handler in ROUTES:
        if "GET" in handler.methods():
            path = re.sub(r"\(\[.*?\)", real.get(pattern.split("/")[1], "x"), pattern)
            paths.append((setup if path == "/setup" else path, handler))
    return paths


@pytest.mark.gen_test(timeout=180)
async def test_every_answer_has_the_security_headers_and_no_version(site: Site) -> None:
    owner = await site.account("Olga", "owner")
    pages = await every_page(site, owner)
    assert {"/", "/login", "/rooms/lobby", "/people", "/account", "/healthz", "/chat"} < {
        path for path, _ in pages
    }
    others = ("/nowhere", "/rooms/nowhere", "/static/no.js", "/static/js/main.js", "/favicon.ico", "/logout")
    shown = set()
    for path in [*(path for path, _ in pages), *others]:
        for cookie in (owner, None):
            answer = await site.get(path, cookie=cookie)
            headers = answer.headers
            # With a version they carry fewer headers: tests/web/test_static.py
            file = path in ("/static/js/main.js", "/favicon.ico")
            policy = "default-src 'none'; frame-ancestors 'none'" if file else site.app.services.assets.policy
            assert headers["Content-Security-Policy"] == policy, path
            assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == (
                "nosniff",
                "same-origin",
            )
            assert (
                headers["Cross-Origin-Opener-Policy"]
                == headers["Cross-Origin-Resource-Policy"]
                == "same-origin"
            )
            assert headers["Server"] == "roomlog"
            assert not re.search(
                r"(?i)tornado|python|\d+\.\d+\.\d+", str(headers.get_list("Server")) + headers.get("Via", "")
            )
            assert headers.get("Cache-Control") == "no-store" or path.startswith(("/static", "/favicon")), (
                path
            )
            body = answer.body.decode(errors="replace")
            if headers.get("Content-Type", "").startswith("text/html"):
                shown.add(path)
                assert not re.search(
                    r"<(script|style)(?![^>]*(src=|importmap|application/json))[^>]*>", body
                ), path
                assert not re.search(
                    r"<[^>]+\s(on\w+|style)=|javascript:|https?://(?!localhost)[^\s\"]+\.(js|css|png)", body
                ), path
            assert "Traceback" not in body
    assert len(shown) > 12


def test_the_policy_is_the_documented_one() -> None:
    policy = re.sub(r" 'sha256-[^']+'", "", load_assets().policy)
    wanted = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; manifest-src 'self'; frame-ancestors 'none'"
    )
    assert sorted(filter(None, policy.rstrip("; ").split("; "))) == sorted(wanted.split("; "))


@pytest.mark.gen_test
async def test_signing_out_clears_what_the_browser_keeps(site: Site) -> None:
    cookie = await site.account("Masa")
    client = await site.join(cookie)
    answer = await site.post("/logout", {}, cookie=cookie)
    assert to(answer) == (303, "/login")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert await client.closed() == 4401
    assert (await site.get("/session", cookie=cookie)).code == 401
    assert to(await site.post("/logout", {})) == (303, "/login")
