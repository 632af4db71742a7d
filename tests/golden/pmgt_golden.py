"""Golden fixtures of PMGT: the network and both losses as PyTorch writes them, padded [B, S + 1, D] with masks, in double.

    python3 tests/golden/pmgt_golden.py     writes tests/golden/fixtures/pmgt-*.safetensors

A fixture holds the options, the parameters, one batch, and what must come out: the items' vectors, both losses, and the
gradient of every parameter. Numbers are made as float and computed in double. Needs NumPy and PyTorch.

Shapes: B sequences, S context places, D width, M modalities, H heads."""

import os

import numpy
import torch

from golden_common import matrix
from golden_io import float32, write

BASE = {"dim": 8, "heads": 2, "layers": 2, "inner": 6, "context": 5, "delta": 0.2, "graph": 1, "beta": 1,
        "logit_scale": 5, "out": "pooler", "dropout": 0}  # fmt: skip

VARIANTS = {
    "two": (BASE, [3, 4]),
    "three-state": (dict(BASE, delta=0.5, beta=0.7, graph=2, logit_scale=1, out="state", heads=1), [2, 5, 3]),
    "one-plain": (dict(BASE, delta=0, dim=6, heads=3, layers=1), [4]),
    "unlike-alone": (dict(BASE, delta=1, layers=1), [3, 3]),
}  # fmt: skip

LENGTHS = [6, 1, 4, 3, 6, 2]  # rows of each sequence, its own included
PAIRS = [(0, 1, 1), (0, 2, 0), (3, 4, 1), (3, 5, 0), (3, 1, 0)]
MASKED = [2, 5, 8, 16, 21]  # rows of all sequences, one after the other


def shapes(config, widths):
    d, inner = config["dim"], config["inner"]
    out = {}
    for m, width in enumerate(widths):
        out[f"modality{m + 1}.w"] = (d, width)
        out[f"modality{m + 1}.b"] = (d,)
    if len(widths) > 1:
        out["gate.w"] = (len(widths), len(widths) * d)
        out["gate.b"] = (len(widths),)
    out.update({"position": (config["context"] + 1, d), "role": (2, d), "norm.gain": (d,), "norm.bias": (d,)})
    for layer in range(config["layers"]):
        maps = ["q", "k", "v", "out"] + (["c"] if config["delta"] > 0 else [])
        for name in maps:
            out[f"block{layer + 1}.{name}.w"] = (d, d)
            out[f"block{layer + 1}.{name}.b"] = (d,)
        for norm in ("norm1", "norm2"):
            out[f"block{layer + 1}.{norm}.gain"] = (d,)
            out[f"block{layer + 1}.{norm}.bias"] = (d,)
        out[f"block{layer + 1}.forward1.w"] = (inner, d)
        out[f"block{layer + 1}.forward1.b"] = (inner,)
        out[f"block{layer + 1}.forward2.w"] = (d, inner)
        out[f"block{layer + 1}.forward2.b"] = (d,)
    if config["out"] == "pooler":
        out["pooler.w"] = (d, d)
        out["pooler.b"] = (d,)
    out["decoder.w"] = (sum(widths), d)
    out["decoder.b"] = (sum(widths),)
    return out


def norm(p, name, x):
    return torch.nn.functional.layer_norm(x, x.shape[-1:], p[name + ".gain"], p[name + ".bias"], 1e-12)


def dense(p, name, x):
    return x @ p[name + ".w"].T + p[name + ".b"]


def heads_of(x, heads):
    """[B, S, D] -> [B, H, S, D / H]"""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def attention(config, p, block, x, mask):
    q, k, v = (heads_of(dense(p, f"{block}.{name}", x), config["heads"]) for name in "qkv")
    absent = torch.where(mask, 0.0, -torch.inf)[:, None, None, :]
    weights = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + absent, -1)
    if config["delta"] > 0:
        c = heads_of(dense(p, f"{block}.c", x), config["heads"])
        cosine = torch.nn.functional.cosine_similarity(c[..., :, None, :], c[..., None, :, :], dim=-1)
        unlike = torch.softmax(1 - cosine + torch.eye(c.shape[-2]) + absent, -1)
        weights = (1 - config["delta"]) * weights + config["delta"] * unlike
    y = (weights @ v).transpose(1, 2).reshape(x.shape)
    return dense(p, f"{block}.out", y)


def states(config, p, features, mask):
    """features: [B, S, width] for each modality; mask [B, S] where a row is."""
    each = [dense(p, f"modality{m + 1}", x) for m, x in enumerate(features)]
    if len(each) > 1:
        shares = torch.softmax(dense(p, "gate", torch.tanh(torch.cat(each, -1))), -1)
        x = sum(shares[..., m : m + 1] * e for m, e in enumerate(each))
    else:
        x = each[0]
    places = torch.arange(x.shape[1])
    x = norm(p, "norm", x + p["position"][places] + p["role"][(places > 0).long()])
    for layer in range(config["layers"]):
        block = f"block{layer + 1}"
        x = norm(p, f"{block}.norm1", x + attention(config, p, block, x, mask))
        inner = torch.nn.functional.gelu(dense(p, f"{block}.forward1", x))
        x = norm(p, f"{block}.norm2", x + dense(p, f"{block}.forward2", inner))
    return x


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    starts = numpy.cumsum([0] + LENGTHS)
    place = [(b, i) for b, length in enumerate(LENGTHS) for i in range(length)]
    for number, (name, (config, widths)) in enumerate(VARIANTS.items()):
        rng = numpy.random.default_rng(40 + number)
        p = {key: torch.tensor(float32(rng, shape, 0.5), requires_grad=True)
             for key, shape in shapes(config, widths).items()}  # fmt: skip
        rows = [float32(rng, (starts[-1], width), 0.6) for width in widths]
        targets = float32(rng, (len(MASKED), sum(widths)), 0.6)
        size = config["context"] + 1
        features = [torch.zeros(len(LENGTHS), size, width) for width in widths]
        mask = torch.zeros(len(LENGTHS), size, dtype=torch.bool)
        for row, (b, i) in enumerate(place):
            mask[b, i] = True
            for m in range(len(widths)):
                features[m][b, i] = torch.tensor(rows[m][row])
        x = states(config, p, features, mask)
        z = x[:, 0]
        if config["out"] == "pooler":
            z = dense(p, "pooler", z)
        left, right, labels = zip(*PAIRS)
        cosine = torch.nn.functional.cosine_similarity(z[list(left)], z[list(right)], dim=-1)
        graph = torch.nn.functional.binary_cross_entropy_with_logits(
            config["logit_scale"] * cosine, torch.tensor(labels, dtype=torch.float64))
        masked = torch.stack([x[place[row]] for row in MASKED])
        told = ((dense(p, "decoder", masked) - torch.tensor(targets)) ** 2).mean()
        (config["graph"] * graph + config["beta"] * told).backward()
        tensors = {"starts": starts, "left": left, "right": right, "labels": numpy.array(labels, "f4"),
                   "masked": MASKED, "targets": targets}  # fmt: skip
        tensors.update({f"features{m + 1}": value for m, value in enumerate(rows)})
        tensors.update({f"param.{key}": matrix(value) for key, value in p.items()})
        tensors.update({f"grad.{key}": matrix(value.grad if value.grad is not None else torch.zeros_like(value))
                        for key, value in p.items()})  # fmt: skip
        tensors["expect.vectors"] = matrix(z / z.norm(dim=-1, keepdim=True))
        tensors["expect.losses"] = numpy.array([graph.item(), told.item()])
        text = " ".join(f"{key}={value}" for key, value in config.items())
        write(os.path.join(folder, f"pmgt-{name}.safetensors"), tensors, {"config": text})


if __name__ == "__main__":
    main()
