"""That the harness itself notices what goes wrong in a page: without it every other test here would prove less."""

import pytest
from playwright.async_api import expect

from tests.conftest import Site
from tests.e2e.browser import Browser

pytestmark = pytest.mark.gen_test(timeout=180)

WRONG = {
    "Content Security Policy": "() => document.body.append(Object.assign(document.createElement('script'), { textContent: '1' }))",
    "uncaught: thrown later": "() => { setTimeout(() => { throw new Error('thrown later'); }, 0); }",
    "error: said by a script": "() => console.error('said by a script')",
    "status of 404": "() => fetch('/rooms/nowhere').then(() => {})",
    "failed: GET http://localhost:1/": "() => { location.assign('http://localhost:1/'); }",
}


async def test_whatever_goes_wrong_in_a_page_is_noticed(site: Site, browser: Browser) -> None:
    ada = await browser.person(site, "Ada", path="/account")
    assert browser.problems == []
    for pattern, script in WRONG.items():
        await ada.page.evaluate(script)
        for _ in range(600):
            if any(pattern in problem for problem in browser.problems):
                break
            await ada.page.wait_for_timeout(50)
        assert any(pattern in problem for problem in browser.problems), (pattern, browser.problems)
    await expect(ada.page).not_to_have_title("Account · Roomlog")
    browser.expect(r"")
    assert browser.problems == []
