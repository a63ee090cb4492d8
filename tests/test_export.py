"""thanos export: what is written is the model, in the form that each engine loads."""

import json
import os
import subprocess
import sys
from math import isclose
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra export")
pytest.importorskip("xllamacpp", reason="needs the extra export")
pytest.importorskip("peft", reason="needs the extra export")
gguf = pytest.importorskip("gguf")

from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402
from random_llama import TEMPLATE, make_model  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from training import write_config, write_training_files  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

import thanos.export.run as run_module  # noqa: E402
from thanos import ThanosError  # noqa: E402
from thanos.cli.app import main  # noqa: E402
from thanos.cli.export import report_lines  # noqa: E402
from thanos.dialogue import read_rows  # noqa: E402
from thanos.engines.chat_tokens import encode_chat  # noqa: E402
from thanos.engines.hf import TransformersEngine  # noqa: E402
from thanos.export import FORMS, export, hf_folder  # noqa: E402
from thanos.export.adapter import with_adapter  # noqa: E402
from thanos.export.agreement import Agreement, Answer  # noqa: E402
from thanos.export.check_rows import default_rows, draw_rows  # noqa: E402
from thanos.export.gguf_file import TYPES  # noqa: E402
from thanos.export.tensors import gguf_reader, open_tensors  # noqa: E402
from thanos.prompts import load_prompt  # noqa: E402
from thanos.skills import Skill  # noqa: E402

PROMPT = load_prompt("thanos")
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def rows(place):
    """Three dialogues with three skills."""
    path = place / "rows.jsonl"
    lines = default_rows().read_text(encoding="utf-8").splitlines()[::150]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tuned(place, rows):
    """A tiny model that has learnt by heart what to write after these dialogues."""
    folder = make_model(place / "tuned", "tiny")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    pairs = []
    for row in read_rows(str(rows)):
        answer = tokenizer(f"I see. [RESULT SKILL] {row.dialogue.meta['skill']}", add_special_tokens=False)["input_ids"]
        pairs.append((encode_chat(tokenizer, PROMPT.render(row.dialogue)), [*answer, tokenizer.eos_token_id]))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(100):
        loss = sum(
            model(input_ids=torch.tensor([p + a]), labels=torch.tensor([[-100] * len(p) + a])).loss for p, a in pairs
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss < 0.05:
            break
    assert loss < 0.05
    model.save_pretrained(folder)
    return folder


def make_adapter(base: Path, folder: Path, size: float = 0.01, **config) -> Path:
    """An adapter whose products aren't zero."""
    torch.manual_seed(1)
    options = {"r": 4, "lora_alpha": 8, "target_modules": LINEAR, "task_type": "CAUSAL_LM", **config}
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**options))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and "lora_A" not in name:
            parameter.data += size * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(place, tuned):
    return make_adapter(tuned, place / "adapter")


def merged_by_peft(base, adapter) -> dict[str, torch.Tensor]:
    whole = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).merge_and_unload()
    return whole.state_dict()


def skills(path) -> list[str]:
    return [json.loads(line)["skill"] for line in path.read_text(encoding="utf-8").splitlines()]


# Merging


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"q_proj": 5, "layers.1.mlp.up_proj": 3}},
        {"target_modules": ["v_proj"], "modules_to_save": ["input_layernorm"]},
    ],
    ids=["plain", "rslora", "patterns", "modules_to_save"],
)
def test_merging_is_pefts(tuned, tmp_path, config):
    folder = make_adapter(tuned, tmp_path / "adapter", size=0.3, **config)
    before, merged = open_tensors(tuned), with_adapter(open_tensors(tuned), folder)
    wanted = merged_by_peft(tuned, folder)
    for name in merged.shapes:
        assert torch.allclose(torch.from_numpy(merged.read(name)), wanted[name], atol=1e-5), name
    changed = {name for name in merged.shapes if not np.array_equal(merged.read(name), before.read(name))}
    assert len(changed) == (4 if "modules_to_save" in config else 14)


# hf


def test_hf_folder_is_the_merged_model_with_its_tokenizer(tuned, adapter, rows, tmp_path):
    report = export(adapter, "hf", tmp_path / "out", rows, quantise="f32")
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    for name, value in merged_by_peft(tuned, adapter).items():
        assert torch.allclose(saved.state_dict()[name], value, atol=1e-6), name
    assert saved.config.architectures == ["LlamaForCausalLM"] and saved.generation_config.eos_token_id
    before, after = AutoTokenizer.from_pretrained(tuned), AutoTokenizer.from_pretrained(tmp_path / "out")
    messages = PROMPT.render(next(read_rows(str(rows))).dialogue)
    assert encode_chat(after, messages) == encode_chat(before, messages)
    assert report == json.loads((tmp_path / "out" / "export.json").read_text())
    assert report["check"]["rate"] == 1.0 and report["check"]["n"] == report["check"]["same_text"] == 3


def test_hf_is_bfloat16_unless_told_otherwise(tuned, rows, tmp_path):
    export(tuned, "hf", tmp_path / "out", rows)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto").dtype == torch.bfloat16


def test_large_models_come_in_several_files(tuned, tmp_path, monkeypatch):
    monkeypatch.setattr(hf_folder, "SHARD_BYTES", 100_000)
    write_only(tuned, "hf", tmp_path / "out", "f32")
    assert len(list((tmp_path / "out").glob("model-*-of-*.safetensors"))) > 2
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "out").state_dict()
    for name, value in AutoModelForCausalLM.from_pretrained(tuned).state_dict().items():
        assert torch.equal(saved[name], value), name


# gguf


def write_only(folder, form, output, quantisation, base=None):
    """An export without the comparison."""
    from thanos.export.source import find_source

    run_module._write(find_source(folder, base), form, quantisation, run_module.Places(output))
    return output


class LlamaCpp:
    """llama.cpp's server with a file, asked for what it makes of tokens and text."""

    def __init__(self, path):
        from thanos.export.llama_cpp import start_server

        self.server = start_server(path)

    def ask(self, where, body):
        url, headers = f"{self.server.listening_address}/{where}", {"Content-Type": "application/json"}
        with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=60) as answer:
            return json.load(answer)

    def log_p(self, ids: list[int]) -> dict[int, float]:
        """Log-probabilities of the most probable next tokens."""
        body = {"prompt": ids, "n_predict": 1, "n_probs": 50, "temperature": 1.0, "cache_prompt": False}
        best = self.ask("completion", body)["completion_probabilities"][0]["top_logprobs"]
        return {entry["id"]: entry["logprob"] for entry in best}

    def tokens(self, text: str) -> list[int]:
        return self.ask("tokenize", {"content": text, "add_special": False, "parse_special": True})["tokens"]


TEXTS = [
    "Hello there, it's 1234567 o'clock!  Two  spaces\n\n\nand\tlines \r\n end ",
    "Größe, naïve café, 日本語のテキスト, Привет! I'LL we've 3.14 ½ — “quoted” … 👩‍👩‍👧 x=[1,2];",
    "<|user|>\nspecial<|end|>\n",
]


@torch.inference_mode()
def same_as_transformers(path, model, tokenizer, atol):
    """Next-token probabilities in llama.cpp and in transformers; and the same tokens for the same text."""
    server = LlamaCpp(path)
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert server.tokens(text) == ids, text
        wanted = model(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        found = server.log_p(ids)
        assert len(found) == 50
        for token, log_p in found.items():
            assert isclose(log_p, float(wanted[token]), abs_tol=atol), (text, token)


def test_gguf_in_llama_cpp_is_the_model_in_transformers(adapter, tuned, rows, tmp_path):
    report = export(adapter, "gguf", tmp_path / "out.gguf", rows, quantise="f32")
    assert report["check"]["rate"] == 1.0 and report["check"]["same_text"] == report["check"]["n"] == 3
    whole = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tuned), adapter).merge_and_unload()
    tokenizer = AutoTokenizer.from_pretrained(tuned)
    same_as_transformers(tmp_path / "out.gguf", whole, tokenizer, atol=5e-3)
    messages = PROMPT.render(next(read_rows(str(rows))).dialogue)
    server = LlamaCpp(tmp_path / "out.gguf")
    prompt = server.ask("apply-template", {"messages": messages})["prompt"]
    assert server.tokens(prompt) == encode_chat(tokenizer, messages)


def other_llama(folder: Path, cut: str) -> Path:
    """A model with another tokenizer, of Llama 3's kind (begins each text with a token; stretched rope; heads wider
    than hidden / heads; a head of its own), or SmolLM's."""
    from tokenizers import Regex, Tokenizer, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from thanos.engines.embedded.tokenizer import WORDS
    from thanos.export.gguf_words import LLAMA_3_WORDS

    make_model(folder, "tiny")
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words = lambda pattern: pre_tokenizers.Split(Regex(pattern), "isolated")
    steps = {
        "llama-bpe": [words(LLAMA_3_WORDS), bytes_only],
        "smollm": [pre_tokenizers.Digits(individual_digits=True), words(WORDS), bytes_only],
    }[cut]
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    begin, end = backend.token_to_id("<|begin|>"), backend.token_to_id("<|end|>")
    if cut == "llama-bpe":
        backend.post_processor = processors.TemplateProcessing("<|begin|> $A", special_tokens=[("<|begin|>", begin)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<|begin|>", eos_token="<|end|>")
    tokenizer.save_pretrained(folder)
    stretched = {
        "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }  # fmt: skip
    config = LlamaConfig(
        vocab_size=2080, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, tie_word_embeddings=False, max_position_embeddings=1024,
        rope_parameters=stretched, bos_token_id=begin, eos_token_id=end, attention_bias=True,
    )  # fmt: skip
    torch.manual_seed(3)
    model = LlamaForCausalLM(config)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("cut", ["llama-bpe", "smollm"])
def test_gguf_of_other_tokenizers_and_shapes(tmp_path, cut):
    folder = other_llama(tmp_path / "model", cut)
    path = write_only(folder, "gguf", tmp_path / "out.gguf", "f32")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    same_as_transformers(path, AutoModelForCausalLM.from_pretrained(folder), tokenizer, atol=2e-2)
    fields = gguf_reader(path).fields
    assert fields["tokenizer.ggml.pre"].contents() == cut
    assert fields["tokenizer.ggml.add_bos_token"].contents() == (cut == "llama-bpe")
    assert fields["tokenizer.ggml.bos_token_id"].contents() == tokenizer.bos_token_id
    assert len(fields["tokenizer.ggml.tokens"].contents()) == 2080


@pytest.mark.parametrize("quantisation", FORMS["gguf"])
def test_quantised_tensors_are_near_the_model(tuned, tmp_path, quantisation):
    path = write_only(tuned, "gguf", tmp_path / "out.gguf", quantisation)
    before, after = open_tensors(tuned), open_tensors(path)
    assert after.shapes == before.shapes
    allowed = {
        "f32": 0,
        "f16": 4e-4,
        "bf16": 4e-3,
        "q8_0": 8e-3,
        "q5_1": 4e-2,
        "q5_0": 6e-2,
        "q4_1": 8e-2,
        "q4_0": 0.12,
    }
    for name in before.shapes:
        ours, theirs = before.read(name), after.read(name)
        exact = ours.ndim == 1
        table = "embed" in name and allowed[quantisation] > allowed["q8_0"]
        most = 0 if exact else allowed["q8_0" if table else quantisation]
        assert np.linalg.norm(ours - theirs) <= most * np.linalg.norm(ours), name
    kinds = {tensor.tensor_type for tensor in gguf_reader(path).tensors if len(tensor.shape) > 1}
    assert TYPES[quantisation][0] in kinds


def test_embedded_base_as_gguf_and_as_tuning_file(tmp_path):
    """The real base: fields are copied, rows of Q and K put in order, changes kept."""
    from thanos.engines.embedded.base import base_path
    from thanos.engines.embedded.tuning import Tuning
    from thanos.errors import EngineError

    try:
        base_path()
    except EngineError as error:
        pytest.skip(f"no base weights: {error}")
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "lora_alpha": 4, "r": 2, "base_model_name_or_path": "embedded"})
    )
    torch.manual_seed(0)
    parts, deltas = {}, {}
    for module, out in (("layers.0.self_attn.q_proj", 576), ("layers.7.mlp.down_proj", 576)):
        a, b = torch.randn(2, 1536 if "down" in module else 576), torch.randn(out, 2)
        parts |= {f"base_model.model.model.{module}.lora_{x}.weight": value for x, value in (("A", a), ("B", b))}
        deltas[f"model.{module}.weight"] = (2 * b @ a).numpy()
    save_file(parts, folder / "adapter_model.safetensors")

    path = write_only(folder, "gguf", tmp_path / "out.gguf", "f16")
    before, after = open_tensors(base_path()), open_tensors(path)
    assert after.shapes == before.shapes
    for name, delta in deltas.items():
        wanted = before.read(name) + delta
        assert np.linalg.norm(after.read(name) - wanted) < 1e-3 * np.linalg.norm(wanted)
    fields, theirs = (gguf_reader(p).fields for p in (path, base_path()))
    for name in theirs:
        if not name.startswith("GGUF.") and name != "general.file_type":
            assert fields[name].contents() == theirs[name].contents(), name

    tuning = Tuning(write_only(folder, "embedded", tmp_path / "out.npz", ""))
    assert tuning.names == ["blk.0.attn_q.weight", "blk.7.ffn_down.weight"]
    for name, delta in zip(tuning.names, deltas.values(), strict=True):
        change = tuning.change(name)
        lost = np.square(change - delta).sum() / np.square(delta).sum()
        assert lost < 0.35 and np.corrcoef(change.ravel(), delta.ravel())[0, 1] > 0.8


# The comparison


def test_a_worse_model_is_found_out(tuned, rows, tmp_path, monkeypatch):
    """The export is spoilt on its way: the report says so, and the file lists what changed."""

    def spoilt(value, kind):
        generator = np.random.default_rng(0)
        return real(value + 0.2 * generator.standard_normal(value.shape, np.float32), kind)

    real = gguf.quants.quantize
    monkeypatch.setattr(gguf.quants, "quantize", spoilt)
    report = export(tuned, "gguf", tmp_path / "out.gguf", rows, quantise="q8_0")
    assert report["check"]["rate"] < 1.0
    listed = [json.loads(line) for line in (tmp_path / "out.disagreements.jsonl").read_text().splitlines()]
    assert len(listed) == report["check"]["n"] - report["check"]["agreed"] > 0
    assert [row["model"]["skill"] for row in listed] == [skills(rows)[row["line"] - 1] for row in listed]
    assert all(row["export"]["skill"] != row["model"]["skill"] and row["model"]["text"] for row in listed)


def test_the_model_answers_in_float32_wherever_it_runs(tuned, rows, tmp_path, monkeypatch):
    """On a GPU models run in bfloat16: rounding would count as disagreement."""
    types = []

    class Noted(TransformersEngine):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            types.append(self._model.dtype)

    monkeypatch.setattr("thanos.engines.hf.load.usual_type", lambda device: torch.bfloat16)
    monkeypatch.setattr("thanos.export.compare.TransformersEngine", Noted)
    export(tuned, "hf", tmp_path / "out", rows)
    assert types == [torch.float32, torch.bfloat16]


def test_figures_of_an_agreement():
    ask, care, silent = Answer("a", Skill.CLARIFICATION), Answer("b", Skill.EMPATHY), Answer("c", None)
    pairs = [(ask, ask)] * 5 + [(ask, care)] * 2 + [(silent, care)] + [(silent, silent)] * 3
    figures = Agreement(pairs).as_json()
    assert (figures["rows"], figures["n"], figures["agreed"], figures["same_text"]) == (11, 8, 5, 8)
    assert figures["rate"] == 5 / 8 and figures["low"] < 5 / 8 < figures["high"]
    assert figures["no_skill"] == {"model": 4, "export": 3}
    assert Agreement([(silent, silent)]).as_json()["rate"] is None
    for other, share in ((ask, 1.0), (care, 0.0)):
        figures = Agreement([(ask, other)] * 15).as_json()
        assert share in (figures["low"], figures["high"]) and 0 <= figures["low"] < figures["high"] <= 1


def test_a_report_in_words():
    pairs = [(Answer("a", Skill.EMPATHY), Answer("b", skill)) for skill in [Skill.EMPATHY] * 9 + [None]]
    report = {"quantisation": "q8_0", "bytes": 2_500_000, "check": Agreement(pairs).as_json()}
    lines = report_lines(report, Path("out.gguf"))
    assert lines[0] == "out.gguf: q8_0, 2.5 MB"
    assert "after 9 of 10 dialogues: 90.0% (95% interval 59.6% to 98.2%)" in lines[1]
    assert lines[2] == "no skill in the answer: 0 of the model's, 1 of the export's"
    tuning = {**report, "quantisation": "", "square_lost": 0.2, "left_out": ["model.norm.weight"]}
    assert (
        "keep 80%" in report_lines(tuning, Path("o.npz"))[1] and "1 changed norms" in report_lines(tuning, Path("o"))[2]
    )
    silent = {**report, "check": Agreement([(Answer("", None), Answer("", None))]).as_json()}
    assert "nothing can be compared" in report_lines(silent, Path("o"))[-1]


def test_rows_are_drawn_evenly_and_the_same_each_time(rows):
    drawn = draw_rows(default_rows())
    assert len(drawn) == len({line for line, _ in drawn}) == 200 and drawn == draw_rows(default_rows())
    assert len({dialogue.meta["skill"] for _, dialogue in drawn}) == 39
    assert [line for line, _ in draw_rows(rows)] == [1, 2, 3]


def test_bad_rows_are_passed_over_but_some_must_be_good(rows, tmp_path):
    path = tmp_path / "some.jsonl"
    first, *others = rows.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([first, "{broken", *others]), encoding="utf-8")
    assert [line for line, _ in draw_rows(path)] == [1, 3, 4]
    path.write_text('{"turns": []}\n{"turns": 3}\n')
    with pytest.raises(ThanosError, match="no dialogue to check"):
        draw_rows(path)


# Interruptions


def test_a_run_that_was_stopped_while_comparing_goes_on(tuned, rows, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    output = tmp_path / "out.gguf"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_module, "compare", stop)
        export(tuned, "gguf", output, rows)
    written = output.stat().st_mtime_ns
    assert json.loads((tmp_path / "out.export.json").read_text())["check"] is None
    with pytest.raises(ThanosError, match="exists"):
        export(tuned, "gguf", output, rows, quantise="q4_0")
    report = export(tuned, "gguf", output, rows)
    assert report["check"]["n"] == 3 and output.stat().st_mtime_ns == written


def test_a_write_that_broke_off_leaves_nothing(tuned, rows, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "out.part.gguf").write_bytes(b"of a killed run")
    monkeypatch.setattr(gguf.GGUFWriter, "write_tensor_data", full)
    with pytest.raises(ThanosError, match=r"can't write .*out\.gguf: no space left"):
        export(tuned, "gguf", tmp_path / "out.gguf", rows)
    assert list(tmp_path.iterdir()) == []


# Bad input


def refused(match, *arguments, **options):
    """One line that says this, and nothing written."""
    with pytest.raises(ThanosError, match=match) as caught:
        export(*arguments, **options)
    assert "\n" not in str(caught.value)
    output = arguments[2]
    assert not output.exists() or output.name == "there"


def test_what_cannot_be_exported(tuned, adapter, rows, tmp_path):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    refused("neither an adapter .* nor a model", empty, "hf", out, rows)
    refused("neither an adapter .* nor a model", tmp_path / "nothing", "hf", out, rows)
    refused(
        r"unknown quantisation 'q4_k_m' .*did you mean 'q4_1'", adapter, "gguf", tmp_path / "o.gguf", rows, "q4_k_m"
    )
    refused("unknown quantisation 'int3' for --to hf; known: bf16, f16, f32", adapter, "hf", out, rows, "int3")
    refused("leave --quantize out", adapter, "embedded", tmp_path / "o.npz", rows, "q8_0")
    refused("can't export to 'ggfu'; did you mean 'gguf'", adapter, "ggfu", out, rows)
    refused(r"must end in \.gguf", adapter, "gguf", out, rows)
    refused("can't read .*rows", adapter, "hf", out, tmp_path / "no-rows.jsonl")
    refused("--base goes with an adapter", tuned, "hf", out, rows, base=str(tuned))
    refused("no file .*base.gguf, the base of", adapter, "hf", out, rows, base=str(tmp_path / "base.gguf"))
    (tmp_path / "there").mkdir()
    refused("there exists: give another -o", adapter, "hf", tmp_path / "there", rows)


def test_a_base_that_the_hub_does_not_give(adapter, rows, tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    refused(
        "can't get nobody/nothing, the base of .*; give --base",
        adapter,
        "hf",
        tmp_path / "out",
        rows,
        base="nobody/nothing",
    )


def test_an_adapter_of_another_base(tuned, adapter, rows, place, tmp_path):
    other = other_llama(place / "other", "smollm")
    refused(
        r"of another base: model\.layers\.0\.\S+ is \d+ x \d+ here, not \d+ x \d+; give --base",
        adapter, "hf", tmp_path / "out", rows, base=str(other),
    )  # fmt: skip
    deep = make_adapter(tuned, tmp_path / "deep")
    path = deep / "adapter_model.safetensors"
    moved = {name.replace("layers.1", "layers.9"): value for name, value in load_torch(path).items()}
    save_file(moved, path)
    refused(r"of another base: this one has no model\.layers\.9", deep, "hf", tmp_path / "out", rows)


def load_torch(path):
    from safetensors.torch import load_file

    return load_file(path)


@pytest.mark.parametrize(
    "config, match",
    [
        ({"peft_type": "IA3"}, "of the kind IA3, not LORA"),
        ({"use_dora": True}, "DoRA"),
        ({"init_lora_weights": "pissa_niter_4"}, "changed the base too"),
        ({"base_model_name_or_path": None}, "give --base"),
    ],
)
def test_adapters_that_cannot_be_merged(adapter, rows, tmp_path, config, match):
    folder = copy_with(adapter, tmp_path / "adapter", "adapter_config.json", config)
    refused(match, folder, "hf", tmp_path / "out", rows)


def copy_with(source: Path, folder: Path, name: str, change: dict) -> Path:
    import shutil

    shutil.copytree(source, folder)
    (folder / name).write_text(json.dumps({**json.loads((source / name).read_text()), **change}))
    return folder


def test_models_that_gguf_has_no_place_for(tuned, rows, tmp_path):
    out = tmp_path / "out.gguf"
    long = copy_with(tuned, tmp_path / "long", "config.json", {"rope_parameters": {
        "rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0, "original_max_position_embeddings": 1024,
    }})  # fmt: skip
    refused("rotary positions of the type 'yarn'", long, "gguf", out, rows)
    other = copy_with(tuned, tmp_path / "mistral", "config.json", {"model_type": "mistral"})
    refused("writes llama models, and this one is mistral", other, "gguf", out, rows)
    four_bits = copy_with(tuned, tmp_path / "four", "config.json", {"quantization_config": {"load_in_4bit": True}})
    refused("already quantised", four_bits, "gguf", out, rows)
    backend = json.loads((tuned / "tokenizer.json").read_text())
    own = copy_with(tuned, tmp_path / "words", "tokenizer.json", {"pre_tokenizer": {
        "type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, backend["pre_tokenizer"]],
    }})  # fmt: skip
    refused("cuts words in a way of its own", own, "gguf", out, rows)
    bytes_back = copy_with(
        tuned, tmp_path / "spm", "tokenizer.json", {"model": {**backend["model"], "byte_fallback": True}}
    )
    refused("byte-level BPE tokenizers only", bytes_back, "gguf", out, rows)


def test_a_broken_adapter_file(adapter, rows, tmp_path):
    folder = copy_with(adapter, tmp_path / "adapter", "adapter_config.json", {})
    (folder / "adapter_model.safetensors").write_bytes(b"not this")
    refused("can't read .*adapter_model", folder, "hf", tmp_path / "out", rows)
    (folder / "adapter_model.safetensors").unlink()
    refused("can't read .*adapter_model", folder, "hf", tmp_path / "out", rows)


def test_the_command_says_it_in_one_line(tuned, rows, tmp_path, monkeypatch, capsys):
    def command(folder, output):
        words = ["thanos", "export", str(folder), "--to", "gguf", "-o", str(output), "--check", str(rows)]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    code, out, err = command(tmp_path, tmp_path / "out.gguf")
    assert code == 2 and out == "" and err.startswith("thanos: ") and err.count("\n") == 1 and "neither" in err
    code, out, err = command(tuned, tmp_path / "out.gguf")
    assert code == 0 and "the same skill as the unquantised model after 3 of 3 dialogues: 100.0%" in err


@pytest.mark.slow
def test_exporting_and_training_without_a_word_from_the_libraries(adapter, rows, tmp_path):
    """Both commands in one process, which saves imports; standard error isn't a terminal here."""
    pytest.importorskip("trl", reason="needs the extra train")
    folder, base, out = other_llama(tmp_path / "model", "smollm"), tmp_path / "base.gguf", tmp_path / "out"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    write_only(folder, "gguf", base, "f32")
    changed = {"base": str(base), "max_tokens": 1024, "max_steps": 2, "eval_every": 1, "eval_rows": 1}
    config = write_config(tmp_path / "c.yaml", write_training_files(tmp_path, rows=8) | changed)
    words = f"export {adapter} --to hf --quantize f32 -o {tmp_path / 'hf'} --check {rows}", f"train {config}"
    code = f"""if True:
        import sys
        from thanos.cli.app import main
        for words in {words}:
            sys.argv = ["thanos", *words.split()]
            try:
                main()
            except SystemExit as ended:
                assert not ended.code
        """
    env = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and [line for line in lines if not line.startswith("thanos: ")] == [], done.stderr
    assert "hf: f32" in lines[0] and sum(line.startswith("thanos: step ") for line in lines) == 2
    # Neither the folder of the base, which may hold another model's configuration, nor a name to ask the hub for.
    saved = json.loads((out / "checkpoint-2" / "adapter_config.json").read_text())
    assert saved["base_model_name_or_path"] == ""
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)
