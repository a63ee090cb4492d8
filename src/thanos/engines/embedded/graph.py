"""A llama model as an ONNX graph for onnxruntime on a CPU, written from numpy arrays alone (no torch).

One graph serves prompts, batched decoding and the weighing of choices.

Inputs (B rows, T new tokens a row, R positions asked for, C tokens of cache)::

    input_ids      int64   [B, T]       token ids, padded on the right
    position_ids   int64   [B, T]       rotary position of each token
    query_seqlens  int32   [B]          how many of the T tokens are real
    seqlens_k      int32   [B]          tokens in the row's cache after this run, less one
    total_seqlen   int32   []           the largest of seqlens_k + 1
    attention_bias float   [1, 1, T, total_seqlen]  added to the attention scores: 0, or MASKED
    select         int64   [R]          flat places b * T + t of the positions asked for
    past_key.i     float   [B, KV, C, D]   and past_value.i

Outputs::

    logits         float   [R, vocab]
    hidden         float   [R, hidden]  state after the last norm, what a skill head reads
    present_key.i  float   [B, KV, C, D]   and present_value.i: bound to the same memory as the past

Weights are 8-bit blocks of 32 with one scale each, and products run in int8 (`accuracy_level` 4 of MatMulNBits).
Against float32 the base's next-token distribution moves by a Kullback-Leibler divergence of 0.004; 4 bits: 0.24.
"""

import json
from dataclasses import asdict
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper

from thanos.engines.embedded.weights import Shape

BLOCK = 32
"""Weights that share one scale, along the input dimension."""
POSITIONS = 2048
"""Longest sequence that the graph has rotary angles for."""
DOMAIN = "com.microsoft"
"""onnxruntime's own operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md"""
F, I64, I32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32

Precision = Literal["int8", "float32"]


def make_graph(shape: Shape, weights: dict[str, np.ndarray], precision: Precision = "int8") -> onnx.ModelProto:
    """Write the graph of a llama model.

    Args:
        shape: Its sizes.
        weights: GGUF tensor name -> float32 array, as `load_weights` gives them.
        precision: int8 for use; float32 is four times as large, exact, and there for comparison.
    """
    graph = _Graph(precision)
    cos, sin = _rope(shape)
    graph.constant("cos", cos)
    graph.constant("sin", sin)
    graph.constant("flat", np.array([-1, shape.hidden], np.int64))
    table = weights["token_embd.weight"]
    shared = _embedding(graph, table)
    first = graph.constant("l0.norm", weights["blk.0.attn_norm.weight"])
    graph.add("SimplifiedLayerNormalization", ["x0", first], "l0.normed", axis=-1, epsilon=shape.norm_eps)
    residual, normed = "x0", "l0.normed"
    for index in range(shape.layers):
        residual, normed = _layer(graph, shape, weights, index, residual, normed)
    graph.add("Identity", [normed], "hidden")
    own = weights.get("output.weight")
    if own is None and shared:
        graph.matmul_int8(normed, shared, "logits", shape.vocab, shape.hidden)
    else:
        graph.linear(normed, table if own is None else own, "logits")
    model = helper.make_model(
        helper.make_graph(graph.nodes, "llama", *_interface(shape), graph.constants),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)],
        ir_version=10,
    )
    helper.set_model_props(model, {"shape": json.dumps(asdict(shape)), "precision": precision})
    return model


class _Graph:
    """Nodes and constants of the graph under construction."""

    def __init__(self, precision: Precision):
        self.precision = precision
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op: str, inputs: list[str], outputs: str | list[str], domain: str = "", **attributes) -> str:
        """Append a node; returns the name of its first output."""
        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs[0]

    def linear(self, x: str, weight: np.ndarray, name: str) -> str:
        """x @ weight.T for weight [N, K]."""
        if self.precision == "float32":
            return self.add("MatMul", [x, self.constant(f"{name}.w", weight.T)], name)
        levels, scales = quantise(weight)
        parts = [self.constant(f"{name}.q", levels), self.constant(f"{name}.s", scales)]
        return self.matmul_int8(x, parts, name, *weight.shape)

    def matmul_int8(self, x: str, parts: list[str], name: str, n: int, k: int) -> str:
        """A product with 8-bit weights; the activations are rounded to 8 bits as well."""
        sizes = {"N": n, "K": k, "bits": 8, "block_size": BLOCK}
        return self.add("MatMulNBits", [x, *parts], name, DOMAIN, **sizes, accuracy_level=4)


def quantise(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric 8-bit blocks of weight [N, K]: uint8 [N, K/32, 32] (128 is zero) and float32 scales [N, K/32]."""
    blocks = weight.reshape(weight.shape[0], -1, BLOCK)
    scales = np.abs(blocks).max(axis=2) / 127
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    levels = np.rint(blocks * inverse[..., None]) + 128
    return levels.astype(np.uint8), scales.astype(np.float32)


def _rope(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines [positions, D/2] of the rotary angles."""
    frequencies = shape.rope_theta ** (-np.arange(0, shape.head_dim, 2) / shape.head_dim)
    angles = np.arange(POSITIONS)[:, None] * frequencies
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _embedding(graph: _Graph, table: np.ndarray) -> list[str]:
    """Look the tokens up as x0 [B, T, H]. Returns the 8-bit table, which the language model's head shares.

    Nothing is lost by it where the GGUF table is Q8_0, which has the same blocks.
    """
    if graph.precision == "float32":
        graph.add("Gather", [graph.constant("embed.w", table), "input_ids"], "x0")
        return []
    levels, scales = quantise(table)
    shared = [graph.constant("embed.q", levels), graph.constant("embed.s", scales)]
    blocks = graph.constant("embed.s3", scales[..., None])
    axes = {"bits": 8, "block_size": BLOCK, "gather_axis": 0, "quantize_axis": 2}
    rows = graph.add("GatherBlockQuantized", ["embed.q", "input_ids", blocks], "embed.rows", DOMAIN, **axes)
    width = graph.constant("embed.shape", np.array([0, 0, table.shape[1]], np.int64))
    graph.add("Reshape", [rows, width], "x0")
    return shared


def _layer(graph: _Graph, shape: Shape, weights: dict[str, np.ndarray], index: int, residual: str, normed: str):
    """Add a decoder layer; returns the new residual and the normed input of what follows.

    The last layer keeps only the positions of `select` once its attention is done.
    """
    last, p = index == shape.layers - 1, f"l{index}"
    get = lambda part: weights[f"blk.{index}.{part}.weight"]
    qkv = graph.linear(normed, np.concatenate([get("attn_q"), get("attn_k"), get("attn_v")]), f"{p}.qkv")
    inputs = [qkv, "", "", f"past_key.{index}", f"past_value.{index}", "seqlens_k", "total_seqlen", "cos", "sin"]
    inputs += ["position_ids", "attention_bias", "", "", "", "", "", "query_seqlens"]
    outputs = [f"{p}.att", f"present_key.{index}", f"present_value.{index}"]
    heads = {"num_heads": shape.heads, "kv_num_heads": shape.kv_heads}
    attended = graph.add("GroupQueryAttention", inputs, outputs, DOMAIN, **heads, do_rotary=1, rotary_interleaved=0)
    if last:
        for name, source in ((f"{p}.att.rows", attended), (f"{p}.res.rows", residual)):
            flat = graph.add("Reshape", [source, "flat"], f"{name}.flat")
            graph.add("Gather", [flat, "select"], name)
        attended, residual = f"{p}.att.rows", f"{p}.res.rows"
    out = graph.linear(attended, get("attn_output"), f"{p}.o")
    residual, normed = _add_norm(graph, shape, residual, out, get("ffn_norm"), f"{p}.ffn")
    gate_up = graph.linear(normed, np.concatenate([get("ffn_gate"), get("ffn_up")]), f"{p}.gate_up")
    graph.add("Split", [gate_up], [f"{p}.gate", f"{p}.up"], axis=-1, num_outputs=2)
    act = graph.add("QuickGelu", [f"{p}.gate"], f"{p}.silu", DOMAIN, alpha=1.0)
    down = graph.linear(graph.add("Mul", [act, f"{p}.up"], f"{p}.act"), get("ffn_down"), f"{p}.down")
    following = weights["output_norm.weight"] if last else weights[f"blk.{index + 1}.attn_norm.weight"]
    return _add_norm(graph, shape, residual, down, following, f"l{index + 1}")


def _add_norm(graph: _Graph, shape: Shape, residual: str, delta: str, weight: np.ndarray, name: str) -> tuple[str, str]:
    """residual + delta and its RMS norm; returns the names of (sum, normed)."""
    inputs = [residual, delta, graph.constant(f"{name}.norm", weight)]
    outputs = [f"{name}.normed", "", "", f"{name}.sum"]
    graph.add("SkipSimplifiedLayerNormalization", inputs, outputs, DOMAIN, epsilon=shape.norm_eps)
    return f"{name}.sum", f"{name}.normed"


def _interface(shape: Shape) -> tuple[list, list]:
    """Declarations of the inputs and the outputs."""
    value, cache = helper.make_tensor_value_info, ["batch", shape.kv_heads, "cache", shape.head_dim]
    inputs = [
        value("input_ids", I64, ["batch", "new"]),
        value("position_ids", I64, ["batch", "new"]),
        value("query_seqlens", I32, ["batch"]),
        value("seqlens_k", I32, ["batch"]),
        value("total_seqlen", I32, []),
        value("attention_bias", F, [1, 1, "new", "total"]),
        value("select", I64, ["rows"]),
    ]
    outputs = [value("logits", F, ["rows", shape.vocab]), value("hidden", F, ["rows", shape.hidden])]
    for index in range(shape.layers):
        for part in ("key", "value"):
            inputs.append(value(f"past_{part}.{index}", F, cache))
            outputs.append(value(f"present_{part}.{index}", F, cache))
    return inputs, outputs
