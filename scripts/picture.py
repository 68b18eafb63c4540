"""Photograph the landing page for README, in light and dark.

    python scripts/picture.py [SITE=_build/html] [OUT=.github]

Writes OUT/picture-light.png and OUT/picture-dark.png. Run it when the first page has changed.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from pdf import chromium
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
COLOURS = 128  # a page has few: a third of the bytes


def main(site: Path, out: Path) -> None:
    """Open the page in each mode and keep what a reader sees first."""
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for mode in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            chosen = (
                f"localStorage.setItem('mode', '{mode}'); localStorage.setItem('theme', '{mode}')"
            )
            page.add_init_script(chosen)
            page.goto((site.resolve() / "index.html").as_uri())
            page.wait_for_timeout(500)  # fonts
            seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            seen.quantize(COLOURS).save(out / f"picture-{mode}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    arguments = [Path(a) for a in sys.argv[1:]]
    defaults = [ROOT / "_build" / "html", ROOT / ".github"]
    main(*(arguments + defaults[len(arguments) :]))
