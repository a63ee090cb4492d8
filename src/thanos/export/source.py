"""What is exported: a whole model, or a base with an adapter."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thanos.errors import ThanosError

HUB_FILES = ["*.json", "*.safetensors", "*.jinja"]


@dataclass(frozen=True)
class Source:
    """A model and, where it's an adapter's base, the adapter."""

    model: str
    """As `thanos.engines.hf.load.load_weights` takes it."""
    files: Path
    """The model here: a folder, or a GGUF file."""
    adapter: Path | None = None
    """Folder of a PEFT adapter."""


def find_source(folder: Path, base: str | None = None) -> Source:
    """See what a folder holds, and find the base that an adapter needs.

    Args:
        folder: Holds an adapter (as `thanos train` saves) or a whole model.
        base: The adapter's base, where the one that it names isn't meant.

    Raises:
        ThanosError: if it holds neither, or the base can't be had.
    """
    if (folder / "adapter_config.json").is_file():
        base = base or read_json(folder / "adapter_config.json").get("base_model_name_or_path")
        if not base:
            raise ThanosError(f"{folder} doesn't say which base its adapter belongs to: give --base")
        return Source(base, _local(base, folder), folder)
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ThanosError(
            f"{folder} holds neither an adapter (adapter_config.json) nor a model (config.json and *.safetensors)"
        )
    if base:
        raise ThanosError(f"--base goes with an adapter, and {folder} holds a whole model: leave it out")
    if read_json(folder / "config.json").get("quantization_config"):
        raise ThanosError(f"{folder} is already quantised: export the model that it was made from")
    return Source(str(folder), folder)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a model folder.

    Raises:
        ThanosError: if it can't be read.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ThanosError(f"can't read {path}: {str(error).splitlines()[0]}") from None
    if not isinstance(value, dict):
        raise ThanosError(f"can't read {path}: it holds no JSON object")
    return value


def load_config(files: Path) -> Any:
    """A model's transformers configuration.

    Raises:
        ThanosError: if transformers doesn't know it.
    """
    from transformers import AutoConfig

    is_gguf = files.suffix == ".gguf"
    where = (
        {"pretrained_model_name_or_path": files.parent, "gguf_file": files.name}
        if is_gguf
        else {"pretrained_model_name_or_path": files}
    )
    try:
        return AutoConfig.from_pretrained(**where)
    except (OSError, ValueError) as error:
        raise ThanosError(f"can't read the configuration of {files}: {str(error).strip().splitlines()[0]}") from None


def _local(model: str, adapter: Path) -> Path:
    if model == "embedded":
        from thanos.engines.embedded.base import base_path

        return base_path()
    path = Path(model).expanduser()
    if path.suffix == ".gguf" and not path.is_file():
        raise ThanosError(f"no file {model}, the base of {adapter}: give --base")
    return path if path.exists() else _from_hub(model, adapter)


def _from_hub(model: str, adapter: Path) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(model, allow_patterns=HUB_FILES))
    except (OSError, HfHubHTTPError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ThanosError(f"can't get {model}, the base of {adapter}: {reason}; give --base FOLDER") from None
