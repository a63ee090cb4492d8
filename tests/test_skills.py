"""The closed set and the normaliser of labels."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thanos import ThanosError
from thanos.errors import UnknownSkillError
from thanos.skills import CATEGORIES, Skill, SkillOfMind, normalise_labels


def test_closed_set():
    assert len(Skill) == 39
    assert len(CATEGORIES) == 5
    assert {skill.category for skill in Skill} == set(CATEGORIES)
    assert all(skill.definition.endswith(".") for skill in Skill)


@pytest.mark.parametrize(
    ("label", "skill"),
    [
        ("image sharing", Skill.IMAGE_SHARING),
        ("Active listening.", Skill.ACTIVE_LISTENING),
        ("Harmlesseness", Skill.HARMLESSNESS),
        ("Self Disclosure", Skill.SELF_DISCLOSURE),
        ("SelfDisclosure", Skill.SELF_DISCLOSURE),
        ("decision making skills", Skill.DECISION_MAKING),
        ("  KNOWLEDGE-ACQUISITION ", Skill.KNOWLEDGE_ACQUISITION),
        ("Recommendations", Skill.RECOMMENDATION),
        ("Ethical Reasoning", Skill.ETHICS),
        ("Common-sense understanding", Skill.COMMONSENSE_UNDERSTANDING),
        ("Avoid Social Bias", Skill.AVOIDING_SOCIAL_BIAS),
        ("Preference  elicitaton", Skill.PREFERENCE_ELICITATION),
        ("Topic_Transition", Skill.TOPIC_TRANSITION),
    ],
)
def test_variants_map(label, skill):
    assert Skill.parse(label) is skill


@pytest.mark.parametrize(
    "label", ["Problem Solving", "Listening", "Knowledge", "Conflict", "", "None", "Image", "42", "Emotion"]
)
def test_ambiguous_or_foreign_labels_are_reported_not_guessed(label):
    with pytest.raises(UnknownSkillError) as caught:
        Skill.parse(label)
    assert caught.value.label == label
    assert isinstance(caught.value, ThanosError)


def test_the_error_names_what_looks_alike():
    with pytest.raises(UnknownSkillError, match="did you mean .*Persona Recall"):
        Skill.parse("Person Recollection")


def test_report_counts_everything_once():
    report = normalise_labels(["Empathy", "empathy", "Telepathy", "Telepathy", "Image sharing"])
    assert report.mapped == {"Empathy": 2, "Image-Sharing": 1}
    assert report.changed == {"empathy": "Empathy", "Image sharing": "Image-Sharing"}
    assert report.unmapped == {"Telepathy": 2}


@given(
    st.sampled_from(list(Skill)), st.sampled_from([str.upper, str.lower, str.title]), st.text(" .-_!'\"", max_size=3)
)
def test_case_and_punctuation_never_matter(skill, change, tail):
    assert Skill.parse(change(skill.value.replace("-", " ")) + tail) is skill


@given(st.sampled_from(list(Skill)), st.data())
def test_one_wrong_letter_never_maps_to_another_skill(skill, data):
    at = data.draw(st.integers(0, len(skill.value) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    label = skill.value[:at] + letter + skill.value[at + 1 :]
    try:
        assert Skill.parse(label) is skill
    except UnknownSkillError:
        pass  # said so, which is right


@given(st.text(max_size=40))
def test_any_text_maps_or_is_reported(label):
    try:
        assert Skill.parse(label) in Skill
    except UnknownSkillError as error:
        assert "\n" not in str(error) or "\n" in label


def test_skill_of_mind_as_json():
    thought = SkillOfMind(
        explanation="I care.", skill=Skill.EMPATHY, scores={"Ethics": 0.2, "Empathy": 0.8}, valid=True
    )
    row = thought.model_dump(mode="json")
    assert row["skill"] == "Empathy" and row["category"] == "Interpersonal Skills"
    assert thought.top(1) == [("Empathy", 0.8)]
