"""thanos train, from rows to a tuned model, on tiny models."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("trl", reason="needs the extra train")

from annotated_rows import write_rows  # noqa: E402
from random_llama import make_model  # noqa: E402
from training import REJECTED, example_rows, write_config, write_training_files  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from thanos import Thanos  # noqa: E402
from thanos.cli.app import app  # noqa: E402
from thanos.errors import EngineError, ThanosError  # noqa: E402
from thanos.train.checkpoints import newest_checkpoint  # noqa: E402
from thanos.train.read_config import load_config  # noqa: E402
from thanos.train.run import train  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("base") / "tiny", "tiny")


@pytest.fixture
def place(tmp_path, tiny):
    shutil.copytree(tiny, tmp_path / "tiny")
    return tmp_path


def run(folder, values, **changed):
    """Train by a config file; returns its output folder and history."""
    path = write_config(folder / "c.yaml", values | changed)
    config = load_config(str(path))
    train(config)
    return config.output, json.loads((config.output / "history.json").read_text())


def losses(history, key="loss"):
    return [entry[key] for entry in history if key in entry]


def test_a_model_learns_its_rows_by_heart_and_predicts_them(place, capsys):
    """Training and prediction agree on prompt, answer and end: a small model that is let to learns four rows whole."""
    values = write_training_files(place)
    rows = [row | {"explanation": " ".join(row["explanation"].split()[:7]), "also": None} for row in example_rows(4)]
    write_rows(Path(values["train"]), rows)
    values |= {"validation": values["train"], "eval_rows": 0, "tune": "full"}
    output, history = run(place, values, max_steps=80, eval_every=80, lr=4e-3, warmup=0.1)
    assert losses(history, "eval_skill_accuracy")[-1] == 1.0 and losses(history, "eval_loss")[-1] < 0.5
    said = capsys.readouterr().err
    assert "thanos: step 80 of 80: loss 0." in said and "skill accuracy 100.0%" in said
    with Thanos(f"hf/{output}", prompt=values["prompt"]) as thanos:
        for row in rows:
            thought = thanos.predict({"dialogue": row["dialogue"], "social_context": row["social_context"]})
            assert (thought.explanation, thought.skill) == (row["explanation"], row["skill"])
    card = (output / "README.md").read_text()
    assert "4 annotated rows of `train.jsonl`, 4 targets" in card and "| skill accuracy | 100.0% |" in card
    assert (
        "-m hf/out --prompt prompt.yaml" in card
        and str(place) not in card
        and "library_name: transformers" in card
        and "$" not in card
    )
    assert (output / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_the_best_checkpoint_is_kept_and_the_same_command_has_nothing_left_to_do(place, monkeypatch):
    from thanos.train.accuracy import SkillAccuracy

    values = write_training_files(place, skill="Empathy", also="Ethics")
    scores = iter([1, 2, 0, 0])  # of 2 rows; the second evaluation is the best
    monkeypatch.setattr(SkillAccuracy, "_count", lambda self, rows, model: [next(scores), 2, 2])
    output, history = run(place, values, max_steps=8, eval_every=2, keep=1)
    assert losses(history, "eval_skill_accuracy") == [0.5, 1.0, 0.0, 0.0]
    folders = sorted(path.name for path in output.glob("checkpoint-*"))
    assert folders == ["checkpoint-4", "checkpoint-8"]
    weights = "adapter_model.safetensors"
    assert (output / weights).read_bytes() == (output / "checkpoint-4" / weights).read_bytes()
    assert (output / weights).read_bytes() != (output / "checkpoint-8" / weights).read_bytes()
    card = (output / "README.md").read_text()
    assert "| | at step 4 |" in card and "40 annotated rows of `train.jsonl`, 80 targets" in card
    before = (output / weights).read_bytes()
    again, history_again = run(place, values, max_steps=8, eval_every=2, keep=1)
    assert losses(history_again) == losses(history) and (again / weights).read_bytes() == before

    for changed, message in (
        ({"lr": 1e-4}, r"out holds a run with another lr: 0.005, not 0.0001; give another output"),
        ({"base": "meta-llama/Llama-3.2-1B"}, r"out holds checkpoints of another base: '\.\./tiny', not 'meta-llama"),
    ):
        with pytest.raises(ThanosError, match=message):
            run(place, values, max_steps=8, eval_every=2, keep=1, **changed)


def test_killed_and_resumed_ends_where_an_uninterrupted_run_does(place):
    values = write_training_files(place, rows=24)
    fields = {"max_steps": 30, "eval_every": 3, "keep": 1}
    _, whole = run(place, values, output=str(place / "whole"), **fields)
    path = write_config(place / "killed.yaml", values | fields | {"output": str(place / "killed")})
    command = [sys.executable, "-m", "thanos", "train", str(path)]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    deadline = time.time() + 240
    while newest_checkpoint(place / "killed") is None and process.poll() is None and time.time() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    newest = newest_checkpoint(place / "killed")
    assert newest is not None and newest.name != "checkpoint-30"
    # A kill in the middle of saving leaves a folder without its last file: it isn't taken for a checkpoint.
    (place / "killed" / "checkpoint-29").mkdir()
    (place / "killed" / "checkpoint-29" / "trainer_state.json").write_text('{"global_step": 2')
    assert newest_checkpoint(place / "killed") == newest
    _, resumed = run(place, values, output=str(place / "killed"), **fields)
    assert len(losses(resumed)) == len(losses(whole)) == 30
    assert losses(resumed) == pytest.approx(losses(whole), abs=1e-4)
    assert losses(resumed, "eval_loss") == pytest.approx(losses(whole, "eval_loss"), abs=1e-4)


def test_same_losses_as_trl(place):
    """20 steps in float32 beside TRL's own trainer on the same rows, and in smaller pieces."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from thanos.train.dataset import read_dataset
    from thanos.train.model import training_model, training_tokenizer

    values = write_training_files(place, rows=80, also=None)
    fields = {"max_steps": 20, "eval_every": 20, "warmup": 0.0, "eval_rows": 1}
    output, history = run(place, values, **fields)
    rows = list(read_dataset(output / "tokens" / "train.arrow"))
    table = {
        "input_ids": [row["prompt"] + row["completion"] for row in rows],
        "completion_mask": [[0] * len(row["prompt"]) + [1] * len(row["completion"]) for row in rows],
    }
    common = {"per_device_train_batch_size": 4, "learning_rate": values["lr"], "max_steps": 20, "logging_steps": 1}
    args = SFTConfig(
        str(place / "trl"), use_cpu=True, seed=0, data_seed=0, lr_scheduler_type="cosine", report_to="none",
        save_strategy="no", disable_tqdm=True, bf16=False, completion_only_loss=True, **common,
    )  # fmt: skip
    trainer = SFTTrainer(
        training_model(load_config(str(place / "c.yaml")), torch.device("cpu")), args,
        train_dataset=Dataset.from_dict(table), processing_class=training_tokenizer(values["base"]),
    )  # fmt: skip
    trainer.train()
    theirs = losses(trainer.state.log_history)
    assert len(theirs) == 20 and losses(history) == pytest.approx(theirs, abs=1e-2)
    assert theirs[0] - theirs[-1] > 0.1  # far enough for a difference to show
    _, pieces = run(place, values, output=str(place / "pieces"), rows_at_once=1, **fields)
    assert losses(pieces) == pytest.approx(losses(history), abs=1e-3)
    # With dropout the packed step doesn't fit; next to none of it shows the plain path's losses.
    _, plain = run(place, values, output=str(place / "plain"), dropout=1e-9, checkpointing=True, **fields)
    assert losses(plain) == pytest.approx(losses(history), abs=1e-2)


def test_weights_of_targets_count_the_same_in_both_paths(place):
    values = write_training_files(place, rows=16, also="Ethics")
    fields = {"max_steps": 4, "eval_every": 4, "eval_rows": 1, "rows_at_once": 2}
    _, packed = run(place, values, **fields)
    _, plain = run(place, values, output=str(place / "plain"), dropout=1e-9, **fields)
    assert losses(plain) == pytest.approx(losses(packed), abs=1e-3)
    assert losses(plain, "eval_loss") == pytest.approx(losses(packed, "eval_loss"), abs=1e-3)


def test_of_equal_accuracies_the_lower_loss_is_kept(place, monkeypatch):
    from thanos.train.accuracy import SkillAccuracy

    values = write_training_files(place, rows=8)
    monkeypatch.setattr(SkillAccuracy, "_count", lambda self, rows, model: [1, 1, 2])
    output, history = run(place, values, max_steps=4, eval_every=2)
    assert losses(history, "eval_loss")[1] < losses(history, "eval_loss")[0]
    assert "| | at step 4 |" in (output / "README.md").read_text()


@pytest.mark.slow
def test_two_processes_learn_what_one_does(place, monkeypatch):
    """As on two GPUs, less the GPUs: the same batch is shared by two processes."""
    from thanos.train.checkpoints import claim_output
    from thanos.train.launch import fit_on_gpus
    from thanos.train.model import training_tokenizer
    from thanos.train.run import prepare

    values = write_training_files(place, skill="Empathy", also="Ethics") | {"batch": 8, "max_steps": 4, "eval_every": 2}
    _, one = run(place, values, output=str(place / "one"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config = load_config(str(write_config(place / "two.yaml", values | {"gpus": 2})))
    claim_output(config)
    prepare(config, training_tokenizer(config.base))
    fit_on_gpus(config)
    two = json.loads((config.output / "history.json").read_text())
    assert losses(two) == pytest.approx(losses(one), abs=1e-5)
    assert losses(two, "eval_loss") == pytest.approx(losses(one, "eval_loss"), abs=1e-5)
    assert losses(two, "eval_skill_accuracy") == losses(one, "eval_skill_accuracy")
    (config.output / "train.yaml").write_text("[1]")
    with pytest.raises(ThanosError, match="training stopped"):
        fit_on_gpus(config)


def test_preference_tuning_prefers_the_chosen_thoughts(place):
    """Supervised first, then dpo from its adapter."""
    values = write_training_files(place, rows=16, also=None, rejected=REJECTED)
    fields = {"max_steps": 6, "eval_every": 6, "eval_rows": 2}
    first, _ = run(place, values, output=str(place / "sft"), **fields)
    Path(values["validation"]).write_text(Path(values["train"]).read_text())
    fields |= {"max_steps": 12, "eval_every": 6}
    output, history = run(place, values, method="dpo", adapter=str(first), rows_at_once=2, **fields)
    assert losses(history)[0] == pytest.approx(0.6931, abs=1e-3)  # log 2: the model that it began with
    assert losses(history)[-1] < 0.5 and losses(history, "eval_rewards/accuracies")[-1] == 1.0
    assert "16 pairs of a chosen and a rejected thought" in (output / "README.md").read_text()
    assert json.loads((output / "adapter_config.json").read_text())["r"] == 8
    assert not (output / "ref").exists()
    shutil.rmtree(output / "checkpoint-12")
    _, resumed = run(place, values, method="dpo", adapter=str(first), rows_at_once=2, **fields)
    assert losses(resumed) == pytest.approx(losses(history), abs=1e-4)


def test_out_of_memory_says_what_to_lower(place, monkeypatch):
    from thanos.train.packed.llama import PackedLlama

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nGPU 0 has ...")

    values = write_training_files(place, rows=4)
    monkeypatch.setattr(PackedLlama, "loss", full)
    expected = (
        r"out of GPU memory: lower rows_at_once \(4; results stay the same\), or set checkpointing, or tune qlora, "
        r"or lower max_tokens \(2048\)$"
    )
    with pytest.raises(ThanosError, match=expected):
        run(place, values)
    (place / "out" / "checkpoint-3").mkdir()
    (place / "out" / "checkpoint-3" / "trainer_state.json").write_text("{}")
    from thanos.train.fit import _out_of_memory

    said = _out_of_memory(load_config(str(place / "c.yaml")))
    assert said.endswith("then the same command goes on from checkpoint-3")


def test_a_base_that_changed_under_its_name_is_told(place, monkeypatch):
    values = write_training_files(place, rows=8)
    run(place, values, max_steps=3, eval_every=2)
    shutil.rmtree(place / "out" / "checkpoint-3")
    import random_llama

    shutil.rmtree(place / "tiny")
    wider = random_llama.SHAPES["tiny"] | {"hidden_size": 32}
    monkeypatch.setitem(random_llama.SHAPES, "tiny", wider)
    make_model(place / "tiny", "tiny")
    with pytest.raises(ThanosError, match=r"checkpoint-2 is of another base than .*tiny: its weights have other sizes"):
        run(place, values, max_steps=3, eval_every=2)


def test_bad_inputs_are_one_clear_line(place):
    values = write_training_files(place, rows=4)
    (place / "empty.jsonl").write_text("")
    (place / "other").mkdir()
    theirs = {"base_model_name_or_path": "meta-llama/Llama-3.2-3B", "peft_type": "LORA", "task_type": "CAUSAL_LM"}
    (place / "other" / "adapter_config.json").write_text(json.dumps(theirs))
    unmapped = str(place / "x" / "train.jsonl")
    (place / "x").mkdir()
    write_training_files(place / "x", rows=2, skill="Astrology")
    for changed, message in (
        ({"validation": str(place / "empty.jsonl")}, r"empty.jsonl is empty: give at least one annotated row"),
        ({"train": str(place / "none.jsonl")}, r"can't read .*none.jsonl: no such file"),
        ({"train": unmapped}, r"train.jsonl: 2 rows can't be trained on, first line 1: unknown skill 'Astrology'"),
        ({"adapter": str(place / "other")}, r"other is of another base: meta-llama/Llama-3.2-3B, not .*tiny"),
        ({"adapter": str(place / "nowhere")}, r"can't load the adapter .*nowhere"),
        ({"base": str(place / "nowhere")}, r"can't load hf/.*nowhere"),
        ({"method": "dpo"}, r"train.jsonl: no row has a `rejected` thought, which dpo learns from"),
        ({"max_tokens": 4096}, r"max_tokens 4096 is more than the 2048 that .*tiny can read"),
        ({"gpus": 64, "batch": 256}, r"gpus 64: this machine has \d+"),
        ({"log_to": ["tensorboard"]}, r"log_to tensorboard needs tensorboard: pip install tensorboard"),
        ({"tune": "qlora"}, r"tune qlora needs bitsandbytes: pip install 'thanos-skill-of-mind\[qlora\]'"),
    ):
        module = {"tensorboard": "log_to", "bitsandbytes": "tune"}
        if any(key in changed and _installed(name) for name, key in module.items()):
            continue
        with pytest.raises(ThanosError, match=message) as caught:
            run(place, values, output=str(place / f"o{len(message)}"), **changed)
        assert "\n" not in str(caught.value)


def _installed(name):
    from importlib.util import find_spec

    return find_spec(name) is not None


def test_twenty_steps_on_the_embedded_base(tmp_path):
    """The command itself, on a CPU."""
    from thanos.engines.embedded.base import base_path

    try:
        base_path()
    except EngineError as error:
        pytest.skip(f"no base model: {error}")
    short = {"dialogue": [{"speaker": "Tom", "text": "My dog died."}], "social_context": "", "also": None}
    values = write_training_files(tmp_path, rows=10, explanation="I feel for Tom.", **short)
    values |= {"base": "embedded", "rank": 16, "alpha": 16, "batch": 1, "rows_at_once": 1, "lr": 1e-3}
    path = write_config(tmp_path / "c.yaml", values | {"max_steps": 20, "eval_every": 20, "eval_rows": 1})
    result = CliRunner().invoke(app, ["train", str(path)])
    assert result.exit_code == 0, result.output
    history = json.loads((tmp_path / "out" / "history.json").read_text())
    found = losses(history)
    assert len(found) == 20 and sum(found[10:]) < 0.9 * sum(found[:10])
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["base_model_name_or_path"] == "embedded"
    assert (tmp_path / "out" / "README.md").read_text().count("-m hf/embedded --adapter") == 1
