"""Layout and themes: every page from 320 px on, in light and dark, and the drawers of a phone."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.conftest import Site
from tests.e2e.browser import PHONE, Browser, Person
from tests.e2e.test_rooms import make_room

pytestmark = pytest.mark.gen_test(timeout=180)

WIDTHS = (320, 375, 1280)
LONG = "W" * 24
SIGNED_IN = (
    "/rooms/lobby", "/rooms/lobby?before=2", "/rooms", "/account", "/people", "/join-links", "/rooms/nowhere", "/confirm?next=/people",
)  # fmt: skip
WIDE_TEXT = f"""{"unbroken" * 30} https://example.org/{"path" * 40}

```
{"a very long line of code " * 8}
```

- {"item" * 40}"""
OVERFLOW = """() => {
  const aside = ".drawer, [popover], .skip-link, .visually-hidden"; // stand elsewhere until they are wanted
  const onPurpose = (one) => one.matches("pre") || getComputedStyle(one).textOverflow === "ellipsis"; // scrolled or shortened
  const inside = (one) => one.parentElement !== null && (onPurpose(one.parentElement) || inside(one.parentElement));
  const cut = [...document.querySelectorAll("body *")].filter((one) => {
    const { left, right, width } = one.getBoundingClientRect();
    if (!one.checkVisibility()) return false; // in a closed <details>, where it is not laid out anew
    return width > 0 && (right > innerWidth + 1 || left < -1) && one.closest(aside) === null && !inside(one);
  });
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  return { wide, cut: cut.map((one) => `${one.tagName}.${one.className}`) };
}"""
BRIGHTNESS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const of = (color) => {
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
  };
  const main = document.querySelector("main");
  return { back: of(getComputedStyle(document.documentElement).backgroundColor), ink: of(getComputedStyle(main).color) };
}"""


async def fits(person: Person, path: str) -> None:
    for width in WIDTHS:
        await person.page.set_viewport_size({"width": width, "height": 700})
        found = await person.page.evaluate(OVERFLOW)
        assert found == {"wide": 0, "cut": []}, (path, width)


@pytest.mark.settings(registration="open")
async def test_no_page_is_wider_than_its_window(site: Site, browser: Browser) -> None:
    visitor = await browser.visitor(site.url)
    token = await site.app.services.identity.setup_token()
    for path in ("/setup-needed", f"/setup?token={token}"):
        await visitor.open(path)
        await fits(visitor, path)
    ada = await browser.person(site, LONG, "owner")
    await make_room(site, "r" * 32, "W" * 64)
    for text in WIDE_TEXT.split("\n\n", 1):
        await ada.composer.fill(text)
        await ada.press("Enter")
    await expect(ada.messages).to_have_count(2)
    browser.expect(r"status of (401|404|410)")
    for path in (*SIGNED_IN, f"/rooms/{'r' * 32}"):
        await ada.open(path)
        await fits(ada, path)
    await ada.open("/join-links")
    await ada.press_button("Create link")
    await expect(ada.page.get_by_role("status")).to_be_visible()
    await fits(ada, "a new invitation")
    for path in ("/login", "/join/unknown", "/link/unknown", "/nowhere"):
        await visitor.open(path)
        await fits(visitor, path)


async def test_the_pages_follow_the_systems_colour_scheme(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada", "owner")
    visitor = await browser.visitor(site.url)
    for person, path in ((ada, "/rooms/lobby"), (ada, "/people"), (visitor, "/login")):
        await person.open(path)
        for scheme in ("light", "dark"):
            await person.page.emulate_media(color_scheme=scheme)
            found = await person.page.evaluate(BRIGHTNESS)
            dim, bright = sorted((found["back"], found["ink"]))
            assert dim < 0.2 and bright > 0.8, (path, scheme, found)
            assert (found["back"] < found["ink"]) == (scheme == "dark"), (path, scheme, found)


async def test_on_a_phone_the_drawers_open_and_close(site: Site, browser: Browser) -> None:
    await site.account("Owner", "owner")
    await make_room(site, "den", "The den")
    ada = await browser.person(site, "Ada", viewport=PHONE, has_touch=True, is_mobile=True)
    rooms, people = ada.page.locator("#sidebar"), ada.page.locator("#people")
    for opener, drawer, close in (
        ("Rooms", rooms, "Close the list of rooms"), ("People here", people, "Close the list of people"),
    ):  # fmt: skip
        await expect(drawer).to_be_hidden()
        await ada.page.get_by_role("link", name=re.compile(f"^{opener}")).tap()
        await expect(drawer).to_be_visible()
        await ada.page.get_by_role("link", name=close).tap()
        await expect(drawer).to_be_hidden()
    await ada.page.get_by_role("link", name=re.compile("^Rooms")).tap()
    await expect(rooms).to_be_visible()
    await ada.page.touchscreen.tap(PHONE["width"] - 10, PHONE["height"] / 2)  # beside the drawer
    await expect(rooms).to_be_hidden()
    await ada.page.get_by_role("link", name=re.compile("^Rooms")).tap()
    await ada.room_link("The den").tap()
    await expect(rooms).to_be_hidden()
    await expect(ada.page.locator("#room-title")).to_have_text("The den")
    await ada.is_at("/rooms/den")


async def test_on_a_phone_enter_breaks_the_line_and_the_button_sends(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada", viewport=PHONE, has_touch=True, is_mobile=True)
    await ada.composer.press_sequentially("one")
    await ada.press("Enter")
    await ada.composer.press_sequentially("two")
    await expect(ada.composer).to_have_value("one\ntwo")
    await ada.page.get_by_role("button", name="Send").tap()
    await expect(ada.messages).to_have_count(1)
    await expect(ada.messages).to_have_attribute("data-state", "sent")
    targets: list[float] = await ada.page.evaluate(
        "() => [...document.querySelectorAll('.room-header .icon-button, #send')].filter((one) => one.offsetParent)"
        ".flatMap((one) => [one.offsetWidth, one.offsetHeight])"
    )
    assert min(targets) >= 44


async def test_without_javascript_the_drawers_open_too(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada", viewport=PHONE, java_script_enabled=False)
    rooms = ada.page.locator("#sidebar")
    await expect(rooms).to_be_hidden()
    await ada.page.get_by_role("link", name=re.compile("^Rooms")).click()
    await expect(rooms).to_be_visible()
    await ada.page.get_by_role("link", name="Close the list of rooms").click()
    await expect(rooms).to_be_hidden()
