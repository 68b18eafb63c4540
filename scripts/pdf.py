"""Print the built site into one PDF, with a bookmark for each page.

    python scripts/pdf.py [SITE=_build/html] [OUT=_build/causalbook.pdf]

Prints with Chromium, so formulas and figures look as they do on the site.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter

ROOT = Path(__file__).resolve().parent.parent


def pages(site: Path) -> list[Path]:
    """Pages in reading order: the landing page, then as each page's "next" link says."""
    order, path = [], site / "index.html"
    while path not in order:
        order.append(path)
        link = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").select_one(
            "a.right-next"
        )
        if link is None:
            break
        path = (path.parent / str(link["href"])).resolve()
    return order


def chromium() -> str:
    """Find the browser, or say how to get one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise SystemExit("No Chromium: apt-get install chromium, or set CHROMIUM to its path")
    return found


def main(site: Path, out: Path) -> None:
    """Print all pages and bind them."""
    book = PdfWriter()
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        for path in pages(site.resolve()):
            page.goto(path.as_uri())
            page.wait_for_function(
                "() => !window.MathJax?.startup || MathJax.startup.promise.then(() => true)"
            )
            sheet = PdfReader(io.BytesIO(page.pdf(format="A4", print_background=True)))
            start = len(book.pages)
            book.append(sheet, import_outline=False)
            book.add_outline_item(title=page.title().partition(" — ")[0], page_number=start)
        browser.close()
    book.add_metadata({"/Title": "Causal Inference for Recommender Systems"})
    book.write(out)
    print(f"{out}: {len(book.pages)} sheets")


if __name__ == "__main__":
    arguments = [Path(a) for a in sys.argv[1:]]
    defaults = [ROOT / "_build/html", ROOT / "_build/causalbook.pdf"]
    main(*(arguments + defaults[len(arguments) :]))
