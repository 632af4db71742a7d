"""Golden fixtures of transformer4rec: PyTorch, in double, user by user, with the histories' rows laid side by side
in a padded row and attention written out with a mask.

    python3 tests/golden/transformer4rec_golden.py     writes tests/golden/fixtures/transformer4rec-*

What a fixture holds is told in interest_golden.py, whose layers, profile and batches serve here too."""

import os

import numpy
import torch
from torch.nn import functional

from golden_common import ADAM, COLUMNS, ITEMS, column_tensors, item_rows, matrix, ten_steps
from golden_io import float32, write
from interest_golden import EPSILON, PROFILE, Mlp, Model, batch_tensors, hidden, make_batch

BASE = {"dim": 2, "history": 4, "layers": 1, "heads": 2, "head_width": 2, "inner": 5, "block_dropout": 0,
        "position": "learned", "enc_causal": 1, "hidden1": 6, "hidden2": 4, "activation": "leaky", "alpha": 0.7,
        "aux_output": "tied", "aux_head": "linear", "last_step_when_negative": "mask"}  # fmt: skip

VARIANTS = {
    "tied": BASE,
    "seed": dict(BASE, layers=2, position="sinusoid", enc_causal=0, aux_output="own", aux_head="softmax_ce",
                 last_step_when_negative="keep"),
    "answers": dict(BASE, layers=2, dec_causal="strict", cross_query="encoder", dec_input="same"),
    "strict": dict(BASE, dec_causal="strict"),
    "alone": dict(BASE, alpha=0, position="none", heads=1, head_width=3, activation="tanh"),
}  # fmt: skip


class Transformer4Rec(Model):
    def __init__(self, config, rng):
        self.config = config
        self.p, self.statistics, self.training, self.seen = {}, {}, False, {}
        d, places = config["dim"], config["history"]
        h = self.h = d * (1 + len(COLUMNS))
        tables = {"item.id": ITEMS}
        tables.update({f"item.{column}": rows for column, (rows, _) in COLUMNS.items()})
        tables.update({f"profile.{field}": rows for field, rows in PROFILE.items()})
        for table, rows in tables.items():
            value = float32(rng, (rows, d), 0.6)
            value[0] = 0
            self.p[table] = torch.tensor(value, requires_grad=True)
        if config["position"] == "learned":
            self.add(rng, {"position": (places, h)})
        if config["position"] == "sinusoid":
            even = 2 * (numpy.arange(h) // 2)
            angle = numpy.arange(places)[:, None] / 10000.0 ** (even / h)
            value = numpy.where(numpy.arange(h) % 2, numpy.cos(angle), numpy.sin(angle))
            self.p["position"] = torch.tensor(value.astype("<f4").astype("<f8"))
        for layer in range(1, config["layers"] + 1):
            self.add_block(rng, f"layer{layer}", [""])
            if config["alpha"] > 0:
                self.add_block(rng, f"decoder{layer}", ["", "memory."])
        n = config["hidden1"]
        self.add(rng, {"tower1.rows": (places * n, h), "tower1.item": (n, h),
                       "tower1.profile": (n, d * len(PROFILE)), "tower1.b": (1, n)})  # fmt: skip
        widths = [h, *hidden(config, "hidden1", "hidden2"), 1]
        self.tower = Mlp(self, "tower", widths, config["activation"], first_outside=True)
        self.tower.declare(rng, True)
        if config["alpha"] > 0 and config["aux_output"] == "own":
            self.add(rng, {"aux.w": (ITEMS - 2, h + 1)})

    def add_block(self, rng, at, attentions):
        h, wide, inner = self.h, self.config["heads"] * self.config["head_width"], self.config["inner"]
        shapes = {"forward1.w": (inner, h), "forward1.b": (1, inner), "forward2.w": (h, inner), "forward2.b": (1, h)}
        for part in attentions:
            for what in "qkv":
                shapes.update({f"{part}{what}.w": (wide, h), f"{part}{what}.b": (1, wide)})
            shapes.update({f"{part}out.w": (h, wide), f"{part}out.b": (1, h)})
        for norm in ("norm1", "norm2") + (("memory.norm",) if len(attentions) > 1 else ()):
            shapes.update({f"{norm}.gain": (1, h), f"{norm}.bias": (1, h)})
        self.add(rng, {f"{at}.{name}": shape for name, shape in shapes.items()})

    # ---- one user: x, memory [L, H] ----

    def block(self, at, x, causal, memory=None):
        p, heads, width, length = self.p, self.config["heads"], self.config["head_width"], len(x)

        def dense(name, x):
            return functional.linear(x, p[f"{at}.{name}.w"], p[f"{at}.{name}.b"][0])

        def norm(name, x):
            return functional.layer_norm(x, (self.h,), p[f"{at}.{name}.gain"][0], p[f"{at}.{name}.bias"][0], 1e-5)

        def attend(part, query, key, causal=causal):
            q, k, v = (dense(part + name, rows).reshape(length, heads, width).transpose(0, 1)
                       for name, rows in (("q", query), ("k", key), ("v", key)))  # fmt: skip
            s = q @ k.transpose(1, 2) / width**0.5
            if causal and strict and not part:
                e = torch.exp(s - s.max()) * torch.ones(length, length).tril(-1)
                weights = e / e.sum(-1, keepdim=True).clamp(min=1e-300)  # none in the first row
            else:
                if causal:
                    s = s.masked_fill(torch.ones(length, length).triu(1) > 0, float("-inf"))
                weights = torch.softmax(s, -1)
            mixed = (weights @ v).transpose(0, 1).reshape(length, heads * width)
            return dense(part + "out", mixed)

        strict = memory is not None and self.config.get("dec_causal") == "strict"
        x = norm("norm1", x + attend("", x, x))
        if memory is not None and self.config.get("cross_query") == "encoder":
            x = norm("memory.norm", x + attend("memory.", memory, x, False))
        elif memory is not None:
            x = norm("memory.norm", x + attend("memory.", x, memory))
        return norm("norm2", x + dense("forward2", torch.relu(dense("forward1", x))))

    def placed(self, items):
        x = self.rows(torch.tensor(items, dtype=torch.long))
        return x + self.p["position"][: len(items)].flip(0) if self.config["position"] != "none" else x

    def encode(self, items):
        x = self.placed(items)
        memory = x
        for layer in range(1, self.config["layers"] + 1):
            memory = self.block(f"layer{layer}", memory, self.config["enc_causal"])
        return x, memory

    def decode(self, x, memory):
        for layer in range(1, self.config["layers"] + 1):
            x = self.block(f"decoder{layer}", x, True, memory)
        return x

    # ---- the whole ----

    def histories(self, batch):
        return [row[-self.config["history"] :] for row in batch["histories"]]

    def scores(self, batch):
        p, places, n = self.p, self.config["history"], self.config["hidden1"]
        # The matrix on [the oldest place; …; the newest; e; profile]; the file has the newest first.
        w = p["tower1.rows"].reshape(places, n, self.h).flip(0).transpose(0, 1).reshape(n, -1)
        w = torch.cat([w, p["tower1.item"], p["tower1.profile"]], 1)
        profile = self.profile(batch["profile"])
        rows = []
        for user, candidate in zip(batch["users"], batch["candidates"]):
            items = self.histories(batch)[user]
            padded = torch.zeros(places, self.h)
            if items:
                padded = torch.cat([padded[len(items) :], self.encode(items)[1]])
            e = self.rows(torch.tensor([candidate]))[0]
            z = torch.cat([padded.reshape(-1), e, profile[user]])
            rows.append(functional.linear(z, w, p["tower1.b"][0]))
        return self.tower.run(torch.stack(rows)).reshape(-1)

    def next_items(self, batch):
        """For each user the rows of the history that have a label, and the labels."""
        found = []
        keep = self.config["last_step_when_negative"] == "keep"
        for user, items in enumerate(self.histories(batch)):
            asked = [(candidate, label) for candidate, label, of in
                     zip(batch["candidates"], batch["labels"], batch["users"]) if of == user]  # fmt: skip
            last = [candidate for candidate, label in asked if keep or label][:1]
            labels = (items[1:] + last) if items else []
            rows = [i for i, item in enumerate(labels) if 1 <= item <= ITEMS - 2]
            found.append((rows, [labels[i] - 1 for i in rows], len(asked)))
        return found

    def aux(self, batch):
        total = torch.zeros(())
        catalogue = torch.arange(1, ITEMS - 1)
        for user, (items, (rows, labels, count)) in enumerate(zip(self.histories(batch), self.next_items(batch))):
            if not rows or not count:
                continue
            x, memory = self.encode(items)
            if self.config.get("dec_input") == "same":
                x = self.placed(items[1:] + [batch["candidates"][batch["users"].index(user)]])
            states = self.decode(x, memory)[rows]
            if self.config["aux_output"] == "own":
                w = self.p["aux.w"]
                logits = states @ w[:, :-1].T + w[:, -1]
            else:
                logits = states @ self.rows(catalogue).T
            if self.config["aux_head"] == "softmax_ce":
                logits = torch.softmax(logits, -1)
            total = total + count * functional.cross_entropy(logits, torch.tensor(labels))
        return total / len(batch["candidates"])

    def loss(self, batch):
        labels = torch.tensor(batch["labels"], dtype=torch.float64)
        loss = functional.binary_cross_entropy_with_logits(self.scores(batch), labels)
        return loss + self.config["alpha"] * self.aux(batch) if self.config["alpha"] > 0 else loss

    def looked_up(self, batch):
        histories = self.histories(batch)
        items = set(sum(histories, [])) | set(batch["candidates"])
        if self.config["alpha"] > 0 and self.config["aux_output"] == "tied":
            items |= set(range(1, ITEMS - 1))
        rows = item_rows(items)
        for i, field in enumerate(PROFILE):
            rows[f"profile.{field}"] = {profile[i] for profile in batch["profile"]} - {0}
        rows["position"] = set(range(max(map(len, histories))))
        return rows


def make(config, seed):
    rng = numpy.random.RandomState(seed)
    model = Transformer4Rec(config, rng)
    batches = [make_batch(rng, [5, 1, 4, 2, 0, 7, 3], [1, 2, 1, 1, 1, 0, 2], [1, 2, 3, 5, 6, 7, 9, 11]),
               make_batch(rng, [4, 0, 8, 3], [2, 1, 0, 3], [2, 4, 8, 10, 7])]  # fmt: skip
    tensors = {f"param.{key}": matrix(value) for key, value in model.p.items()}
    tensors.update(column_tensors())
    for prefix, batch in zip("ab", batches):
        tensors.update(batch_tensors(prefix, batch))
    tensors["expect.scores"] = matrix(model.scores(batches[0]))
    tensors.update(ten_steps(model.p, batches, model.loss, model.looked_up, dict(ADAM, epsilon=EPSILON)))
    return tensors


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    for variant, config in VARIANTS.items():
        settings = " ".join(f"{key}={value}" for key, value in config.items())
        about = {"preset": "best", "config": f"{settings} epsilon={EPSILON}", "mode": "serving"}
        write(os.path.join(folder, f"transformer4rec-{variant}.safetensors"), make(config, 1), about)


if __name__ == "__main__":
    main()
