"""Static files: compressed to who takes that, and what an installed page needs."""

import gzip
import json
import re

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

from chat_app.web.packing import pack, takes_gzip
from chat_app.web.templates import STYLE, folder, load_assets
from tests.conftest import Site

STATIC = folder("static")


@pytest.mark.gen_test
async def test_texts_go_compressed_to_who_takes_that(site: Site) -> None:
    plain, packed = [await fetch(site, "/static/js/main.js", accepted) for accepted in ("identity", "gzip")]
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.body)
    assert plain.body == (STATIC / "js/main.js").read_bytes()
    assert gzip.decompress(packed.body).startswith(b"import "), "without its first comment"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["Etag"] != packed.headers["Etag"]


@pytest.mark.gen_test
async def test_of_the_pages_only_rooms_go_compressed_and_their_length_is_blurred(site: Site) -> None:
    cookie = await site.account("Masa", "owner")
    plain = await fetch(site, "/rooms/lobby", "identity", Cookie=cookie)
    packed = [await fetch(site, "/rooms/lobby", "gzip", Cookie=cookie) for _ in range(8)]
    assert "Content-Encoding" not in plain.headers
    assert {gzip.decompress(one.body) for one in packed} == {plain.body}
    assert len({len(one.body) for one in packed}) > 1
    assert len(packed[0].body) < len(plain.body) / 3
    assert plain.headers["Vary"] == "Accept-Language, Accept-Encoding"
    for path in ("/rooms", "/account", "/people", "/join-links", "/login"):
        assert "Content-Encoding" not in (await fetch(site, path, "gzip", Cookie=cookie)).headers


def test_the_blur_is_of_no_fixed_length() -> None:
    lengths = {len(pack(b"the same page")) for _ in range(200)}
    assert len(lengths) > 30
    assert max(lengths) - min(lengths) <= 100


async def fetch(site: Site, path: str, accepted: str, **headers: str) -> HTTPResponse:
    """As it comes: `site.get` would unpack it."""
    sent = {"Accept-Encoding": accepted, **headers}
    request = HTTPRequest(site.url + path, headers=sent, decompress_response=False, follow_redirects=False)
    return await AsyncHTTPClient().fetch(request, raise_error=False)


@pytest.mark.gen_test
async def test_what_the_browser_has_already_is_not_sent_again(site: Site) -> None:
    first = await site.get("/static/css/base.css", Accept_Encoding="gzip")
    again = await site.get(
        "/static/css/base.css", Accept_Encoding="gzip", If_None_Match=first.headers["Etag"]
    )
    assert (again.code, again.body) == (304, b"")
    part = await site.get("/static/css/base.css", Accept_Encoding="gzip", Range="bytes=0-9")
    assert (part.code, part.body) == (206, first.body[:10])


@pytest.mark.gen_test
async def test_what_has_a_version_carries_few_headers_and_a_document_all(site: Site) -> None:
    page = (await site.get("/login")).body.decode()
    [sheets] = re.findall(r'<link rel="stylesheet" href="([^"]+)">', page)
    [script] = re.findall(r'<script[^>]* src="(/static/js/main\.js\?v=[0-9a-f]+)"', page)
    [icon] = re.findall(r'"(/static/icons/favicon\.svg\?v=[0-9a-f]+)"', page)[:1]
    few = {
        "Cache-Control", "Content-Encoding", "Content-Length", "Content-Type", "Cross-Origin-Resource-Policy", "Date",
        "Vary", "X-Content-Type-Options",
    }  # fmt: skip
    for path in (sheets, script):
        for headers in ({}, {"If-None-Match": "*"}):
            answer = await fetch(site, path, "gzip", **headers)
            assert (answer.code, set(answer.headers) - {"Connection"}) == (200, few), path
    dropped = {"Content-Security-Policy", "Cross-Origin-Opener-Policy", "Referrer-Policy", "Server"}
    assert dropped <= set((await fetch(site, icon, "gzip")).headers), "a browser shows it as a document"
    for path in (sheets, script):
        assert {*dropped, "Etag"} <= set((await fetch(site, path.partition("?")[0], "gzip")).headers)
    assert dropped <= set((await fetch(site, "/static/no.js?v=1", "gzip")).headers), "an error is a page"


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=1.0", True), ("", False), ("identity", False),
        ("gzip;q=0", False), ("gzip; q=0.000", False), ("x-gzip", False), ("*", False),
    ],
)  # fmt: skip
def test_only_who_says_so_takes_gzip(accepted: str, taken: bool) -> None:
    assert takes_gzip(accepted) is taken


@pytest.mark.gen_test
async def test_the_manifest_names_icons_that_are_there(site: Site) -> None:
    page = (await site.get("/login")).body.decode()
    found = re.search(r'<link rel="manifest" href="(/static/manifest\.webmanifest\?v=[0-9a-f]+)">', page)
    assert found is not None
    answer = await site.get(found[1])
    assert answer.headers["Content-Type"] == "application/manifest+json"
    manifest = json.loads(answer.body)
    assert (manifest["start_url"], manifest["display"]) == ("/", "standalone")
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
    assert "maskable" in {icon.get("purpose") for icon in manifest["icons"]}
    for icon in manifest["icons"]:
        image = await site.get(f"/static/{icon['src']}")
        assert (image.code, image.headers["Content-Type"]) == (200, icon["type"])
        if icon["type"] == "image/png":
            width, height = (int.from_bytes(image.body[at : at + 4]) for at in (16, 20))
            assert f"{width}x{height}" == icon["sizes"]


@pytest.mark.gen_test
async def test_the_service_worker_knows_every_file_of_a_page_by_its_version(site: Site) -> None:
    answer = await site.get("/sw.js")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Cache-Control"] == "no-cache"
    listed = re.search(rb"^const FILES = (\[.*\]);$", answer.body, re.MULTILINE)
    assert listed is not None
    files = json.loads(listed[1])
    page = (await site.get("/rooms/lobby", cookie=await site.account("Masa"))).body.decode()
    asked = set(re.findall(r'"(/(?:static/[^"]+\.(?:js|svg)|style\.css)\?v=[0-9a-f]+)"', page))
    assert asked
    assert asked <= set(files)
    for path in files:
        assert (await site.get(path)).code == 200


@pytest.mark.gen_test
async def test_the_sheets_come_in_one_answer_the_layers_first(site: Site) -> None:
    page = (await site.get("/login")).body.decode()
    [path] = re.findall(r'<link rel="stylesheet" href="([^"]+)">', page)
    plain, packed = [await fetch(site, path, accepted) for accepted in ("identity", "gzip")]
    lean = re.sub(rb"^[ \t]*/\*.*?\*/[ \t]*\n", b"", plain.body, flags=re.MULTILINE | re.DOTALL)
    assert gzip.decompress(packed.body) == lean, "without its comments"
    assert len(lean) < len(plain.body)
    assert plain.headers["Content-Type"] == "text/css; charset=UTF-8"
    assert "max-age" in plain.headers["Cache-Control"]
    assert (await site.get("/style.css")).headers["Cache-Control"] == "no-cache"
    assert plain.body.startswith((STATIC / "css/layers.css").read_bytes())
    for sheet in STATIC.rglob("*.css"):
        assert sheet.read_bytes() in plain.body


def test_every_compressed_file_is_its_file() -> None:
    packed = load_assets().packed
    assert {"js/main.js", "css/base.css", "icons/favicon.svg", "manifest.webmanifest"} <= set(packed)
    for script in STATIC.rglob("*.js"):
        for line in without_comments(script.read_text(encoding="utf-8"), keep=True).splitlines():
            assert line.count("`") % 2 == 0, f"{script}: a string of several lines would lose its indents"
    for path, content in packed.items() - {(STYLE, packed[STYLE])}:
        written = gzip.decompress(content).decode()
        whole = (STATIC / path).read_text(encoding="utf-8")
        assert (
            written == whole
            if not path.endswith(".js")
            else re.sub(r"\s", "", written) == without_comments(whole)
        )


def without_comments(script: str, *, keep: bool = False) -> str:
    """By lines: a comment ends where a line ends, in every script here."""
    lines, within = [], False
    for line in script.splitlines():
        words = line.strip()
        within = within or words.startswith("/**")
        if not within and not words.startswith("//"):
            lines.append(re.sub(r"([;,{}]) // [^\"'`]*$", r"\1", line))
        within = within and not words.endswith("*/")
    return "\n".join(lines) if keep else re.sub(r"\s", "", "".join(lines))
