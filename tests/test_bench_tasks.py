"""What the tasks ask, and how an answer counts; no model needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("inspect_ai")

from annotated_rows import read_jsonl, write_rows
from bench_data import EXAMPLES, write_bench_data

from thanos.bench.baselines.load import read_training_rows
from thanos.bench.budget import DIALOGUE_BYTES, check_window, within_budget
from thanos.bench.data import find_data
from thanos.bench.items import Item, choose, draw
from thanos.bench.judge import read_verdict
from thanos.bench.metrics.classification import INVALID
from thanos.bench.models.load import load_model
from thanos.bench.run_folder import run_folder
from thanos.bench.setup import make_setup
from thanos.bench.tasks import explanation, labels, skill
from thanos.bench.tasks.labelled_turns import READERS, labelled_items
from thanos.bench.tasks.registry import TASKS, find_task
from thanos.bench.tasks.skill_map import SkillMap, load_map
from thanos.cli.bench import TASK_NAMES
from thanos.dialogue import Dialogue, Turn
from thanos.engines.protocol import Request
from thanos.errors import ThanosError
from thanos.prompts import load_prompt
from thanos.skills import Skill, SkillOfMind


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return find_data(write_bench_data(tmp_path_factory.mktemp("data") / "here"))


def thought(name, **more):
    return SkillOfMind(skill=Skill(name) if name else None, **more)


def test_the_command_knows_the_tasks_of_the_registry():
    assert tuple(TASKS) == TASK_NAMES
    with pytest.raises(ThanosError, match="did you mean 'photochat'"):
        find_task("photo-chat")


@pytest.mark.parametrize("name", READERS)
def test_a_map_takes_every_skill_to_one_label_or_none(name):
    skill_map = load_map(name)
    assert skill_map.name == name
    assert {skill_map.label_of(s) for s in Skill} - {None} == skill_map.reachable() <= set(skill_map.labels)
    assert skill_map.label_of(None) is None


def test_a_map_with_a_mistake_is_refused():
    good = {"name": "x", "version": 1, "summary": "s", "files": ["x"], "rest": None}
    for labels_, rest, problem in (
        ({"a": ["Empathy"], "b": ["Empathy"]}, None, "stand for two labels"),
        ({"a": ["Empathy"]}, "b", "no label 'b'"),
        ({"a": ["Sympathy"]}, None, "Input should be"),
    ):
        with pytest.raises(ValueError, match=problem):
            SkillMap.model_validate(good | {"labels": labels_, "rest": rest})


def test_skill_credits():
    scores = {"Ethics": 0.5, "Empathy": 0.3, "Echoing": 0.15, "Rhetoric": 0.05}
    row = skill.score_row(thought("Ethics", scores=scores), "Empathy", {"also": "Ethics"})
    assert row["credit"] == {"top1": 0.0, "top1_or_also": 1.0, "top3": 1.0, "category": 1.0}
    row = skill.score_row(thought("Empathy"), "Empathy", {"also": None})
    assert row["credit"] == {"top1": 1.0, "top1_or_also": 1.0, "top3": None, "category": 1.0}
    row = skill.score_row(thought(None, raw="Sorry."), "Empathy", {"also": None})
    assert row["credit"] == {"top1": 0.0, "top1_or_also": 0.0, "top3": 0.0, "category": 0.0}
    assert not row["valid"] and row["raw"] == "Sorry."


def test_models_without_probabilities_have_no_top3_even_if_some_rows_are_invalid():
    rows = [skill.score_row(thought(name), "Empathy", {}) for name in ("Empathy", None)]
    rows = [row | {"target": "Empathy", "source": "s", "cluster": str(i)} for i, row in enumerate(rows)]
    numbers = skill.metrics(rows)["metrics"]
    assert numbers["top3"] == {"value": None, "low": None, "high": None, "n": 0}
    assert numbers["top1"]["value"] == numbers["invalid_rate"]["value"] == 0.5


def test_photochat_has_turns_without_a_photo_and_a_constant_answer_gains_nothing(data):
    skill_map = load_map("photochat")
    items = labelled_items(data, skill_map).kept
    targets = [item.target for item in items]
    assert (targets.count("photo"), targets.count("no photo")) == (12, 108)
    assert not any(item.dialogue.turns[-1].image for item in items if item.target == "photo")

    def numbers(answer):
        scored = [labels.score_row(skill_map, answer(item), item.target, {}) for item in items]
        rows = [row | {"target": i.target, "cluster": i.cluster} for row, i in zip(scored, items, strict=True)]
        return {name: number["value"] for name, number in labels.metrics(skill_map, rows)["metrics"].items()}

    always = numbers(lambda item: thought("Image-Sharing"))
    assert always["recall"] == 1.0 and always["precision"] == always["accuracy"] == pytest.approx(0.1)
    assert always["f1"] < 0.2 and always["matthews"] == 0.0 and always["balanced_accuracy"] == 0.5
    knows = numbers(lambda item: thought("Image-Sharing" if item.target == "photo" else "Empathy"))
    assert knows["f1"] == knows["matthews"] == 1.0


def test_a_failed_parse_is_never_casual():
    skill_map = load_map("prosocial")
    row = labels.score_row(skill_map, thought(None), "casual", {})
    assert row["prediction"] is None and row["credit"] == {"accuracy": 0.0} and not row["valid"]
    counts = labels.metrics(skill_map, [row | {"target": "casual", "cluster": "x"}])
    assert counts["metrics"]["invalid_rate"]["value"] == 1.0
    assert counts["confusion"]["counts"][0][counts["confusion"]["columns"].index(INVALID)] == 1
    assert labels.score_row(skill_map, thought("Empathy"), "casual", {})["credit"] == {"accuracy": 1.0}


def test_prosocial_asks_for_the_reply_and_hides_its_rules_of_thumb(data):
    items = labelled_items(data, load_map("prosocial")).kept
    assert [item.target for item in items[:4]] == ["casual", "needs caution", "needs caution", "needs intervention"]
    assert items[0].id == "prosocial_dialog:0:1" and len(items[0].dialogue.turns) == 1
    assert not any("wrong to do" in item.dialogue.social_context for item in items)


def test_casino_labels_may_be_several_and_unknown_ones_are_reported(data):
    items = labelled_items(data, load_map("casino"))
    assert [item.target for item in items.kept] == ["non-strategic"]
    assert items.left_out == {"unknown label 'x'": 1}
    skill_map = load_map("casino")
    row = labels.score_row(skill_map, thought("Self-disclosure"), ["small-talk", "self-need"], {})
    assert row["credit"] == {"accuracy": 1.0}


def test_a_ceiling_counts_labels_that_no_skill_means():
    skill_map = load_map("casino")
    row = lambda target: (
        labels.score_row(skill_map, thought("Empathy"), target, {}) | {"target": target, "cluster": "x"}
    )
    found = labels.metrics(
        skill_map, [row("no-need"), row("small-talk"), row(["no-need", "self-need"]), row("uv-part")]
    )
    assert found["reference"]["ceiling"] == 0.5


@pytest.mark.parametrize("name", ["esconv", "dailydialog", "blended-skill-talk"])
def test_other_sets_give_labelled_turns(data, name):
    kept = TASKS[name].items(data).kept
    assert kept and all(item.target in load_map(name).labels for item in kept)


def test_dialogues_that_training_has_seen_are_left_out(data):
    train = find_data(data.folder, annotated=data.train)
    assert TASKS["skill"].items(train).kept == []
    assert TASKS["skill"].items(train).left_out.total() == 195
    seen = data.folder.parent / "photo.jsonl"
    seen.write_text('{"id": "photochat:3:5", "source": "photochat", "dialogue": []}\n')
    kept = TASKS["photochat"].items(find_data(data.folder, train=seen)).kept
    assert "photochat:3" not in {item.cluster for item in kept} and len(kept) == 110


def test_missing_data_says_what_to_give(tmp_path, monkeypatch):
    monkeypatch.delenv("THANOS_SHARED", raising=False)
    for task in TASKS.values():
        with pytest.raises(ThanosError, match="--data FOLDER"):
            task.items(find_data(None))
    with pytest.raises(ThanosError, match="no photochat.jsonl"):
        TASKS["photochat"].items(find_data(tmp_path))
    with pytest.raises(ThanosError, match="no folder"):
        find_data(tmp_path / "nowhere")


def item(n):
    return Item(f"s:{n}:1", "s", f"s:{n}", Dialogue(turns=[Turn(speaker="A", text="x")]), "a")


def test_a_larger_draw_holds_the_smaller_one():
    items = [item(n) for n in range(50)]
    small, large = draw(items, 10, 3), draw(items, 20, 3)
    assert len(small) == 10 and {i.id for i in small} < {i.id for i in large}
    assert draw(items, 10, 4) != small and draw(items, None, 0) == draw(items, 99, 0) == items
    assert choose([*items, items[0]], frozenset(["s:1"]), {}).left_out == {
        "its dialogue is in the training rows": 1,
        "the same id twice": 1,
    }


turn = st.builds(lambda text: Turn(speaker="Ada", text=text), st.text(max_size=400))


@given(st.lists(turn, min_size=1, max_size=40), st.text(max_size=4000))
def test_every_prompt_shows_the_same_turns_within_the_budget(turns, context):
    short = within_budget(Dialogue(turns=turns, social_context=context)).dialogue
    assert len(short.social_context.encode()) + len(short.text().encode()) < DIALOGUE_BYTES
    assert short.turns[-1].words() == turns[-1].words() or len(short.turns) == 1
    for name in ("thanos", "zero-shot"):
        assert short.text() in load_prompt(name).render(short)[-1]["content"]


@pytest.mark.parametrize("name", ["majority", "tfidf", "nearest"])
def test_a_baseline_knows_its_training_rows(tmp_path, name):
    pytest.importorskip("wordllama") if name == "nearest" else None
    rows = read_jsonl(EXAMPLES)[:120]
    engine = load_model(name, write_rows(tmp_path / "train.jsonl", rows))
    known = read_training_rows(tmp_path / "train.jsonl")
    requests = [Request(n, [{"role": "user", "content": text}], 100) for n, text in enumerate(known.texts)]
    results = list(engine.generate(requests))
    assert all(sum(result.scores.values()) == pytest.approx(1) and len(result.scores) == 39 for result in results)
    right = sum(result.choice == known.skills[result.key] for result in results)
    assert right == 10 if name == "majority" else right > 100
    assert {result.text != "" for result in results} == {name == "nearest"}


def test_a_random_guess_depends_on_the_text_and_the_seed_alone():
    ask = lambda n, text, seed: Request(n, [{"role": "user", "content": text}], 0, seed=seed)
    requests = [ask(n, f"text {n % 100}", n // 200) for n in range(400)]
    choices = [result.choice for result in load_model("random").generate(requests)]
    assert choices[:100] == choices[100:200] != choices[200:300] == choices[300:]
    assert len(set(choices)) > 30


class SmallWindow:
    name, context_window = "small", 100

    def count_tokens(self, messages):
        return sum(len(message["content"].split()) for message in messages)


def test_a_prompt_that_a_model_would_see_cut_stops_the_run():
    prompt = [{"role": "user", "content": "word " * 80}]
    check_window(SmallWindow(), [("a", prompt)], room=20)
    with pytest.raises(ThanosError, match="window of 100 tokens, and b needs 80 and 21"):
        check_window(SmallWindow(), [("b", prompt)], room=21)


def test_what_does_not_go_together_is_refused(data):
    for model, asked, problem in (
        ("embedded", {"mode": "fast"}, "unknown mode"),
        ("embedded", {"mode": "direct", "seeds": 2}, "--seeds needs"),
        ("inspect/x/y", {"mode": "direct"}, "no --mode direct"),
        ("tfidf", {"prompt": "thanos"}, "leave --prompt out"),
    ):
        with pytest.raises(ThanosError, match=problem):
            make_setup(model, data, **asked)
    assert make_setup("embedded", data).prompt.name == "thanos"
    assert make_setup("embedded/base", data).prompt.name == make_setup("openai/x", data).prompt.name == "zero-shot"


def test_a_judge_that_says_nothing_scores_nothing():
    assert read_verdict("Relevance: 4\nplausibility - 2\n**Understanding:** 3/4").ratings == {
        "relevance": 4.0,
        "plausibility": 2.0,
        "understanding": 3.0,
    }
    for text in ("", "relevance: 7", "relevance: 3.5", "I rate it 4"):
        assert set(read_verdict(text).ratings.values()) == {None}


def test_an_explanation_is_compared_with_the_annotators_and_searched_for_the_reply():
    metadata = {
        "gold_explanation": "She misses the sea.",
        "response": "Let us sail to Elba tomorrow.",
        "speaker": "Tom",
        "social_context": "",
        "dialogue": [{"speaker": "Ada", "text": "I miss the sea."}],
    }
    told = explanation.score_row(thought("Empathy", explanation="I want to sail to Elba."), "Empathy", metadata)
    assert told["credit"]["leaked_share"] == pytest.approx(2 / 3) and told["credit"]["leaked_run"] == 3
    same = explanation.score_row(thought("Empathy", explanation="She misses the sea."), "Empathy", metadata)
    assert same["credit"]["rougeL"] == 1.0 and same["credit"]["leaked_share"] == 0.0
    none = explanation.score_row(thought("Empathy"), "Empathy", metadata | {"response": None})
    assert not none["valid"] and none["credit"]["rouge1"] == 0.0 and none["credit"]["leaked_share"] is None
    numbers = explanation.metrics(
        [row | {"target": "Empathy", "source": "s", "cluster": str(i)} for i, row in enumerate((told, same, none))]
    )["metrics"]
    assert next(iter(numbers)) == "rougeL" and numbers["invalid_rate"]["value"] == pytest.approx(1 / 3)
    assert numbers["leaked_share"]["n"] == 2 and "relevance" not in numbers


def test_bertscore_of_a_small_encoder(tmp_path):
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from thanos.bench.metrics.bertscore import BertScore

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "she", "misses", "the", "sea", "a", "lot", "he"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(vocab=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    sizes = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 64}
    transformers.BertModel(transformers.BertConfig(vocab_size=len(words), **sizes)).save_pretrained(tmp_path)
    score = BertScore(str(tmp_path))
    assert score.layer == 3
    assert score.f1("she misses the sea", "she misses the sea") == pytest.approx(1, abs=1e-6)
    assert 0 < score.f1("she misses the sea", "he") < 0.999
    assert score.f1("", "the sea") == score.f1("the sea", "") == 0.0
    with pytest.raises(ThanosError, match="can't load"):
        BertScore(str(tmp_path / "nowhere"))


def test_an_invalid_explanation_is_as_bad_as_any_that_was_measured():
    metadata = {"gold_explanation": "She rests.", "response": None, "social_context": "", "dialogue": []}
    rows = [
        explanation.score_row(thought("Empathy", explanation=text), "Empathy", metadata) for text in ("I rest.", "")
    ]
    rows[0]["credit"] |= {"bertscore": 0.8, "relevance": 4.0, "plausibility": None}
    rows = [row | {"target": "Empathy", "source": "s", "cluster": str(i)} for i, row in enumerate(rows)]
    numbers = explanation.metrics(rows)["metrics"]
    assert (numbers["bertscore"]["value"], numbers["relevance"]["value"]) == (0.4, 2.5)
    assert "plausibility" not in numbers


def test_run_folders_have_names_for_any_model(tmp_path):
    assert run_folder(tmp_path, "skill", "embedded/base").name == "embedded-base"
    assert run_folder(tmp_path, "skill", "hf//data/my model").name == "hf-data-my-model"
