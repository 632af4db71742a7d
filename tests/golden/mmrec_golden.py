"""Golden fixtures of mmrec: PyTorch, in double, from the equations of the paper and of ViLBERT's co-attention. Items are
padded to the longest, with masks, and every item of the catalogue is encoded once; every candidate is scored by
itself, with einsum over its own history.

    python3 tests/golden/mmrec_golden.py     writes tests/golden/fixtures/mmrec-*

Items have their rows in side.<name>, counts.<name> says how many each has: some more than the model looks at, some no
tokens, no regions, or neither, like PAD and UNKNOWN. The rest is as told in interest_golden.py."""

import os

import numpy
import torch
from torch.nn import functional

from golden_common import ADAM, matrix, ten_steps
from golden_io import float32, write

ITEMS = 12
# Saturated looks leave gradients that are differences of nearly equal numbers; see interest_golden.py.
EPSILON = 1e-2
TOKENS = [0, 3, 1, 5, 2, 0, 4, 2, 0, 1, 6, 0]
REGIONS = [0, 2, 4, 1, 0, 3, 1, 2, 0, 5, 2, 0]
TOKEN_WIDTH, REGION_WIDTH, BOX_WIDTH = 3, 4, 5

BASE = {"dim": 4, "out": 6, "heads": 2, "inner": 2, "layers": 1, "co_layers": 1, "tokens": 4, "regions": 3, "history": 5,
        "dropout": 0, "crossmodal": "all", "scale": 0, "offset": 0, "objective": "log"}  # fmt: skip

VARIANTS = {
    "all": BASE,
    "boxes": dict(BASE, scale=1, boxes=1),
    "offset": dict(BASE, offset=1, offset_hidden=0),
    "hidden": dict(BASE, offset=1, offset_hidden=5),
    "own": dict(BASE, crossmodal="own", layers=2),
    "text": dict(BASE, crossmodal="text", co_layers=2),
    "image": dict(BASE, crossmodal="image", layers=0, heads=1),
    "apart": dict(BASE, co_layers=0),
    "softmax": dict(BASE, objective="softmax"),
}


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))


class MmRec:
    def __init__(self, config, rng):
        self.config, self.p = config, {}
        d, out = config["dim"], config["out"]
        self.rows = {"tokens": float32(rng, (sum(TOKENS), TOKEN_WIDTH), 1),
                     "regions": float32(rng, (sum(REGIONS), REGION_WIDTH), 1)}  # fmt: skip
        if config.get("boxes"):
            self.rows["boxes"] = float32(rng, (sum(REGIONS), BOX_WIDTH), 0.5)
        self.add(rng, {"position": (config["tokens"], d)})
        for name, width in (("text", TOKEN_WIDTH), ("image", REGION_WIDTH)):
            self.add(rng, {f"{name}.w": (d, width), f"{name}.b": (1, d), f"{name}.norm.gain": (1, d),
                           f"{name}.norm.bias": (1, d)})  # fmt: skip
            for layer in range(config["layers"]):
                self.add_block(rng, f"{name}{layer + 1}", d)
            self.add(rng, {f"{name}.dense.w": (out, d), f"{name}.dense.b": (1, out), f"{name}.query": (1, out)})
        if config.get("boxes"):
            self.add(rng, {"image.box": (d, BOX_WIDTH)})
        for name in ("text", "image"):
            for layer in range(config["co_layers"]):
                self.add_block(rng, f"co.{name}{layer + 1}", out)
        wide, hidden = 4 * out, config.get("offset_hidden")
        if hidden:
            self.add(rng, {"offset.hidden.w": (hidden, wide), "offset.hidden.b": (1, hidden)})
        if config["offset"]:
            self.add(rng, {"offset.w": (1, hidden or wide), "offset.b": (1, 1)})

    def add(self, rng, shapes):
        for name, shape in shapes.items():
            self.p[name] = torch.tensor(float32(rng, shape, 0.5), requires_grad=True)

    def add_block(self, rng, at, wide):
        d, inner = self.config["dim"], self.config["dim"] * self.config["inner"]
        shapes = {"out.w": (d, wide), "out.b": (1, d), "forward1.w": (inner, d), "forward1.b": (1, inner),
                  "forward2.w": (d, inner), "forward2.b": (1, d)}  # fmt: skip
        for what in "qkv":
            shapes.update({f"{what}.w": (wide, d), f"{what}.b": (1, wide)})
        for norm in ("norm1", "norm2"):
            shapes.update({f"{norm}.gain": (1, d), f"{norm}.bias": (1, d)})
        self.add(rng, {f"{at}.{name}": shape for name, shape in shapes.items()})

    def dense(self, name, x):
        return functional.linear(x, self.p[f"{name}.w"], self.p[f"{name}.b"][0])

    def norm(self, name, x):
        gain, bias = self.p[f"{name}.gain"][0], self.p[f"{name}.bias"][0]
        return functional.layer_norm(x, (self.config["dim"],), gain, bias, 1e-12)

    def padded(self, which, counts, most):
        """(items, most, W) and whether a place is taken."""
        values = self.rows[which]
        x = numpy.zeros((ITEMS, most, values.shape[1]))
        taken, at = numpy.zeros((ITEMS, most), dtype=bool), 0
        for i, count in enumerate(counts):
            n = min(count, most)
            x[i, :n], taken[i, :n] = values[at : at + n], True
            at += count
        return torch.tensor(x), torch.tensor(taken)

    def block(self, at, x, other, taken):
        """taken: which places of `other` are."""
        heads = self.config["heads"]

        def split(name, rows):
            y = self.dense(f"{at}.{name}", rows)
            return y.reshape(ITEMS, rows.shape[1], heads, -1)

        q, k, v = split("q", x), split("k", other), split("v", other)
        s = torch.einsum("iahw,ibhw->ihab", q, k) / q.shape[-1] ** 0.5
        e = torch.exp(s) * taken[:, None, None, :]
        weights = e / e.sum(-1, keepdim=True).clamp(min=1e-300)  # none where nothing is taken
        mixed = torch.einsum("ihab,ibhw->iahw", weights, v).reshape(ITEMS, x.shape[1], -1)
        x = self.norm(f"{at}.norm1", x + self.dense(f"{at}.out", mixed))
        inner = gelu(self.dense(f"{at}.forward1", x))
        return self.norm(f"{at}.norm2", x + self.dense(f"{at}.forward2", inner))

    def pool(self, name, x, taken):
        g = self.dense(f"{name}.dense", x)
        e = torch.exp(g @ self.p[f"{name}.query"][0]) * taken
        beta = e / e.sum(-1, keepdim=True).clamp(min=1e-300)
        return torch.einsum("ia,iad->id", beta, g)

    def encode(self):
        """r of the whole catalogue, by modality: (items, out) each."""
        config = self.config
        t, has_t = self.padded("tokens", TOKENS, config["tokens"])
        v, has_v = self.padded("regions", REGIONS, config["regions"])
        t, v = self.dense("text", t) + self.p["position"], self.dense("image", v)
        if config.get("boxes"):
            v = v + self.padded("boxes", REGIONS, config["regions"])[0] @ self.p["image.box"].T
        t, v = self.norm("text.norm", t), self.norm("image.norm", v)
        for layer in range(1, config["layers"] + 1):
            t, v = self.block(f"text{layer}", t, t, has_t), self.block(f"image{layer}", v, v, has_v)
        for layer in range(1, config["co_layers"] + 1):
            t, v = self.block(f"co.text{layer}", t, v, has_v), self.block(f"co.image{layer}", v, t, has_t)
        return {"t": self.pool("text", t, has_t), "p": self.pool("image", v, has_v)}

    def score(self, r, history, candidate):
        if not self.config["offset"]:
            return self.met(r, history, candidate)
        both = torch.cat([r["t"], r["p"]], 1)
        hidden = self.config.get("offset_hidden")
        user = both[history].sum(0) / (1 if hidden else max(len(history), 1))
        z = torch.cat([user, both[candidate]])
        if hidden:
            z = torch.relu(self.dense("offset.hidden", z))
        return self.met(r, history, candidate) + self.dense("offset", z)[0]

    def met(self, r, history, candidate):
        if not history:
            return torch.zeros(())
        config = self.config

        def look(x, y):
            s = r[y][history] @ r[x][candidate] / (config["out"] ** 0.5 if config["scale"] else 1)
            return torch.softmax(s, 0) @ r[y][history]

        if config["crossmodal"] == "all":
            u = look("t", "t") + look("p", "t") + look("t", "p") + look("p", "p")
            return u @ (r["t"][candidate] + r["p"][candidate])
        seen = {"own": "tp", "text": "t", "image": "p"}[config["crossmodal"]]
        return sum(look(x, x) @ r[x][candidate] for x in seen)

    def histories(self, batch):
        return [history[-self.config["history"] :] for history in batch["histories"]]

    def scores(self, batch):
        r, histories = self.encode(), self.histories(batch)
        return torch.stack([self.score(r, histories[user], item)
                            for user, item in zip(batch["users"], batch["candidates"])])  # fmt: skip

    def loss(self, batch):
        if self.config["objective"] == "log":
            labels = torch.tensor(batch["labels"], dtype=torch.float64)
            return functional.binary_cross_entropy_with_logits(self.scores(batch), labels)
        r, histories, rows = self.encode(), self.histories(batch), []
        drawn = batch["negatives"]
        for user, item, label in zip(batch["users"], batch["candidates"], batch["labels"]):
            if label:
                others = [drawn[(j + 1) % len(drawn)] if drawn[j] == item else drawn[j] for j in range(len(drawn))]
                rows.append(torch.stack([self.score(r, histories[user], i) for i in [item, *others]]))
        return functional.cross_entropy(torch.stack(rows), torch.zeros(len(rows), dtype=torch.long))

    def looked_up(self, batch):
        histories = self.histories(batch)
        items = set(sum(histories, [])) | set(batch["candidates"])
        if self.config["objective"] == "softmax":
            items = set(sum(histories, [])) | set(batch["negatives"])
            items |= {item for item, label in zip(batch["candidates"], batch["labels"]) if label}
        longest = max(min(TOKENS[item], self.config["tokens"]) for item in items)
        return {"position": range(longest)}


def make_batch(rng, lengths, counts):
    users = [user for user, count in enumerate(counts) for _ in range(count)]
    return {"histories": [rng.randint(1, ITEMS, length).tolist() for length in lengths], "users": users,
            "candidates": rng.randint(1, ITEMS, len(users)).tolist(),
            "labels": [i % 2 for i in range(len(users))], "negatives": rng.permutation(numpy.arange(1, 11))[:3].tolist()}  # fmt: skip


def make(config, seed):
    rng = numpy.random.RandomState(seed)
    model = MmRec(config, rng)
    batches = [make_batch(rng, [5, 1, 4, 2, 0, 7, 3], [1, 2, 1, 1, 2, 0, 2]), make_batch(rng, [4, 0, 8, 3], [2, 1, 0, 3])]
    tensors = {f"param.{key}": matrix(value) for key, value in model.p.items()}
    for name, values in model.rows.items():
        tensors[f"side.{name}"] = values
        tensors[f"counts.{name}"] = TOKENS if name == "tokens" else REGIONS
    for prefix, batch in zip("ab", batches):
        tensors.update({
            f"{prefix}.starts": numpy.cumsum([0] + [len(h) for h in batch["histories"]]),
            f"{prefix}.items": sum(batch["histories"], []), f"{prefix}.candidates": batch["candidates"],
            f"{prefix}.candidate_users": batch["users"], f"{prefix}.negatives": batch["negatives"],
            f"{prefix}.candidate_labels": numpy.array(batch["labels"], dtype=float)})  # fmt: skip
    tensors["expect.scores"] = matrix(model.scores(batches[0]))
    tensors.update(ten_steps(model.p, batches, model.loss, model.looked_up, dict(ADAM, epsilon=EPSILON)))
    return tensors


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    for variant, config in VARIANTS.items():
        settings = " ".join(f"{key}={value}" for key, value in config.items() if key != "boxes")
        about = {"preset": "best", "config": f"{settings} epsilon={EPSILON}", "mode": "serving"}
        write(os.path.join(folder, f"mmrec-{variant}.safetensors"), make(config, 1), about)


if __name__ == "__main__":
    main()
