"""The study's page and the reports in a real browser."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

pytest.importorskip("playwright")

from aiohttp import web
from bench_runs import response_rows, skill_rows, write_run
from browser import chromium
from playwright.sync_api import expect
from test_study import QUESTIONS, new_study

from thanos.bench.report import write_report
from thanos.study.folder import Study
from thanos.study.server import HOST, study_app

HOSTILE = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"
SCALE_KEYS = 2 * len(QUESTIONS.ratings)


@contextmanager
def served(study: Study):
    """The study's server, in a thread of its own; yields its address."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    runner = web.AppRunner(study_app(study))
    address = []

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        address.append(f"http://{HOST}:{site._server.sockets[0].getsockname()[1]}/")
        ready.set()

    def work() -> None:
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield address[0]
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


def begin(page, url: str, name: str) -> None:
    page.goto(url)
    page.keyboard.type(name)
    page.keyboard.press("Enter")


def test_a_pair_is_answered_with_the_keyboard_alone(browser, tmp_path):
    study = new_study(tmp_path)
    with served(study) as url, browser.new_context() as context:
        page = context.new_page()
        begin(page, url, "ana")
        page.wait_for_selector("#start")
        page.keyboard.press("Enter")
        page.wait_for_selector("#save")
        page.keyboard.press("Enter")  # nothing is answered yet: nothing is saved
        for key in "3" + "4" * SCALE_KEYS:
            page.keyboard.press(key)
        page.keyboard.press("ArrowUp")
        page.keyboard.press("1")  # the last question, answered anew
        page.keyboard.press("Enter")
        expect(page.locator("#count")).to_have_text("1 of 10")
        page.reload()
        begin(page, url, "ana")
        expect(page.locator("#count")).to_have_text("1 of 10")
    [saved] = study.answers()[0]
    assert saved.item == "01" and saved.choices == {"overall": "right"} and saved.seconds > 0
    assert saved.ratings["relevance"] == {"left": 4, "right": 4}
    assert saved.ratings[QUESTIONS.ratings[-1].name] == {"left": 4, "right": 1}


def test_an_answer_that_cannot_be_saved_stays_on_the_page(browser, tmp_path):
    study = new_study(tmp_path)
    with served(study) as url, browser.new_context(viewport={"width": 390, "height": 800}) as context:
        page = context.new_page()
        begin(page, url, "ben")
        page.click("#start")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # fits a phone
        page.route("**/answers", lambda route: route.abort())
        for key in "2" * (1 + SCALE_KEYS):
            page.keyboard.press(key)
        page.click("#save")
        assert "isn't saved yet" in page.wait_for_selector(".problem").inner_text()
        assert not study.answers()[0]
        page.unroute("**/answers")
        page.click("#save")
        expect(page.locator("#count")).to_have_text("1 of 10")
    assert len(study.answers()[0]) == 1


def test_text_stays_text_in_the_study_and_in_the_report(browser, tmp_path):
    study = new_study(tmp_path / "study")
    item = next(iter(study.items.values()))
    hostile = item.model_copy(update={"left": HOSTILE, "social_context": HOSTILE, "speaker": HOSTILE})
    study.items[item.id] = hostile
    rows = skill_rows(6, 0.0)
    for row in rows:
        row |= {"social_context": HOSTILE, "explanation": HOSTILE, "target": HOSTILE}
    run = write_run(tmp_path / "run", rows, HOSTILE)
    write_report([run], tmp_path / "report.html")
    with served(study) as url, browser.new_context(viewport={"width": 390, "height": 800}) as context:
        page = context.new_page()
        begin(page, url, "ana")
        page.click("#start")
        assert HOSTILE in page.locator("#left").inner_text() and page.title() == QUESTIONS.title
        page.goto((tmp_path / "report.html").as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.title().startswith("ThanosBench") and page.locator("img, script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_fits_a_phone_and_asks_nobody(browser, tmp_path, scheme):
    runs = [
        write_run(tmp_path / name, skill_rows(60, share), name)
        for name, share in (("a-long/model-name", 0.7), ("b", 0.2))
    ]
    runs.append(write_run(tmp_path / "r", response_rows(5), "openai/some-model", "response"))
    write_report(runs, tmp_path / "report.html")
    with browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=scheme) as context:
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "report.html").as_uri())
        assert len(asked) == 1 and page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        background, ink = (
            page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")
        )
        brightness = lambda colour: sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))
        assert (brightness(background) > brightness(ink)) == (scheme == "light")
