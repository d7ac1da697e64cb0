"""The browser of `tests/e2e`, for this folder too."""

from tests.e2e.conftest import browser, chromium, io_loop

__all__ = ["browser", "chromium", "io_loop"]
