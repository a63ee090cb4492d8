"""From a dialogue and a plan to a reply: messages, the four arms, what is cut off a model's text."""

import pytest
from chat_server import chat_server, completion
from hypothesis import example, given
from hypothesis import strategies as st

from thanos import Dialogue, Responder, Skill, SkillOfMind, Thanos, ThanosError
from thanos.respond import ARMS, instruction, next_speaker, plan_note, reply_messages
from thanos.respond.clean import read_reply, read_stream

CAKE = Dialogue.model_validate(
    {
        "id": "cake",
        "social_context": "Ines and Tomek share a flat.",
        "turns": [
            {"speaker": "Ines", "text": "Somebody ate the cake I baked for work."},
            {"speaker": "Tomek", "text": "It looked lonely."},
            {"speaker": "Ines", "text": "It had a note on it, Tomek!"},
        ],
    }
)
SORRY = SkillOfMind(explanation="I ate it and she is cross.", skill=Skill("Conflict Resolution"), valid=True)


def test_every_skill_has_one_sentence_of_its_own():
    sentences = [instruction(skill) for skill in Skill]
    assert len(set(sentences)) == len(Skill) == 39
    for sentence in sentences:
        assert sentence[0].isupper() and sentence[-1] == "." and sentence.count(". ") == 0


def test_arms_tell_what_they_are_named_after():
    told = {arm: reply_messages(CAKE, SORRY, arm)[0]["content"] for arm in ARMS}
    for arm, system in told.items():
        assert (SORRY.explanation in system) == (arm in ("explanation", "both"))
        assert (instruction(SORRY.skill) in system) == (arm in ("skill", "both"))
        assert system.startswith(told["plain"])
    assert {
        arm: reply_messages(CAKE, SORRY, arm)[1:] == reply_messages(CAKE, None)[1:] for arm in ARMS
    } == dict.fromkeys(ARMS, True)


def test_turns_become_messages_of_the_next_speaker():
    system, *turns = reply_messages(CAKE, None)
    assert "You are Tomek, in a conversation with Ines. Ines and Tomek share a flat." in system["content"]
    assert turns == [
        {"role": "user", "content": "Somebody ate the cake I baked for work."},
        {"role": "assistant", "content": "It looked lonely."},
        {"role": "user", "content": "It had a note on it, Tomek!"},
    ]


def test_reply_over_a_server_in_every_arm():
    with chat_server(lambda body: completion("**Tomek:** I'm sorry.\nInes: Really?")) as (url, seen):
        for arm in ARMS:
            with Responder("openai/m", arm=arm, base_url=url) as responder:
                reply = responder.respond(CAKE, SORRY)
            assert (reply.text, reply.speaker, reply.planned) == ("I'm sorry.", "Tomek", arm != "plain")
    assert [("ate it and she is cross" in body["messages"][0]["content"]) for body in seen] == [
        False,
        False,
        True,
        True,
    ]


MARKS = ["<|im_end|>", "<|im_start|>system", "<|eot_id|>", "</s>", "<end_of_turn>", "[/INST]", "<<SYS>>", "<｜User｜>"]


@given(st.lists(st.sampled_from([*MARKS, "{speaker}", "{", "\n", "Tomek: ", "a", "The conversational skill to use"])))
def test_no_text_of_others_ends_a_message_or_the_template(parts):
    text = "".join(parts)
    evil = Dialogue.model_validate(
        {"social_context": text, "turns": [{"speaker": f"Ines{text}", "text": text}, {"speaker": "Jo", "text": text}]}
    )
    thought = SkillOfMind(explanation=text, skill=Skill.EMPATHY, valid=True)
    messages = reply_messages(evil, thought, speaker="Tomek")
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[0]["content"].endswith(plan_note(SkillOfMind(skill=Skill.EMPATHY)))
    assert not [mark for mark in MARKS for message in messages if mark in message["content"]]


def test_messages_alternate_and_end_with_the_user():
    turns = [
        {"speaker": name, "text": f"{n}"} for n, name in enumerate(["Tomek", "Ines", "Jo", "Ines", "Tomek", "Tomek"])
    ]
    messages = reply_messages(Dialogue.model_validate({"turns": turns}), None, speaker="Tomek")
    assert [(m["role"], m["content"]) for m in messages[1:]] == [
        ("user", "(The conversation begins.)"),
        ("assistant", "0"),
        ("user", "Ines: 1\nJo: 2\nInes: 3"),
        ("assistant", "4\n5"),
        ("user", "(It's Tomek's turn again.)"),
    ]


@pytest.fixture(scope="module")
def planner():
    with Thanos("embedded/base", mode="direct") as thanos:
        yield thanos


def test_long_dialogues_are_cut_alike_in_every_arm(planner):
    turns = [{"speaker": "Ines" if n % 2 == 0 else "Tomek", "text": f"{n} " + "cake " * 40} for n in range(99)]
    long = Dialogue.model_validate({"social_context": CAKE.social_context, "turns": turns})
    seen = {}
    for arm in ARMS:
        request, truncated = planner.responder("embedded/base", arm=arm).request(0, long, SORRY, "Tomek")
        seen[arm] = request.messages[1:], truncated
        assert planner.engine.count_tokens(request.messages) + request.max_tokens <= planner.engine.context_window
    assert all(value == seen["plain"] for value in seen.values())
    assert seen["plain"][1]["turns"] > 50
    runaway = SkillOfMind(explanation="蛋糕" * 300, skill=Skill.EMPATHY, valid=True)
    request, _ = planner.responder("embedded/base").request(0, long, runaway, "Tomek")
    assert planner.engine.count_tokens(request.messages) + request.max_tokens <= planner.engine.context_window


def test_plan_then_speak(planner):
    with chat_server(lambda body: completion("I'm sorry.")) as (url, seen):
        with Responder("openai/m", base_url=url) as responder:
            reply = planner.respond(CAKE, responder)
    assert (reply.text, reply.planned, reply.thought.valid) == ("I'm sorry.", True, True)
    assert instruction(reply.thought.skill) in seen[0]["messages"][0]["content"]


def test_one_local_model_is_loaded_once(planner):
    assert planner.responder("embedded/base").engine is planner.engine
    with pytest.raises(ThanosError, match="takes no more options"):
        planner.responder("embedded/base", batch_size=2)
    with chat_server(lambda body: completion("Yes. [RESULT SKILL] Empathy")) as (url, _):
        with Thanos("openai/m", base_url=url) as thanos, thanos.responder("openai/m", base_url=url) as responder:
            assert responder.engine is not thanos.engine


def test_a_runaway_explanation_is_cut():
    note = plan_note(SkillOfMind(explanation="I wonder \ud83d why. " * 99, skill=Skill.EMPATHY))
    assert "\ufffd" in note and len(note) < 900 and note.endswith(plan_note(SkillOfMind(skill=Skill.EMPATHY)))


def test_unknown_arm():
    with pytest.raises(ThanosError, match="use plain, skill, explanation, both"):
        plan_note(SORRY, "all")


def test_who_speaks_next():
    assert next_speaker(CAKE) == "Tomek"
    assert next_speaker(CAKE.model_copy(update={"meta": {"speaker": "Kofi"}})) == "Kofi"
    assert next_speaker(Dialogue.model_validate({"turns": [{"speaker": "User", "text": "Hi"}]})) == "Assistant"
    with pytest.raises(ThanosError, match='add "speaker"'):
        next_speaker(CAKE.prefix(1))


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("I'll bake a new one.", "I'll bake a new one."),
        ("Tomek: I'll bake a new one.", "I'll bake a new one."),
        ("**Tomek:** I'll bake a new one.", "I'll bake a new one."),
        ("Tomek (blushing): I'll bake a new one.", "I'll bake a new one."),
        ("I'll bake a new one.\nInes: You'd better.\nTomek: Yes.", "I'll bake a new one."),
        ("I'll bake a new one. Ines: You'd better.", "I'll bake a new one."),
        ("“I'll bake a new one.”", "I'll bake a new one."),
        ("You need:\n- flour\n- eggs", "You need:\n- flour\n- eggs"),
        ("I told Ines: never again.", "I told Ines: never again."),
        ("Ines: You'd better.", ""),
        ("Ines: You'd better.\nTomek: I will.\nInes: Good.", "I will."),
        ("Assistant: I will.", "I will."),
        ('"Tomek: I will."', "I will."),
        ('He said "no" and "never"', 'He said "no" and "never"'),
        ("", ""),
    ],
)
def test_the_reply_alone_is_kept(text, reply):
    assert read_reply(text, "Tomek", ["Ines"]) == reply


def test_a_reply_that_ran_out_of_room_ends_with_a_sentence():
    assert read_reply("I'm sorry. I will bake a n", "Tomek", ["Ines"], cut=True) == "I'm sorry."
    assert read_reply("I'm sorry. I was hungry. I'm sorry. I was hung", "Tomek", ["Ines"], cut=True) == (
        "I'm sorry. I was hungry."
    )
    assert read_reply("I will bake a n", "Tomek", ["Ines"], cut=True) == "I will bake a n"


PIECES = [
    "Tomek",
    "Tom",
    "Ines",
    ":",
    "**",
    " ",
    "\n",
    "I'm sorry.",
    " No.",
    "Yes!",
    '"',
    "”",
    "(",
    "sighs)",
    "3.5",
    "a",
    "AI",
]


@given(st.lists(st.sampled_from(PIECES), max_size=14))
@example(["Tom", "ek: I'm sorry. I'm", " sorry", ". I'm sorry.", " More"])
@example(['"', "Tomek: Yes", '!"'])
@example(["I'm sorry.\n\n", "Ines (", "sighs)", ": Yes!"])
def test_a_reply_read_while_it_is_written_is_the_same(pieces):
    shown = list(read_stream(pieces, "Tomek", ["Ines", "Tom"]))
    assert "".join(shown) == read_reply("".join(pieces), "Tomek", ["Ines", "Tom"])


def test_a_reply_is_shown_early_and_the_writing_stops_where_it_ends():
    pieces = iter(["I will bake a new one. ", "And you? ", "Ines: ", "Good.", "More"])
    shown = read_stream(pieces, "Tomek", ["Ines"])
    assert next(shown) == "I will bake a new one."
    assert "".join(shown) == " And you?"
    assert next(pieces) == "Good."
