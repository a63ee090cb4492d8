"""Run the graph on a CPU: keys and values live in one buffer that the graph reads and extends in place."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path as FilePath

import numpy as np
import onnxruntime as ort

from thanos.engines.choice_trie import Path
from thanos.engines.embedded.token_tree import MASKED, grow_tree


class Cache:
    """Keys and values of up to `rows` sequences of at most `length` tokens, float32.

    `data` [2 * layers, rows, kv_heads, length, head_dim] holds key 0, value 0, key 1, ...; `used` [rows] counts each
    row's valid tokens. To rewind a row, lower its count.
    """

    def __init__(self, layers: int, rows: int, kv_heads: int, length: int, head_dim: int):
        self.data = np.zeros((2 * layers, rows, kv_heads, length, head_dim), np.float32)
        self.used = np.zeros(rows, np.int32)

    def save(self, row: int) -> np.ndarray:
        """A copy of a row's valid part [2 * layers, kv_heads, used, head_dim]."""
        return self.data[:, row, :, : self.used[row]].copy()

    def load(self, row: int, saved: np.ndarray) -> None:
        """Let a row begin with what `save` gave."""
        self.used[row] = saved.shape[2]
        self.data[:, row, :, : saved.shape[2]] = saved

    def move(self, source: int, target: int) -> None:
        """Copy one row over another."""
        used = self.used[target] = self.used[source]
        self.data[:, target, :, :used] = self.data[:, source, :, :used]


class Session:
    """An onnxruntime session of a graph that `make_graph` wrote."""

    def __init__(self, path: FilePath, threads: int):
        """Load the graph; `threads` are best as many as there are physical cores."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # shapes change with every run
        options.log_severity_level = 3
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.shape = json.loads(self._session.get_modelmeta().custom_metadata_map["shape"])
        self._binding = self._session.io_binding()
        self._bound: tuple | None = None

    def cache(self, rows: int, length: int) -> Cache:
        """Room for `rows` sequences of at most `length` tokens."""
        return Cache(self.shape["layers"], rows, self.shape["kv_heads"], length, self.shape["head_dim"])

    def run(
        self,
        cache: Cache,
        row: int,
        tokens: np.ndarray,
        select: np.ndarray | None = None,
        positions: np.ndarray | None = None,
        bias: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Append tokens to consecutive rows of the cache and run the model over them.

        Args:
            cache: Where the rows' keys and values are.
            row: The first of the B rows.
            tokens: int [B, T].
            select: Flat places b * T + t to answer for; the last token of each row if None.
            positions: Rotary positions [B, T], where they don't simply go on.
            bias: Added to the attention scores, [1, 1, T, total].

        Returns:
            Logits [R, vocab] and states after the last norm [R, hidden].
        """
        batch, new = tokens.shape
        used = cache.used[row : row + batch]
        if int(used.max()) + new > cache.data.shape[3]:
            raise ValueError(f"{int(used.max()) + new} tokens don't fit into a cache of {cache.data.shape[3]}")
        total = int(used.max()) + new
        feeds = {
            "input_ids": tokens.astype(np.int64),
            "position_ids": (used[:, None] + np.arange(new) if positions is None else positions).astype(np.int64),
            "query_seqlens": np.full(batch, new, np.int32),
            "seqlens_k": used + np.int32(new - 1),
            "total_seqlen": np.array(total, np.int32),
            "attention_bias": np.zeros((1, 1, new, total), np.float32) if bias is None else bias,
            "select": (np.arange(1, batch + 1) * new - 1 if select is None else select).astype(np.int64),
        }
        self._bind_cache(cache, row, batch)
        for name, value in feeds.items():
            self._binding.bind_cpu_input(name, np.ascontiguousarray(value))
        self._binding.bind_output("logits", "cpu")
        self._binding.bind_output("hidden", "cpu")
        self._session.run_with_iobinding(self._binding)
        used += new
        # Outputs come in the order in which they were first bound: the cache's, then these two.
        logits, hidden = self._binding.get_outputs()[-2:]
        return logits.numpy(), hidden.numpy()

    def run_tree(
        self, cache: Cache, row: int, trunk: Sequence[int], paths: Iterable[Path]
    ) -> tuple[dict[Path, np.ndarray], np.ndarray]:
        """Run a text's next tokens and several continuations of them at once; the row is left as it was.

        Returns:
            Logits [vocab] after the trunk, under (), and after every path and beginning of one; and the state [hidden]
            after the trunk.
        """
        tree = grow_tree(trunk, paths)
        used, new = int(cache.used[row]), len(tree.tokens)
        bias = np.zeros((1, 1, new, used + new), np.float32)
        bias[0, 0, :, used:][~tree.visible] = MASKED
        places = np.array(list(tree.node.values()))
        positions = used + tree.depth[None]
        logits, hidden = self.run(cache, row, tree.tokens[None], select=places, positions=positions, bias=bias)
        cache.used[row] = used
        return dict(zip(tree.node, logits, strict=True)), hidden[0]

    def _bind_cache(self, cache: Cache, row: int, rows: int) -> None:
        key = cache.data.ctypes.data, cache.data.shape, row, rows
        if key == self._bound:
            return
        shape = (rows, *cache.data.shape[2:])
        for layer in range(self.shape["layers"]):
            for offset, part in enumerate(("key", "value")):
                pointer = cache.data[2 * layer + offset, row:].ctypes.data
                self._binding.bind_input(f"past_{part}.{layer}", "cpu", 0, np.float32, shape, pointer)
                self._binding.bind_output(f"present_{part}.{layer}", "cpu", 0, np.float32, shape, pointer)
        self._bound = key
