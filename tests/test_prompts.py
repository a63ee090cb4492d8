"""Prompts: pinned bytes, safe rendering, and fitting into a window."""

import hashlib

import pytest

from thanos import Dialogue, ThanosError, Turn
from thanos.prompts import fit, load_prompt
from thanos.skills import Skill

DIALOGUE = Dialogue(
    turns=[
        Turn(speaker="Tom", text="What's your favorite burger?"),
        Turn(speaker="Sam", text="Definitely the cheap one."),
    ],
    social_context="Tom and Sam are friends.",
)


def test_thanos_prompt_is_byte_for_byte_the_published_one():
    prompt = load_prompt("thanos")
    digest = lambda text: hashlib.sha256(text.encode()).hexdigest()
    assert digest(prompt.system) == "873a64b32dac4bbf231a623a27f24064aa29d9a046cfd6947baa966b1587e54b"
    assert digest(prompt.user) == "5369169990b143f2aa30b5be8316a8fd8bf04b798c66db34439bd19fb802ed56"
    assert prompt.user.endswith("### Explanation: ")


def test_rendering():
    user = load_prompt("thanos").render(DIALOGUE)[1]["content"]
    assert "### Social Context:\nTom and Sam are friends.\n\n### Dialogue:\nTom: What's" in user
    assert user.endswith("Sam: Definitely the cheap one.\n\n### Explanation: ")


def test_zero_shot_lists_every_skill_with_its_definition():
    system = load_prompt("zero-shot").render(DIALOGUE)[0]["content"]
    assert all(f"- {skill.value}: {skill.definition}" in system for skill in Skill)


def test_braces_in_a_dialogue_are_just_text():
    dialogue = Dialogue(
        turns=[Turn(speaker="{dialogue}", text="{social_context} {0} {x!r}")], social_context="{dialogue}"
    )
    user = load_prompt("thanos").render(dialogue)[1]["content"]
    assert "{dialogue}: {social_context} {0} {x!r}" in user


def test_custom_prompt_file_and_its_mistakes(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("version: 2\nsource: me\nsystem: Plan.\nuser: '{social_context} | {dialogue}'\n")
    assert load_prompt(str(file)).render(DIALOGUE)[1]["content"].startswith("Tom and Sam are friends. | Tom:")
    for n, (text, message) in enumerate(
        [
            ("version: 1\nsource: me\nsystem: x\nuser: x\nusr: y\n", "usr: Extra inputs"),
            ("version: 1\nsource: me\nsystem: x\n", "user: Field required"),
            ("version: 1\nsource: me\nsystem: x\nuser: '{persona}'\n", "persona"),
            ("- a\n", "prompt"),
            ("a: [", "prompt"),
        ]
    ):
        bad = tmp_path / f"bad{n}.yaml"
        bad.write_text(text)
        with pytest.raises(ThanosError, match=message) as caught:
            load_prompt(str(bad))
        assert "\n" not in str(caught.value)
    with pytest.raises(ThanosError, match="no prompt 'thanoss'"):
        load_prompt("thanoss")


def count_words(messages):
    return sum(len(m["content"].split()) for m in messages)


FIXED = count_words(load_prompt("thanos").render(Dialogue(turns=[Turn(speaker="A", text="")])))


def test_short_dialogues_are_left_alone():
    fitted = fit(DIALOGUE, load_prompt("thanos"), count_words, 1000)
    assert fitted.truncated is None and fitted.messages == load_prompt("thanos").render(DIALOGUE)


def test_oldest_turns_go_first_and_the_template_stays():
    turns = [Turn(speaker="AB"[i % 2], text=f"number {i}") for i in range(200)]
    dialogue = Dialogue(turns=turns, social_context="Two counters.")
    budget = FIXED + 40
    fitted = fit(dialogue, load_prompt("thanos"), count_words, budget)
    user = fitted.messages[1]["content"]
    assert count_words(fitted.messages) <= budget < count_words(fitted.messages) + 3
    assert user.endswith("B: number 199\n\n### Explanation: ") and "Two counters." in user
    assert fitted.truncated == {"turns": 200 - user.count("number"), "characters": 0}
    assert fitted.messages[0]["content"] == load_prompt("thanos").system


def test_one_huge_turn_keeps_its_end():
    dialogue = Dialogue(turns=[Turn(speaker="A", text="first"), Turn(speaker="B", text="word " * 200_000 + "the end")])
    fitted = fit(dialogue, load_prompt("thanos"), count_words, FIXED + 50)
    assert count_words(fitted.messages) <= FIXED + 50
    assert fitted.messages[1]["content"].endswith("the end\n\n### Explanation: ")
    assert fitted.truncated["turns"] == 1 and fitted.truncated["characters"] > 999_000


def test_huge_social_context_leaves_half_to_the_dialogue():
    dialogue = Dialogue(turns=[Turn(speaker="A", text="hello there")], social_context="fact " * 5000)
    fitted = fit(dialogue, load_prompt("thanos"), count_words, 2 * FIXED + 100)
    assert "A: hello there" in fitted.messages[1]["content"]
    assert fitted.truncated["turns"] == 0 and fitted.truncated["characters"] > 20_000


def test_a_window_smaller_than_the_template():
    with pytest.raises(ThanosError, match="alone is longer than the 50 tokens"):
        fit(DIALOGUE, load_prompt("thanos"), count_words, 50)
