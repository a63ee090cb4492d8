"""Rows -> tokens: every fitting skill is a target, and exactly the assistant's text and its end token are trained."""

import json

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("trl", reason="needs the extra train")

from annotated_rows import write_rows  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from random_llama import make_tokenizer  # noqa: E402
from training import REJECTED, example_rows, write_config, write_training_files  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from thanos.cli.app import app  # noqa: E402
from thanos.dialogue import dialogue_from_row  # noqa: E402
from thanos.engines.chat_tokens import encode_chat  # noqa: E402
from thanos.errors import ThanosError  # noqa: E402
from thanos.prompts import load_prompt, parse_thought  # noqa: E402
from thanos.skills import Skill  # noqa: E402
from thanos.train.batches import CollatePadded, collate_packed  # noqa: E402
from thanos.train.encode import Encoder, end_token  # noqa: E402
from thanos.train.rows import targets_of, training_rows  # noqa: E402

TOKENIZER = make_tokenizer(2048)
PROMPT = load_prompt("thanos")
ROW = example_rows(1)[0]


def rows_of(tmp_path, rows, also_share=0.2):
    return list(training_rows(write_rows(tmp_path / "rows.jsonl", rows), also_share))


def encoded(row, max_tokens=2048, tokenizer=TOKENIZER):
    return next(iter(Encoder(tokenizer, PROMPT, max_tokens).examples([row])))[1]


def test_a_row_trains_on_each_of_its_skills(tmp_path):
    row = ROW | {"skill": "Empathy", "also": "active listening"}
    (read,) = rows_of(tmp_path, [row])
    assert [(t.skill, t.weight) for t in read.targets] == [(Skill("Empathy"), 0.8), (Skill("Active Listening"), 0.2)]
    assert read.targets[1].text == f"{row['explanation']} [RESULT SKILL] Active Listening"
    (read,) = rows_of(tmp_path, [row], also_share=0)
    assert [t.skill for t in read.targets] == ["Empathy"] and read.fitting == ["Empathy", "Active Listening"]
    (read,) = rows_of(tmp_path, [row | {"also": None}])
    assert [t.weight for t in read.targets] == [1.0]


def test_rows_of_several_skills_weigh_them_alike(tmp_path):
    names = {"skills": ["Ethics", "Empathy", "ethics"]}
    own = {"skills": [{"skill": "Ethics", "explanation": "It is wrong."}, {"skill": "Echoing", "explanation": "So."}]}
    first, second = rows_of(tmp_path, [ROW | names, ROW | own])
    assert [(t.skill, t.weight) for t in first.targets] == [("Ethics", 0.5), ("Empathy", 0.5)]
    assert [t.text for t in second.targets] == ["It is wrong. [RESULT SKILL] Ethics", "So. [RESULT SKILL] Echoing"]


skills = st.sampled_from([skill.value for skill in Skill])


@given(skills, st.none() | skills, st.floats(0, 1), st.none() | st.lists(skills, min_size=1, max_size=5))
def test_the_weights_of_a_row_sum_to_one(skill, also, share, several):
    row = ROW | {"skill": skill, "also": also} | ({"skills": several} if several else {})
    targets = targets_of(dialogue_from_row(row), share)
    assert sum(t.weight for t in targets) == pytest.approx(1)
    assert len({t.skill for t in targets}) == len(targets)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"skill": "Astrology"}, r"rows.jsonl: 1 rows can't be trained on, first line 2: unknown skill 'Astrology'"),
        ({"skill": None}, r"line 2: skill: expected one of the 39 names, found None"),
        ({"explanation": " "}, r"line 2: explanation: empty"),
        ({"skills": []}, r"line 2: skills: expected a list of skills, found \[\]"),
        ({"skills": ["Empathy", 3]}, r"line 2: skills\[1\]: expected a skill with its explanation"),
        ({"rejected": "Empathy"}, r"line 2: rejected: expected a skill with its explanation, found 'Empathy'"),
        ({"dialogue": []}, r"line 2: dialogue: empty dialogue"),
    ],
)
def test_rows_that_cant_be_trained_on_are_one_clear_line(tmp_path, fields, message):
    with pytest.raises(ThanosError, match=message) as caught:
        rows_of(tmp_path, [ROW, ROW | fields, ROW])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_split_is_one_clear_line(tmp_path, text):
    (tmp_path / "rows.jsonl").write_text(text)
    with pytest.raises(ThanosError, match=r"rows.jsonl is empty"):
        list(training_rows(tmp_path / "rows.jsonl", 0.2))


def check_mask(row, example, tokenizer):
    """Pins the mask, in both kinds of batch."""
    target = row.targets[0]
    text = tokenizer.decode(example.completion)
    assert text == f"{target.explanation} [RESULT SKILL] {target.skill}" + tokenizer.decode([end_token(tokenizer)])
    assert example.prompt == encode_chat(tokenizer, PROMPT.render(row.dialogue))
    other = {"prompt": [1, 2, 3], "completion": [4, 5], "weight": 1.0}
    column = {"prompt": example.prompt, "completion": example.completion, "weight": example.weight}
    padded = CollatePadded(tokenizer.pad_token_id)([other, column])
    trained = padded["labels"][1] != -100
    assert padded["input_ids"][1][trained].tolist() == padded["labels"][1][trained].tolist() == example.completion
    assert trained.tolist() == [False] * len(example.prompt) + [True] * len(example.completion)
    assert padded["attention_mask"].sum(1).tolist() == [5, len(trained)]
    packed = collate_packed([other, column])
    assert packed["labels"].tolist() == [4, 5, *example.completion]
    start = packed["starts"].tolist()[1]
    whole = packed["input_ids"][0].tolist()[start:]
    assert whole == (example.prompt + example.completion)[:-1]
    # Each kept position is right before its trained token.
    keep = [place - start for place in packed["keep"].tolist()[2:]]
    assert [(whole + example.completion[-1:])[place + 1] for place in keep] == example.completion


def test_exactly_the_answer_and_its_end_are_trained(tmp_path):
    for row in rows_of(tmp_path, example_rows(5)):
        for_first_target = encoded(row)[0]
        assert for_first_target.completion[-1] == TOKENIZER.convert_tokens_to_ids("<|end|>")
        assert for_first_target.completion.count(TOKENIZER.convert_tokens_to_ids("<|end|>")) == 1
        check_mask(row, for_first_target, TOKENIZER)


def test_the_mask_of_the_embedded_base(tmp_path):
    from thanos.errors import EngineError
    from thanos.train.model import training_tokenizer

    try:
        tokenizer = training_tokenizer("embedded")
    except EngineError as error:
        pytest.skip(f"no base model: {error}")
    (row,) = rows_of(tmp_path, [ROW])
    (example, *_) = encoded(row, tokenizer=tokenizer)
    check_mask(row, example, tokenizer)
    assert tokenizer.decode(example.completion[-1:]) == "<|im_end|>"


def test_without_a_template_the_end_of_text_ends():
    bare = make_tokenizer(2048)
    bare.chat_template = None
    assert end_token(bare) == bare.eos_token_id
    bare.chat_template = "{% for m in messages %}{{ m['content'] + '\n' }}{% endfor %}"
    assert end_token(bare) == bare.eos_token_id
    bare.chat_template, bare.eos_token = None, None
    with pytest.raises(ThanosError, match="no end-of-text token"):
        end_token(bare)


def test_long_dialogues_lose_their_oldest_turns_never_the_answer(tmp_path):
    turns = [{"speaker": "AB"[i % 2], "text": f"This is turn number {i} of many."} for i in range(200)]
    (row,) = rows_of(tmp_path, [ROW | {"dialogue": turns, "also": None}])
    (example,) = encoded(row, max_tokens=700)
    assert 650 < len(example.prompt) + len(example.completion) <= 700
    text = TOKENIZER.decode(example.prompt)
    assert "turn number 199" in text and "turn number 9 " not in text
    assert parse_thought(TOKENIZER.decode(example.completion[:-1])).skill == row.targets[0].skill
    for max_tokens, message in ((20, "answer alone is longer"), (300, "raise max_tokens")):
        with pytest.raises(ThanosError, match=message):
            encoded(row, max_tokens=max_tokens)


@given(st.text(st.sampled_from("ab <|end|>[RESULT SKILL]é\n{}"), max_size=60))
def test_no_text_ends_its_own_training(text):
    row = ROW | {"explanation": f"I {text}<|end|>", "also": None}
    (target,) = targets_of(dialogue_from_row(row), 0.2)
    completion = Encoder(TOKENIZER, PROMPT, 2048)._answer(target.text)
    assert completion.count(end_token(TOKENIZER)) == 1 and completion[-1] == end_token(TOKENIZER)


def test_pairs_are_the_own_and_the_rejected_thought(tmp_path):
    rows = rows_of(tmp_path, [ROW, ROW | {"rejected": REJECTED}])
    ((row, pair),) = Encoder(TOKENIZER, PROMPT, 2048).pairs(rows)
    assert row.line == 2 and pair.prompt == encode_chat(TOKENIZER, PROMPT.render(row.dialogue))
    assert parse_thought(TOKENIZER.decode(pair.chosen[:-1])).skill == row.targets[0].skill
    assert parse_thought(TOKENIZER.decode(pair.rejected[:-1])).skill == REJECTED["skill"]


def test_show_tokens_lists_them_with_their_labels(tmp_path):
    TOKENIZER.save_pretrained(tmp_path / "tiny")
    (tmp_path / "tiny" / "config.json").write_text(json.dumps({"model_type": "llama"}))
    values = write_training_files(tmp_path, rows=2, also="Ethics", skill="Empathy", rejected=REJECTED)
    for method, kinds in (("sft", ("Empathy", "Ethics")), ("dpo", ("Empathy", "Topic Transition"))):
        config = write_config(tmp_path / "c.yaml", values | {"method": method})
        result = CliRunner().invoke(app, ["show", "--tokens", str(config), "-n", "1"])
        assert result.exit_code == 0, result.output
        lines = [line.split("\t") for line in result.output.splitlines()]
        assert {line[0] for line in lines} == {"1"} and {line[1] for line in lines} == {"1", "2"}
        for number, skill in zip("12", kinds, strict=True):
            trained = [json.loads(p) for _, n, token, label, p in lines if n == number and label == token]
            assert "".join(trained).endswith(f" [RESULT SKILL] {skill}<|end|>")
            others = {label for _, n, token, label, _ in lines if n == number and label != token}
            assert others == {"-100"}
    coloured = CliRunner().invoke(app, ["show", "--tokens", str(config)], env={"FORCE_COLOR": "1"}).output
    assert "chosen: " in coloured and "\x1b[" in coloured
