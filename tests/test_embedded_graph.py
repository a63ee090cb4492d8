"""The embedded engine's graph, cache and decoding, on a tiny model with random weights, against transformers."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra hf")
transformers = pytest.importorskip("transformers", reason="needs the extra hf")
onnx = pytest.importorskip("onnx")

from thanos.engines.choice_trie import ChoiceTrie  # noqa: E402
from thanos.engines.embedded.decode import Decoder, Job  # noqa: E402
from thanos.engines.embedded.graph import make_graph, quantise  # noqa: E402
from thanos.engines.embedded.session import Session  # noqa: E402
from thanos.engines.embedded.token_tree import grow_tree  # noqa: E402
from thanos.engines.embedded.weights import Shape  # noqa: E402

VOCAB, END = 300, 7
SHAPE = Shape(layers=3, heads=4, kv_heads=2, head_dim=16, hidden=64, vocab=VOCAB, rope_theta=10000.0, norm_eps=1e-5)


@pytest.fixture(scope="module")
def model():
    config = transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, rms_norm_eps=1e-5, tie_word_embeddings=True, initializer_range=0.2,
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module", params=["float32", "int8"])
def session(request, model, tmp_path_factory):
    names = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    weights = {
        "token_embd.weight": state["model.embed_tokens.weight"],
        "output_norm.weight": state["model.norm.weight"],
    }
    for i in range(SHAPE.layers):
        for theirs, ours in names.items():
            weights[f"blk.{i}.{ours}.weight"] = state[f"model.layers.{i}.{theirs}.weight"]
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    onnx.save(make_graph(SHAPE, weights, request.param), str(path))
    session = Session(path, threads=2)
    session.exact = request.param == "float32"
    return session


def prompts(n: int, seed: int = 0) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    return [[int(t) for t in generator.integers(10, VOCAB, generator.integers(3, 60))] for _ in range(n)]


@torch.inference_mode()
def their_logits(model, ids: list[int]) -> np.ndarray:
    return model(torch.tensor([ids])).logits[0].numpy()


def close(session, ours, theirs) -> bool:
    """Equal for float32; for int8 the same direction: rounding moves single logits of random weights by percents."""
    if session.exact:
        return np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()
    return np.corrcoef(np.ravel(ours), np.ravel(theirs))[0, 1] > 0.99


def test_prompts_in_one_run_and_in_pieces(session, model):
    for ids in prompts(6):
        theirs = their_logits(model, ids)
        cache = session.cache(2, 64)
        logits, hidden = session.run(cache, 1, np.array([ids]), select=np.arange(len(ids)))
        assert close(session, logits, theirs) and hidden.shape == (len(ids), SHAPE.hidden)
        cache.used[1] = 0
        cut = len(ids) // 2
        session.run(cache, 1, np.array([ids[:cut]]))
        pieces, _ = session.run(cache, 1, np.array([ids[cut:]]))
        assert close(session, pieces[0], theirs[-1])


def test_a_saved_beginning_is_as_good_as_a_run_one(session):
    head, tail = prompts(2, seed=1)
    cache = session.cache(3, 160)
    session.run(cache, 0, np.array([head]))
    saved = cache.save(0)
    cache.load(2, saved)
    expected, _ = session.run(cache, 0, np.array([tail]))
    again, _ = session.run(cache, 2, np.array([tail]))
    np.testing.assert_array_equal(expected, again)


def test_too_long_for_the_cache(session):
    with pytest.raises(ValueError, match="don't fit into a cache of 8"):
        session.run(session.cache(1, 8), 0, np.array([list(range(9))]))


def test_a_tree_of_continuations_is_each_alone(session, model):
    ids = prompts(1, seed=2)[0]
    paths = [(11,), (11, 12), (11, 13, 14), (20, 21)]
    cache = session.cache(1, 128)
    session.run(cache, 0, np.array([ids[:-2]]))
    logits, _ = session.run_tree(cache, 0, ids[-2:], paths)
    assert cache.used[0] == len(ids) - 2
    assert set(logits) == {(), (11,), (11, 12), (11, 13), (11, 13, 14), (20,), (20, 21)}
    for path, row in logits.items():
        assert close(session, row, their_logits(model, ids + list(path))[-1])


def test_tree_layout():
    tree = grow_tree([5, 6], [(1, 2), (1, 3)])
    assert tree.tokens.tolist() == [5, 6, 1, 2, 3] and tree.depth.tolist() == [0, 1, 2, 3, 3]
    assert tree.visible[4].tolist() == [True, True, True, False, True]


@pytest.mark.parametrize("rows", [1, 3, 16])
def test_decoding_many_is_decoding_each(session, rows):
    def decode(asked, rows, head):
        cache = session.cache(rows, 128)
        decoder = Decoder(session, END)
        jobs = [
            Job(item=i, prompt=p, budget=5 + i % 4, pick=lambda row: int(row.argmax()), done=lambda w: w[-1] % 17 == 0)
            for i, p in enumerate(asked)
        ]
        if head:
            decoder.keep_head(asked, cache)
        out = {}
        for job in decoder.run(jobs, cache):
            # The row holds the prompt and all written tokens but the unfed one, until the next job is asked for.
            end_was_written = len(job.written) < job.budget and not (job.written and job.written[-1] % 17 == 0)
            assert cache.used[job.row] == len(job.prompt) + len(job.written) - (0 if end_was_written else 1)
            out[job.item] = job.written
        return out

    start = list(range(30, 60))
    asked = [start + p for p in prompts(9, seed=3)]
    assert decode(asked, rows, head=True) == decode(asked, 1, head=False)


def test_quantised_blocks():
    weight = np.random.default_rng(0).normal(size=(5, 96)).astype(np.float32)
    levels, scales = quantise(weight)
    back = ((levels.astype(np.float32) - 128) * scales[..., None]).reshape(weight.shape)
    assert np.abs(back - weight).max() <= scales.max() / 2 + 1e-6
    assert quantise(np.zeros((1, 32), np.float32))[0].min() == 128


def test_trie_probabilities_and_reach():
    trie = ChoiceTrie([[1], [1, 2], [3, 4], [3, 5]], end=9)
    assert set(trie.branches) == {(), (1,), (3,)}
    logits = {(): {1: 0.0, 3: np.log(3)}, (1,): {2: 0.0, 9: 0.0}, (3,): {4: np.log(4), 5: 0.0}}
    assert trie.probabilities(logits) == pytest.approx([0.125, 0.125, 0.6, 0.15])
    assert trie.reach((3,), logits) == pytest.approx(0.75) and trie.reach((), logits) == 1.0
    with pytest.raises(ValueError, match="the same tokens"):
        ChoiceTrie([[1], [1]], end=9)
