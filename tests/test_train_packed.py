"""The packed step computes what transformers and PEFT compute."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("peft", reason="needs the extra train")

from random_llama import SHAPES  # noqa: E402

from thanos.train.batches import CollatePadded  # noqa: E402
from thanos.train.packed.batch import Example, Layout, pack  # noqa: E402
from thanos.train.packed.llama import PackedLlama, fits  # noqa: E402
from thanos.train.packed.loss import ROWS, token_loss  # noqa: E402

LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def tiny(shape="tiny", **lora):
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**SHAPES[shape], attn_implementation="sdpa"))
    fields = {"r": 4, "lora_alpha": 6, "target_modules": LAYERS, "init_lora_weights": False} | lora
    return get_peft_model(base, LoraConfig(**fields))


def examples(seed=0):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda n: torch.randint(0, 2048, (n,), generator=generator).tolist()
    sizes = ((7, 3), (1, 5), (30, 1), (12, 12))
    return [Example(draw(p), draw(c), w) for (p, c), w in zip(sizes, (1.0, 0.8, 0.2, 1.0), strict=True)]


def packed_loss(model, batch, checkpointing=False):
    inputs = pack(batch)
    layout = Layout(**{k: inputs.pop(k) for k in ("starts", "longest", "tails", "longest_tail", "keep")})
    return PackedLlama(model.get_base_model(), checkpointing=checkpointing).loss(**inputs, layout=layout)


def plain_loss(model, batch):
    rows = [{"prompt": e.prompt, "completion": e.completion, "weight": e.weight} for e in batch]
    inputs = CollatePadded(0)(rows)
    weights, labels = inputs.pop("weights"), inputs.pop("labels")
    logits = model(**inputs, use_cache=False).logits[:, :-1]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels[:, 1:], reduction="none")
    return (losses * weights[:, None]).sum()


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("checkpointing", [False, True])
def test_loss_and_gradients_are_those_of_the_plain_way(checkpointing):
    model, batch = tiny(), examples()
    expected = plain_loss(model, batch)
    wanted = gradients(model, expected)
    loss = packed_loss(model, batch, checkpointing)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    found = gradients(model, loss)
    assert found.keys() == wanted.keys() and len(found) == 2 * 7 * 2
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-4, atol=1e-5, msg=name)
    # The weights that were joined are still the model's own.
    assert plain_loss(model, batch).item() == pytest.approx(expected.item(), rel=1e-6)


def test_it_follows_the_weights_as_they_are_trained():
    model, batch = tiny(), examples()
    inputs = pack(batch)
    layout = Layout(**{k: inputs.pop(k) for k in ("starts", "longest", "tails", "longest_tail", "keep")})
    packed = PackedLlama(model.get_base_model())
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    losses = []
    for _ in range(5):
        loss = packed.loss(**inputs, layout=layout)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    assert packed.loss(**inputs, layout=layout).item() == pytest.approx(plain_loss(model, batch).item(), rel=1e-5)


def test_a_sequence_doesnt_see_its_neighbours():
    model, batch = tiny(), examples()
    alone = sum(packed_loss(model, [example]).item() for example in batch)
    assert packed_loss(model, batch).item() == pytest.approx(alone, rel=1e-5)


def test_the_loss_in_chunks_is_the_loss_and_trains_the_head_too():
    torch.manual_seed(0)
    count = ROWS + 5
    hidden = torch.randn(count, 8, requires_grad=True)
    head = torch.randn(11, 8, requires_grad=True)
    labels, weights = torch.randint(0, 11, (count,)), torch.rand(count)
    losses = torch.nn.functional.cross_entropy(hidden @ head.T, labels, reduction="none")
    wanted = torch.autograd.grad((losses * weights).sum() * 3, (hidden, head))
    found = torch.autograd.grad(token_loss(hidden, head, labels, weights) * 3, (hidden, head))
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_it_knows_what_it_doesnt_fit():
    assert fits(tiny().get_base_model())
    assert not fits(tiny(lora_dropout=0.1).get_base_model())
    assert not fits(tiny(use_dora=True).get_base_model())
    assert not fits(tiny(target_modules=["q_proj"]).get_base_model())
