"""thanos train: the configuration, from its file, from the command line, and all that can be wrong with it."""

import pytest
import yaml
from training import write_config
from typer.testing import CliRunner

from thanos.cli.app import app
from thanos.errors import ThanosError
from thanos.train.read_config import FIELDS, SHIPPED, dump_config, load_config, split_arguments

PLACES = ["--train", "t", "--validation", "v", "--output", "o"]


def test_every_field_has_a_docstring_and_stands_in_the_help():
    text = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).output
    for key, field in FIELDS.items():
        assert field.description and f"--{key}" in text
    assert "lora|qlora|full" in text and "[default: 256]" in text
    assert any(line.split()[:2] == ["--max_steps", "int"] for line in text.splitlines())
    assert CliRunner().invoke(app, ["train"], env={"COLUMNS": "200"}).output == text


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_configs_load_and_follow_the_paper(name):
    config = load_config(name, PLACES)
    assert config.batch == 64
    if config.tune == "lora" and config.method == "sft":
        assert (config.rank, config.alpha, config.epochs) == (256, 256, 3)


def test_paths_of_a_file_are_relative_to_it_and_arguments_win(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "model").mkdir()
    values = {"base": "model", "train": "t.jsonl", "validation": "../v.jsonl", "output": "out", "lr": 1e-5}
    path = write_config(tmp_path / "runs" / "c.yaml", values)
    monkeypatch.chdir(tmp_path)
    config = load_config("runs/c.yaml", ["--train=x.jsonl", "--lr", "1e-3", "--checkpointing", "--max-steps", "7"])
    assert config.base == "runs/model" and str(config.validation) == "runs/../v.jsonl"
    assert (str(config.train), config.lr, config.checkpointing, config.max_steps) == ("x.jsonl", 1e-3, True, 7)
    assert str(load_config("thanos-3b", PLACES[:4]).output) == "outputs/thanos-3b"
    assert load_config(str(path), ["--log_to", "tensorboard,trackio"]).log_to == ["tensorboard", "trackio"]


def test_a_written_config_reads_back_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "o").mkdir()
    config = load_config("thanos-1b", [*PLACES, "--seed", "3"])
    (tmp_path / "o" / "train.yaml").write_text(dump_config(config, config.output))
    assert str(tmp_path) not in (tmp_path / "o" / "train.yaml").read_text()
    monkeypatch.chdir("/")
    again = load_config(str(tmp_path / "o" / "train.yaml"))
    assert (again.base, again.seed) == (config.base, 3)
    assert again.train.resolve() == tmp_path / "t" and again.output.resolve() == tmp_path / "o"


def test_words_of_the_command_line():
    assert split_arguments(["--lr", "1e-3", "c.yaml", "--fsdp", "--gpus=2"]) == (
        "c.yaml",
        ["--lr", "1e-3", "--fsdp", "--gpus=2"],
    )
    assert split_arguments(["--fsdp", "c.yaml"]) == ("c.yaml", ["--fsdp"])
    assert split_arguments(["c.yaml", "--fsdp", "false"]) == ("c.yaml", ["--fsdp", "false"])
    with pytest.raises(ThanosError, match="one config at a time"):
        split_arguments(["a.yaml", "b.yaml"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learning_rate", "1"], r"no option --learning_rate; known: base"),
        (["--ranks", "8"], r"no option --ranks; did you mean 'rank'\?"),
        (["--rank", "0"], r"rank: input should be greater than or equal to 1"),
        (["--tune", "lra"], r"tune: input should be 'lora', 'qlora' or 'full'"),
        (["--rank"], r"--rank needs a value"),
        (["--batch", "10"], r"batch 10 isn't a multiple of rows_at_once times gpus \(32 x 1\)"),
        (["--fsdp"], r"fsdp spreads weights over several GPUs"),
        (["--adapter", "x", "--tune", "full"], r"full tuning has no adapter"),
        (["--gpus", "2", "--fsdp", "--tune", "qlora"], r"fsdp goes with tune lora or full"),
    ],
)
def test_bad_arguments_are_one_clear_line(arguments, message):
    with pytest.raises(ThanosError, match=message) as caught:
        load_config("thanos-1b", [*PLACES, *arguments])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: x\nlog_too: []", r"config c.yaml: unknown key 'log_too'; did you mean 'log_to'\?"),
        ("base: x", r"config c.yaml lacks train, validation: add --train"),
        ("[1]", r"config c.yaml: expected keys like"),
        ("a: [", r"config c.yaml isn't YAML"),
        (None, r"can't read config c.yaml: no such file or directory; give a YAML file or one of: embedded"),
    ],
)
def test_bad_files_are_one_clear_line(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ThanosError, match=message) as caught:
        load_config("c.yaml")
    assert "\n" not in str(caught.value)


def test_the_command_names_the_nearest_key():
    result = CliRunner().invoke(app, ["train", "thanos-1b", *PLACES, "--epoch", "1"])
    assert isinstance(result.exception, ThanosError) and "did you mean 'epochs'" in str(result.exception)
    assert "which config" in str(CliRunner().invoke(app, ["train", "--lr", "1"]).exception)


def test_shipped_configs_are_all_listed():
    from importlib.resources import files

    names = {path.name.removesuffix(".yaml") for path in files("thanos.train").joinpath("configs").iterdir()}
    assert names == set(SHIPPED)
    assert all(yaml.safe_load(files("thanos.train").joinpath("configs", f"{n}.yaml").read_text()) for n in names)
