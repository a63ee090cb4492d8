"""Stage 1: make the base's weights and the token data that the other stages read.

    python prepare.py base --gguf SmolLM2-135M-Instruct.Q4_1.gguf --out work        # work/base.safetensors, tokenizer
    python prepare.py data --shared ../../shared --out work                         # work/data.npz, work/rows.jsonl

`base` undoes the quantisation of the weights that a Python package ships, so that they can be tuned. `data` turns each
row into the very token ids that the engines send (`thanos` prompt and chat template), less the beginning that all rows
share, which the model reads once a batch.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DEV_PERCENT = 18
"""Of the training dialogues, set aside for choosing among recipes. Validation is for the report alone."""

SETS = ("gold", "dev", "validation", "original", "unlabelled")
END = "<|im_end|>"

UNLABELLED_AT_MOST = {
    "empathetic_dialogues": 8000, "syn_persona_chat": 8000, "persuasion_for_good": 5000, "multiwoz22": 5500,
    "casino": 4000, "wizard_of_wikipedia": 8000, "soda_partial": 2000, "conversation_chronicles": 2000,
    "photochat": 600, "prosocial_context": 1500, "cactus_context": 450,
    "daily_dialog": 1500, "blended_skill_talk": 2000, "esconv": 1500,
}  # fmt: skip
"""Turns a source, near the mix of the annotated rows as far as the sources go; the last three are of other kinds."""

LONGEST_PROMPT = 900
"""Tokens; unlabelled rows beyond it are left out."""


@dataclass
class Row:
    """One turn, tokenised."""

    id: str
    set: str
    source: str
    prompt: list[int]
    """From the social context to the assistant's header; the shared beginning is not repeated."""
    response: list[int]
    """`Speaker: text` of the true next turn and the end token; empty if it isn't known."""
    completion: list[int]
    """`skill`, a line break, `explanation [RESULT SKILL] skill` and the end token; empty if unlabelled."""
    skill: int = -1
    also: int = -1
    longest: bool = False
    """Of its dialogue's unlabelled rows, so that it holds the whole dialogue."""


def make_base(gguf: Path, out: Path) -> None:
    """Dequantise to bfloat16 safetensors and save the tokenizer beside them."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    from thanos.engines.hf.load import gguf_tokenizer

    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    state = {k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    out.mkdir(parents=True, exist_ok=True)
    save_file(state, out / "base.safetensors")
    gguf_tokenizer(gguf).save_pretrained(out / "tokenizer")
    print(f"base: {sum(v.numel() for v in state.values()) / 1e6:.1f} M parameters")


def make_data(shared: Path, out: Path) -> None:
    from dialogues import all_turns, openings
    from transformers import AutoTokenizer

    from thanos.skills import Skill

    tokenizer = AutoTokenizer.from_pretrained(out / "tokenizer")
    skills = [skill.value for skill in Skill]
    data = shared / "data"
    rows, dialogues = [], {}
    for file, name in (("annotated/train", "gold"), ("annotated/validation", "validation"), ("original", "original")):
        for line in (data / f"{file}.jsonl").open(encoding="utf-8"):
            row = json.loads(line)
            which = "dev" if name == "gold" and _share(row["id"].rsplit(":", 1)[0]) < DEV_PERCENT else name
            dialogues[row["id"]] = row
            rows.append(tokenise(row, which, tokenizer, skills))
    held_out = [dialogues[r.id] for r in rows if r.set in ("dev", "validation")]
    for row in sample([*all_turns(data / "sources"), *openings(data / "sources")], held_out, set(dialogues)):
        tokenised = tokenise(row, "unlabelled", tokenizer, skills)
        tokenised.longest = row["longest"]
        if len(tokenised.prompt) + len(tokenised.response) <= LONGEST_PROMPT:
            rows.append(tokenised)
    prefix = _shared_beginning([r.prompt for r in rows])
    for r in rows:
        r.prompt = r.prompt[len(prefix) :]
    write(rows, prefix, skills, out)


def tokenise(row: dict, which: str, tokenizer, skills: list[str]) -> Row:
    from thanos.dialogue.row import dialogue_from_row
    from thanos.engines.chat_tokens import encode_chat
    from thanos.prompts import MARKER, load_prompt

    encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    prompt = encode_chat(tokenizer, load_prompt("thanos").render(dialogue_from_row(row)))
    response = row["response"] and f"{row['speaker']}: {row['response']['text']}{END}"
    skill, also = row.get("skill"), row.get("also")
    return Row(
        id=row["id"],
        set=which,
        source=row["source"],
        prompt=prompt,
        response=encode(response) if response else [],
        completion=encode(f"{skill}\n{row['explanation']} {MARKER} {skill}{END}") if skill else [],
        skill=skills.index(skill) if skill else -1,
        also=skills.index(also) if also in skills else -1,
    )


def sample(turns: list[dict], held_out: list[dict], labelled: set[str]) -> list[dict]:
    """Unlabelled rows to learn from: none of a held-out dialogue, nor of one that shares a longer sentence with it."""
    key = lambda row: row["id"].rsplit(":", 1)[0]
    said = lambda row: {u["text"].lower() for u in row["dialogue"] if len(u["text"].split()) >= 8}
    ids = {key(row) for row in held_out}
    words = set().union(*map(said, held_out), (row["response"]["text"].lower() for row in held_out if row["response"]))
    words = {text for text in words if len(text.split()) >= 8}
    of_dialogue: dict[str, list[dict]] = {}
    for row in turns:
        of_dialogue.setdefault(key(row), []).append(row)
    last = {k: rows[-1] for k, rows in of_dialogue.items()}
    tainted = {
        k for k, row in last.items()
        if k in ids or said(row) & words or (row["response"] and row["response"]["text"].lower() in words)
    }  # fmt: skip
    print(f"unlabelled: {len(of_dialogue)} dialogues, {len(tainted)} of them held out or too like a held-out one")
    left = Counter(UNLABELLED_AT_MOST)
    kept = []
    for row in sorted(turns, key=lambda row: hashlib.sha1(row["id"].encode()).digest()):
        source = row["id"].split(":")[0]
        longest = row is last[key(row)]
        if key(row) in tainted or row["id"] in labelled or not (left[source] > 0 or longest):
            continue
        kept.append(row | {"longest": longest})
        left[source] -= 1
    return kept


def write(rows: list[Row], prefix: list[int], skills: list[str], out: Path) -> None:
    from thanos.skills import CATEGORIES, Skill

    rows.sort(key=lambda r: (SETS.index(r.set), r.id))  # neighbours share text: it packs better
    arrays = {"prefix": np.array(prefix, np.uint16), "skills": np.array(skills)}
    for field in ("prompt", "response", "completion"):
        tokens = [getattr(r, field) for r in rows]
        arrays[field] = np.array([t for part in tokens for t in part], np.uint16)
        arrays[f"{field}_ends"] = np.cumsum([len(t) for t in tokens], dtype=np.int32)
    arrays["set"] = np.array([SETS.index(r.set) for r in rows], np.uint8)
    sources = sorted({r.source for r in rows})
    arrays |= {"sources": np.array(sources), "source": np.array([sources.index(r.source) for r in rows], np.uint8)}
    arrays |= {"skill": np.array([r.skill for r in rows], np.int8), "also": np.array([r.also for r in rows], np.int8)}
    arrays["category"] = np.array([CATEGORIES.index(Skill(name).category) for name in skills], np.uint8)
    arrays["longest"] = np.array([r.longest for r in rows])
    np.savez(out / "data.npz", **arrays)
    with (out / "rows.jsonl").open("w") as file:
        for r in rows:
            file.write(json.dumps({"id": r.id, "set": r.set, "source": r.source}) + "\n")
    for name in SETS:
        of = [r for r in rows if r.set == name]
        mean = {
            f: round(np.mean([len(getattr(r, f)) for r in of]).item()) for f in ("prompt", "response", "completion")
        }
        print(f"{name}: {len(of)} rows, mean tokens {mean}, {dict(Counter(r.source for r in of))}")
    print(f"shared beginning: {len(prefix)} tokens")


def _share(key: str) -> int:
    return int(hashlib.sha1(key.encode()).hexdigest(), 16) % 100


def _shared_beginning(prompts: list[list[int]]) -> list[int]:
    first, last = min(prompts), max(prompts)
    n = next(i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[:n]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["base", "data"])
    parser.add_argument("--gguf", type=Path, help="the quantised base")
    parser.add_argument("--shared", type=Path, help="has data/annotated, data/sources, data/original.jsonl")
    parser.add_argument("--out", type=Path, default=Path("work"))
    args = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    make_base(args.gguf, args.out) if args.what == "base" else make_data(args.shared, args.out)
