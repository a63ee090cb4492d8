"""Headless Chromium for tests of the page: Debian's, or the one that CHROMIUM names."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it for the block; the test is skipped where there is none."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        # Its own sandbox needs rights that containers don't give; the pages here are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str, **context: object) -> Iterator[Page]:
    """The page in a fresh profile. Afterwards: it asked nobody but its own server, and nothing went wrong in it."""
    with browser.new_context(
        **{"viewport": {"width": 1200, "height": 900}, "reduced_motion": "reduce"} | context
    ) as tab:
        page = tab.new_page()
        hosts: set[str] = set()
        complaints: list[str] = []
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _note(message, complaints))
        page.goto(url)
        page.locator("#legend li").nth(4).wait_for(state="attached")
        yield page
        assert hosts - {""} == {urlsplit(url).netloc}  # blob: has no host
        assert not complaints


def _note(message: object, complaints: list[str]) -> None:
    # A refusal by the server is reported by the browser too; the page has said it in its own words.
    if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
        complaints.append(message.text)


def refused_by_policy(page: Page, script: str) -> bool:
    """Whether the browser refuses to run some script of ours in the page."""
    try:
        page.evaluate(script)
    except Error:
        return True
    return False
