"""Golden fixtures of the models on fields (lr, fm, fnn, fnn_plus, wide_deep, deepfm, afm, two_tower, concat_mlp,
feature_mlp, cnn): PyTorch, in double. A factorisation machine is the plain sum over its pairs of fields, attention
runs over a list of pairs, and convolutions are PyTorch's.

    python3 tests/golden/fm_family_golden.py     writes tests/golden/fixtures/{lr,fm,…}-*

A fixture holds the options, the parameters, two batches, and what must come out: the candidates' log-odds (and the
users' vectors of a model that retrieves), and of ten steps of Adam the losses, the first gradients and what the
parameters become.

Shapes: C candidates, F fields, d width of a field's vector."""

import itertools
import os

import numpy
import torch
from torch.nn import functional

from golden_common import ADAM, COLUMNS, ITEMS, column_tensors, item_fields, item_rows, matrix, ten_steps
from golden_io import float32, write
from interest_golden import PROFILE, Mlp, batch_tensors, make_batch

EPSILON = 1e-3  # of Adam; see interest_golden.py
NET = {"hidden1": 5, "hidden2": 3, "hidden3": 0, "activation": "tanh", "norm": "none"}
ALL = {"dim": 3, "history": 4}
FM = dict(ALL, linear=1)
FNN = dict(ALL, **NET, embedding="trainable")
PLUS = dict(ALL, **NET, half=1, linear=1, head_tanh=0)
WIDE = dict(ALL, **NET, linear=1, crosses=0, join="sum")
DEEP = dict(ALL, **NET, linear=1, join="sum", inner_sigmoid=0)
AFM = dict(ALL, attention=4, mode="pairs", linear=1, half=1)
TOWERS = dict(ALL, **NET, out=2, scale=3)
HEAD = dict(ALL, **NET, head_tanh=0)
CNN = dict(HEAD, dim=5, axis="dims", filters=2, taps=3)

# The second value: "training" normalises over the batch, "pretraining" has five steps of that first.
VARIANTS = {
    "lr": {"plain": ({}, "")},
    "fm": {"plain": (FM, ""), "bare": (dict(FM, linear=0, history=0), ""),
           "sides": (dict(FM, dim=3), "")},
    "fnn": {"trainable": (FNN, "pretraining"), "alone": (dict(FNN, activation="relu"), ""),
            "frozen": (dict(FNN, embedding="frozen", history=0), "pretraining")},
    "fnn_plus": {"plain": (dict(PLUS, activation="relu"), ""),
                 "seed": (dict(PLUS, half=0, linear=0, head_tanh=1, history=0), "")},
    "wide_deep": {"linear": (WIDE, ""), "crosses": (dict(WIDE, crosses=6), ""),
                  "poly2-dense": (dict(WIDE, linear=0, crosses=4, join="dense", history=0), "")},
    "deepfm": {"sum": (DEEP, ""), "concat-norms": (dict(DEEP, join="concat", norm="layers"), "training"),
               "seed": (dict(DEEP, linear=0, inner_sigmoid=1, history=0, activation="relu"), "")},
    "afm": {"pairs": (AFM, ""), "bare": (dict(AFM, linear=0, history=0), ""),
            "agg": (dict(AFM, mode="agg", linear=0, half=0), "")},
    "two_tower": {"linear": (TOWERS, ""), "tanh": (dict(TOWERS, out=0, scale=2), "")},
    "concat_mlp": {"plain": (HEAD, ""), "seed": (dict(HEAD, head_tanh=1), "")},
    "feature_mlp": {"plain": (dict(HEAD, activation="selu"), ""), "seed": (dict(HEAD, head_tanh=1, history=0), "")},
    "cnn": {"dims": (CNN, ""), "fields": (dict(CNN, axis="fields", taps=2, history=0, dim=3), "")},
}  # fmt: skip

MASK = (1 << 64) - 1


def mix(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def hash_code(seed, field, code):
    return mix(seed + ((field + 1) << 32 | code) & MASK)


class Model:
    def __init__(self, name, config, rng):
        self.name, self.config = name, config
        self.p, self.statistics, self.training, self.seen = {}, {}, False, {}
        d = self.d = config.get("dim", 1)
        self.pooled = name in ("lr", "concat_mlp")  # an item is the sum of its fields
        width = d + 1 if name == "fnn" else d
        self.linear = config.get("linear", 0)
        weights = self.linear + config.get("crosses", 0)
        self.table(rng, "item", {"id": ITEMS, **{c: rows for c, (rows, _) in COLUMNS.items()}}, width, weights)
        self.table(rng, "profile", PROFILE, width, self.linear)
        own = 1 + len(COLUMNS)
        self.own = own
        self.fields = len(PROFILE) + own * (2 if config.get("history") else 1)
        getattr(self, f"declare_{name}")(rng)

    def table(self, rng, side, tables, width, linear):
        for name, rows in tables.items():
            self.add_table(rng, f"{side}.{name}", rows, width)
            if linear:
                self.add_table(rng, f"{side}.{name}.linear", rows, linear)

    def add_table(self, rng, name, rows, width):
        value = float32(rng, (rows, width), 0.6)
        value[0] = 0
        self.p[name] = torch.tensor(value, requires_grad=True)

    def add(self, rng, shapes):
        for name, shape in shapes.items():
            self.p[name] = torch.tensor(float32(rng, shape, 0.6), requires_grad=True)

    def add_norm(self, rng, at, width, affine):
        value = float32(rng, (3, width), 0.5)
        value[1] = 0.5 + value[1] ** 2
        self.statistics[f"{at}.statistic"] = torch.tensor(value.astype("<f4").astype("<f8"))
        if affine:
            self.add(rng, {f"{at}.gain": (1, width), f"{at}.bias": (1, width)})

    def normalise(self, at, x, epsilon):
        statistic = self.statistics[f"{at}.statistic"]
        mean, variance = statistic[0].clone(), statistic[1].clone()
        y = functional.batch_norm(x, mean, variance, self.p[f"{at}.gain"][0], self.p[f"{at}.bias"][0],
                                  self.training, 0.1, epsilon)  # fmt: skip
        if self.training:
            self.seen[f"{at}.statistic"] = torch.stack([mean, variance, statistic[2]])
        return y

    def network(self, rng, name, width, out=1):
        config = self.config
        widths = [width] + [config[key] for key in ("hidden1", "hidden2") if config[key] > 0]
        net = Mlp(self, name, widths + ([out] if out else []), config["activation"], config["norm"])
        net.declare(rng, out > 0)
        return net

    # ---- looking up ----

    def profile_rows(self, batch, kind=""):
        """A list of [C, width], one for each field of the profile."""
        codes = torch.tensor(batch["profile"])[batch["users"]]
        return [self.p[f"profile.{field}{kind}"][codes[:, i]] * (codes[:, i : i + 1] > 0)
                for i, field in enumerate(PROFILE)]  # fmt: skip

    def history(self, batch):
        """The same of the means of the items' fields over each candidate's history."""
        parts = []
        for user in batch["users"]:
            newest = batch["histories"][user][-self.config["history"] :]
            if newest:
                rows = item_fields(self.p, torch.tensor(newest))
                parts.append(torch.stack([row.mean(0) for row in rows]))
            else:
                parts.append(torch.zeros(self.own, self.p["item.id"].shape[1]))
        return list(torch.stack(parts, 1))

    def vectors(self, batch):
        """[C, F, width]"""
        parts = self.profile_rows(batch) + item_fields(self.p, torch.tensor(batch["candidates"]))
        if self.config.get("history"):
            parts += self.history(batch)
        return torch.stack(parts, 1)

    def weights(self, batch):
        """Linear weights of the item with its crosses, [C, linear + crosses], and those of the profile, [C]."""
        tables = {key[: -len(".linear")]: value for key, value in self.p.items() if key.endswith(".linear")}
        item = sum(item_fields(tables, torch.tensor(batch["candidates"])))
        user = sum(self.profile_rows(batch, ".linear"))[:, 0] if self.linear else 0
        return item, user

    def linear_terms(self, batch):
        if not self.linear:
            return 0
        item, user = self.weights(batch)
        return item[:, 0] + user

    @staticmethod
    def pairs(v):
        """[C, M, d]"""
        return torch.stack([v[:, i] * v[:, j] for i, j in itertools.combinations(range(v.shape[1]), 2)], 1)

    def head(self, y):
        return torch.tanh(y) if self.config["head_tanh"] else y

    # ---- the models: what they declare, and log-odds [C] ----

    def declare_lr(self, rng):
        self.add(rng, {"bias": (1, 1)})

    def score_lr(self, batch):
        return self.vectors(batch).sum((1, 2)) + self.p["bias"][0, 0]

    declare_fm = declare_lr

    def score_fm(self, batch):
        return self.pairs(self.vectors(batch)).sum((1, 2)) + self.linear_terms(batch) + self.p["bias"][0, 0]

    def declare_fnn(self, rng):
        self.add(rng, {"bias": (1, 1)})
        self.net = self.network(rng, "mlp", self.fields * (self.d + 1))

    def score_fnn(self, batch):
        return self.net.run(self.vectors(batch).flatten(1)).reshape(-1)

    def log_loss(self, scores, batch):
        return functional.binary_cross_entropy_with_logits(scores, torch.tensor(batch["labels"], dtype=torch.float64))

    def machine_loss(self, batch):
        """The factorisation machine of fnn, whose linear weights stand last in each row."""
        rows = self.vectors(batch)
        machine = self.pairs(rows[:, :, :-1]).sum((1, 2)) + rows[:, :, -1].sum(1) + self.p["bias"][0, 0]
        return self.log_loss(machine, batch)

    def network_loss(self, batch):
        rows = self.vectors(batch)
        rows = rows.detach() if self.config["embedding"] == "frozen" else rows
        return self.log_loss(self.net.run(rows.flatten(1)).reshape(-1), batch)

    def declare_fnn_plus(self, rng):
        self.net = self.network(rng, "mlp", self.d)

    def score_fnn_plus(self, batch):
        v = self.vectors(batch)
        z = v.sum(1) ** 2 - (v**2).sum(1)
        y = self.net.run(z / 2 if self.config["half"] else z).reshape(-1)
        return self.head(y + self.linear_terms(batch))

    def declare_wide_deep(self, rng):
        self.net = self.network(rng, "mlp", self.fields * self.d)
        if self.config["crosses"]:
            self.add_table(rng, "cross.user", 1 + 16 * self.config["crosses"], 1)
        if self.config["join"] == "dense":
            self.add(rng, {"head.w": (1, 2), "head.b": (1, 1)})

    def user_pairs(self, codes):
        rows = self.p["cross.user"].shape[0] - 1 if "cross.user" in self.p else 0
        pairs = []
        for i, j in itertools.combinations(range(len(PROFILE)), 2):
            if rows and codes[i] and codes[j]:
                pairs.append(1 + hash_code(hash_code(0, i, codes[i]), j, codes[j]) % rows)
        return pairs

    def crosses(self, batch):
        item, _ = self.weights(batch)
        sums = []
        for row, user in enumerate(batch["users"]):
            codes = batch["profile"][user]
            columns = [self.linear + hash_code(0, field, code) % self.config["crosses"]
                       for field, code in enumerate(codes) if code]  # fmt: skip
            sums.append(item[row, columns].sum() + self.p["cross.user"][self.user_pairs(codes), 0].sum())
        return torch.stack(sums)

    def score_wide_deep(self, batch):
        deep = self.net.run(self.vectors(batch).flatten(1)).reshape(-1)
        wide = self.linear_terms(batch) + (self.crosses(batch) if self.config["crosses"] else 0)
        if self.config["join"] == "dense":
            w = self.p["head.w"][0]
            return w[0] * wide + w[1] * deep + self.p["head.b"][0, 0]
        return wide + deep

    def declare_deepfm(self, rng):
        concat = self.config["join"] == "concat"
        self.add(rng, {"bias": (1, 1)})
        self.net = self.network(rng, "mlp", self.fields * self.d, 0 if concat else 1)
        if concat:
            self.add(rng, {"head.w": (1, self.d + self.config["hidden2"])})

    def score_deepfm(self, batch):
        v = self.vectors(batch)
        z, deep = self.pairs(v).sum(1), self.net.run(v.flatten(1))
        if self.config["join"] == "concat":
            y = functional.linear(torch.cat([z, deep], 1), self.p["head.w"], self.p["bias"][0]).reshape(-1)
        else:
            deep = torch.sigmoid(deep) if self.config["inner_sigmoid"] else deep
            y = z.sum(1) + deep.reshape(-1) + self.p["bias"][0, 0]
        return y + self.linear_terms(batch)

    def declare_afm(self, rng):
        t, d = self.config["attention"], self.d
        self.add(rng, {"bias": (1, 1), "p": (1, d)})
        if self.config["mode"] == "pairs":
            self.add(rng, {"attention.w": (t, d), "attention.b": (1, t), "attention.h": (1, t)})

    def score_afm(self, batch):
        v = self.vectors(batch)
        if self.config["mode"] == "agg":
            z = (v.sum(1) ** 2 - (v**2).sum(1)) * (0.5 if self.config["half"] else 1)
        else:
            products = self.pairs(v)
            hidden = torch.relu(functional.linear(products, self.p["attention.w"], self.p["attention.b"][0]))
            a = torch.softmax(hidden @ self.p["attention.h"][0], 1)
            z = (a.unsqueeze(-1) * products).sum(1)
        return z @ self.p["p"][0] + self.p["bias"][0, 0] + self.linear_terms(batch)

    def declare_two_tower(self, rng):
        out = self.config["out"]
        self.users = self.network(rng, "user", (len(PROFILE) + self.own) * self.d, out)
        self.items = self.network(rng, "tower", self.own * self.d, out)

    def interests(self, batch):
        """Of every user: [B, D]"""
        everyone = dict(batch, users=list(range(len(batch["histories"]))))
        if self.name == "fm":
            total = sum(self.profile_rows(everyone) + self.history(everyone))
            return torch.cat([total, torch.ones(len(total), 1)], 1)
        x = torch.cat(self.profile_rows(everyone) + self.history(everyone), 1)
        return self.config["scale"] * self.users.run(x)

    def score_two_tower(self, batch):
        items = self.items.run(torch.cat(item_fields(self.p, torch.tensor(batch["candidates"])), 1))
        return (self.interests(batch)[batch["users"]] * items).sum(1)

    def declare_concat_mlp(self, rng):
        self.net = self.network(rng, "mlp", 2 * self.d)

    def score_concat_mlp(self, batch):
        user = sum(self.profile_rows(batch)) + sum(self.history(batch))
        item = sum(item_fields(self.p, torch.tensor(batch["candidates"])))
        return self.head(self.net.run(torch.cat([user, item], 1)).reshape(-1))

    def declare_feature_mlp(self, rng):
        self.net = self.network(rng, "mlp", self.fields * self.d)

    def score_feature_mlp(self, batch):
        return self.head(self.net.run(self.vectors(batch).flatten(1)).reshape(-1))

    def declare_cnn(self, rng):
        filters, taps = self.config["filters"], self.config["taps"]
        channels, length = self.fields, self.d
        if self.config["axis"] == "fields":
            channels, length = length, channels
        self.channels = channels
        self.add(rng, {"conv.w": (filters, channels * taps), "conv.b": (1, filters)})
        self.net = self.network(rng, "mlp", filters * (length - taps + 1))

    def score_cnn(self, batch):
        x = self.vectors(batch)
        x = x.transpose(1, 2) if self.config["axis"] == "fields" else x
        w = self.p["conv.w"].reshape(self.config["filters"], self.channels, self.config["taps"])
        y = functional.conv1d(x, w, self.p["conv.b"][0])
        return self.head(self.net.run(y.flatten(1)).reshape(-1))

    # ---- the whole ----

    def scores(self, batch):
        return getattr(self, f"score_{self.name}")(batch)

    def loss(self, batch):
        return self.network_loss(batch) if self.name == "fnn" else self.log_loss(self.scores(batch), batch)

    def looked_up(self, batch):
        """Statistics of the step before are in place when the next one looks up."""
        self.statistics.update(self.seen)
        self.seen = {}
        items = set(batch["candidates"])
        if self.config.get("history"):
            items |= {item for row in batch["histories"] for item in row[-self.config["history"] :]}
        rows = item_rows(items)
        weights = item_rows(batch["candidates"])
        rows.update({f"{name}.linear": weights[name] for name in weights})
        for i, field in enumerate(PROFILE):
            codes = {codes[i] for codes in batch["profile"]} - {0}
            rows[f"profile.{field}"] = rows[f"profile.{field}.linear"] = codes
        rows["cross.user"] = set(sum((self.user_pairs(codes) for codes in batch["profile"]), []))
        return rows


def make(name, variant, config, mode, seed):
    rng = numpy.random.RandomState(seed)
    model = Model(name, config, rng)
    batches = [make_batch(rng, [5, 1, 6, 2, 0, 7, 5], [1, 0, 2, 1, 2, 1, 1], [1, 2, 3, 5, 6, 7, 9, 11]),
               make_batch(rng, [4, 0, 8, 3], [2, 1, 0, 3], [2, 4, 8, 10, 7])]  # fmt: skip
    tensors = {f"param.{key}": matrix(value) for key, value in model.p.items()}
    tensors.update({f"param.{key}": matrix(value) for key, value in model.statistics.items()})
    tensors.update(column_tensors())
    for prefix, batch in zip("ab", batches):
        whole = batch_tensors(prefix, batch)
        tensors.update({key: value for key, value in whole.items() if not key.endswith("negatives")})
    tensors["expect.scores"] = matrix(model.scores(batches[0]))
    if name == "two_tower" or (name, variant) == ("fm", "sides"):
        tensors["expect.interests"] = matrix(model.interests(batches[0]))
        tensors["expect.live"] = [1] * len(batches[0]["histories"])
    model.training = mode == "training"
    first = model.machine_loss if mode == "pretraining" else None
    tensors.update(ten_steps(model.p, batches, model.loss, model.looked_up, dict(ADAM, epsilon=EPSILON), first))
    tensors.update({f"after.{key}": matrix(value) for key, value in model.statistics.items()})
    return tensors


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    for name, variants in VARIANTS.items():
        for variant, (config, mode) in variants.items():
            settings = " ".join([*(f"{key}={value}" for key, value in config.items()), f"epsilon={EPSILON}"])
            if name == "fnn":
                settings += f" pretrain={int(mode == 'pretraining')}"
            about = {"preset": "best", "config": settings, "mode": mode or "serving"}
            write(os.path.join(folder, f"{name}-{variant}.safetensors"), make(name, variant, config, mode, 1), about)


if __name__ == "__main__":
    main()
