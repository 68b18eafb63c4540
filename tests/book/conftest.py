"""A browser for the tests that look at the built site."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

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
