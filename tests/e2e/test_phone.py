"""On a phone: targets to be hit with a thumb, the keyboard of the screen, and rows whose menu a tap shows."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.conftest import Site
from tests.e2e.browser import PHONE, Browser, Person

TOUCH: dict[str, Any] = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
TARGET_PX = 44
SMALL = """(least) => [...document.querySelectorAll("a, button, summary, select, input:not([type=hidden]), textarea, [role=option]")]
  .filter((one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true }))
  .filter((one) => !one.matches(".skip-link, .scrim, .visually-hidden") && !one.closest(".message__body, .lead, .gate__hint"))
  .map((one) => [one.outerHTML.slice(0, 120), (one.closest(".check") ?? one).getBoundingClientRect()])
  .filter(([, { width, height }]) => Math.round(width) < least || Math.round(height) < least)
  .map(([html, { width, height }]) => `${Math.round(width)}x${Math.round(height)} ${html}`)"""
"""Links within a sentence are as high as its line (WCAG 2.5.5 excepts them)."""


async def has_no_small_target(person: Person) -> None:
    assert await person.page.evaluate(SMALL, TARGET_PX) == [], person.page.url


@pytest.mark.gen_test(timeout=360)
async def test_every_target_is_44_pixels_high_and_wide(site: Site, browser: Browser) -> None:
    browser.expect(r"status of 404")
    ada = await browser.person(site, "Ada", "owner", **TOUCH)
    await site.account("Kim")
    await ada.draft("touched")
    await ada.page.locator("#send").tap()
    row = await ada.sees("touched")
    await has_no_small_target(ada)
    await row.tap()
    await expect(row.locator(".message__more")).to_be_visible()
    await has_no_small_target(ada)
    await row.locator(".message__more").tap()
    await has_no_small_target(ada)
    await ada.page.get_by_role("menuitem", name="Edit").tap()
    await expect(ada.page.locator("#editing")).to_be_visible()
    await has_no_small_target(ada)
    await ada.press("Escape")
    await ada.page.locator("[data-drawer=people]").tap()
    await has_no_small_target(ada)
    await ada.page.locator("#people [data-drawer-close]").tap()
    await ada.page.locator("[data-drawer=sidebar]").tap()
    await ada.page.get_by_text("New room").tap()
    await has_no_small_target(ada)
    await ada.page.get_by_role("button", name="Go to a room").tap()
    await expect(ada.page.get_by_role("option")).to_have_count(1)
    await has_no_small_target(ada)
    for path in ("/rooms", "/account", "/people", "/join-links", "/confirm", "/nowhere"):
        await ada.open(path)
        await has_no_small_target(ada)
    visitor = await browser.visitor(site.url, **TOUCH)
    await visitor.open("/login")
    await has_no_small_target(visitor)


@pytest.mark.gen_test(timeout=180)
async def test_with_a_virtual_keyboard_enter_breaks_the_line_and_the_button_sends(
    site: Site, browser: Browser
) -> None:
    ada = await browser.person(site, "Ada", **TOUCH)
    await expect(ada.composer).not_to_be_focused()
    await ada.composer.tap()
    await ada.page.keyboard.type("two")
    await ada.page.keyboard.press("Enter")
    await ada.page.keyboard.type("lines")
    await expect(ada.composer).to_have_value("two\nlines")
    await ada.page.locator("#send").tap()
    await expect(ada.messages).to_have_count(1)
    await expect(ada.composer).to_be_focused()


@pytest.mark.gen_test(timeout=180)
async def test_a_keyboard_that_lies_over_the_page_leaves_the_field_in_view(
    site: Site, browser: Browser
) -> None:
    """As Safari does it: the window keeps its height, only the visual viewport shrinks."""
    ada = await browser.person(site, "Ada", **TOUCH)
    await expect(ada.page.locator("meta[name=viewport]")).to_have_attribute(
        "content",
        r"width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content",
    )
    shrink = """(height) => {
      Object.defineProperty(visualViewport, "height", { value: height, configurable: true });
      visualViewport.dispatchEvent(new Event("resize"));
      return document.querySelector("#composer").getBoundingClientRect().bottom;
    }"""
    assert await ada.page.evaluate(shrink, 700) > 600
    assert await ada.page.evaluate(shrink, 380) <= 380
    assert await ada.page.evaluate(shrink, 650) > 600, "a toolbar that came is no keyboard"


@pytest.mark.parametrize("width", [320, 375, 430])
@pytest.mark.gen_test(timeout=180)
async def test_the_drawers_dialogs_and_menus_fit(site: Site, browser: Browser, width: int) -> None:
    ada = await browser.person(site, "Ada", **{**TOUCH, "viewport": {"width": width, "height": 640}})
    await ada.draft("a message")
    await ada.page.locator("#send").tap()
    row = await ada.sees("a message")
    fits = """(selector) => {
      const { left, right, top, bottom } = document.querySelector(selector).getBoundingClientRect();
      return left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight && document.documentElement.scrollWidth <= innerWidth;
    }"""
    await row.tap()
    await row.locator(".message__more").tap()
    assert await ada.page.evaluate(fits, "#message-menu")
    await ada.page.keyboard.press("Escape")
    await ada.page.locator("[data-drawer=sidebar]").tap()
    await ada.page.wait_for_function("() => document.getAnimations().length === 0")
    assert await ada.page.evaluate(fits, "#sidebar")
    await ada.page.get_by_role("button", name="Keyboard shortcuts").tap()
    assert await ada.page.evaluate(fits, "#shortcuts")
    await ada.page.locator("#shortcuts").get_by_role("button", name="Close").tap()
    await ada.page.get_by_role("button", name="Go to a room").tap()
    assert await ada.page.evaluate(fits, "#switcher")
    await ada.page.get_by_role("option").first.tap()
    await expect(ada.page.locator("#switcher")).to_be_hidden()
    await expect(ada.page.locator("#sidebar")).to_be_hidden()
