"""The parser of model outputs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thanos.prompts import MARKER, format_thought, parse_thought
from thanos.skills import Skill

E, S = "I want to know more.", Skill.CLARIFICATION


@pytest.mark.parametrize(
    "text",
    [
        "I want to know more. [RESULT SKILL] Clarification",
        "### Explanation: I want to know more. [RESULT SKILL] Clarification",
        "I want to know more.\n[RESULT SKILL]\nClarification.",
        "I want to know more. [result skill] clarification",
        "I want to know more. RESULT SKILL: Clarification",
        "I want to know more. RESULT SKILL Clarification",
        "I want to know more. [RESULT SKILL]: **Clarification**",
        "I want to know more. [RESULT_SKILL] Clarification",
        'I want to know more. [RESULT SKILL] "Clarification"',
        "I want to know more. [RESULT SKILL] (Clarification)",
        "I want to know more. [RESULT SKILL] <Clarification>",
        "I want to know more. [RESULT SKILL] Clarification (Communication & Listening Skills)",
        "I want to know more. [RESULT SKILL] Clarification because Tom was vague.",
        "I want to know more. [RESULT SKILL] Clarification\n\nTom: I like fries, too. [RESULT SKILL] Empathy",
        "I want to know more. [RESULT SKILL] [RESULT SKILL] Clarification",
        "```\nI want to know more. [RESULT SKILL] Clarification\n```",
        '"I want to know more." [RESULT SKILL] Clarification',
        "I want to know more.\nClarification",
        "I want to know more.\nSkill: Clarification",
        "I want to know more.\n\n**Conversational skill:** Clarification.",
        '{"explanation": "I want to know more.", "skill": "Clarification"}',
        '```json\n{"skill": "clarification", "explanation": "I want to know more."}\n```',
        "I want to know more. [RESULT SKILL] Clarificaton",
    ],
)
def test_noise_is_forgiven(text):
    assert (parse_thought(text).explanation, parse_thought(text).skill) == (E, S)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I want to know more.",
        "I feel empathy for Tom.",
        "I'd use empathy here",
        "[RESULT SKILL]",
        "x [RESULT SKILL] Telepathy",
        "x [RESULT SKILL] the best one",
        "The result skill is nice",
        '{"skill": 3}',
        '{"skill": "Telepathy"}',
        "[]",
        "Problem Solving",
    ],
)
def test_no_skill_is_never_guessed(text):
    assert parse_thought(text).skill is None


def test_the_explanation_survives_without_a_skill():
    assert parse_thought("I wonder. [RESULT SKILL] Telepathy").explanation == "I wonder."


plain = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=200).map(
    lambda s: " ".join(s.split())
)
plain = plain.filter(
    lambda s: not s.lower().startswith(("#", "*", "explanation", "{")) and "`" not in s and s[:1] not in "\"'“‘"
)


@given(plain.filter(lambda s: "result" not in s.lower()), st.sampled_from(list(Skill)))
def test_what_is_written_is_read_back(explanation, skill):
    thought = parse_thought(format_thought(explanation, skill))
    assert thought.skill is skill and thought.explanation == explanation


@given(st.text(max_size=300), st.sampled_from(["", MARKER, "RESULT SKILL:", "Skill:", "```"]), st.text(max_size=50))
def test_any_text_is_read_without_an_error(before, middle, after):
    thought = parse_thought(before + middle + after)
    assert thought.skill is None or thought.skill in Skill
