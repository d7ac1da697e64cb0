"""Draws `static/icons/*.png` from `favicon.svg` in Chromium: `.venv/bin/python docs/make_icons.py`."""

import os
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ICONS = Path(__file__).resolve().parent.parent / "static" / "icons"
SURFACE = "#e4f3ef"
# Name, pixels, the share of the side that the drawing takes, what is behind it.
SIZES = (
    ("icon-192", 192, 0.92, "transparent"),
    ("icon-512", 512, 0.92, "transparent"),
    ("icon-maskable-512", 512, 0.58, SURFACE),  # a mask may cut all beyond a circle of 80 %
    ("touch", 180, 0.72, SURFACE),  # iOS rounds the corners and knows no transparency
)


def main() -> None:
    drawing = (ICONS / "favicon.svg").read_text(encoding="utf-8")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=sandbox)
        for name, pixels, share, behind in SIZES:
            page = chromium.new_page(viewport={"width": pixels, "height": pixels})
            page.set_content(
                f"<style>body{{margin:0;display:grid;place-items:center;block-size:100vh;background:{behind}}}"
                f"svg{{inline-size:{share * pixels}px}}</style>{drawing}"
            )
            page.screenshot(path=ICONS / f"{name}.png", omit_background=behind == "transparent")
        chromium.close()


if __name__ == "__main__":
    main()
