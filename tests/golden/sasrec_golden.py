"""Golden fixtures of SASRec: an implementation of its own on left-padded [B, T] matrices with masks, in double,
with PyTorch's autograd, written from the paper (Kang & McAuley, ICDM 2018), the authors' code (the order of
norm = code) and the meaning of the options.

    python3 tests/golden/sasrec_golden.py      writes tests/golden/fixtures/sasrec-*.safetensors

A fixture holds the options, the parameters, two batches, and what must come out: the users' vectors, loss and
all gradients of the first batch, the losses of ten steps of Adam on the batches in turn, and the parameters
after them. Numbers are made as float and computed in double. Needs NumPy and PyTorch.

Shapes: B users, T columns (the newest behaviour in the last), D width, H heads, N items, P labels."""

import math
import os

import numpy
import torch
import torch.nn.functional as functional

from golden_common import (ADAM, COLUMNS, ITEMS, column_tensors, item_fields, item_rows, matrix, ten_steps,
                           unit)  # fmt: skip
from golden_io import float32, write

T = 6
# The gradient of the keys' biases is zero, because a softmax does not see what all its logits share: what
# Adam makes of it with a tiny epsilon is rounding alone.
EPSILON = 1e-4

SIZES = {"dim": 4, "layers": 2, "heads": 2, "history": T, "inner": 1}
BEST = {"norm": "post", "forward": "gelu", "scale_input": 0, "input_norm": 1, "cosine": 0, "temperature": 1,
        "norm_epsilon": 1e-12}  # fmt: skip
PAPER = dict(BEST, norm="pre", forward="relu", input_norm=0, norm_epsilon=1e-8, heads=1, inner=1)
SEED = dict(PAPER, norm="code", scale_input=1)

SOFTMAX = {"loss": "softmax", "label_smoothing": 0}
SMOOTH = {"loss": "softmax", "label_smoothing": 0.1}
SAMPLED = {"loss": "sampled_softmax"}
BCE = {"loss": "bce", "pair_negatives": 2}
BPR = {"loss": "bpr", "pair_negatives": 2}
GBCE = {"loss": "gbce", "pair_negatives": 2, "gbce_beta": 0.75}
LENGTH = {"cosine": 1, "temperature": 0.2}


KD = {"kd.temperature": 3, "kd.alpha": 0.6, "kd.kappa": 1}


def variants():
    """Names and options: every loss, and every option, with two or three places of the norms. Those named as
    a preset test its values too: see main."""
    pre, code, one = dict(PAPER, heads=2), dict(SEED, heads=2), dict(SIZES, layers=1)
    yield "post-softmax", {**SIZES, **BEST, **SOFTMAX, "dim": 8, "inner": 2}
    yield "post-bce", {**one, **BEST, **BCE, "forward": "relu", "input_norm": 0, "inner": 3}
    yield "post-gbce", {**one, **BEST, **LENGTH, **GBCE}
    yield "pre-smooth", {**one, **pre, **LENGTH, **SMOOTH, "forward": "gelu"}
    yield "pre-bpr", {**one, **pre, **BPR, "input_norm": 1, "scale_input": 1}
    yield "pre-sampled", {**one, **pre, **SAMPLED, "temperature": 2}
    yield "code-bce", {**one, **code, **BCE, "dim": 6, "heads": 3, "temperature": 0.5}
    yield "code-bpr", {**one, **code, **LENGTH, **BPR, "input_norm": 1}
    yield "code-gbce", {**one, **code, **GBCE, "forward": "gelu", "scale_input": 0}
    yield "kd-softmax", {**one, **BEST, **SOFTMAX, **KD, "temperature": 0.5}
    yield "kd-smooth", {**one, **pre, **SMOOTH, **KD, "kd.kappa": 2, "kd.reduction": "elements", "kd.alpha": 0.3}
    yield "kd-sampled", {**one, **pre, **SAMPLED, **KD, "temperature": 2}
    yield "kd-bce", {**one, **code, **BCE, **KD, "kd.alpha": 1}
    yield "kd-bpr", {**one, **code, **BPR, **KD, "kd.temperature": 0.5, "kd.reduction": "elements"}
    yield "kd-gbce", {**one, **BEST, **LENGTH, **GBCE, **KD}
    yield "seed", {**SIZES, **SEED, **BCE}
    yield "paper", {**SIZES, **PAPER, **BCE}


# ---- the model, on left-padded matrices ----


def item_inputs(p, ids):
    return sum(item_fields(p, ids))


def item_outputs(p, config, ids):
    e = item_inputs(p, ids)
    return unit(e) if config["cosine"] else e


def norm(p, config, name, x):
    gain, bias = p[f"{name}.gain"].squeeze(0), p[f"{name}.bias"].squeeze(0)
    return functional.layer_norm(x, x.shape[-1:], gain, bias, config["norm_epsilon"])


def dense(p, name, x):
    return functional.linear(x, p[f"{name}.w"], p[f"{name}.b"].squeeze(0))


def attention(p, config, layer, query, x, valid):
    """[B, T, D]. A row sees itself and what came before it; a column of padding is seen by none."""
    b, t, d = x.shape
    heads = config["heads"]

    def split(y):
        return y.view(b, t, heads, d // heads).transpose(1, 2)

    q = split(dense(p, f"{layer}.q", query))
    k = split(dense(p, f"{layer}.k", x))
    v = split(dense(p, f"{layer}.v", x))
    scores = q @ k.transpose(2, 3) / math.sqrt(d // heads)
    future = torch.triu(torch.ones(t, t, dtype=torch.bool), 1)
    hidden = future | ~valid.view(b, 1, 1, t)
    weights = torch.softmax(scores.masked_fill(hidden, -1e9), -1).masked_fill(hidden, 0)
    return dense(p, f"{layer}.out", (weights @ v).transpose(1, 2).reshape(b, t, d))


def feed_forward(p, config, layer, x, valid, near):
    hidden = dense(p, f"{layer}.forward1", x)
    if config["forward"] == "gelu":
        return dense(p, f"{layer}.forward2", functional.gelu(hidden))
    near.append(hidden[valid].abs().min().item())
    return dense(p, f"{layer}.forward2", torch.relu(hidden))


def block(p, config, layer, x, valid, near):
    if config["norm"] == "post":
        x = norm(p, config, f"{layer}.norm1", x + attention(p, config, layer, x, x, valid))
        return norm(p, config, f"{layer}.norm2", x + feed_forward(p, config, layer, x, valid, near))
    if config["norm"] == "pre":
        y = norm(p, config, f"{layer}.norm1", x)
        x = x + attention(p, config, layer, y, y, valid)
        y = norm(p, config, f"{layer}.norm2", x)
        return x + feed_forward(p, config, layer, y, valid, near)
    query = norm(p, config, f"{layer}.norm1", x)
    x = query + attention(p, config, layer, query, x, valid)
    y = norm(p, config, f"{layer}.norm2", x)
    return y + feed_forward(p, config, layer, y, valid, near)


def states(p, config, batch, near):
    """[B, T, D], zero on padding."""
    ids = batch["seq"]
    valid = ids > 0
    mask = valid.unsqueeze(-1).to(torch.float64)
    x = item_inputs(p, ids)
    if config["scale_input"]:
        x = x * math.sqrt(config["dim"])
    x = x + p["position"]
    if config["input_norm"]:
        x = norm(p, config, "input_norm", x)
    x = x * mask
    for layer in range(config["layers"]):
        x = block(p, config, f"layer{layer + 1}", x, valid, near) * mask
    if config["norm"] != "post":
        x = norm(p, config, "last_norm", x)
    return (unit(x) if config["cosine"] else x) * mask


def slate_of(config, batch):
    """Items [P, S] that a label is compared with: the catalogue, or itself and its negatives."""
    labelled = batch["pos"] > 0
    targets = batch["pos"][labelled].unsqueeze(1)
    if config["loss"] == "softmax":
        return torch.arange(1, ITEMS - 1).expand(len(targets), -1)
    if config["loss"] == "sampled_softmax":
        return torch.cat([targets, batch["negatives"].expand(len(targets), -1)], 1)
    return torch.cat([targets, batch["neg"][labelled]], 1)


def teach(config, batch, rng):
    """A teacher that knows all labels but the third and all items but 3. What is in a slate again is left out."""
    slate = slate_of(config, batch)
    batch["teacher"] = torch.tensor(float32(rng, tuple(slate.shape), 2))
    batch["known"] = slate != 3
    if config["loss"] != "softmax":
        batch["known"][:, 1:] &= slate[:, 1:] != slate[:, :1]
    taught = batch["pos"][batch["pos"] > 0] != 3
    taught[2] = False
    batch["taught"] = taught


def soft_losses(p, config, batch, u):
    """tau^2 KL(teacher, student) of each label, by PyTorch; 0 where the teacher does not know it."""
    tau, losses = config["kd.temperature"], []
    logits = (u.unsqueeze(1) * item_outputs(p, config, slate_of(config, batch))).sum(-1) / config["temperature"]
    for student, teacher, known, taught in zip(logits, batch["teacher"], batch["known"], batch["taught"]):
        if not taught:
            losses.append(torch.zeros(()))
            continue
        divergence = functional.kl_div(torch.log_softmax(student[known] / tau, 0),
                                       torch.softmax(teacher[known] / tau, 0), reduction="none")  # fmt: skip
        elements = config.get("kd.reduction") == "elements"
        losses.append((divergence.mean() if elements else divergence.sum()) * tau**2)
    return torch.stack(losses)


def loss_of(p, config, batch, near):
    """The mean over the labels; of those that a teacher knows, what it says is a part."""
    x = states(p, config, batch, near)
    u = x[batch["pos"] > 0]
    hard = hard_losses(p, config, batch, u)
    if "kd.alpha" not in config:
        return hard.mean()
    alpha, taught = config["kd.alpha"], batch["taught"]
    soft = soft_losses(p, config, batch, u)
    both = (1 - alpha) * hard + alpha * config["kd.kappa"] * soft
    return torch.where(taught, both, hard).mean()


def hard_losses(p, config, batch, u):
    labelled = batch["pos"] > 0
    targets = batch["pos"][labelled]
    own = (u * item_outputs(p, config, targets)).sum(-1) / config["temperature"]
    kind = config["loss"]
    if kind == "softmax":
        logits = u @ item_outputs(p, config, torch.arange(1, ITEMS - 1)).T / config["temperature"]
        smoothing = config["label_smoothing"]
        return functional.cross_entropy(logits, targets - 1, label_smoothing=smoothing, reduction="none")
    if kind == "sampled_softmax":
        ids = batch["negatives"]
        others = u @ item_outputs(p, config, ids).T / config["temperature"] - batch["negative_log_q"]
        others = others.masked_fill(ids.unsqueeze(0) == targets.unsqueeze(1), -math.inf)
        logits = torch.cat([(own - batch["target_log_q"]).unsqueeze(1), others], 1)
        return functional.cross_entropy(logits, torch.zeros(len(targets), dtype=torch.long), reduction="none")
    negative = item_outputs(p, config, batch["neg"][labelled])  # [P, n, D]
    others = (u.unsqueeze(1) * negative).sum(-1) / config["temperature"]
    if kind == "bpr":
        return -functional.logsigmoid(own.unsqueeze(1) - others).mean(1)
    against = functional.binary_cross_entropy_with_logits(others, torch.zeros_like(others), reduction="none")
    if kind == "bce":
        towards = functional.binary_cross_entropy_with_logits(own, torch.ones_like(own), reduction="none")
        return towards + against.mean(1)
    n = others.shape[1]
    powered = torch.sigmoid(own) ** config["gbce_beta"]
    return ((-torch.log(powered)) - torch.log(1 - torch.sigmoid(others)).sum(1)) / (n + 1)


# ---- parameters and batches ----


def make_parameters(config, rng):
    d, inner = config["dim"], config["dim"] * config["inner"]
    shapes = {"item.id": (ITEMS, d)}
    shapes.update({f"item.{name}": (rows, d) for name, (rows, _) in COLUMNS.items()})
    shapes["position"] = (T, d)
    norms = ["input_norm"] if config["input_norm"] else []
    for layer in (f"layer{i + 1}" for i in range(config["layers"])):
        for name in ("q", "k", "v", "out"):
            shapes.update({f"{layer}.{name}.w": (d, d), f"{layer}.{name}.b": (1, d)})
        shapes.update({f"{layer}.forward1.w": (inner, d), f"{layer}.forward1.b": (1, inner),
                       f"{layer}.forward2.w": (d, inner), f"{layer}.forward2.b": (1, d)})  # fmt: skip
        norms += [f"{layer}.norm1", f"{layer}.norm2"]
    norms += [] if config["norm"] == "post" else ["last_norm"]
    for name in norms:
        shapes.update({f"{name}.gain": (1, d), f"{name}.bias": (1, d)})
    p = {}
    for name, shape in shapes.items():
        value = float32(rng, shape, 0.6)
        if name.startswith("item."):
            value[0] = 0
        p[name] = torch.tensor(value, requires_grad=True)
    return p


def make_batch(rng, lengths, ids, last_only):
    """Walks each user's events backwards, as the authors do: column t of `seq` is followed by the event in
    column t of `pos`. An unknown event is no label, and with last_only no other than the newest is one."""
    b = len(lengths)
    seq, pos = numpy.zeros((b, T), int), numpy.zeros((b, T), int)
    histories = []
    for user, length in enumerate(lengths):
        events = [int(ids[i]) for i in rng.randint(0, len(ids), length + 1)]
        histories.append(events[:-1])
        after, column = events[-1], T - 1
        for event in reversed(events[:-1]):
            seq[user, column] = event
            pos[user, column] = 0 if after == ITEMS - 1 or (last_only and column < T - 1) else after
            after, column = event, column - 1
            if column < 0:
                break
    neg = rng.randint(1, ITEMS - 1, (b, T, 2)) * (pos > 0)[:, :, None]
    targets = pos[pos > 0]
    negatives = numpy.concatenate([rng.randint(1, ITEMS - 1, 4), targets[:2]])
    batch = {"seq": seq, "pos": pos, "neg": neg, "negatives": negatives,
             "target_log_q": float32(rng, len(targets), 0.7),
             "negative_log_q": float32(rng, len(negatives), 0.7)}  # fmt: skip
    return dict({name: torch.tensor(value) for name, value in batch.items()}, histories=histories)


def looked_up(config, batch):
    """Rows of each embedding table that a step on the batch touches."""
    items = set(batch["seq"].flatten().tolist())
    if config["loss"] == "softmax":
        items |= set(range(ITEMS))
    else:
        items |= set(batch["pos"].flatten().tolist())
        items |= set(batch["negatives" if config["loss"] == "sampled_softmax" else "neg"].flatten().tolist())
    columns = (batch["seq"] > 0).any(0)
    return dict(item_rows(items), position=set(torch.arange(T)[columns].tolist()))


def batch_tensors(prefix, config, batch):
    """The matrices' cells that are no padding, user after user."""
    valid = batch["seq"] > 0
    labelled = batch["pos"] > 0
    row = valid.flatten().to(torch.long).cumsum(0).view_as(valid) - 1
    starts = numpy.cumsum([0] + [len(h) for h in batch["histories"]])
    tensors = {"starts": starts, "items": sum(batch["histories"], []), "targets": batch["pos"][labelled],
               "label_rows": row[labelled]}  # fmt: skip
    if config["loss"] == "sampled_softmax":
        tensors.update({name: batch[name] for name in ("negatives", "target_log_q", "negative_log_q")})
    elif config["loss"] != "softmax":
        tensors["pair_negatives"] = batch["neg"][labelled].flatten()
    if "teacher" in batch:
        tensors["teacher"] = batch["teacher"].masked_fill(slate_of(config, batch) == 3, -1e30)
        tensors["taught"] = batch["taught"].to(torch.float64)
    return {f"{prefix}.{name}": numpy.asarray(value) for name, value in tensors.items()}


def make(config, seed):
    """The tensors of a fixture, and how near it comes to where a gradient jumps."""
    rng = numpy.random.RandomState(seed)
    p = make_parameters(config, rng)
    batches = [make_batch(rng, [5, 1, 9, 0, 4], [1, 2, 3, 5, 6, 7, 9, 11], False),
               make_batch(rng, [4, 7, 2], [2, 4, 8, 10, 7], True)]  # fmt: skip
    for batch in batches if "kd.alpha" in config else []:
        teach(config, batch, rng)
    tensors = {f"param.{name}": matrix(value) for name, value in p.items()}
    tensors.update(column_tensors())
    tensors.update(batch_tensors("a", config, batches[0]))
    tensors.update(batch_tensors("b", config, batches[1]))
    near = []
    tensors["expect.interests"] = matrix(states(p, config, batches[0], near)[:, T - 1])
    tensors["expect.live"] = [1] * len(batches[0]["histories"])
    tensors.update(ten_steps(p, batches, lambda batch: loss_of(p, config, batch, near),
                             lambda batch: looked_up(config, batch), dict(ADAM, epsilon=EPSILON)))  # fmt: skip
    return tensors, min(near, default=1)


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    os.makedirs(folder, exist_ok=True)
    for name, config in variants():
        # Where a ReLU is all but undecided, float may decide otherwise: another seed.
        seed = 1
        tensors, near = make(config, seed)
        while near < 1e-4:
            seed += 1
            tensors, near = make(config, seed)
        # What these two presets mean is written above: the fixture leaves their options to the program.
        # The default preset is free to change with what measures best, so it is spelt out.
        preset = "best"
        if name in ("seed", "paper"):
            preset = name
            config = {key: config[key] for key in ("dim", "layers", "history", *BCE)}
        settings = " ".join(f"{key}={value}" for key, value in dict(config, epsilon=EPSILON).items())
        metadata = {"preset": preset, "config": settings}
        write(os.path.join(folder, f"sasrec-{name}.safetensors"), tensors, metadata)


if __name__ == "__main__":
    main()
