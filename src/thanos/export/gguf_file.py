"""A GGUF file that llama.cpp, Ollama and LM Studio load, written tensor by tensor."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import LlamaFileType as FileType

from thanos.errors import ThanosError
from thanos.export.gguf_fields import add_model_fields, add_tokenizer_fields, copy_fields
from thanos.export.llama_names import Heads, gguf_name, llama_cpp_rows
from thanos.export.rope import frequency_factors
from thanos.export.tensors import Tensors, gguf_reader

TYPES = {
    "q8_0": (Type.Q8_0, FileType.MOSTLY_Q8_0),
    "q5_1": (Type.Q5_1, FileType.MOSTLY_Q5_1),
    "q5_0": (Type.Q5_0, FileType.MOSTLY_Q5_0),
    "q4_1": (Type.Q4_1, FileType.MOSTLY_Q4_1),
    "q4_0": (Type.Q4_0, FileType.MOSTLY_Q4_0),
    "f16": (Type.F16, FileType.MOSTLY_F16),
    "bf16": (Type.BF16, FileType.MOSTLY_BF16),
    "f32": (Type.F32, FileType.ALL_F32),
}
VOCABULARY = ("model.embed_tokens.weight", "lm_head.weight")
"""Tables of all tokens, in which few bits do most harm; llama.cpp's own quantiser spares them, too."""
ROPE_FREQUENCIES = "rope_freqs.weight"


def check_can_write(tensors: Tensors, config: Any) -> None:
    """Refuse what llama.cpp's llama architecture can't hold.

    Raises:
        ThanosError: for another architecture, or an unknown tensor.
    """
    if config.model_type != "llama":
        raise ThanosError(f"--to gguf writes llama models, and this one is {config.model_type}; use --to hf")
    for name in tensors.shapes:
        if gguf_name(name) is None:
            raise ThanosError(f"--to gguf has no place for {name}; use --to hf")
    frequency_factors(config)


def write_gguf(
    tensors: Tensors, config: Any, tokenizer: Any, files: Path, quantisation: str, output: Path,
    advance: Callable[[], None],
) -> None:  # fmt: skip
    """Write the file.

    Args:
        tensors: What to write, under Hugging Face's names.
        config: The model's transformers configuration.
        tokenizer: Its tokenizer, chat template included.
        files: The model that it came from: the fields of a GGUF file are copied, others are made from the above.
        quantisation: A name of `TYPES`; norms stay float32, and the tables of tokens get 8 bits at least.
        output: A file that isn't there yet.
        advance: Called for each tensor.

    Raises:
        ThanosError: if llama.cpp doesn't know the kind of tokenizer.
    """
    wanted, file_type = TYPES[quantisation]
    writer = gguf.GGUFWriter(output, "llama")
    if files.suffix == ".gguf":
        copy_fields(writer, files)
    else:
        add_model_fields(writer, config, files.name)
        add_tokenizer_fields(writer, tokenizer, config, tensors.shapes[VOCABULARY[0]][0])
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    names = [name for name in tensors.shapes if not (config.tie_word_embeddings and name == "lm_head.weight")]
    extra = dict(_extra_tensors(config, files))
    types = {name: _type_for(name, tensors.shapes[name], wanted) for name in names}
    for name, value in extra.items():
        writer.add_tensor_info(name, value.shape, value.dtype, value.nbytes)
    for name in names:
        _announce(writer, gguf_name(name), tensors.shapes[name], types[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for value in extra.values():
        writer.write_tensor_data(value)
    heads = Heads(config.num_attention_heads, config.num_key_value_heads)
    for name in names:
        value = llama_cpp_rows(name, tensors.read(name), heads)
        writer.write_tensor_data(gguf.quants.quantize(np.ascontiguousarray(value), types[name]))
        advance()
    writer.close()


def _type_for(name: str, shape: tuple[int, ...], wanted: Type) -> Type:
    if len(shape) == 1:
        return Type.F32
    # 8-bit blocks are the finest of the quantised ones.
    kind = Type.Q8_0 if name in VOCABULARY and wanted not in (Type.F32, Type.F16, Type.BF16) else wanted
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    return kind if shape[-1] % block == 0 else Type.F16


def _announce(writer: gguf.GGUFWriter, name: str, shape: tuple[int, ...], kind: Type) -> None:
    if kind in (Type.F32, Type.F16):
        dtype = np.dtype(np.float32 if kind == Type.F32 else np.float16)
        writer.add_tensor_info(name, shape, dtype, int(np.prod(shape)) * dtype.itemsize)
        return
    stored = gguf.quant_shape_to_byte_shape(shape, kind)
    writer.add_tensor_info(name, stored, np.dtype(np.uint8), int(np.prod(stored)), raw_dtype=kind)


def _extra_tensors(config: Any, files: Path) -> Iterator[tuple[str, np.ndarray]]:
    """How rotary frequencies are stretched, where they are."""
    if files.suffix == ".gguf":
        for tensor in gguf_reader(files).tensors:
            if tensor.name == ROPE_FREQUENCIES:
                yield ROPE_FREQUENCIES, np.asarray(tensor.data, np.float32)
    elif (factors := frequency_factors(config)) is not None:
        yield ROPE_FREQUENCIES, factors
