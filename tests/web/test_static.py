"""Static files: compressed to who takes that, and what an installed page needs."""

import gzip
import json
import re

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

from chat_app.web.static import takes_gzip
from chat_app.web.templates import folder, load_assets
from tests.conftest import Site

STATIC = folder("static")


@pytest.mark.gen_test
async def test_texts_go_compressed_to_who_takes_that_and_pages_never_do(site: Site) -> None:
    plain, packed = [await fetch(site, "/static/js/main.js", accepted) for accepted in ("identity", "gzip")]
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(packed.body)
    assert gzip.decompress(packed.body) == plain.body == (STATIC / "js/main.js").read_bytes()
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["Etag"] != packed.headers["Etag"]
    page = await fetch(site, "/rooms/lobby", "gzip", Cookie=await site.account("Masa"))
    assert page.code == 200
    assert "Content-Encoding" not in page.headers


async def fetch(site: Site, path: str, accepted: str, **headers: str) -> HTTPResponse:
    """As it comes: `site.get` would unpack it."""
    sent = {"Accept-Encoding": accepted, **headers}
    request = HTTPRequest(site.url + path, headers=sent, decompress_response=False)
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
    assert "manifest-src 'self'" in answer.headers["Content-Security-Policy"]
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
    asked = set(re.findall(r'"(/static/[^"]+\.(?:css|js|svg)\?v=[0-9a-f]+)"', page))
    assert asked
    assert asked <= set(files)
    for path in files:
        assert (await site.get(path)).code == 200


def test_every_compressed_file_is_its_file() -> None:
    packed = load_assets().packed
    assert {"js/main.js", "css/base.css", "icons/favicon.svg", "manifest.webmanifest"} <= set(packed)
    for path, content in packed.items():
        assert gzip.decompress(content) == (STATIC / path).read_bytes()
