"""Stage 2: tune the base in one configuration.

    python train.py --work work --name baseline --seed 0

A row is read in one of three ways (`--task`): `student` reads the skill at the prompt's last token, as at run time, and
learns to write the explanation after it; `teacher` has read the true response too and reads the skill at its end;
`dialogue` only learns to predict the dialogue's words. Writes NAME.json (the configuration, scores on the dev rows
after each epoch) and NAME.npz (logits of dev, validation and whatever `--predict` names), and with --save the tuned
weights, from which another run can start.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from model import Model
from safetensors.torch import load_file, save_file
from score import scores
from torch import Tensor

SETS = ("gold", "dev", "validation", "original", "unlabelled")

TOKENS_AT_ONCE = 18_000
"""Padded tokens a forward pass, about 19 GB of activations; several runs share a GPU."""


@dataclass
class Config:
    """One run."""

    work: Path = Path("work")
    """Holds base.safetensors and data.npz."""
    out: Path = Path("results")
    name: str = "baseline"
    task: str = "student"
    """student, teacher or dialogue."""
    rows: str = "gold"
    """Sets to train on, with commas: gold, dev, original, unlabelled."""
    init: str = ""
    """Weights of another run to start from; several, with commas, are averaged."""
    fresh_head: bool = False
    """Don't take over the other run's head."""
    seed: int = 0
    epochs: int = 3
    batch: int = 32
    lr: float = 1e-4
    head_lr: float = 10.0
    """Times lr."""
    layer_decay: float = 1.0
    """Each layer's learning rate is that of the layer above times this."""
    weight_decay: float = 0.01
    rank: int = 0
    """Of a low-rank tuning; 0 tunes the linear layers whole."""
    everything: bool = False
    """Tune norms and embeddings too."""
    dropout: float = 0.0
    head_dropout: float = 0.0
    r_drop: float = 0.0
    """Weight of the divergence between two passes with different dropout; each row is then read twice."""
    also: float = 0.2
    """Share of the target that goes to the second fitting skill, where there is one."""
    smooth: float = 0.0
    """Share of the target that goes to the skills of the same category evenly."""
    balance: float = 0.0
    """Rows weigh (frequency of their skill) ** -balance; 1 is fully balanced."""
    soft: str = ""
    """A .npz with `logits` for every row of the data (as --predict all writes); several, with commas, are averaged as
    probabilities. The targets of unlabelled rows, and of labelled rows as far as --soften says."""
    soften: float = 0.0
    """Share of a labelled row's target that comes from --soft."""
    temperature: float = 1.0
    """Divides the logits of --soft."""
    unlabelled: int = 0
    """Unlabelled rows an epoch, drawn anew each epoch; 0 takes all."""
    unlabelled_weight: float = 1.0
    own_sources: bool = False
    """Of the unlabelled rows only those from sources that labelled rows come from."""
    write: float = 0.0
    """Weight of the loss on the words that follow: the explanation (student) or the response (teacher)."""
    fold: int = -1
    """Leave out every labelled row whose number modulo `folds` is this."""
    folds: int = 5
    predict: str = ""
    """`all` writes logits for every row of the data too, in their order."""
    save: str = ""
    minutes: float = 8.0
    """Training stops after this long, whatever is left."""
    limit: int = 0
    """Rows of each set, for a trial; 0 takes all."""


class Data:
    """The tokens and labels of every row, as `prepare.py data` wrote them."""

    def __init__(self, file: Path):
        stored = np.load(file)
        a = {k: stored[k] for k in stored.files}
        self.skills = a["skills"].tolist()
        self.sources = a["sources"].tolist()
        self.category, self.response_ends = a["category"], a["response_ends"]
        self.prefix = torch.from_numpy(a["prefix"].astype(np.int64))
        self.set, self.source, self.longest = a["set"], a["source"], a["longest"]
        self.skill, self.also = a["skill"].astype(int), a["also"].astype(int)
        self._tokens = {k: (a[k], np.concatenate(([0], a[f"{k}_ends"]))) for k in ("prompt", "response", "completion")}

    def tokens(self, field: str, i: int) -> np.ndarray:
        flat, ends = self._tokens[field]
        return flat[ends[i] : ends[i + 1]]

    def of(self, name: str) -> np.ndarray:
        """Numbers of a set's rows."""
        return np.flatnonzero(self.set == SETS.index(name))


def main(config: Config) -> None:
    start = time.time()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(config.seed)
    torch.set_float32_matmul_precision("high")
    data = Data(config.work / "data.npz")
    model = Model(
        config.work / "base.safetensors", data.prefix, len(data.skills), config.rank, 2.0 * config.rank,
        config.everything, config.dropout, config.head_dropout,
    ).to(device)  # fmt: skip
    untuned = {k: v.cpu() for k, v in model.linear_weights().items()} if config.save else {}
    if config.init:
        model.add(average([load_file(file) for file in config.init.split(",")]), head=not config.fresh_head)
    targets, weights = make_targets(config, data)
    labelled, unlabelled = choose_rows(config, data)
    print(f"{config.name}: {len(labelled)} labelled and {len(unlabelled)} unlabelled rows, "
          f"ready after {time.time() - start:.0f} s", flush=True)  # fmt: skip

    epochs = [epoch_batches(config, data, labelled, unlabelled, epoch) for epoch in range(config.epochs)]
    optimizer = make_optimizer(config, model)
    log = {"config": {k: str(v) if isinstance(v, Path) else v for k, v in asdict(config).items()}, "epochs": []}
    config.out.mkdir(parents=True, exist_ok=True)
    step, steps, begun, seen = 0, sum(map(len, epochs)), time.time(), 0
    for epoch, batches in enumerate(epochs):
        losses = torch.zeros(2, device=device)
        for rows in batches:
            if time.time() - start > config.minutes * 60:
                log["stopped"] = f"at step {step} of {steps}"
                break
            # A run that would not end in time comes to rest by the end of it all the same.
            progress = max(step / steps, (time.time() - begun) / (config.minutes * 60 + start - begun))
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * min(1, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * min(1, progress)))
            for part in small_enough(config, data, rows):
                loss, parts, tokens = train_step(config, data, model, part, targets, weights, device)
                (loss * (len(part) / len(rows))).backward()
                losses += parts * (len(part) / len(rows))
                seen += tokens
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
        skill_loss, word_loss = (losses / len(batches)).tolist()
        entry = {"epoch": epoch, "skill_loss": skill_loss, "word_loss": word_loss}
        entry |= {"tokens_per_s": seen / (time.time() - begun), "seconds": time.time() - start}
        if config.task != "dialogue":
            dev = limited(config, data.of("dev"))
            entry |= scores(predict(config, data, model, dev, device), data.skill[dev], data.also[dev])
        log["epochs"].append(entry)
        print(config.name, json.dumps({k: round(v, 4) for k, v in entry.items()}), flush=True)
        (config.out / f"{config.name}.json").write_text(json.dumps(log))
    if config.save:
        save_file(model.delta(untuned), config.save)
    if config.task != "dialogue":
        arrays = {name: predict(config, data, model, limited(config, data.of(name)), device) for name in SETS[1:3]}
        np.savez_compressed(config.out / f"{config.name}.npz", **{k: v.astype(np.float16) for k, v in arrays.items()})
    if config.predict:
        rows = np.concatenate([limited(config, data.of(name)) for name in SETS])
        everything = np.zeros((len(data.set), len(data.skills)), np.float16)
        everything[rows] = predict(config, data, model, rows, device)
        np.savez_compressed(config.out / f"{config.name}-all.npz", logits=everything)
    print(config.name, f"done after {time.time() - start:.0f} s", flush=True)


def average(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several runs' weights."""
    return {k: sum(s[k].float() for s in states) / len(states) for k in states[0]}


def choose_rows(config: Config, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the labelled and the unlabelled rows to train on."""
    known = lambda rows: np.array([i for i in rows if len(data.tokens("response", i))], dtype=int)
    names = config.rows.split(",")
    labelled = np.concatenate([limited(config, data.of(n)) for n in names if n != "unlabelled"] or [np.array([], int)])
    unlabelled = data.of("unlabelled") if "unlabelled" in names else np.array([], int)
    if config.fold >= 0:
        labelled = labelled[labelled % config.folds != config.fold]
    if config.own_sources:
        own = np.unique(data.source[np.concatenate((data.of("gold"), data.of("dev")))])
        openings = [data.sources.index(n) for n in ("soda_partial", "prosocial_context", "cactus_context")]
        unlabelled = unlabelled[np.isin(data.source[unlabelled], [*own, *openings])]
    if config.task == "teacher":
        labelled, unlabelled = known(labelled), known(unlabelled)
    if config.task == "dialogue":
        unlabelled = unlabelled[data.longest[unlabelled]]
    return labelled, limited(config, unlabelled)


def make_targets(config: Config, data: Data) -> tuple[Tensor, Tensor]:
    """The distribution over skills that each row is to get, and how much the row counts."""
    hard = np.zeros((len(data.skill), len(data.skills)), np.float32)
    rows = np.flatnonzero(data.skill >= 0)
    second = np.where(data.also[rows] >= 0, data.also[rows], data.skill[rows])
    np.add.at(hard, (rows, data.skill[rows]), 1 - config.also)
    np.add.at(hard, (rows, second), config.also)
    if config.smooth:
        same = (data.category[:, None] == data.category[None]).astype(np.float32)
        hard[rows] = (1 - config.smooth) * hard[rows] + config.smooth * (same / same.sum(1))[data.skill[rows]]
    if config.soft:
        soft = [torch.from_numpy(np.load(f)["logits"].astype(np.float32)) for f in config.soft.split(",")]
        soft = (sum(s.softmax(-1) for s in soft) / len(soft)).log().div(config.temperature).softmax(-1).numpy()
        hard = np.where(data.skill[:, None] >= 0, (1 - config.soften) * hard + config.soften * soft, soft)
    weights = np.where(data.skill >= 0, 1.0, config.unlabelled_weight).astype(np.float32)
    if config.balance:
        gold = data.of("gold")
        frequency = np.bincount(data.skill[gold], minlength=len(data.skills)) / len(gold)
        each = np.maximum(frequency, 1e-3) ** -config.balance
        weights[rows] *= (each / each[data.skill[gold]].mean())[data.skill[rows]]
    return torch.from_numpy(hard), torch.from_numpy(weights)


def epoch_batches(config: Config, data: Data, labelled, unlabelled, epoch: int) -> list[np.ndarray]:
    """Shuffled batches of rows of about the same length."""
    rng = np.random.default_rng((config.seed, epoch))
    drawn = rng.permutation(unlabelled)[: config.unlabelled or None]
    rows = rng.permutation(np.concatenate((labelled, drawn)))
    batches = length_sorted(config, data, rows, config.batch, chunk=16)
    return [batches[n] for n in rng.permutation(len(batches))]


def length_sorted(config: Config, data: Data, rows: np.ndarray, size: int, chunk: int) -> list[np.ndarray]:
    """Batches of `size` rows; within each `chunk` batches the rows are sorted by length."""
    batches = []
    for at in range(0, len(rows), size * chunk):
        part = sorted(rows[at : at + size * chunk], key=lambda i: len(sequence(config, data, i)[0]))
        batches += [np.array(part[j : j + size]) for j in range(0, len(part), size)]
    return batches


def sequence(config: Config, data: Data, i: int, training: bool = True) -> tuple[np.ndarray, int, int]:
    """A row's token ids, the position at which its skill is read, and the first position whose successor is trained."""
    prompt = data.tokens("prompt", i)
    if config.task == "student":
        after = data.tokens("completion", i) if training and config.write else prompt[:0]
        return np.concatenate((prompt, after)), len(prompt) - 1, len(prompt) - 1
    tokens = np.concatenate((prompt, data.tokens("response", i)))
    return tokens, len(tokens) - 1, 0 if config.task == "dialogue" else len(prompt) - 1


def small_enough(config: Config, data: Data, rows: np.ndarray) -> list[np.ndarray]:
    """A batch in parts whose padded tokens fit into memory together; their gradients are added up."""
    longest = max(len(sequence(config, data, i)[0]) for i in rows)
    return np.array_split(rows, -(-longest * len(rows) // TOKENS_AT_ONCE))


def pad(sequences: list[np.ndarray], device: str) -> Tensor:
    tokens = np.zeros((len(sequences), -(-max(map(len, sequences)) // 8) * 8), np.int64)
    for row, s in zip(tokens, sequences, strict=True):
        row[: len(s)] = s
    return torch.from_numpy(tokens).to(device, non_blocking=True)


def mixed_precision(device: str) -> torch.autocast:
    """Products in bfloat16 on a GPU; a CPU may be slower in it than in float32."""
    return torch.autocast(device, torch.bfloat16, enabled=device == "cuda")


def train_step(config, data, model, rows, targets, weights, device) -> tuple[Tensor, Tensor, int]:
    """Loss, its two parts for the log, and how many tokens the batch had (the shared beginning counted once)."""
    if config.r_drop:
        rows = np.concatenate((rows, rows))
    model.train()
    sequences, read, first = zip(*(sequence(config, data, i) for i in rows), strict=True)
    tokens = pad(sequences, device)
    skill_loss = word_loss = torch.zeros((), device=device)
    with mixed_precision(device):
        hidden = model(tokens)
        if config.task != "dialogue":
            logits = model.skill_logits(hidden[torch.arange(len(rows)), torch.tensor(read)])
            weight = weights[rows].to(device)
            each = -(targets[rows].to(device) * logits.log_softmax(-1)).sum(-1)
            skill_loss = (weight * each).sum() / weight.sum()
            if config.r_drop:
                a, b = logits.log_softmax(-1).chunk(2)
                apart = ((a.exp() - b.exp()) * (a - b)).sum(-1).mean()  # both divergences added
                skill_loss = skill_loss + config.r_drop * apart / 4
        if config.write or config.task == "dialogue":
            where = [(n, t) for n, s in enumerate(sequences) for t in range(first[n], len(s) - 1)]
            if where:
                n, t = (torch.tensor(x, device=device) for x in zip(*where, strict=True))
                word_loss = model.token_loss(hidden[n, t], tokens[n, t + 1])
    loss = skill_loss + (1.0 if config.task == "dialogue" else config.write) * word_loss
    return loss, torch.stack((skill_loss, word_loss)).detach(), sum(map(len, sequences)) + len(data.prefix)


@torch.inference_mode()
def predict(config, data, model, rows: np.ndarray, device: str) -> np.ndarray:
    """Skill logits, (rows, skills). A teacher's mean nothing for rows without a response."""
    model.eval()
    where = {int(i): n for n, i in enumerate(rows)}
    result = np.zeros((len(rows), len(data.skills)), np.float32)
    for batch in length_sorted(config, data, rows, size=256, chunk=len(rows)):
        sequences, read, _ = zip(*(sequence(config, data, i, training=False) for i in batch), strict=True)
        with mixed_precision(device):
            hidden = model(pad(sequences, device))[torch.arange(len(batch)), torch.tensor(read)]
        result[[where[int(i)] for i in batch]] = model.skill_logits(hidden).cpu().numpy()
    return result


def make_optimizer(config: Config, model: Model) -> torch.optim.Optimizer:
    groups = [{"params": list(model.head.parameters()), "base": config.lr * config.head_lr}]
    depth = len(model.layers)
    for n, layer in enumerate(model.layers):
        tuned = [p for p in layer.parameters() if p.requires_grad]
        groups.append({"params": tuned, "base": config.lr * config.layer_decay ** (depth - 1 - n)})
    if config.everything:
        groups.append({"params": [model.embed, model.norm], "base": config.lr * config.layer_decay**depth})
    return torch.optim.AdamW(groups, lr=config.lr, weight_decay=config.weight_decay, fused=torch.cuda.is_available())


def limited(config: Config, rows: np.ndarray) -> np.ndarray:
    return rows[: config.limit] if config.limit else rows


def from_command_line() -> Config:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for f in fields(Config):
        if f.type is bool or f.type == "bool":
            parser.add_argument(f"--{f.name}", action="store_true")
        else:
            parser.add_argument(f"--{f.name}", type=type(f.default), default=f.default)
    return Config(**vars(parser.parse_args()))


if __name__ == "__main__":
    main(from_command_line())
