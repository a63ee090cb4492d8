"""The base (Llama architecture) with a skill head, written out so that a step launches few kernels.

All rows of a batch begin with the same tokens (system message and task description, half of a prompt): they are read
once a batch, and every row attends to them. Weights are those of transformers' LlamaForCausalLM, q, k, v and gate, up
joined; the rest of a row is padded on the right, where causal attention never looks.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.attention.bias import causal_lower_right

LINEARS = ("qkv", "o", "gate_up", "down")


@dataclass(frozen=True)
class Shape:
    """SmolLM2-135M."""

    layers: int = 30
    width: int = 576
    inner: int = 1536
    heads: int = 9
    kv_heads: int = 3
    head_width: int = 64
    eps: float = 1e-5
    rope_theta: float = 100_000.0


class Linear(nn.Module):
    """A weight without bias; with a rank, the weight stays and B @ A is added to it."""

    def __init__(self, weight: Tensor, rank: int, alpha: float):
        super().__init__()
        self.rank, self.scale = rank, alpha / rank if rank else 0.0
        self.weight = nn.Parameter(weight, requires_grad=not rank)
        if rank:
            self.A = nn.Parameter(torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5)
            self.B = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def merged(self) -> Tensor:
        return torch.addmm(self.weight, self.B, self.A, alpha=self.scale) if self.rank else self.weight

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.merged())


class Layer(nn.Module):
    """One block of the transformer."""

    def __init__(self, shape: Shape, state: dict[str, Tensor], n: int, rank: int, alpha: float):
        super().__init__()
        of = lambda *names: torch.cat([state[f"model.layers.{n}.{name}.weight"].float() for name in names])
        self.shape = shape
        self.norm1 = nn.Parameter(of("input_layernorm"))
        self.norm2 = nn.Parameter(of("post_attention_layernorm"))
        self.qkv = Linear(of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), rank, alpha)
        self.o = Linear(of("self_attn.o_proj"), rank, alpha)
        self.gate_up = Linear(of("mlp.gate_proj", "mlp.up_proj"), rank, alpha)
        self.down = Linear(of("mlp.down_proj"), rank, alpha)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], sizes: tuple[int, int, int], dropout: float) -> Tensor:
        """x: (prefix + rows * length, width), the shared prefix first."""
        s = self.shape
        drop = lambda y: F.dropout(y, dropout, self.training) if dropout else y
        qkv = self.qkv(F.rms_norm(x, (s.width,), self.norm1, s.eps)).view(len(x), -1, s.head_width)
        qk, v = qkv.split((s.heads + s.kv_heads, s.kv_heads), dim=1)
        q, k = rotate(qk, rope).to(v.dtype).split((s.heads, s.kv_heads), dim=1)
        x = x + drop(self.o(attend(q, k, v, sizes).reshape(len(x), -1)))
        gate, up = self.gate_up(F.rms_norm(x, (s.width,), self.norm2, s.eps)).chunk(2, dim=-1)
        return x + drop(self.down(F.silu(gate) * up))


def rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions: (tokens, heads, width) by cos and sin of (tokens, 1, width)."""
    first, second = x.chunk(2, dim=-1)
    return x * rope[0] + torch.cat((-second, first), dim=-1) * rope[1]


def attend(q: Tensor, k: Tensor, v: Tensor, sizes: tuple[int, int, int]) -> Tensor:
    """Causal attention of the prefix to itself, and of each row to the prefix and itself."""
    prefix, rows, length = sizes
    groups = q.shape[1] // k.shape[1]
    k, v = (t.repeat_interleave(groups, dim=1) for t in (k, v))
    alone = lambda t: t[:prefix].transpose(0, 1).unsqueeze(0)  # (1, heads, prefix, width)
    of_rows = lambda t: t[prefix:].view(rows, length, *t.shape[1:]).transpose(1, 2)  # (rows, heads, length, width)
    whole = lambda t: torch.cat((alone(t).expand(rows, -1, -1, -1), of_rows(t)), dim=2)
    first = F.scaled_dot_product_attention(alone(q), alone(k), alone(v), is_causal=True)
    bias = causal_lower_right(length, prefix + length)
    rest = F.scaled_dot_product_attention(of_rows(q), whole(k), whole(v), attn_mask=bias)
    return torch.cat((first[0].transpose(0, 1), rest.transpose(1, 2).flatten(0, 1)))


class Model(nn.Module):
    """Hidden states of the rows, with what is needed to read a skill or the next token off them.

    Args:
        base: base.safetensors as `prepare.py base` makes it.
        prefix: Token ids that all rows begin with.
        skills: How many skills the head tells apart.
        rank: Of the low-rank additions to the linear layers; 0 tunes the layers themselves.
        everything: Tune norms and embeddings too (they can't be shipped as a low-rank difference).
    """

    def __init__(self, base, prefix: Tensor, skills: int, rank: int = 0, alpha: float = 0.0, everything: bool = False,
                 dropout: float = 0.0, head_dropout: float = 0.0):  # fmt: skip
        super().__init__()
        state, self.shape = load_file(base), Shape()
        self.dropout, self.head_dropout = dropout, head_dropout
        self.embed = nn.Parameter(state["model.embed_tokens.weight"].float(), requires_grad=everything)
        self.layers = nn.ModuleList(Layer(self.shape, state, n, rank, alpha) for n in range(self.shape.layers))
        self.norm = nn.Parameter(state["model.norm.weight"].float())
        self.head = nn.Linear(self.shape.width, skills)
        self.register_buffer("prefix", prefix, persistent=False)
        for name, parameter in self.named_parameters():
            if "norm" in name:
                parameter.requires_grad_(everything)

    def forward(self, tokens: Tensor) -> Tensor:
        """(rows, length) token ids after the prefix -> (rows, length, width) hidden states after the last norm."""
        rows, length = tokens.shape
        sizes = (len(self.prefix), rows, length)
        x = F.embedding(torch.cat((self.prefix, tokens.flatten())), self.embed)
        rope = self._rope(sizes)
        for layer in self.layers:
            x = layer(x, rope, sizes, self.dropout)
        return F.rms_norm(x[sizes[0] :], (self.shape.width,), self.norm, self.shape.eps).view(rows, length, -1)

    def skill_logits(self, hidden: Tensor) -> Tensor:
        """(rows, width) -> (rows, skills), in float32."""
        with torch.autocast(hidden.device.type, enabled=False):
            return self.head(F.dropout(hidden.float(), self.head_dropout, self.training))

    def token_loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of the next tokens: (positions, width), (positions,)."""
        return F.cross_entropy(F.linear(hidden, self.embed).float(), targets)

    def _rope(self, sizes: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        prefix, rows, length = sizes
        here = torch.arange(prefix + length, device=self.prefix.device)
        positions = torch.cat((here[:prefix], here[prefix:].repeat(rows)))
        half = torch.arange(0, self.shape.head_width, 2, device=here.device) / self.shape.head_width
        angles = positions[:, None].float() * self.shape.rope_theta**-half
        angles = torch.cat((angles, angles), dim=-1)[:, None]
        return angles.cos(), angles.sin()

    def delta(self, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """What tuning changed, in bfloat16, and the head in float32. base: `linear_weights` before tuning."""
        changed = {k: (v.cpu() - base[k]).bfloat16() for k, v in self.linear_weights().items()}
        return changed | {"head.weight": self.head.weight.detach().cpu(), "head.bias": self.head.bias.detach().cpu()}

    def linear_weights(self) -> dict[str, Tensor]:
        """The linear layers' weights with their low-rank additions: `layers.N.NAME`."""
        with torch.no_grad():
            return {
                f"layers.{n}.{name}": getattr(layer, name).merged().float().clone()
                for n, layer in enumerate(self.layers)
                for name in LINEARS
            }

    def add(self, delta: dict[str, Tensor], head: bool) -> None:
        """Start from another run's result."""
        with torch.no_grad():
            for n, layer in enumerate(self.layers):
                for name in LINEARS:
                    getattr(layer, name).weight += delta[f"layers.{n}.{name}"].to(layer.norm1.device).float()
            if head:
                self.head.load_state_dict({"weight": delta["head.weight"], "bias": delta["head.bias"]})
