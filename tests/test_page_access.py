"""The page for everybody: keyboard alone, screen readers, dark, and a narrow phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import opened
from page_script import show_thoughts
from playwright.sync_api import expect

pytest_plugins = ["page_fixtures"]

PHONE = {"width": 360, "height": 740}


def focused_name(page) -> str:
    return page.evaluate(
        "() => { const e = document.activeElement; const l = e.labels?.[0]?.innerText;"
        " return (l || e.getAttribute('aria-label') || e.innerText || e.id).trim() }"
    )


def tab_to(page, name: str, key: str = "Tab") -> None:
    for _ in range(40):
        page.keyboard.press(key)
        if focused_name(page) == name:
            return
    raise AssertionError(f"no way to {name!r} with the keyboard")


def violations(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {node['html'][:150]} {node['failureSummary'][:200]}" for v in found for node in v["nodes"]]


def open_everything(page) -> None:
    """Thoughts, an open correction, both replies, a corrected row, the key's form and an error."""
    show_thoughts(page)
    page.locator(".thought").nth(1).get_by_role("button", name="Correct").click()
    page.locator(".thought").nth(1).get_by_role("button", name="Save").click()
    page.locator(".thought").first.get_by_role("button", name="Correct").click()
    page.get_by_role("button", name="Compare replies").click()
    expect(page.locator(".side .said").last).to_contain_text("sorry")
    page.locator("#key-form").evaluate("form => { form.hidden = false }")
    page.locator("#dialogue-error").evaluate("place => { place.textContent = 'line 2: a turn without a speaker' }")


def test_everything_can_be_done_with_the_keyboard_alone(page):
    page.keyboard.press("Tab")
    assert focused_name(page) == "Skip to the content"
    order = []
    for _ in range(8):
        page.keyboard.press("Tab")
        order.append(focused_name(page))
    assert order == [
        "Dialogue",
        "Chat",
        "Dark",
        "Social context",
        "Turns",
        "Show the thoughts",
        "Try an example",
        "Open a file…",
    ]
    tab_to(page, "Turns")
    page.keyboard.type("Ana: I got the job!\nBen: No way. Which one?")
    tab_to(page, "Show the thoughts")
    page.keyboard.press("Enter")
    expect(page.locator(".thought")).to_have_count(2)

    tab_to(page, "Turn 2, Ben: Knowledge Acquisition, Memory & Knowledge Management")
    page.keyboard.press("Enter")  # goes to that turn
    tab_to(page, "Correct")
    page.keyboard.press("Space")
    assert focused_name(page) == "Skill"
    page.keyboard.type("Echo")
    expect(page.locator(".correction .hint")).to_contain_text("Repeat the other's words")
    page.keyboard.press("Escape")
    assert focused_name(page) == "Correct"
    page.keyboard.press("Enter")
    page.keyboard.type("Echo")
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    assert focused_name(page) == "Correct"
    expect(page.locator(".thought").first.locator(".chip-skill")).to_have_text("Echoing")

    tab_to(page, "Compare replies")
    page.keyboard.press("Enter")
    expect(page.locator(".side .said").last).to_contain_text("sorry")
    with page.expect_download() as waiting:
        tab_to(page, "Download")
        page.keyboard.press("Enter")
    assert waiting.value.suggested_filename == "thanos.corrected.jsonl"

    tab_to(page, "Chat", "Shift+Tab")
    page.keyboard.press("Enter")
    tab_to(page, "Your message")
    page.keyboard.type("My dog died.")
    page.keyboard.press("Enter")
    expect(page.locator("#chat-stage .said").last).to_contain_text("sorry")


def test_focus_can_be_seen(page):
    for name in ("Dark", "Turns", "Show the thoughts"):
        tab_to(page, name)
        assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violations(browser, site, scheme):
    # The policy of the page would keep the checker's own script out.
    with opened(browser, site, color_scheme=scheme, bypass_csp=True) as page:
        assert page.evaluate("() => document.documentElement.dataset.theme") == scheme
        assert violations(page) == []
        open_everything(page)
        assert violations(page) == []
        page.get_by_role("link", name="Chat").click()
        page.get_by_label("Your message").fill("My dog died.")
        page.keyboard.press("Enter")
        expect(page.locator("#chat-stage .said").last).to_contain_text("sorry")
        assert violations(page) == []


def test_a_phone_needs_no_sideways_scrolling(browser, site, tmp_path):
    path = tmp_path / ("a-name-without-a-break" * 5 + ".jsonl")
    path.write_text(
        '{"turns": [{"speaker": "' + "Long" * 30 + '", "text": "' + "word" * 60 + '"}]}\n', encoding="utf-8"
    )
    overflow = "() => document.documentElement.scrollWidth - innerWidth"
    with opened(browser, site, viewport=PHONE) as page:
        assert page.evaluate(overflow) == 0
        open_everything(page)
        assert page.evaluate(overflow) == 0
        page.get_by_label("Open a file…").set_input_files(path)
        page.locator("#think-row").click()
        expect(page.locator(".thought")).to_have_count(1)
        assert page.evaluate(overflow) == 0
        page.get_by_role("link", name="Chat").click()
        page.get_by_label("Your message").fill("My dog died.")
        page.keyboard.press("Enter")
        expect(page.locator("#chat-stage .said").last).to_contain_text("sorry")
        assert page.evaluate(overflow) == 0


def test_a_phone_shows_the_newest_skill_of_a_long_conversation(browser, site):
    talk = "\n".join(f"{('Ana', 'Ben')[n % 2]}: Number {n}." for n in range(14))
    with opened(browser, site, viewport=PHONE) as page:
        page.get_by_label("Turns").fill(talk)
        page.get_by_role("button", name="Show the thoughts").click()
        expect(page.locator(".thought")).to_have_count(14)
        stops = page.get_by_role("region", name="Skill timeline").get_by_role("button")
        expect(stops).to_have_count(14)
        expect(stops.last).to_be_in_viewport()
        expect(stops.first).not_to_be_in_viewport()


def test_the_switch_wins_over_the_system_and_is_remembered(browser, site):
    with opened(browser, site, color_scheme="dark") as page:
        theme = lambda: page.evaluate("() => document.documentElement.dataset.theme")
        background = lambda: page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
        switch = page.get_by_role("button", name="Dark")
        dark = background()
        assert theme() == "dark"
        expect(switch).to_have_attribute("aria-pressed", "true")
        switch.click()
        assert theme() == "light" and background() != dark
        page.reload()
        expect(switch).to_have_attribute("aria-pressed", "false")
        assert theme() == "light"
        page.emulate_media(color_scheme="light")
        page.emulate_media(color_scheme="dark")
        assert theme() == "light"
