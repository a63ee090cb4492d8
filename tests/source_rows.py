"""Rows in the shape of each set's release, with words of our own; oddities of the real ones included."""

import json


def soda(**changes):
    return {
        "head": "PersonX borrows PersonY's ladder",
        "relation": "xWant",
        "tail": "to return it",
        "literal": "Mira wants to return it. Mira borrows Odo's ladder.",
        "narrative": "Mira borrowed Odo's ladder for a day and kept it for a month.",
        "dialogue": [
            "Odo, I still have your ladder.",
            '(laughs) I know. My roof knows it too."',
            "I'll bring it tonight.",
        ],
        "speakers": ["Mira", "Neighbour", "Mira"],
        "PersonX": "Mira",
        "PersonY": "",
        "PersonZ": "",
        "original_index": 4711,
        "split": "train",
    } | changes


def conversation_chronicles(**changes):
    names = ("first", "second", "third", "fourth", "fifth")
    row = {
        "dataID": "episode-7",
        "relationship": "Neighbors",
        "time_interval": ["Start", "A few days after", "A week after", "A month after", "A couple of years after"],
        "summary": [f"Summary of session {n}." for n in range(1, 6)],
    }
    for name in names:
        row[f"{name}_session_dialogue"] = [", look who is here!", "*waves* Hello. ", "Come in."]
        row[f"{name}_session_speakers"] = ["Neighbors A", "Neighbors B", "Neighbors A"]
    return row | changes


def prosocial_dialog(n=0, **changes):
    return {
        "context": f"I will do bad thing {n}.",
        "response": f"Why would you do {n}?",
        "rots": [f"It's wrong to do {n}."],
        "safety_label": "__needs_caution__",
        "dialogue_id": 3,
        "response_id": n,
        "episode_done": False,
    } | changes


def empathetic_dialogues(n=1, **changes):
    said = [
        "Today_comma_as I left_comma_ the lift stuck.",
        "Oh no _comma_ again?",
        "It cost me 1_comma_000_comma_",
        "Ouch.",
    ]
    return {
        "conv_id": "hit:1_conv:2",
        "utterance_idx": n,
        "context": "annoyed",
        "prompt": "The lift stuck_comma_ twice",
        "speaker_idx": None,
        "utterance": said[n - 1],
        "selfeval": None,
        "tags": None,
    } | changes


def wizard_of_wikipedia(**changes):
    pair = lambda user, system: {"user utterance": user, "system response": system}
    return {
        "original dialog id": "",
        "new dialog id": "wizard_of_wikipedia--train--9",
        "original dialog info": json.dumps({"chosen_topic": "Beekeeping", "persona": "i keep bees."}),
        "log": [
            pair("", "Bees dance to tell the way. "),
            pair(" Really?  How?", "In figures of eight."),
            pair("Neat.", ""),
        ],
    } | changes


def wizard_of_wikipedia_authors(**changes):
    said = (("0_Wizard", "Bees dance to tell the way."), ("1_Apprentice", "Really?"))
    turns = [{"speaker": who, "text": words, "checked_sentence": None} for who, words in said]
    return {"chosen_topic": "Beekeeping", "persona": None, "dialog": turns} | changes


def multiwoz22(**changes):
    frame = lambda service: {"service": [service], "state": [{"active_intent": f"find_{service}"}]}
    return {
        "dialogue_id": "SNG1.json",
        "services": [],
        "turns": {
            "turn_id": ["0", "1"],
            "speaker": [0, 1],
            "utterance": ["I was robbed, where are the police?", "In Parkside. Your reference is AB12CD3 ."],
            "frames": [frame("police"), None, frame("taxi"), frame("police")],
        },
    } | changes


NO_DEAL = {"Firewood": "", "Water": "", "Food": ""}


def casino(**changes):
    say = lambda who, words, mine=NO_DEAL, yours=NO_DEAL: {
        "text": words,
        "task_data": {"data": "", "issue2youget": mine, "issue2theyget": yours},
        "id": f"mturk_agent_{who}",
    }
    agent = lambda age, high: {
        "value2issue": {"Low": "Water", "Medium": "Food", "High": high},
        "value2reason": {"Low": "a lake is near", "Medium": "we eat a lot", "High": "nights are cold."},
        "demographics": {"age": age, "gender": "female", "ethnicity": "x", "education": "trade school"},
    }
    deal = ({"Firewood": "3", "Water": "0", "Food": "1"}, {"Firewood": "0", "Water": "3", "Food": "2"})
    return {
        "chat_logs": [
            say(2, "I'd like the wood 🙂"),
            say(2, "All of it."),
            say(1, "Fine."),
            say(2, "Submit-Deal", *deal),
            say(1, "Reject-Deal"),
            say(2, "Submit-Deal"),
            say(1, "Accept-Deal"),
            say(1, "Walk-Away"),
        ],
        "participant_info": {"mturk_agent_1": agent(18, "Food"), "mturk_agent_2": agent(31, "Firewood")},
        "annotations": [
            ["I'd like the wood 🙂", "self-need,small-talk"],
            ["All of it.", "non-strategic"],
            ["Fine.", "x"],
        ],
    } | changes


def persuasion_for_good(n=0, **changes):
    said = ["Would you give something? ", " To whom?", "To children.", "A dollar."]
    return {"Unnamed: 0": n, "Unit": said[n], "Turn": n // 2, "B4": n % 2, "B2": "20180101_1_live"} | changes


def pearl(**changes):
    said = ["Seeker: Any film tonight?", "", "Recommender: A quiet one: 'The Kiln'.", "Seeker: Sold."]
    return {
        "user_persona": "[Like]\nSlow films.",
        "dialogue": said,
        "gt_movie_title": "The Kiln",
        "data_id": 12,
    } | changes


def syn_persona_chat(said=None, **changes):
    words = [
        "User 1: Hi, I'm [User 1's name].",
        "",
        "User 2: Hello (user 2 name)!",
        "User 1: You bake?",
        "User 2: Yes.",
    ]
    return {
        "user 1 personas": "I bake bread.\nI own a kiln.",
        "user 2 personas": "I am a diver.",
        "Best Generated Conversation": "\n".join(words if said is None else said),
    } | changes


def cactus(said=None, **changes):
    words = [
        "Counselor: Welcome, Ada.",
        "Client (sighs): I can’t sleep.",
        "Counselor:Since when?",
        "**Client:** Since May.",
    ]
    form = "Name:\nAda Krol\nAge:\n45\nGender:\nfemale\nOccupation: Potter\n\n2. Presenting Problem\nI lie awake."
    return {
        "thought": "I will never sleep again",
        "patterns": ["fortune-telling"],
        "intake_form": form,
        "cbt_technique": "Decatastrophizing",
        "cbt_plan": "1. Ask.",
        "attitude": "negative",
        "dialogue": "\n".join(words if said is None else said),
    } | changes


def stark_local(**changes):
    row = {
        "unique_id": "0:5-xWant",
        "name": "Lena",
        "age": 29,
        "gender": "female",
        "residence": "Oslo",
        "birthplace": "Riga",
    }
    row |= {"persona_sentence": "I paint boats."}
    for n in (1, 2):
        row |= {
            f"session{n}:date": f"2023.0{n}.10",
            f"session{n}:event": f"Lena paints boat {n}.",
            f"session{n}:experience": "",
            f"session{n}:time_interval": "" if n == 1 else "1 month",
            f"session{n}:speaker": ["Lena", "AI", "Lena"],
            f"session{n}:utterance": [f"Boat {n} is done.", "Show me!", ""],
            f"session{n}:image_description": ["", "", f"a blue boat {n}"],
        }
    return row | changes


def stark_hub(**changes):
    """The same episode as the hub's Parquet has it: plural names, lists as JSON text, letters escaped twice."""
    row = {"index": "0:5-xWant"}
    for key, value in stark_local().items():
        head, _, name = key.rpartition(":")
        if isinstance(value, list):
            text = json.dumps(value).replace("Lena", "L\\\\u00e9na") if name == "speaker" else json.dumps(value)
            row[f"{head}:{name}s"] = text
        elif key != "unique_id":
            row[key] = value
    return row | {"session3:utterances": None, "session3:speakers": None} | changes


def esconv(**changes):
    say = lambda who, words, **more: {"speaker": who, "text": words, **more}
    return {
        "experience_type": None,
        "emotion_type": "anxiety",
        "problem_type": "job crisis",
        "situation": "My kiln broke and orders wait.",
        "dialog": [
            say("usr", "Hello"),
            say("usr", "I'm worried"),
            say("sys", "What happened?", strategy="Question"),
        ],
    } | changes


def esconv_failed(**changes):
    say = lambda who, words, **notes: {"speaker": who, "annotation": notes, "content": words}
    said = [say("speaker", "Hey\n"), say("listener", "hi", strategy="Other"), say("speaker", "bye", feedback="1")]
    return esconv(experience_type="Previous Experience", dialog=said) | changes


def blended_skill_talk(**changes):
    return {
        "personas": ["i dive.", "i own two cats."],
        "additional_context": "Scuba",
        "previous_utterance": ["I love the sea.", "So do I."],
        "context": "wizard_of_wikipedia",
        "free_messages": ["Do you dive?", "Where?"],
        "guided_messages": ["Every week.", "Off Malta."],
        "guided_chosen_suggestions": ["convai2", " "],
    } | changes


def photochat(**changes):
    say = lambda who, words, photo=False: {"message": words, "share_photo": photo, "user_id": who}
    return {
        "photo_id": "train/1",
        "photo_description": "Objects in the photo: Kiln, Vase",
        "dialogue_id": 4,
        "dialogue": [say(1, "HI"), say(0, "hi"), say(0, "fired the kiln"), say(0, "", True), say(1, "wow")],
    } | changes


def daily_dialog(**changes):
    said = ["Hey man , you wanna buy a vase ? ", " I didn ’ t bring money . ", " It's free ( today ) ! "]
    return {"dialog": said, "act": [3, 1, 4], "emotion": [0, 5, 0]} | changes
