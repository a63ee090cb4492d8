"""The model to train: a base, with a fresh or an earlier adapter or with all of its weights free."""

from pathlib import Path
from typing import Any

import torch

from thanos.engines.hf.load import gguf_file, load_tokenizer, load_weights, usual_type
from thanos.errors import ThanosError
from thanos.train.config import TrainConfig

LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
"""Those that the paper tunes; the same in most architectures."""


def training_tokenizer(base: str) -> Any:
    """The base's tokenizer, with something to pad by.

    Raises:
        EngineError: if there is no such base.
    """
    tokenizer = load_tokenizer(base)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def training_model(config: TrainConfig, device: torch.device) -> Any:
    """Load the base and make trainable what the configuration says.

    Low-rank additions are float32 on a base in bfloat16 (on a CPU float32); full tuning keeps float32 weights.

    Raises:
        EngineError: if there is no such base.
        ThanosError: if the adapter is of another base, or a library is missing.
    """
    gpu = device.type == "cuda"
    how: dict[str, Any] = {"dtype": torch.float32 if config.tune == "full" else usual_type(device)}
    if gpu and not config.fsdp:
        how["device_map"] = {"": device}
    if config.tune == "qlora":
        how["quantization_config"] = _four_bits(how["dtype"])
    model = load_weights(config.base, **how)
    window = getattr(model.config, "max_position_embeddings", None)
    if window and config.max_tokens > window:
        raise ThanosError(f"max_tokens {config.max_tokens} is more than the {window} that {config.base} can read")
    model.config.use_cache = False
    if config.tune == "full":
        return model
    tuned = _earlier_adapter(model, config) if config.adapter else _fresh_adapter(model, config)
    if gguf_file(config.base):
        # PEFT would look for a config.json beside the file or on the hub at every checkpoint. `finish` names the base.
        for adapter in tuned.peft_config.values():
            adapter.base_model_name_or_path = ""  # it would fill in None
    return tuned


def check_adapter(config: TrainConfig) -> None:
    """Make sure that the adapter to go on from is one of the base.

    Raises:
        ThanosError: if there is none, or it's another base's.
    """
    from peft import PeftConfig

    if not config.adapter:
        return
    try:
        theirs = PeftConfig.from_pretrained(config.adapter).base_model_name_or_path
    except (OSError, ValueError) as error:
        raise ThanosError(f"can't load the adapter {config.adapter}: {str(error).splitlines()[0]}") from None
    if theirs and not same_base(theirs, config.base):
        raise ThanosError(f"the adapter {config.adapter} is of another base: {theirs}, not {config.base}")


def same_base(a: str, b: str) -> bool:
    """True for two names of one base: equal, or paths of one folder or file."""
    return a == b or (Path(a).exists() and Path(b).exists() and Path(a).samefile(b))


def _fresh_adapter(model: Any, config: TrainConfig) -> Any:
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=LINEAR_LAYERS,
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(config.seed)
    try:
        return get_peft_model(model, lora)
    except ValueError as error:
        raise ThanosError(f"can't add low-rank layers to {config.base}: {str(error).splitlines()[0]}") from None


def _earlier_adapter(model: Any, config: TrainConfig) -> Any:
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, config.adapter, is_trainable=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ThanosError(f"can't go on from the adapter {config.adapter}: {reason}") from None


def _four_bits(dtype: torch.dtype) -> Any:
    """QLoRA's way (arXiv 2305.14314): 4-bit NormalFloat, quantised constants."""
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise ThanosError("tune qlora needs bitsandbytes: pip install 'thanos-skill-of-mind[qlora]'")
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
