"""Golden fixtures of ComiRec: self-attention and dynamic routing on padded [B, T] tensors with masks, in double,
with PyTorch's autograd, written from the paper (Cen et al., KDD 2020) and the meaning of the options.

    python3 tests/golden/comirec_golden.py     writes tests/golden/fixtures/comirec-*.safetensors

A fixture holds the options, the parameters, two batches, and what must come out: interests, live counts,
loss and all gradients of the first batch, the losses of ten steps of Adam on the batches in turn, and the
parameters after them. Numbers are made as float and computed in double. Needs NumPy and PyTorch.

Shapes: B users, T padded length, K interests, D width, N negatives."""

import math
import os

import numpy
import torch

from golden_common import COLUMNS, ITEMS, column_tensors, item_fields, item_rows, matrix, ten_steps, unit
from golden_io import float32, write
from mind_golden import batch_tensors, make_batch, squash

SIZES = {"dim": 6, "interests": 3, "history": 8, "hidden": 5}
SA = {"variant": "sa", "sa_value": "plain", "sa_logit_act": "none", "hard": 1, "power": 1, "cosine": 0,
      "temperature": 1}  # fmt: skip
DR = dict(SA, variant="dr", rounds=3, position_maps=1, squash_epsilon=1e-9)

VARIANTS = {
    "sa": SA,
    "sa-position-tanh": dict(SA, sa_value="position", sa_logit_act="tanh"),
    "sa-soft-cosine": dict(SA, hard=0, power=3, cosine=1, temperature=0.2),
    "dr": DR,
    "dr-shared": dict(DR, position_maps=0, rounds=2),
    "seed-sa": dict(SA, **SIZES),
    "paper-dr": DR,
}


def pooled(p, ids):
    return torch.stack(item_fields(p, ids)).sum(0)


def item_vectors(p, config, ids):
    e = pooled(p, ids)
    return unit(e) if config["cosine"] else e


def attention(p, config, x, age, mask):
    q = x + p["position.w"][age]
    a = torch.tanh(q @ p["attention.w1"].T + p["attention.b1"]) @ p["attention.w2"].T
    if config["sa_logit_act"] == "tanh":
        a = torch.tanh(a + p["attention.b2"])  # without tanh the softmax would cancel it
    # A user without behaviours has no weights at all.
    a = a.masked_fill(mask.unsqueeze(-1) == 0, -1e300)
    weights = torch.softmax(a, 1) * mask.unsqueeze(-1)
    return torch.einsum("btk,btd->bkd", weights, q if config["sa_value"] == "position" else x)


def routing(p, config, x, age, mask):
    d, k = config["dim"], config["interests"]
    if config["position_maps"]:
        u = torch.einsum("btkij,btj->btki", p["map.w"].view(config["history"], k, d, d)[age], x)
    else:
        u = torch.einsum("kij,btj->btki", p["map.w"].view(k, d, d), x)
    b = torch.zeros(u.shape[:3])
    for round in range(1, config["rounds"] + 1):
        last = round == config["rounds"]
        y = u if last else u.detach()
        w = (torch.softmax(b, 2) * mask.unsqueeze(-1)).detach()
        c = squash(torch.einsum("btk,btkd->bkd", w, y), config["squash_epsilon"])
        if not last:
            b = b + torch.einsum("bkd,btkd->btk", c, y)
    return c


def interests(p, config, batch):
    """V [B, K, D]."""
    histories = [h[-config["history"] :] for h in batch["histories"]]
    width = max(map(len, histories))
    ids = torch.tensor([h + [0] * (width - len(h)) for h in histories])
    lengths = torch.tensor([len(h) for h in histories]).unsqueeze(1)
    mask = (torch.arange(width) < lengths).to(torch.float64)
    age = (lengths - 1 - torch.arange(width)).clamp(min=0)
    extract = attention if config["variant"] == "sa" else routing
    v = extract(p, config, pooled(p, ids), age, mask)
    return unit(v) if config["cosine"] else v


def loss_of(p, config, batch, near):
    v = interests(p, config, batch)
    positive = item_vectors(p, config, batch["targets"])
    negative = item_vectors(p, config, batch["negatives"])
    fit = torch.einsum("bkd,bd->bk", v, positive).detach()
    if config["hard"]:
        order = torch.sort(fit, 1, descending=True)
        # Without behaviours all interests are the same; with a single one they are in self-attention.
        least = 2 if config["variant"] == "sa" else 1
        gaps = [order.values[b, 0] - order.values[b, 1]
                for b, h in enumerate(batch["histories"]) if len(h) >= least]  # fmt: skip
        near.append(float(min(gaps)))
        u = v[torch.arange(len(v)), order.indices[:, 0]]
    else:
        u = torch.einsum("bk,bkd->bd", torch.softmax(config["power"] * fit, 1), v)
    own = (u * positive).sum(-1) / config["temperature"] - batch["target_log_q"]
    others = u @ negative.T / config["temperature"] - batch["negative_log_q"]
    hits = batch["negatives"].unsqueeze(0) == batch["targets"].unsqueeze(1)
    logits = torch.cat([own.unsqueeze(1), others.masked_fill(hits, -math.inf)], 1)
    return (torch.logsumexp(logits, 1) - own).mean()


def make_parameters(config, rng):
    d, k, length, hidden = (config[name] for name in ("dim", "interests", "history", "hidden"))
    shapes = {"item.id": (ITEMS, d)}
    shapes.update({f"item.{name}": (rows, d) for name, (rows, _) in COLUMNS.items()})
    if config["variant"] == "dr":
        shapes["map.w"] = ((length if config["position_maps"] else 1) * k * d, d)
    else:
        shapes.update({"position.w": (length, d), "attention.w1": (hidden, d),
                       "attention.b1": (1, hidden), "attention.w2": (k, hidden)})  # fmt: skip
        if config["sa_logit_act"] == "tanh":
            shapes["attention.b2"] = (1, k)
    p = {}
    for name, shape in shapes.items():
        value = float32(rng, shape, 0.6)
        if name.startswith("item."):
            value[0] = 0
        p[name] = torch.tensor(value, requires_grad=True)
    return p


def looked_up(config, batch):
    items = sum((h[-config["history"] :] for h in batch["histories"]), [])
    return item_rows(items + batch["targets"].tolist() + batch["negatives"].tolist())


def make(config, seed):
    """The tensors of a fixture, and how near it comes to where another interest would be taken."""
    rng = numpy.random.RandomState(seed)
    p = make_parameters(config, rng)
    batches = [make_batch(rng, [5, 1, 9, 2, 0, 7], [1, 2, 3, 5, 6, 7, 9, 11]),
               make_batch(rng, [4, 8, 3], [2, 4, 8, 10, 7])]  # fmt: skip
    tensors = {f"param.{name}": matrix(value) for name, value in p.items()}
    tensors.update(column_tensors())
    for prefix, batch in zip("ab", batches):
        tensors.update(batch_tensors(prefix, batch))
    tensors["expect.interests"] = interests(p, config, batches[0]).detach().numpy().reshape(-1, config["dim"])
    tensors["expect.live"] = [config["interests"]] * len(batches[0]["histories"])
    near = []
    tensors.update(ten_steps(p, batches, lambda batch: loss_of(p, config, batch, near),
                             lambda batch: looked_up(config, batch)))  # fmt: skip
    return tensors, min(near, default=1)


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    os.makedirs(folder, exist_ok=True)
    for name, options in VARIANTS.items():
        config = dict(SIZES, **options)
        # Where two interests fit all but the same, float may take the other: another seed.
        seed = 1
        tensors, near = make(config, seed)
        while near < 1e-4:
            seed += 1
            tensors, near = make(config, seed)
        # What these presets mean is written above: the fixture leaves their options to the program.
        preset = name.split("-")[0]
        if preset in ("seed", "paper"):
            config = dict(SIZES, variant=config["variant"])
        else:
            preset = "best"
        settings = " ".join(f"{key}={value}" for key, value in config.items())
        metadata = {"preset": preset, "config": settings}
        write(os.path.join(folder, f"comirec-{name}.safetensors"), tensors, metadata)


if __name__ == "__main__":
    main()
