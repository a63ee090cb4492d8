"""Whatever free text a set holds, its parser keeps every word or says why not, and never fails in another way."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st
from source_rows import cactus, stark_hub, stark_local, syn_persona_chat

from thanos.sources import RawRow, Unusable, find_source, read_source
from thanos.sources.cactus import session
from thanos.sources.spacing import commas, untokenised
from thanos.sources.stark import entries, unescaped
from thanos.sources.syn_persona_chat import conversation

# Words that look like nothing else: no colon, bracket or asterisk, and not empty.
WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters=':[](){}<>*"', exclude_categories=["C", "Z"]), min_size=1
)
SENTENCE = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
ANY_TEXT = st.text(max_size=80)
PIECES = st.sampled_from(
    [
        "User 1: ",
        "User 2:",
        "*User 1:* ",
        "Client: ",
        "Counselor: ",
        "**Client:**",
        "Client (sighs): ",
        "* * *",
        "[Later]",
        "\n",
        " ",
        "x",
        "Ann: y",
    ]
)
MESSY = st.lists(PIECES | ANY_TEXT, max_size=12).map("".join)


def letters(text):
    return re.sub(r"[\s*]", "", text)


@given(st.lists(st.tuples(st.sampled_from("12"), SENTENCE), min_size=1, max_size=8))
def test_a_conversation_is_read_as_it_was_written(turns):
    turns = conversation("\n\n".join(f"User {who}: {words}" for who, words in turns)), turns
    assert [(turn.speaker, turn.text) for turn in turns[0]] == [(f"User {who}", words) for who, words in turns[1]]


@given(st.lists(st.tuples(st.sampled_from(["Counselor", "Client"]), SENTENCE), min_size=1, max_size=8), st.booleans())
def test_a_session_is_read_as_it_was_written(turns, bold):
    lines = [f"**{who}:** {words}" if bold else f"{who}: {words}" for who, words in turns]
    assert [(turn.speaker, turn.text) for turn in session("\n".join(lines))] == turns


@given(MESSY)
def test_conversations_keep_their_words_or_say_why_not(text):
    try:
        turns = conversation(text)
    except Unusable:
        return
    kept = letters("".join(turn.text for turn in turns))
    assert len(kept) <= len(letters(text)) and {turn.speaker for turn in turns} <= {"User 1", "User 2", "Ann"}


@given(MESSY)
def test_sessions_keep_their_words_or_say_why_not(text):
    try:
        turns = session(text)
    except Unusable:
        return
    kept = letters("".join(f"{turn.speaker}:{turn.text}" for turn in turns))
    assert kept.replace(":", "") == letters(text).replace(":", "")


@given(ANY_TEXT | MESSY, st.sampled_from(["syn_persona_chat", "cactus"]))
def test_no_row_is_lost_without_a_word(text, name):
    row = syn_persona_chat([text]) if name == "syn_persona_chat" else cactus([text])
    (reading,) = read_source(find_source(name), [RawRow(1, "0", row)])
    assert len(reading.dialogues) + len(reading.reasons) == 1


@given(st.lists(st.none() | ANY_TEXT | st.lists(WORDS, max_size=3), max_size=6))
def test_stark_columns_say_the_same_however_often_they_are_encoded(items):
    expected = entries(items, "c")
    assert entries(json.dumps(items), "c") == entries(json.dumps(json.dumps(items)), "c") == expected
    assert entries(json.dumps(items, ensure_ascii=False), "c") == expected
    assert len(expected) == len(items)


@given(st.text(st.characters(codec="utf-8")))
def test_letters_escaped_twice_come_back(text):
    escaped = "".join(f"\\u{unit:04x}" for unit in memoryview(text.encode("utf-16-le")).cast("H"))
    assert unescaped(escaped) == text


@given(st.text(st.sampled_from("\\u0123d8Fx ")))
def test_half_escapes_are_left_alone_and_text_stays_text(text):
    unescaped(text).encode("utf-8")


@given(
    st.one_of(st.text(max_size=40), st.integers(), st.dictionaries(WORDS, WORDS, max_size=2), st.lists(st.integers()))
)
def test_stark_columns_of_any_kind_are_read_or_refused(value):
    row = stark_hub(**{"session1:utterances": value})
    (reading,) = read_source(find_source("stark"), [RawRow(1, "0", row)])
    assert len(reading.dialogues) + len(reading.reasons) in (1, 2)


@given(st.lists(st.tuples(SENTENCE, st.booleans()), min_size=1, max_size=6))
def test_stark_turns_are_words_or_pictures(turns):
    columns = {
        "session1:utterance": ["" if shown else words for words, shown in turns],
        "session1:image_description": [words if shown else "" for words, shown in turns],
        "session1:speaker": ["Lena"] * len(turns),
    }
    (reading,) = read_source(find_source("stark"), [RawRow(1, "0", stark_local(**columns))])
    got = [(turn.text, turn.image) for turn in reading.dialogues[0].turns]
    assert got == [("", words) if shown else (words, None) for words, shown in turns]


@given(ANY_TEXT, ANY_TEXT)
def test_commas_come_back(before, after):
    text = commas(f"{before}_comma_{after}")
    assert "_comma_" not in text
    assert re.sub(r"[ \t]", "", text) == re.sub(r"[ \t]", "", f"{before}_comma_{after}".replace("_comma_", ","))


@given(st.text(st.sampled_from("ab'’t .,!?()\t")))
def test_untokenising_moves_no_letter(text):
    assert re.sub(r"\s", "", untokenised(text)) == re.sub(r"\s", "", text)
