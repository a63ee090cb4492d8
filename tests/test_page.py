"""The page in a real browser, before the real server with a planner whose thoughts are written down."""

import json
from pathlib import Path

import pytest
from browser import opened, refused_by_policy
from page_script import CONTEXT, DIALOGUE, SCRIPT, show_thoughts
from playwright.sync_api import expect
from scripted_engine import scripted_planner
from thanos_server import thanos_server
from upstream_server import WORDS

from thanos.data.annotated_turn import read_annotated_turn
from thanos.dialogue import read_rows
from thanos.respond import instruction
from thanos.serve import ServeSettings
from thanos.skills import Skill

pytest_plugins = ["page_fixtures"]

REPLY = "".join(WORDS)


def correct(page, card, skill, explanation=None):
    card.get_by_role("button", name="Correct").click()
    card.get_by_label("Skill", exact=True).select_option(skill)
    if explanation is not None:
        card.get_by_label("Explanation").fill(explanation)
    card.get_by_role("button", name="Save").click()


def download(page, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def rows_file(folder: Path, *lines: str, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


LABELLED = json.dumps(
    {
        "id": "shop:7:2",
        "social_context": "At a florist.",
        "dialogue": [{"speaker": "Ann", "text": "Roses?"}, {"speaker": "Bo", "text": "Not red ones."}],
        "response": {"speaker": "Ann", "text": "Which colour do you like?"},
        "speaker": "Ann",
        "skill": "preference elicitation",
        "also": "Clarification",
        "explanation": "He dislikes red.",
        "extra": {"a": [None, True, "é"]},
        "price": 1.0,
    }
).replace('"price"', '"long": 12345678901234567890, "price"')
PLAIN = json.dumps({"turns": [{"speaker": "Tom", "text": "My dog died."}, {"speaker": "Sam", "text": "Oh no."}]})


# Thoughts


def test_a_typed_dialogue_shows_each_thought_with_skill_probabilities_and_timeline(page):
    show_thoughts(page)
    cards = page.locator(".thought")
    expect(cards).to_have_count(3)  # before turns 2 and 3, and before the one that nobody has spoken
    expect(cards.nth(0)).to_have_attribute("aria-label", "What Ben has in mind")
    expect(cards.nth(0)).to_contain_text("She applied for two, so I have to ask which.")
    expect(cards.nth(0).locator(".chip")).to_have_text("Knowledge AcquisitionMemory & Knowledge Management")
    assert cards.nth(0).locator(".bar").all_inner_texts() == [
        "Knowledge Acquisition\n(chosen)\n58%",
        "Active Listening\n17%",
        "Empathy\n9%",
        "Clarification\n6%",
        "Echoing\n4%",
    ]
    widths = [bar.bounding_box()["width"] for bar in cards.nth(0).locator(".fill").all()]
    assert widths == sorted(widths, reverse=True) and widths[0] / widths[1] == pytest.approx(0.58 / 0.17, rel=0.05)
    stops = page.get_by_role("region", name="Skill timeline").get_by_role("button")
    assert [stop.get_attribute("aria-label") for stop in stops.all()] == [
        "Turn 2, Ben: Knowledge Acquisition, Memory & Knowledge Management",
        "Turn 3, Ana: Clarification, Communication & Listening",
        "Next turn, Ben: Empathy, Interpersonal",
    ]
    heights = [stop.bounding_box()["y"] for stop in stops.all()]
    assert heights[2] < heights[0] < heights[1]  # a lane for each category, in the taxonomy's order
    expect(page.locator("#announce")).to_have_text("3 thoughts shown.")


def test_every_category_has_a_colour_and_a_shape_of_its_own(page):
    style = "e => { const s = getComputedStyle(e); return s.backgroundColor + s.clipPath }"
    assert len({mark.evaluate(style) for mark in page.locator("#legend .mark").all()}) == 5


def test_examples_are_dialogues_that_can_be_read(page):
    for _ in range(4):
        page.get_by_role("button", name="Try an example").click()
        page.get_by_role("button", name="Show the thoughts").click()
        turns = len(page.get_by_label("Turns").input_value().splitlines())
        expect(page.locator("#dialogue-stage .thought")).to_have_count(turns)


def test_a_turn_without_a_speaker_is_named_and_nothing_is_lost(page):
    show_thoughts(page, "Ana: Hi!\nno name here")
    expect(page.get_by_role("alert")).to_contain_text("line 2: a turn without a speaker; write `Name: words`")
    expect(page.get_by_label("Turns")).to_be_focused()
    expect(page.get_by_label("Turns")).to_have_value("Ana: Hi!\nno name here")


# Replies


def test_compare_asks_twice_and_tells_the_plan_once(page, upstream):
    show_thoughts(page)
    before = len(upstream.bodies)
    page.get_by_role("button", name="Compare replies").click()
    planned, plain = (page.get_by_role("region", name=name, exact=True) for name in ("With skill-of-mind", "Without"))
    expect(planned.locator(".said")).to_have_text(REPLY)
    expect(plain.locator(".said")).to_have_text(REPLY)
    expect(planned.locator(".chip-skill")).to_have_text("Empathy")
    expect(plain.locator(".chip-skill")).to_have_count(0)
    systems = sorted((body["messages"][0]["content"] for body in upstream.bodies[before:]), key=len)
    assert len(systems) == 2
    assert CONTEXT in systems[0] and "Ben" in systems[0] and instruction(Skill.EMPATHY) not in systems[0]
    assert instruction(Skill.EMPATHY) in systems[1]
    said = [(m["role"], m["content"]) for m in upstream.bodies[-1]["messages"][1:]]
    assert said == [
        ("user", "I got the job!"),
        ("assistant", "No way. Which one?"),
        ("user", "The lighthouse. I start in May."),
    ]


def test_chat_shows_the_thought_above_each_reply_and_hands_over_to_the_dialogue(page, upstream):
    page.get_by_role("link", name="Chat").click()
    expect(page.get_by_role("link", name="Chat")).to_have_attribute("aria-current", "page")
    page.locator("#chat-context").fill("Old friends.")
    stage = page.locator("#chat-stage")
    for number, message in enumerate(("My dog died.", "Her name was Luna."), start=1):
        page.get_by_label("Your message").fill(message)
        page.keyboard.press("Enter")
        expect(stage.locator(".speech .said")).to_have_count(2 * number)
        expect(stage.locator(".said").last).to_have_text(REPLY)
        expect(stage.locator(".thought")).to_have_count(number)
    expect(page.get_by_label("Your message")).to_have_value("")
    assert stage.locator(".chip-skill").all_inner_texts() == ["Empathy", "Memory Recall"]
    assert [m["role"] for m in upstream.bodies[-1]["messages"]] == ["system", "user", "assistant", "user"]
    assert upstream.bodies[-1]["messages"][0]["content"].startswith("Old friends.")
    expect(stage.get_by_role("button", name="Turn 4, Assistant: Memory Recall")).to_be_visible()

    page.get_by_role("button", name="Look at every turn").click()
    expect(page.locator("#dialogue-stage .thought")).to_have_count(4)
    expect(page.locator("#context")).to_have_value("Old friends.")


def test_a_chat_that_is_cut_off_keeps_what_came_and_says_so(page):
    page.route("**/v1/models", lambda route: route.fulfill(json={"data": [{"id": "cut"}]}))
    page.get_by_role("link", name="Chat").click()
    page.get_by_label("Your message").fill("My dog died.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#chat-error")).to_contain_text("The reply was cut off")
    expect(page.locator("#chat-stage .said").last).to_have_text("I am")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()


def test_a_message_that_is_refused_is_in_the_box_again(page):
    page.route("**/v1/models", lambda route: route.fulfill(json={"data": [{"id": "unknown"}]}))
    page.get_by_role("link", name="Chat").click()
    page.get_by_label("Your message").fill("My dog died.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#chat-error")).to_have_text("The server says: no model 'unknown'")
    expect(page.get_by_label("Your message")).to_have_value("My dog died.")
    expect(page.locator("#chat-stage .said")).to_have_count(0)


def test_a_reply_without_a_plan_says_why(page):
    page.get_by_role("link", name="Chat").click()
    page.route("**/v1/chat/completions", lambda route: route.continue_(post_data=unplanned(route.request)))
    page.get_by_label("Your message").fill("My dog died.")
    page.keyboard.press("Enter")
    expect(page.locator("#chat-stage .said").last).to_have_text(REPLY)
    expect(page.locator("#chat-stage")).to_contain_text("Spoken without a plan: the request asks for no plan")


def unplanned(request) -> str:
    return json.dumps(request.post_data_json | {"thanos": {"plan": False}})


def test_an_upstream_without_a_list_of_models_can_be_used(page, upstream):
    page.route("**/v1/models", lambda route: route.fulfill(status=404, json={"error": {"message": "no such page"}}))
    page.get_by_role("link", name="Chat").click()
    page.get_by_label("Your message").fill("My dog died.")
    page.keyboard.press("Enter")
    expect(page.locator("#chat-error")).to_contain_text("no model 'default'")
    assert upstream.bodies[-1]["model"] == "default"


def test_a_reply_can_be_stopped(page, upstream):
    page.route("**/v1/models", lambda route: route.fulfill(json={"data": [{"id": "endless"}]}))
    page.get_by_role("link", name="Chat").click()
    page.get_by_label("Your message").fill("My dog died.")
    page.keyboard.press("Enter")
    expect(page.locator("#chat-stage .said").last).to_contain_text("again")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert upstream.gone.wait(5)
    expect(page.locator("#chat-error")).to_be_hidden()


# Rows


def test_a_file_is_walked_through_and_bad_lines_are_named(page, tmp_path):
    path = rows_file(tmp_path, LABELLED, "{broken}", PLAIN, '{"dialog": []}')
    page.get_by_label("Open a file…").set_input_files(path)
    expect(page.get_by_role("heading", name="rows.jsonl")).to_be_focused()
    expect(page.locator("#file-count")).to_have_text("2 rows")
    page.get_by_text("2 rows can't be read").click()
    problems = page.locator("#bad-rows li").all_inner_texts()
    assert problems[0].startswith("line 2: not JSON: ") and problems[1].startswith("line 4: no turns; found 'dialog'")
    card = page.locator(".thought")
    expect(card).to_contain_text("label from the file")
    expect(card.locator(".chip-skill")).to_have_text("Preference Elicitation")
    expect(page.get_by_role("button", name="Previous")).to_be_disabled()

    page.get_by_role("button", name="Next").click()
    expect(page.locator(".said").first).to_have_text("My dog died.")
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    expect(page.locator("#announce")).to_have_text("Row 2 of 2: 2 turns.")
    page.locator("#think-row").click()
    expect(page.locator(".thought")).to_have_count(2)
    page.get_by_label("Row number").fill("1")
    page.keyboard.press("Enter")
    expect(page.locator(".context")).to_contain_text("At a florist.")
    page.locator("#think-row").click()  # the model's view of a labelled row stands beside the label
    expect(page.locator(".thought").last).to_contain_text("The model says Active Listening")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".thought")).to_have_count(2)  # still there


def test_a_file_without_a_good_row_is_refused_with_its_reason(page, tmp_path):
    page.get_by_label("Open a file…").set_input_files(rows_file(tmp_path, '{"a": 1', name="bad.jsonl"))
    expect(page.locator("#dialogue-error")).to_contain_text("bad.jsonl: not JSON")
    (tmp_path / "latin.jsonl").write_bytes(b'{"turns": "A: caf\xe9"}\n')
    page.get_by_label("Open a file…").set_input_files(tmp_path / "latin.jsonl")
    expect(page.locator("#dialogue-error")).to_contain_text("latin.jsonl can't be read as UTF-8")


def test_corrected_rows_are_downloaded_with_all_their_keys_and_read_again(page, tmp_path):
    page.get_by_label("Open a file…").set_input_files(rows_file(tmp_path, LABELLED, PLAIN))
    correct(page, page.locator(".thought"), "Clarification", "  I need to know more. ")
    card = page.locator(".thought")
    expect(card).to_contain_text("corrected by you")
    expect(card).to_contain_text("was Preference Elicitation")
    expect(card.get_by_role("button", name="Correct")).to_be_focused()
    expect(page.get_by_role("region", name="Corrections")).to_contain_text("1 corrected row")
    page.get_by_role("button", name="Next").click()
    page.locator("#think-row").click()
    correct(page, page.locator(".thought").first, "Echoing")
    expect(page.get_by_role("region", name="Corrections")).to_contain_text("2 corrected rows")

    path = download(page, tmp_path)
    assert path.name == "rows.corrected.jsonl"
    own = path.read_text(encoding="utf-8").splitlines()[0]
    expected = json.loads(LABELLED) | {"skill": "Clarification", "explanation": "I need to know more."}
    assert json.loads(own) == expected and list(json.loads(own)) == list(expected)
    assert '"long":12345678901234567890,"price":1.0' in own  # numbers as they were written
    first, second = (read_annotated_turn(row.dialogue) for row in read_rows(str(path)))
    assert (first.skill, first.also, first.turn.response.text) == (
        Skill.CLARIFICATION,
        None,
        "Which colour do you like?",
    )
    assert (second.skill, second.turn.speaker, second.turn.response.text) == (Skill.ECHOING, "Sam", "Oh no.")
    assert second.turn.id.index == 1


def test_a_correction_can_be_taken_back(page):
    show_thoughts(page)
    card = page.locator(".thought").first
    correct(page, card, "Ethics")
    expect(card.locator(".chip-skill")).to_have_text("Ethics")
    expect(card.locator(".bar")).to_have_count(6)  # the chosen one is shown although it isn't among the five
    card.get_by_role("button", name="Undo").click()
    expect(card.locator(".chip-skill")).to_have_text("Knowledge Acquisition")
    expect(page.locator("#corrections")).to_be_hidden()


def test_corrections_that_nobody_saved_hold_the_page_back(page):
    show_thoughts(page)
    correct(page, page.locator(".thought").first, "Ethics")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == ["beforeunload"]


def test_a_dropped_file_is_opened(page):
    page.get_by_role("link", name="Chat").click()
    page.evaluate(
        """(text) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([text], "dropped.jsonl"));
          for (const type of ["dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
          }
        }""",
        LABELLED,
    )
    expect(page.locator("#file-name")).to_have_text("dropped.jsonl")
    expect(page.locator(".thought")).to_contain_text("He dislikes red.")


def test_pasted_rows_are_walked_through_too(page):
    show_thoughts(page, f"{LABELLED}\n{PLAIN}")
    expect(page.get_by_role("heading", name="Pasted rows")).to_be_focused()
    expect(page.locator("#file-count")).to_have_text("2 rows")
    page.get_by_role("button", name="Close the file").click()
    expect(page.get_by_label("Turns")).to_be_visible()


# Safety


def test_a_dialogue_never_becomes_part_of_the_page(page, tmp_path):
    attack = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
    show_thoughts(page, f"<b>Ana</b>: {attack}\n<i>Ben</i>: {attack}", context=attack)
    expect(page.locator(".said").first).to_have_text(attack)
    expect(page.locator(".thought").first).to_contain_text(f"I heard: {attack}")
    row = {"turns": [{"speaker": attack, "text": attack, "image": attack}], "skill": attack, "explanation": attack}
    page.get_by_label("Open a file…").set_input_files(
        rows_file(tmp_path, json.dumps(row), json.dumps({attack: 1}), name="<img src=x>.jsonl")
    )
    expect(page.get_by_role("heading", name="<img src=x>.jsonl")).to_be_focused()
    expect(page.locator(".thought")).to_contain_text("is not one of the 39 skills")
    expect(page.locator("#bad-rows li")).to_contain_text("<img src=x", use_inner_text=False)
    assert page.locator("main img, main script, main b, main i").count() == 0
    assert page.title() == "Thanos: plan the skill, then speak"


def test_the_browser_itself_refuses_text_as_html_and_foreign_scripts(browser, site):
    with browser.new_page() as page:
        page.goto(site)
        assert refused_by_policy(page, "document.body.innerHTML = '<p>text</p>'")
        assert refused_by_policy(page, "setTimeout('1')")
        assert refused_by_policy(page, "import('data:text/javascript,1')")
        assert refused_by_policy(page, "fetch('http://127.0.0.1:9/')")


# Faults


def test_a_key_is_asked_for_and_sent(browser, upstream):
    settings = ServeSettings(upstream=upstream.url, api_keys=("sesame",))
    with scripted_planner(SCRIPT), thanos_server(settings) as url, opened(browser, url) as page:
        show_thoughts(page)
        expect(page.locator("#dialogue-error")).to_have_text("The server asks for an API key. Enter it above.")
        field = page.get_by_label("This server asks for an API key")
        expect(field).to_be_focused()
        field.fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Show the thoughts").click()
        expect(page.locator("#dialogue-error")).to_contain_text("doesn't know this API key")
        field.fill("sesame")
        page.get_by_role("button", name="Use this key").click()
        expect(page.locator("#key-form")).to_be_hidden()
        page.get_by_role("button", name="Show the thoughts").click()
        expect(page.locator(".thought")).to_have_count(3)
        page.reload()
        show_thoughts(page)  # the tab remembers it
        expect(page.locator(".thought")).to_have_count(3)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_body": 200}, "This is too long for the server: the body is larger than 200 bytes."),
        ({"max_concurrency": 0}, "The server is busy. Try again in 1 s."),
    ],
)
def test_limits_are_told_in_words(browser, upstream, limits, words):
    settings = ServeSettings(upstream=upstream.url, **limits)
    with scripted_planner(SCRIPT), thanos_server(settings) as url, opened(browser, url) as page:
        show_thoughts(page, DIALOGUE + "\nBen: " + "word " * 50)
        expect(page.locator("#dialogue-error")).to_contain_text(words)


def test_a_server_that_is_gone_is_told_in_words(browser, upstream):
    with scripted_planner(SCRIPT), thanos_server(ServeSettings(upstream=upstream.url)) as url:
        with browser.new_page() as page:
            page.goto(url)
            page.locator("#legend li").first.wait_for()
            page.route("**/v1/skill-of-mind", lambda route: route.abort("connectionrefused"))
            show_thoughts(page)
            expect(page.locator("#dialogue-error")).to_have_text(
                "The server can't be reached. Is `thanos serve` still running?"
            )
            expect(page.get_by_role("button", name="Show the thoughts")).to_be_enabled()
