"""Chromium for the tests of this folder: started once, on a loop that lasts as long, for a context of one's own each."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser as Chromium, async_playwright, expect
from tornado.ioloop import IOLoop

from tests import packages
from tests.e2e.browser import WAIT_MS, Browser

MISSING = "Chromium is needed: sudo apt-get install -y chromium"


@pytest.fixture(scope="package")
def io_loop() -> Iterator[IOLoop]:
    """One for all tests here: a browser belongs to the loop it was started on, and starting one takes a second."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    io_loop = IOLoop(asyncio_loop=loop, make_current=False)
    yield io_loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    io_loop.close(all_fds=True)
    asyncio.set_event_loop(None)


@pytest.fixture(scope="package")
def chromium(io_loop: IOLoop) -> Iterator[Chromium]:
    path = packages.chromium()
    if path is None:
        (pytest.fail if packages.strict() else pytest.skip)(MISSING)
    expect.set_options(timeout=WAIT_MS)
    playwright = io_loop.run_sync(async_playwright().start)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    chromium = io_loop.run_sync(lambda: playwright.chromium.launch(executable_path=path, args=sandbox))
    yield chromium
    io_loop.run_sync(chromium.close)
    io_loop.run_sync(playwright.stop)


@pytest.fixture
def browser(io_loop: IOLoop, chromium: Chromium) -> Iterator[Browser]:
    """What a page complained of fails the test, at its end."""
    browser = Browser(chromium)
    yield browser
    io_loop.run_sync(browser.close)
    assert not browser.problems
