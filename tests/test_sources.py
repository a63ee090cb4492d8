"""Each set's rows become the dialogues they hold, oddities included."""

import json

import pytest
import source_rows as rows

from thanos import ThanosError
from thanos.dialogue import dialogue_from_row
from thanos.sources import (
    SOURCES,
    RawRow,
    context_at,
    dialogue_row,
    find_source,
    read_source,
    turn_id,
    turn_key,
)


def readings(name, *given):
    return list(read_source(find_source(name), [RawRow(n + 1, str(n), row) for n, row in enumerate(given)]))


def one(name, *given):
    """The only dialogue of these rows, all of which it takes."""
    (reading,) = readings(name, *given)
    assert reading.reasons == [] and reading.rows == len(given)
    (dialogue,) = reading.dialogues
    return dialogue


def why(name, *given):
    """The only reason, there being no dialogue."""
    (reading,) = readings(name, *given)
    assert reading.dialogues == []
    (reason,) = reading.reasons
    return reason


def said(dialogue):
    return [f"{turn.speaker}: {turn.words()}" for turn in dialogue.turns]


def test_soda():
    dialogue = one("soda", rows.soda())
    assert dialogue.id == "4711" and dialogue.meta == {"source": "soda"}
    assert dialogue.social_context == "Mira borrowed Odo's ladder for a day and kept it for a month."
    assert (
        said(dialogue)[1] == "Neighbour: (laughs) I know. My roof knows it too."
    )  # the quote that nothing opened is gone
    assert one("soda", rows.soda(dialogue=['He said "no"'], speakers=["Mira"])).turns[0].text == 'He said "no"'


def test_soda_without_names_is_a_part():
    lost = rows.soda(speakers=None, narrative=None, original_index=None, _source_id="soda_9_ladder")
    dialogue = one("soda", lost)
    assert dialogue.id == "soda_9_ladder" and turn_id(dialogue, 2) == "soda_partial:soda_9_ladder:2"
    assert [turn.speaker for turn in dialogue.turns] == ["Speaker A", "Speaker B", "Speaker A"]


def test_soda_reasons_and_placeholders():
    assert why("soda", rows.soda(speakers=["Mira"])) == "`dialogue` and `speakers` differ in length"
    assert why("soda", rows.soda(dialogue=None)) == "`dialogue` is null"
    assert why("soda", rows.soda(dialogue="Hi")) == "`dialogue` isn't a list of texts"
    assert why("soda", rows.soda(dialogue=[" ", ""], speakers=["A", "B"])) == "no turn with words"
    assert why("soda", {"text": "Hi"}) == "`dialogue` is missing"
    blank = one("soda", rows.soda(dialogue=["I'm [other character's name]."], speakers=["Mira"]))
    assert blank.meta["placeholders"] == 1 and blank.turns[0].text == "I'm [other character's name]."


def test_conversation_chronicles_sessions():
    (reading,) = readings("conversation_chronicles", rows.conversation_chronicles())
    assert [dialogue.id for dialogue in reading.dialogues] == [f"episode-7:session{n}" for n in range(1, 6)]
    first, third = reading.dialogues[0], reading.dialogues[2]
    assert first.social_context == "Neighbors A and Neighbors B talk. Relationship: Neighbors."
    assert third.social_context == (
        "Neighbors A and Neighbors B know each other and talk again; they have talked twice before. "
        "Relationship: Neighbors. Time since they last talked: A week after.\n"
        "Their earlier talks, oldest first:\n- Summary of session 1.\n- Summary of session 2."
    )
    assert said(third) == ["Neighbors A: look who is here!", "Neighbors B: *waves* Hello.", "Neighbors A: Come in."]


def test_conversation_chronicles_with_one_session_of_five():
    others = {f"{name}_session_dialogue": None for name in ("first", "second", "third", "fourth")}
    last = {
        "fifth_session_dialogue": [" ", "Yes?", "Me.", "Still me."],
        "fifth_session_speakers": ["Wife", "Husband", "Wife", "Wife"],
    }
    row = rows.conversation_chronicles(**others, **last, relationship=None, time_interval=None, summary=None)
    (reading,) = readings("conversation_chronicles", row)
    (dialogue,) = reading.dialogues
    assert said(dialogue) == ["Husband: Yes?", "Wife: Me.", "Wife: Still me."] and dialogue.meta["empty_turns"] == 1
    assert "Relationship: Wife and Husband." in dialogue.social_context and "4 times before" in dialogue.social_context
    assert len(reading.reasons) == 4 and reading.reasons[0] == "`first_session_dialogue` is missing, null or empty"
    assert "isn't null" in why("conversation_chronicles", {"dataID": "episode-1"})
    short = rows.conversation_chronicles(fifth_session_speakers=["Neighbors A"])
    (reading,) = readings("conversation_chronicles", short)
    assert len(reading.dialogues) == 4
    assert reading.reasons == ["`fifth_session_speakers` doesn't name a speaker for each utterance"]


def test_prosocial_rules_of_thumb_are_those_of_the_very_reply():
    pairs = [
        rows.prosocial_dialog(0),
        rows.prosocial_dialog(1),
        rows.prosocial_dialog(2, rots=None, safety_label="__casual__"),
    ]
    dialogue = one("prosocial_dialog", *pairs)
    assert dialogue.id == "3" and len(dialogue.turns) == 6
    general = dialogue.social_context
    assert "Rules of thumb" not in general
    assert context_at(dialogue, 1) == f"{general}\nRules of thumb for Speaker B's reply:\n- It's wrong to do 0."
    assert context_at(dialogue, 3).endswith("- It's wrong to do 1.") and "do 0" not in context_at(dialogue, 3)
    assert context_at(dialogue, 5) == context_at(dialogue, 2) == general
    assert dialogue.meta["turn_labels"][::2] == ["__needs_caution__", "__needs_caution__", "__casual__"]


def test_prosocial_parts_and_gaps():
    alone = {"dialogue_id": None, "response_id": None}
    opening, pair = readings(
        "prosocial_dialog", rows.prosocial_dialog(response=None, **alone), rows.prosocial_dialog(**alone)
    )
    assert turn_id(opening.dialogues[0], 1) == "prosocial_dialog_context:0:1" and len(opening.dialogues[0].turns) == 1
    assert turn_id(pair.dialogues[0], 1) == "prosocial_dialog_partial:1:1"
    gap = why("prosocial_dialog", rows.prosocial_dialog(0), rows.prosocial_dialog(2))
    assert gap == "`response_id` doesn't count from 0 without a gap"
    hole = why("prosocial_dialog", rows.prosocial_dialog(0, response=""), rows.prosocial_dialog(1))
    assert hole == "`response` is null or empty within a dialogue"


def test_empathetic_dialogues_commas():
    dialogue = one("empathetic_dialogues", *[rows.empathetic_dialogues(n) for n in (1, 2, 3, 4)])
    assert dialogue.id == "hit:1_conv:2" and turn_id(dialogue, 3) == "empathetic_dialogues:hit:1_conv:2:3"
    assert dialogue.social_context == "Speaker A feels annoyed. Situation: The lift stuck, twice"
    assert said(dialogue) == [
        "Speaker A: Today, as I left, the lift stuck.",
        "Speaker B: Oh no, again?",
        "Speaker A: It cost me 1,000,",
        "Speaker B: Ouch.",
    ]


def test_empathetic_dialogues_speakers_and_gaps():
    workers = [rows.empathetic_dialogues(n, speaker_idx=idx) for n, idx in ((1, 84), (2, 84), (3, 12), (4, 84))]
    assert [turn.speaker[-1] for turn in one("empathetic_dialogues", *workers).turns] == ["A", "A", "B", "A"]
    other = rows.empathetic_dialogues(1, conv_id="hit:1_conv:3")
    first, second = readings("empathetic_dialogues", rows.empathetic_dialogues(1), rows.empathetic_dialogues(3), other)
    assert first.reasons == ["`utterance_idx` doesn't count from 1 without a gap"] and first.rows == 2
    assert second.dialogues[0].id == "hit:1_conv:3" and second.line == 3


def test_wizard_of_wikipedia_when_the_wizard_opens():
    dialogue = one("wizard_of_wikipedia", rows.wizard_of_wikipedia())
    assert said(dialogue) == [
        "Speaker B: Bees dance to tell the way.",
        "Speaker A: Really? How?",
        "Speaker B: In figures of eight.",
        "Speaker A: Neat.",
    ]
    assert dialogue.id == "0" and dialogue.meta["hub_dialogue_id"] == "wizard_of_wikipedia--train--9"
    assert dialogue.social_context == (
        "The topic is Beekeeping. It was chosen to go with this line of a persona: i keep bees. "
        "Speaker A is curious; Speaker B can look things up and likes to share what it knows."
    )
    authors = one("wizard_of_wikipedia", rows.wizard_of_wikipedia_authors())
    assert said(authors) == ["Speaker B: Bees dance to tell the way.", "Speaker A: Really?"]
    unknown = rows.wizard_of_wikipedia(**{"original dialog info": '{"chosen_topic": null}'})
    assert one("wizard_of_wikipedia", unknown).social_context.startswith("Speaker A is curious")
    assert why("wizard_of_wikipedia", rows.wizard_of_wikipedia(log=None)) == "neither `log` nor `dialog`"
    broken = rows.wizard_of_wikipedia(**{"original dialog info": "{"})
    assert why("wizard_of_wikipedia", broken) == "`original dialog info` isn't JSON"


def test_multiwoz_services_come_from_the_frames_where_none_are_listed():
    dialogue = one("multiwoz22", rows.multiwoz22())
    assert dialogue.social_context.endswith("It is about: police, taxi.") and dialogue.id == "SNG1.json"
    assert said(dialogue)[1] == "Speaker B: In Parkside. Your reference is AB12CD3 ."
    assert one("multiwoz22", rows.multiwoz22(services=["hotel"])).social_context.endswith("It is about: hotel.")
    turns = {"speaker": [0], "utterance": ["Hi"], "frames": None}
    assert "about" not in one("multiwoz22", rows.multiwoz22(services=None, turns=turns)).social_context
    lame = {"speaker": [0], "utterance": ["Hi", "Ho"]}
    assert why("multiwoz22", rows.multiwoz22(turns=lame)) == "`turns.utterance` and `turns.speaker` differ in length"


def test_casino_puts_buttons_into_words():
    dialogue = one("casino", rows.casino())
    assert said(dialogue) == [
        "Speaker B: I'd like the wood 🙂",
        "Speaker B: All of it.",
        "Speaker A: Fine.",
        "Speaker B: I propose this deal: I get 3 firewood and 1 food, you get 3 water and 2 food.",
        "Speaker A: I reject the deal.",
        "Speaker B: I propose a deal.",
        "Speaker A: I accept the deal.",
        "Speaker A: I walk away from the negotiation.",
    ]
    assert dialogue.meta["turn_labels"] == ["self-need,small-talk", "non-strategic", "x", *[None] * 5]
    assert dialogue.social_context == (
        "Two campers negotiate over packages of food, water and firewood. "
        "Speaker A is an 18-year-old female (trade school). "
        "Wants most Food (nights are cold.), then Food (we eat a lot), least Water (a lake is near). "
        "Speaker B is a 31-year-old female (trade school). "
        "Wants most Firewood (nights are cold.), then Food (we eat a lot), least Water (a lake is near)."
    )


def test_casino_with_little_known():
    nothing = one("casino", rows.casino(participant_info=None, annotations=None))
    assert nothing.social_context == "Two campers negotiate over packages of food, water and firewood."
    assert "turn_labels" not in nothing.meta
    row = rows.casino()
    del row["participant_info"]["mturk_agent_1"]["demographics"]
    assert "Speaker A: Wants most Food" in one("casino", row).social_context
    row["chat_logs"][0]["id"] = "mturk_agent_3"
    assert why("casino", row) == "a `chat_logs.id` that is neither mturk_agent_1 nor mturk_agent_2"


def test_persuasion_for_good():
    dialogue = one("persuasion_for_good", *[rows.persuasion_for_good(n) for n in range(4)])
    assert said(dialogue)[:2] == ["Speaker A: Would you give something?", "Speaker B: To whom?"]
    assert dialogue.id == "20180101_1_live" and dialogue.social_context.startswith(
        "Speaker A tries to persuade Speaker B"
    )
    lost = why("persuasion_for_good", rows.persuasion_for_good(0), rows.persuasion_for_good(2))
    assert lost == "`Unnamed: 0` doesn't count from 0 without a gap"
    assert "B4" in why("persuasion_for_good", rows.persuasion_for_good(0, B4=None))


def test_pearl():
    dialogue = one("pearl", rows.pearl())
    assert said(dialogue) == ["Seeker: Any film tonight?", "Recommender: A quiet one: 'The Kiln'.", "Seeker: Sold."]
    assert dialogue.social_context.endswith("What Seeker wrote of films before:\n[Like]\nSlow films.")
    assert (
        one("pearl", rows.pearl(user_persona=None)).social_context
        == "Seeker looks for a film to watch, Recommender knows films."
    )
    assert "without `Seeker:`" in why("pearl", rows.pearl(dialogue=["Hello."]))


def test_syn_persona_chat():
    dialogue = one("syn_persona_chat", rows.syn_persona_chat())
    assert said(dialogue) == [
        "User 1: Hi, I'm [User 1's name].",
        "User 2: Hello (user 2 name)!",
        "User 1: You bake?",
        "User 2: Yes.",
    ]
    assert dialogue.meta["placeholders"] == 2
    assert dialogue.social_context == (
        "User 1's persona:\n- I bake bread.\n- I own a kiln.\nUser 2's persona:\n- I am a diver."
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["*User 1:* Hi!", "*User 2:* Ho!"], ["User 1: Hi!", "User 2: Ho!"]),
        (["* User 1: Hi! *", "* User 2: 2 * 3 *"], ["User 1: Hi!", "User 2: 2 * 3"]),
        (["* * User 1: * * Hi!", "* * *", "User 1: Again."], ["User 1: Hi!", "User 1: Again."]),
        (["User 1: Take", "Salt", "", "2 eggs", "User 2: Thanks"], ["User 1: Take Salt 2 eggs", "User 2: Thanks"]),
        (
            ["User 1: Bye", "[Later]", "User 2: (waves) Hi", "*leaves*"],
            ["User 1: Bye", "User 2: [Later] (waves) Hi *leaves*"],
        ),
        (["User 1: This is Ole.", "Ole: Hello.", "Note: x"], ["User 1: This is Ole.", "Ole: Hello. Note: x"]),
        (["User 1: Bye", "User 1 Profiles: {I bake.", "I am x."], ["User 1: Bye"]),
        (["User 1: Bye", "End of conversation."], ["User 1: Bye"]),
    ],
)
def test_syn_persona_chat_lines(lines, expected):
    assert said(one("syn_persona_chat", rows.syn_persona_chat(lines))) == expected


def test_syn_persona_chat_reasons():
    assert why("syn_persona_chat", rows.syn_persona_chat([])) == "`Best Generated Conversation` is empty"
    assert "words of nobody" in why("syn_persona_chat", rows.syn_persona_chat(["Hi!", "User 1: Ho!"]))
    assert "names no speaker" in why("syn_persona_chat", rows.syn_persona_chat(["Hi!", "Ho!"]))
    opened = one("syn_persona_chat", rows.syn_persona_chat(["Hi!", "I dive.", "User 2: Ho!"]))
    assert said(opened) == ["User 1: Hi! I dive.", "User 2: Ho!"]


def test_cactus():
    dialogue = one("cactus", rows.cactus())
    assert said(dialogue) == [
        "Counselor: Welcome, Ada.",
        "Client: (sighs) I can’t sleep.",
        "Counselor: Since when?",
        "Client: Since May.",
    ]
    assert dialogue.social_context == (
        "A counselling session. The client's attitude is negative.\nClient intake form:\n"
        "Name: Ada Krol\nAge: 45\nGender: female\nOccupation: Potter\n\n2. Presenting Problem\nI lie awake."
    )
    assert dialogue.meta["technique"] == "Decatastrophizing" and "part" not in dialogue.meta


def test_cactus_openings_and_oddities():
    opening = one("cactus", rows.cactus(["Counselor: ** Good.", "", "**Client:** Thanks"], intake_form=None))
    assert said(opening) == ["Counselor: Good.", "Client: Thanks"] and turn_id(opening, 2) == "cactus_context:0:2"
    assert opening.social_context.endswith("The thought that troubles the client: I will never sleep again.")
    more = one("cactus", rows.cactus(["Client: One", "two", "Counsellor: Three"]))
    assert said(more) == ["Client: One two", "Counselor: Three"]
    assert "doesn't begin with" in why("cactus", rows.cactus(["Hello.", "Client: Hi"]))
    assert why("cactus", rows.cactus([])) == "`dialogue` is empty"


def test_stark_local_json():
    (reading,) = readings("stark", rows.stark_local())
    first, second = reading.dialogues
    assert [first.id, second.id] == ["0:5-xWant:session1", "0:5-xWant:session2"]
    assert said(second) == ["Lena: Boat 2 is done.", "AI: Show me!", "Lena: [Sharing Image] a blue boat 2"]
    assert second.turns[2].image == "a blue boat 2" and second.turns[2].text == ""
    assert second.social_context == (
        "Lena is a 29-year-old female. Born in Riga. Lives in Oslo. Lena says: I paint boats.\n"
        "What happened in earlier sessions, oldest first:\n- Lena paints boat 1.\n"
        "This is session 2 of 2, on 2023.02.10. Time since the last session: 1 month. "
        "What it is about: Lena paints boat 2."
    )


def test_stark_hub_columns_say_the_same():
    (local,), (hub,) = readings("stark", rows.stark_local()), readings("stark", rows.stark_hub())
    assert [d.id for d in hub.dialogues] == [d.id for d in local.dialogues]
    assert [d.social_context for d in hub.dialogues] == [d.social_context for d in local.dialogues]
    spelt = [[line.replace("Lena:", "Léna:") for line in said(d)] for d in local.dialogues]
    assert [said(d) for d in hub.dialogues] == spelt


def test_stark_reasons():
    (reading,) = readings(
        "stark", rows.stark_hub(**{"session1:speakers": '["Lena"]', "session2:utterances": "[broken"})
    )
    assert reading.dialogues == [] and reading.reasons == [
        "`sessionN:utterances`, `:speakers` and `:image_descriptions` differ in length",
        "`sessionN:utterances` isn't JSON",
    ]
    assert "isn't null" in why("stark", {"name": "Lena"})


def test_esconv_shapes():
    plain = one("esconv", rows.esconv())
    assert said(plain) == ["Seeker: Hello", "Seeker: I'm worried", "Supporter: What happened?"]
    assert plain.meta["turn_labels"] == [None, None, "Question"]
    assert plain.social_context == (
        "Seeker looks for emotional support and Supporter tries to give it. Seeker's feeling: anxiety. "
        "Problem: job crisis. Situation: My kiln broke and orders wait."
    )
    assert one("esconv", {"text": json.dumps(rows.esconv())}) == plain
    failed = one("esconv", rows.esconv_failed())
    assert said(failed) == ["Seeker: Hey", "Supporter: hi", "Seeker: bye"]
    assert failed.meta["turn_labels"] == [None, "Other", None]
    assert "Problem: job crisis (Previous Experience)." in failed.social_context
    assert why("esconv", {"text": "{"}) == "`text` isn't JSON"


def test_blended_skill_talk():
    dialogue = one("blended_skill_talk", rows.blended_skill_talk())
    assert said(dialogue) == [
        "Speaker A: I love the sea.",
        "Speaker B: So do I.",
        "Speaker A: Do you dive?",
        "Speaker B: Every week.",
        "Speaker A: Where?",
        "Speaker B: Off Malta.",
    ]
    assert dialogue.meta["turn_labels"] == [None, None, None, "convai2", None, None]  # a blank is no choice
    assert dialogue.social_context.endswith(
        "They begin with: Scuba\nSpeaker B's persona:\n- i dive.\n- i own two cats."
    )
    unlabelled = one(
        "blended_skill_talk", rows.blended_skill_talk(guided_chosen_suggestions=None, additional_context=None)
    )
    assert "turn_labels" not in unlabelled.meta and "begin" not in unlabelled.social_context
    longer = one("blended_skill_talk", rows.blended_skill_talk(free_messages=["Do you dive?", "Where?", "Fine."]))
    assert said(longer)[-1] == "Speaker A: Fine."


def test_photochat_goes_by_user_and_shares_a_picture():
    dialogue = one("photochat", rows.photochat())
    assert said(dialogue) == [
        "Speaker B: HI",
        "Speaker A: hi",
        "Speaker A: fired the kiln",
        "Speaker A: [Sharing Image] Objects in the photo: Kiln, Vase",
        "Speaker B: wow",
    ]
    assert dialogue.turns[3].image == "Objects in the photo: Kiln, Vase" and dialogue.id == "4"
    assert one("photochat", rows.photochat(photo_description=None)).turns[3].image == "a photo"


def test_daily_dialog_spacing():
    dialogue = one("daily_dialog", rows.daily_dialog())
    assert said(dialogue) == [
        "Speaker A: Hey man, you wanna buy a vase?",
        "Speaker B: I didn’t bring money.",
        "Speaker A: It's free (today)!",
    ]
    assert dialogue.meta["turn_labels"] == [None, "sadness", None]
    assert dialogue.meta["acts"] == ["directive", "inform", "commissive"]
    assert why("daily_dialog", rows.daily_dialog(emotion=[0])) == "`emotion` and `dialog` differ in length"
    assert why("daily_dialog", rows.daily_dialog(act=[1, 2, 9])) == "a number in `act` that stands for nothing"


def test_labels_stay_with_their_turns_when_empty_ones_go():
    row = rows.esconv()
    row["dialog"].insert(0, {"speaker": "usr", "text": "  "})
    dialogue = one("esconv", row)
    assert dialogue.meta["turn_labels"] == [None, None, "Question"] and dialogue.meta["empty_turns"] == 1


def test_rows_that_are_no_rows():
    raw = [RawRow(1, "0", error="not JSON"), RawRow(2, "1", rows.photochat())]
    bad, good = read_source(find_source("photochat"), raw)
    assert bad.reasons == ["not JSON"] and bad.line == 1 and len(good.dialogues) == 1


def test_registry():
    assert len(SOURCES) == 16
    with pytest.raises(ThanosError, match="did you mean 'syn_persona_chat'"):
        find_source("syn-persona-chat")


def test_rows_and_ids_go_there_and_back():
    dialogue = one("photochat", rows.photochat())
    assert dialogue_from_row(json.loads(json.dumps(dialogue_row(dialogue)))) == dialogue
    assert turn_key({"source": "photochat", "id": turn_id(dialogue, 3)}) == ("photochat", "4", 3)
    assert turn_key({"source": "x", "id": "x_context:hit:0_conv:1:12"}) == ("x", "hit:0_conv:1", 12)
    with pytest.raises(ThanosError, match="expected <source>:<dialogue id>:<turn>"):
        turn_key({"source": "x", "id": "x:1"})
