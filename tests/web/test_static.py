"""Static files: compressed to who takes that, and what an installed page needs."""

import gzip
import json
import re

import pytest

from chat_app.web.static import takes_gzip
from tests.conftest import Site


@pytest.mark.gen_test
async def test_texts_go_compressed_to_who_takes_that_and_pages_never_do(site: Site) -> None:
    plain = await site.get("/static/js/main.js", Accept_Encoding="identity")
    packed = await site.get("/static/js/main.js", Accept_Encoding="gzip")
    assert "X-Consumed-Content-Encoding" not in plain.headers
    assert packed.headers["X-Consumed-Content-Encoding"] == "gzip"
    assert packed.body == plain.body == (site.app.services.assets.static / "js/main.js").read_bytes()
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["Etag"] != packed.headers["Etag"]
    page = await site.get("/rooms/lobby", cookie=await site.account("Masa"), Accept_Encoding="gzip")
    assert page.code == 200
    assert "X-Consumed-Content-Encoding" not in page.headers


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


def test_files_are_compressed_the_same_way_each_time(site: Site) -> None:
    for path, packed in site.app.services.assets.packed.items():
        assert gzip.decompress(packed) == (site.app.services.assets.static / path).read_bytes()
