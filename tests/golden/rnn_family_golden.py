"""Golden fixtures of pool, rnn, rnn_als and rnn_joint: PyTorch's own nn.RNN, nn.GRU and nn.LSTM on padded [B, T]
tensors, in double. Every candidate is a sample of its own, with a copy of its user's history.

    python3 tests/golden/rnn_family_golden.py     writes tests/golden/fixtures/{pool,rnn,rnn_als,rnn_joint}-*

A fixture holds the options, the parameters, two batches, and what must come out: the candidates' log-odds
and, where there are such, the users' vectors, loss and all gradients of the first batch, the losses of ten
steps of Adam on the batches in turn, and the parameters after them. Numbers are made as float and computed
in double. Needs NumPy and PyTorch.

Shapes: B samples, T padded length, D width, H hidden, N items."""

import os

import numpy
import torch
from torch.nn import functional

from golden_common import COLUMNS, ITEMS, column_tensors, item_fields, item_rows, matrix, ten_steps
from golden_io import float32, write

PROFILE = {"gender": 4, "age": 5}  # where a variant looks at it
CELLS = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
# PyTorch's names for the parameters of layer l.
CELL_NAMES = {"input.w": "weight_ih_l{}", "input.b": "bias_ih_l{}", "state.w": "weight_hh_l{}",
              "state.b": "bias_hh_l{}"}  # fmt: skip

POOL = {"dim": 5, "history": 8, "pool": "mean", "hidden": 6, "head_tanh": 0}
RNN = {"dim": 5, "hidden": 4, "layers": 1, "history": 8, "cell": "rnn", "head_tanh": 0}
ALS = {"dim": 5, "layers": 1, "history": 8, "cell": "rnn"}
JOINT = dict(ALS, **{"lambda": 0.7, "aux_output": "own", "aux_head": "linear",
                     "last_step_when_negative": "mask"})  # fmt: skip

# Variants that are called "seed" state the values that the program must find in its preset.
VARIANTS = {
    "pool": {
        "mean": POOL,
        "sum": dict(POOL, pool="sum", hidden=0),
        "profile": dict(POOL, profile=1),
        "seed": dict(POOL, pool="sum", hidden=0, head_tanh=1),
    },
    "rnn": {
        "rnn": RNN,
        "gru-two-layers": dict(RNN, cell="gru", layers=2),
        "lstm-three-layers": dict(RNN, cell="lstm", layers=3),
        "lstm": dict(RNN, cell="lstm", dim=3, hidden=6),
        "profile": dict(RNN, profile=1, cell="gru"),
        "seed": dict(RNN, head_tanh=1),
    },
    "rnn_als": {
        "rnn": ALS,
        "gru": dict(ALS, cell="gru"),
        "lstm-two-layers": dict(ALS, cell="lstm", layers=2),
        "profile": dict(ALS, profile=1),
        "seed": ALS,
    },
    "rnn_joint": {
        "own": JOINT,
        "tied": dict(JOINT, aux_output="tied", cell="gru"),
        "keep": dict(JOINT, last_step_when_negative="keep", cell="lstm", layers=2),
        "profile": dict(JOINT, profile=1),
        "tied-tanh": dict(JOINT, aux_output="tied", aux_head="tanh_softmax_ce"),
        "seed": dict(JOINT, aux_head="tanh_softmax_ce", last_step_when_negative="keep",
                     **{"lambda": 1}),  # fmt: skip
    },
}  # fmt: skip
OF_THE_SEED = ("pool", "head_tanh", "cell", "lambda", "aux_output", "aux_head",
               "last_step_when_negative")  # fmt: skip


class Model:
    """p: every parameter by the name that the file has; those of the recurrent layers are PyTorch's own."""

    def __init__(self, name, config, rng):
        self.name, self.config = name, config
        d, h = config["dim"], config.get("hidden", config["dim"])
        self.p = {}
        tables = {"item.id": ITEMS}
        tables.update({f"item.{column}": rows for column, (rows, _) in COLUMNS.items()})
        for table, rows in tables.items():
            value = float32(rng, (rows, d), 0.6)
            value[0] = 0
            self.p[table] = torch.tensor(value, requires_grad=True)
        if name == "pool":
            out = h or 1
            self.add(rng, {"user.w": (out, d), "item.w": (out, d), "b1": (1, out)})
            self.add(rng, {"w2": (1, out), "b2": (1, 1)} if h else {})
            self.add_profile(rng, out)
            return
        self.net = CELLS[config["cell"]](d, h, config["layers"], batch_first=True)
        for layer in range(config["layers"]):
            for ours, theirs in CELL_NAMES.items():
                value = getattr(self.net, theirs.format(layer))
                with torch.no_grad():
                    value.copy_(torch.tensor(float32(rng, tuple(value.shape), 0.5)))
                self.p[f"layer{layer + 1}.{ours}"] = value
        if name == "rnn":
            self.add(rng, {"out.w": (1, h), "out.b": (1, 1)})
        if config.get("aux_output") == "own":
            self.add(rng, {"aux.w": (ITEMS - 2, d + 1)})
        self.add_profile(rng, d)

    def add_profile(self, rng, out):
        if self.config.get("profile"):
            d = self.config["dim"]
            self.add(rng, {f"profile.{field}": (rows, d) for field, rows in PROFILE.items()})
            for field in PROFILE:
                self.p[f"profile.{field}"].data[0] = 0
            self.add(rng, {"profile.w": (out, d * len(PROFILE))})

    def add(self, rng, shapes):
        for name, shape in shapes.items():
            self.p[name] = torch.tensor(float32(rng, shape, 0.6), requires_grad=True)

    def vectors(self, ids):
        return torch.stack(item_fields(self.p, ids)).sum(0)

    def of_profile(self, batch, users):
        """What the profile's map makes of these users, (len(users), width), or 0."""
        if "profile.w" not in self.p:
            return 0
        codes = torch.tensor([batch["profile"][user] for user in users])
        rows = [self.p[f"profile.{field}"][codes[:, i]] * (codes[:, i : i + 1] > 0)
                for i, field in enumerate(PROFILE)]  # fmt: skip
        return torch.cat(rows, 1) @ self.p["profile.w"].T

    def states(self, sequences, extra=0):
        """[B, T, H]; what stands behind a sequence's end is of no use. extra [B, d] joins the last input of each."""
        width = max(map(len, sequences))
        ids = torch.tensor([s + [0] * (width - len(s)) for s in sequences])
        at_end = torch.tensor([[float(t + 1 == len(s)) for t in range(width)] for s in sequences])
        x = self.vectors(ids)
        return self.net(x + at_end.unsqueeze(-1) * extra.unsqueeze(1) if torch.is_tensor(extra) else x)[0]

    def last(self, sequences, extra=0):
        states = self.states(sequences, extra)
        none = torch.zeros(states.shape[-1])
        return torch.stack([states[b, len(s) - 1] if s else none for b, s in enumerate(sequences)])

    def scores(self, batch):
        histories = [batch["histories"][user] for user in batch["users"]]
        candidates = torch.tensor(batch["candidates"])
        p, name = self.p, self.name
        if name == "pool":
            pooled = []
            for history in histories:
                total = self.vectors(torch.tensor(history, dtype=torch.long)).sum(0)
                mean = self.config["pool"] == "mean"
                pooled.append(total / max(1, len(history)) if mean else total)
            both = torch.cat([torch.stack(pooled), self.vectors(candidates)], 1)
            x = functional.linear(both, torch.cat([p["user.w"], p["item.w"]], 1), p["b1"][0])
            x = x + self.of_profile(batch, batch["users"])
            x = functional.linear(torch.relu(x), p["w2"], p["b2"][0]) if "w2" in p else x
        elif name == "rnn":
            extra = self.of_profile(batch, batch["users"])
            sequences = [h + [c] for h, c in zip(histories, batch["candidates"])]
            x = functional.linear(self.last(sequences, extra), p["out.w"], p["out.b"][0])
        else:
            users = self.last(histories) + self.of_profile(batch, batch["users"])
            x = (users * self.vectors(candidates)).sum(1)
        x = x.reshape(-1)
        return torch.tanh(x) if self.config.get("head_tanh") else x

    def next_items(self, batch):
        """For each sample the mean cross-entropy of its next items."""
        p, parts = self.p, []
        for user, candidate, label in zip(batch["users"], batch["candidates"], batch["labels"]):
            history = batch["histories"][user]
            follows = history[1:] + [candidate]
            if not label and self.config["last_step_when_negative"] == "mask":
                follows.pop()
            steps = [(t, item - 1) for t, item in enumerate(follows) if 1 <= item < ITEMS - 1]
            if not history or not steps:
                parts.append(torch.zeros(()))
                continue
            h = self.states([history])[0, [t for t, _ in steps]]
            if "aux.w" in p:
                logits = h @ p["aux.w"][:, :-1].T + p["aux.w"][:, -1]
            else:
                logits = h @ self.vectors(torch.arange(1, ITEMS - 1)).T
            if self.config["aux_head"] == "tanh_softmax_ce":
                logits = torch.softmax(torch.tanh(logits), 1)
            parts.append(functional.cross_entropy(logits, torch.tensor([i for _, i in steps])))
        return torch.stack(parts).mean()

    def loss(self, batch):
        labels = torch.tensor(batch["labels"], dtype=torch.float64)
        loss = functional.binary_cross_entropy_with_logits(self.scores(batch), labels)
        if self.name == "rnn_joint":
            loss = loss + self.config["lambda"] * self.next_items(batch)
        return loss

    def looked_up(self, batch):
        items = set(sum(batch["histories"], [])) | set(batch["candidates"])
        if self.config.get("aux_output") == "tied":
            items |= set(range(1, ITEMS - 1))
        rows = item_rows(items)
        for i, field in enumerate(PROFILE):  # those of all users are looked up
            rows[f"profile.{field}"] = {codes[i] for codes in batch["profile"]} - {0}
        return rows


def make_batch(rng, lengths, counts, ids):
    """counts: candidates of each user."""
    histories = [[int(ids[i]) for i in rng.randint(0, len(ids), length)] for length in lengths]
    users = [user for user, count in enumerate(counts) for _ in range(count)]
    return {
        "histories": histories,
        "users": users,
        "candidates": [int(ids[i]) for i in rng.randint(0, len(ids), len(users))],
        "labels": [int(label) for label in rng.randint(0, 2, len(users))],
        "profile": [[(3 * user + i) % rows for i, rows in enumerate(PROFILE.values())] for user in range(len(lengths))],
    }


def batch_tensors(prefix, batch):
    return {
        f"{prefix}.starts": numpy.cumsum([0] + [len(h) for h in batch["histories"]]),
        f"{prefix}.items": sum(batch["histories"], []),
        f"{prefix}.candidates": batch["candidates"],
        f"{prefix}.candidate_users": batch["users"],
        f"{prefix}.candidate_labels": numpy.array(batch["labels"], dtype=float),
        f"{prefix}.profile": sum(batch["profile"], []),
    }


def make(name, config, seed):
    rng = numpy.random.RandomState(seed)
    model = Model(name, config, rng)
    # Users with two candidates and with none, where each candidate stands for itself.
    several = [1] * 4 if name == "rnn_joint" else [2, 1, 0, 3]
    batches = [make_batch(rng, [5, 1, 8, 2, 0, 7, 5], [1] * 7, [1, 2, 3, 5, 6, 7, 9, 11]),
               make_batch(rng, [4, 0, 8, 3], several, [2, 4, 8, 10, 7])]  # fmt: skip
    tensors = {f"param.{key}": matrix(value) for key, value in model.p.items()}
    tensors.update(column_tensors())
    tensors.update(batch_tensors("a", batches[0]))
    tensors.update(batch_tensors("b", batches[1]))
    tensors["expect.scores"] = matrix(model.scores(batches[0]))
    if name in ("rnn_als", "rnn_joint"):
        everyone = range(len(batches[0]["histories"]))
        users = model.last(batches[0]["histories"]) + model.of_profile(batches[0], everyone)
        tensors["expect.interests"] = matrix(users)
        tensors["expect.live"] = [1] * len(batches[0]["histories"])
    tensors.update(ten_steps(model.p, batches, model.loss, model.looked_up))
    return tensors


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    os.makedirs(folder, exist_ok=True)
    for name, variants in VARIANTS.items():
        for variant, config in variants.items():
            tensors = make(name, config, 1)
            preset = "seed" if variant == "seed" else "best"
            if preset == "seed":
                config = {key: config[key] for key in config if key not in OF_THE_SEED}
            settings = " ".join(f"{key}={value}" for key, value in config.items())
            path = os.path.join(folder, f"{name}-{variant}.safetensors")
            write(path, tensors, {"preset": preset, "config": settings})


if __name__ == "__main__":
    main()
