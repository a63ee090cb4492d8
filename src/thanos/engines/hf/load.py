"""Weights and tokenizer from a hub id, a folder or a GGUF file, with an adapter merged in."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from thanos.errors import EngineError


def load(model: str, adapter: str | None, device: torch.device, dtype: torch.dtype | None = None) -> tuple[Any, Any]:
    """Load (tokenizer, model), in the device's usual type if none is given.

    Raises:
        EngineError: if either can't be found or doesn't load.
    """
    tokenizer = load_tokenizer(model)
    weights = load_weights(model, dtype=dtype or usual_type(device))
    if adapter:
        weights = _with_adapter(weights, adapter)
    return tokenizer, weights.to(device).eval()


def usual_type(device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU, float32 on a CPU."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def load_tokenizer(model: str) -> Any:
    """The tokenizer of a hub id, a folder, a GGUF file, or of "embedded". Raises as `load`."""
    path = gguf_file(model)
    try:
        return gguf_tokenizer(path) if path else AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise EngineError(f"can't load hf/{model}: {_first_line(error)}") from None


def load_weights(model: str, **how: Any) -> Any:
    """The weights of whatever `load_tokenizer` takes. Raises as `load`.

    Args:
        model: See `load_tokenizer`.
        **how: More arguments of transformers' `from_pretrained`, e.g. dtype.
    """
    path = gguf_file(model)
    where: dict[str, Any] = {"pretrained_model_name_or_path": model}
    if path:
        where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    try:
        weights = AutoModelForCausalLM.from_pretrained(**where, **how, attn_implementation="sdpa")
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise EngineError(f"can't load hf/{model}: {_first_line(error)}") from None
    if path:
        # They are dequantised, but marked as quantised: that would keep them from being trained, and go into a config.
        weights.hf_quantizer, weights.is_quantized = None, False
        del weights.config.quantization_config
    return weights


def gguf_file(model: str) -> Path | None:
    """The GGUF file that a model's name stands for, if it does."""
    if model == "embedded":
        from thanos.engines.embedded.base import base_path

        return base_path()
    return Path(model) if model.endswith(".gguf") else None


def gguf_tokenizer(path: Path) -> Any:
    """The embedded model's own tokenizer: transformers' conversion loses the rule that cuts numbers into digits."""
    from thanos.engines.embedded.gguf_file import open_gguf
    from thanos.engines.embedded.tokenizer import read_tokenizer

    fields = open_gguf(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    end = tokens[fields["tokenizer.ggml.eos_token_id"].contents()]
    return PreTrainedTokenizerFast(
        tokenizer_object=read_tokenizer(path),
        eos_token=end,
        pad_token=end,
        chat_template=fields["tokenizer.chat_template"].contents(),
    )


def _with_adapter(weights: Any, adapter: str) -> Any:
    try:
        from peft import PeftModel

        return PeftModel.from_pretrained(weights, adapter).merge_and_unload()
    except ModuleNotFoundError:
        raise EngineError("an adapter needs peft: pip install 'thanos-skill-of-mind[hf]'") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise EngineError(f"can't load the adapter {adapter}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
