"""A browser and a server for the tests that look at the built site."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

# Another site can be looked at with BOOK_SOURCE, the folder that holds its _toc.yml and _build.
SOURCE = Path(os.environ.get("BOOK_SOURCE", Path(__file__).resolve().parents[2]))
SITE = SOURCE / "_build" / "html"
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = [  # Chromium must not ask anyone for anything on its own account
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        # Not a skip: a suite that is green since it looked at nothing tells a lie.
        pytest.fail(
            "no Chromium found. Install one (Debian and Ubuntu: apt-get install chromium; "
            "elsewhere: python -m playwright install chromium) and, where it is not on the "
            "PATH, put the address of its program into the environment variable CHROMIUM."
        )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield chromium
        chromium.close()


class Silent(SimpleHTTPRequestHandler):
    """The standard file server without its log."""

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    if not (SITE / "index.html").exists():
        pytest.fail(f"{SITE} holds no site. Build it first: python scripts/build.py")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(SITE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context
    context.close()
