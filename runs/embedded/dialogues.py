"""Whole dialogues out of the source files, in the words and with the social contexts of the annotated rows.

`all_turns(folder)` gives one unlabelled row for every turn that has at least a little dialogue before it. The rows have
the form of the annotated ones, less the labels: their ids say where they come from, so what was annotated, and above
all what was set aside for validation, can be told from the rest.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

KEEP_WORDS = 420
"""Longer dialogues keep their last words, as in the annotated rows."""

A, B = "Speaker A", "Speaker B"

INTAKE_WORDS = 160
"""Of a counselling client's intake form, as in the annotated rows."""

Told = tuple[str, str, list[tuple[str, str]]]
"""Dialogue id, social context, turns as (speaker, text)."""


def all_turns(folder: Path) -> Iterator[dict]:
    """A row for each turn of each dialogue that answers someone; its response is known.

    Args:
        folder: Holds the .jsonl files of the sources.
    """
    for name, (file, read) in SOURCES.items():
        from_turn = 1 if name == "empathetic_dialogues" else 2  # its dialogues have but four turns
        for dialogue, context, turns in read(_lines(folder / f"{file}.jsonl")):
            turns = [(speaker, clean) for speaker, text in turns if (clean := _clean(text))]
            for i in range(from_turn, len(turns)):
                if turns[i][0] == turns[i - 1][0] and name != "photochat":
                    continue  # annotated responses answer someone else, but for pictures and words on them
                yield row(name, dialogue, context, turns, i)


def openings(folder: Path) -> Iterator[dict]:
    """Rows of dialogues of which only the opening was to be had, so that no response is known."""
    context = "Two people chat online. Speaker B cares about keeping the conversation kind, honest and safe."
    for n, r in enumerate(_lines(folder / "prosocial_dialog_partial.jsonl")):
        if r["response"] is None:
            yield row("prosocial_context", str(n), context, [(A, _clean(r["context"])), (B, "")], 1)
    for n, r in enumerate(_lines(folder / "cactus_partial.jsonl")):
        turns = re.findall(r"^(Counselor|Client): *(.*)$", r["dialogue"], re.M)
        if r["intake_form"] and [speaker for speaker, _ in turns] == ["Counselor", "Client"]:
            form = " ".join(r["intake_form"].split()[:INTAKE_WORDS])
            context = f"A counselling session. The client's attitude is {r['attitude']}. Client intake form:\n{form}"
            yield row("cactus_context", str(n), context, [(s, _clean(t)) for s, t in turns] + [("Counselor", "")], 2)


def row(source: str, dialogue: str, context: str, turns: list[tuple[str, str]], i: int) -> dict:
    """The unlabelled row whose response is turn i."""
    as_turn = lambda turn: {"speaker": turn[0], "text": turn[1]}
    response = as_turn(turns[i]) if turns[i][1] else None
    return {
        "id": f"{source}:{dialogue}:{i}",
        "source": source,
        "social_context": context,
        "dialogue": [as_turn(turn) for turn in _last_words(turns[:i])],
        "speaker": turns[i][0],
        "response": response,
    }


def _empathetic(rows: Iterator[dict]) -> Iterator[Told]:
    dialogues = defaultdict(list)
    for r in rows:
        dialogues[r["conv_id"]].append(r)
    for key, turns in dialogues.items():
        context = f"Speaker A feels {turns[0]['context']}. Situation: {_commas(turns[0]['prompt'])}"
        yield key, context, [((B, A)[int(r["utterance_idx"]) % 2], _commas(r["utterance"])) for r in turns]


def _syn_persona(rows: Iterator[dict]) -> Iterator[Told]:
    for n, r in enumerate(rows):
        persona = [
            f"User {who}'s persona:"
            + "".join(f"\n- {line.strip()}" for line in r[f"user {who} personas"].split("\n") if line)
            for who in (1, 2)
        ]
        context = "\n".join(persona)
        turns = [m.groups() for m in re.finditer(r"^(User [12]): *(.*)$", r["Best Generated Conversation"], re.M)]
        yield str(n), context, turns


def _wizard(rows: Iterator[dict]) -> Iterator[Told]:
    for n, r in enumerate(rows):
        topic = f"The topic is {r['chosen_topic']}. " if r["chosen_topic"] else ""
        context = topic + "Speaker A is curious; Speaker B can look things up and likes to share what it knows."
        yield str(n), context, [(B if "Wizard" in t["speaker"] else A, t["text"]) for t in r["dialog"]]


def _multiwoz(rows: Iterator[dict]) -> Iterator[Told]:
    context = "Speaker A asks for help with a visit to Cambridge; Speaker B is the booking assistant."
    for r in rows:
        said = zip(r["turns"]["speaker"], r["turns"]["utterance"], strict=True)
        yield r["dialogue_id"], context, [((A, B)[speaker], text) for speaker, text in said]


def _persuasion(rows: Iterator[dict]) -> Iterator[Told]:
    context = "Speaker A tries to persuade Speaker B to donate to the charity Save the Children."
    dialogues = defaultdict(list)
    for r in rows:
        dialogues[r["B2"]].append(r)
    for key, turns in dialogues.items():
        yield key, context, [((A, B)[r["B4"]], r["Unit"]) for r in turns]


def _casino(rows: Iterator[dict]) -> Iterator[Told]:
    names = {"mturk_agent_1": A, "mturk_agent_2": B}
    moves = {"Submit-Deal", "Accept-Deal", "Reject-Deal", "Walk-Away"}
    for n, r in enumerate(rows):
        context = "Two campers negotiate over packages of food, water and firewood."
        for agent, name in names.items():
            info = r["participant_info"][agent]
            who, want, why = info["demographics"], info["value2issue"], info["value2reason"]
            context += f" {name} is a {who['age']}-year-old {who['gender']} ({who['education']}). Wants most"
            context += f" {want['High']} ({why['High']}), then {want['Medium']} ({why['Medium']}),"
            context += f" least {want['Low']} ({why['Low']})."
        yield str(n), context, [(names[t["id"]], t["text"]) for t in r["chat_logs"] if t["text"] not in moves]


def _soda(rows: Iterator[dict]) -> Iterator[Told]:
    for r in rows:
        turns = [((A, B)[i % 2], text) for i, text in enumerate(r["dialogue"])]
        yield r["_source_id"], "Two people are talking in an everyday situation.", turns


def _chronicles(rows: Iterator[dict]) -> Iterator[Told]:
    context = "Two people who know each other well talk again; they have met several times before."
    for r in rows:
        turns = list(zip(r["fifth_session_speakers"], r["fifth_session_dialogue"], strict=False))
        yield f"{r['dataID']}:session5", context, turns


def _photochat(rows: Iterator[dict]) -> Iterator[Told]:
    for r in rows:
        shown = f"[Sharing Image] {r['photo_description']}"
        turns = [((A, B)[t["user_id"]], shown if t["share_photo"] else t["message"]) for t in r["dialogue"]]
        yield str(r["dialogue_id"]), "Two friends chat online and may share photos.", turns


def _daily(rows: Iterator[dict]) -> Iterator[Told]:
    for n, r in enumerate(rows):
        turns = [((A, B)[i % 2], re.sub(r" ([.,!?;:’'])", r"\1", text)) for i, text in enumerate(r["dialog"])]
        yield str(n), "Two people are talking in an everyday situation.", turns


def _blended(rows: Iterator[dict]) -> Iterator[Told]:
    for n, r in enumerate(rows):
        pairs = zip(r["free_messages"], r["guided_messages"], strict=False)
        said = r["previous_utterance"] + [text for pair in pairs for text in pair]
        context = "\n".join(f"{who}'s persona:\n- {line}" for who, line in zip((A, B), r["personas"], strict=False))
        yield str(n), context, [((A, B)[i % 2], text) for i, text in enumerate(said)]


def _esconv(rows: Iterator[dict]) -> Iterator[Told]:
    for n, r in enumerate(rows):
        context = f"Speaker A feels {r['emotion_type']}; Speaker B is a supporter. Situation: {r['situation']}"
        turns: list[tuple[str, str]] = []
        for t in r["dialog"]:
            speaker = B if t["speaker"] == "sys" else A
            if turns and turns[-1][0] == speaker:
                turns[-1] = (speaker, f"{turns[-1][1]} {t['text']}")
            else:
                turns.append((speaker, t["text"]))
        yield str(n), context, turns


SOURCES = {
    "empathetic_dialogues": ("empathetic_dialogues", _empathetic),
    "syn_persona_chat": ("syn_persona_chat", _syn_persona),
    "wizard_of_wikipedia": ("wizard_of_wikipedia_parlai", _wizard),
    "multiwoz22": ("multiwoz22", _multiwoz),
    "persuasion_for_good": ("persuasion_for_good", _persuasion),
    "casino": ("casino", _casino),
    "soda_partial": ("soda_partial", _soda),
    "conversation_chronicles": ("conversation_chronicles", _chronicles),
    "photochat": ("photochat", _photochat),
    "daily_dialog": ("daily_dialog", _daily),
    "blended_skill_talk": ("blended_skill_talk", _blended),
    "esconv": ("esconv", _esconv),
}
"""Name in the ids -> (file, reader)."""


def _lines(file: Path) -> Iterator[dict]:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _commas(text: str) -> str:
    return text.replace("_comma_", ",")


def _clean(text: str) -> str:
    return " ".join(text.split())


def _last_words(turns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    kept, words = [], 0
    for speaker, text in reversed(turns):
        words += len(text.split())
        if kept and words > KEEP_WORDS:
            break
        kept.append((speaker, text))
    return kept[::-1]
