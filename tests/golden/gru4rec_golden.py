"""Golden fixtures of GRU4Rec: PyTorch's own nn.GRU on padded [B, T] tensors, in double, with cross-entropy
over the whole catalogue after every event.

    python3 tests/golden/gru4rec_golden.py     writes tests/golden/fixtures/gru4rec-*.safetensors

A fixture holds the options, the parameters, two batches, and what must come out: the users' vectors,
loss and all gradients of the first batch, the losses of ten steps of Adam on the batches in turn, and
the parameters after them. Numbers are made as float and computed in double. Needs NumPy and PyTorch.

Shapes: B users, T padded length, D width, H hidden, N items."""

import os

import numpy
import torch

from golden_common import (COLUMNS, ITEMS, column_tensors, item_fields, item_rows, matrix, ten_steps,
                           unit)  # fmt: skip
from golden_io import float32, write

PLAIN = {"dim": 6, "hidden": 6, "layers": 1, "project": 0, "history": 8, "dropout": 0.5, "cosine": 0,
         "temperature": 1}  # fmt: skip

# The names that begin with a preset test its values too: see main.
VARIANTS = {
    "plain": PLAIN,
    "project": dict(PLAIN, dim=5, hidden=7, project=1, temperature=0.5),
    "two-layers": dict(PLAIN, layers=2),
    "three-layers-cosine": dict(PLAIN, dim=4, hidden=4, layers=3, project=1, cosine=1,
                                temperature=0.1),  # fmt: skip
    "seed": PLAIN,
    "paper": PLAIN,
}

# nn.GRU's names for the parameters of layer l.
GRU_NAMES = {"input.w": "weight_ih_l{}", "input.b": "bias_ih_l{}", "state.w": "weight_hh_l{}",
             "state.b": "bias_hh_l{}"}  # fmt: skip


class Model:
    """p: every parameter by the name that the file has; those of the recurrent layers are nn.GRU's own."""

    def __init__(self, config, rng):
        d, h = config["dim"], config["hidden"]
        self.config = config
        self.gru = torch.nn.GRU(d, h, config["layers"], batch_first=True)
        shapes = {"item.id": (ITEMS, d)}
        shapes.update({f"item.{name}": (rows, d) for name, (rows, _) in COLUMNS.items()})
        self.p = {}
        for name, shape in shapes.items():
            value = float32(rng, shape, 0.6)
            value[0] = 0
            self.p[name] = torch.tensor(value, requires_grad=True)
        for layer in range(config["layers"]):
            for ours, theirs in GRU_NAMES.items():
                value = getattr(self.gru, theirs.format(layer))
                with torch.no_grad():
                    value.copy_(torch.tensor(float32(rng, tuple(value.shape), 0.5)))
                self.p[f"layer{layer + 1}.{ours}"] = value
        if config["project"]:
            self.p["out.w"] = torch.tensor(float32(rng, (d, h), 0.6), requires_grad=True)
            self.p["out.b"] = torch.tensor(float32(rng, d, 0.6), requires_grad=True)

    def pooled(self, ids):
        return torch.stack(item_fields(self.p, ids)).sum(0)

    def states(self, batch):
        """[B, T, D]; what stands behind a history's end is of no use."""
        width = max(map(len, batch["histories"]))
        ids = torch.tensor([h + [0] * (width - len(h)) for h in batch["histories"]])
        x, _ = self.gru(self.pooled(ids))
        if self.config["project"]:
            x = x @ self.p["out.w"].T + self.p["out.b"]
        return unit(x) if self.config["cosine"] else x

    def users(self, batch):
        states = self.states(batch)
        last = [states[b, len(h) - 1] if h else torch.zeros(self.config["dim"])
                for b, h in enumerate(batch["histories"])]  # fmt: skip
        return torch.stack(last)

    def loss(self, batch):
        """Mean over the labels; each competes with all items but PAD and UNKNOWN."""
        states = self.states(batch)
        u = torch.stack([states[b, t] for b, t, _ in batch["labels"]])
        items = self.pooled(torch.arange(1, ITEMS - 1))
        items = unit(items) if self.config["cosine"] else items
        targets = torch.tensor([target - 1 for _, _, target in batch["labels"]])
        return torch.nn.functional.cross_entropy(u @ items.T / self.config["temperature"], targets)


def make_batch(rng, lengths, ids, last_only):
    """Labels (user, place, item): an event after every row, or after the last one alone."""
    histories, labels = [], []
    for user, length in enumerate(lengths):
        events = [int(ids[i]) for i in rng.randint(0, len(ids), length + 1)]
        histories.append(events[:-1])
        first = max(0, length - 1) if last_only else 0
        # No event that is a label may be unknown.
        labels += [(user, t, events[t + 1] % (ITEMS - 1) or 1) for t in range(first, length)]
    return {"histories": histories, "labels": labels}


def batch_tensors(prefix, batch):
    starts = numpy.cumsum([0] + [len(h) for h in batch["histories"]])
    return {
        f"{prefix}.starts": starts,
        f"{prefix}.items": sum(batch["histories"], []),
        f"{prefix}.targets": [target for _, _, target in batch["labels"]],
        f"{prefix}.label_rows": [int(starts[user]) + t for user, t, _ in batch["labels"]],
    }


def make(config, seed):
    rng = numpy.random.RandomState(seed)
    model = Model(config, rng)
    batches = [make_batch(rng, [5, 1, 8, 2, 0, 7, 5], [1, 2, 3, 5, 6, 7, 9, 11], False),
               make_batch(rng, [4, 0, 8, 3], [2, 4, 8, 10, 7], True)]  # fmt: skip
    tensors = {f"param.{name}": matrix(value) for name, value in model.p.items()}
    tensors.update(column_tensors())
    tensors.update(batch_tensors("a", batches[0]))
    tensors.update(batch_tensors("b", batches[1]))
    tensors["expect.interests"] = matrix(model.users(batches[0]))
    tensors["expect.live"] = [1] * len(batches[0]["histories"])
    # The loss looks up the whole catalogue.
    rows = item_rows(range(ITEMS))
    tensors.update(ten_steps(model.p, batches, model.loss, lambda batch: rows))
    return tensors


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    os.makedirs(folder, exist_ok=True)
    for name, config in VARIANTS.items():
        tensors = make(config, 1)
        # What these presets mean beyond sizes is left to the program.
        preset = name if name in ("seed", "paper") else "best"
        if preset != "best":
            config = {key: config[key] for key in ("dim", "hidden", "history")}
        config = dict(config, loss="softmax")
        settings = " ".join(f"{key}={value}" for key, value in config.items())
        metadata = {"preset": preset, "config": settings}
        write(os.path.join(folder, f"gru4rec-{name}.safetensors"), tensors, metadata)


if __name__ == "__main__":
    main()
