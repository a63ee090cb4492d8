"""Pictures of the page for the docs, taken in headless Chromium from a running server.

    thanos serve --port 8000 &
    python benchmarks/page_pictures.py http://127.0.0.1:8000

Writes docs/page-light.png, docs/page-dark.png and docs/page-phone.png: the page's first example with its thoughts, a
labelled row of examples/original.jsonl with both replies, and the example on a phone.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
PATIENCE = 120_000
"""Milliseconds that a small model on a CPU may take for all thoughts of a dialogue."""


def main() -> None:
    """Take the three pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="address of `thanos serve`")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder for the pictures")
    args = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        desk = {"viewport": {"width": 1280, "height": 1000}, "device_scale_factor": 1.5}
        phone = {"viewport": {"width": 360, "height": 800}, "device_scale_factor": 2}
        light = open_page(browser, args.url, color_scheme="light", **desk)
        show_example(light)
        light.evaluate("() => scrollTo(0, 0)")
        light.screenshot(path=args.out / "page-light.png")
        dark = open_page(browser, args.url, color_scheme="dark", **desk)
        show_row(dark)
        dark.screenshot(path=args.out / "page-dark.png")
        small = open_page(browser, args.url, color_scheme="light", **phone)
        show_example(small)
        small.locator(".timeline").evaluate("e => scrollTo(0, e.getBoundingClientRect().top + scrollY - 12)")
        small.screenshot(path=args.out / "page-phone.png")
        browser.close()


def open_page(browser: Browser, url: str, **options: object) -> Page:
    """The page in a profile of its own."""
    page = browser.new_context(reduced_motion="reduce", **options).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.locator("#legend li").first.wait_for(state="attached")
    return page


def show_example(page: Page) -> None:
    """The first example and its thoughts."""
    page.get_by_role("button", name="Try an example").click()
    page.get_by_role("button", name="Show the thoughts").click()
    page.locator(".thought").first.wait_for()
    page.mouse.move(0, 0)


def show_row(page: Page) -> None:
    """A labelled row, corrected, with the model's view of it and both replies."""
    page.get_by_label("Open a file…").set_input_files(ROOT / "examples" / "original.jsonl")
    page.locator("#think-row").click()
    page.locator(".bar").first.wait_for()
    page.locator(".thought").first.get_by_role("button", name="Correct").click()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Compare replies").click()
    page.locator("#announce").filter(has_text="Without: ").wait_for(state="attached")
    page.mouse.move(0, 0)
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")


if __name__ == "__main__":
    main()
