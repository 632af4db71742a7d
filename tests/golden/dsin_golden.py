"""Golden fixtures of dsin: PyTorch, in double, user by user and session by session, with PyTorch's own LSTM.

    python3 tests/golden/dsin_golden.py     writes tests/golden/fixtures/dsin-*

What a fixture holds is told in interest_golden.py, whose layers, profile and batches serve here too."""

import os

import numpy
import torch
from torch.nn import functional

from golden_common import ADAM, COLUMNS, ITEMS, column_tensors, item_rows, matrix, ten_steps
from golden_io import float32, write
from interest_golden import EPSILON, PROFILE, Mlp, Model, batch_tensors, hidden, make_batch

DSIN = {"dim": 2, "history": 6, "gap": 1800, "sessions": 2, "session_length": 3, "session_least": 1,
        "position": "bias", "layers": 1, "heads": 2, "head_width": 2, "inner": 5, "block_dropout": 0,
        "lstm_layers": 1, "lstm_merge": "mean", "att": "mlp", "attention1": 5, "attention2": 3,
        "attention_activation": "sigmoid", "hidden1": 6, "hidden2": 4, "activation": "leaky",
        "norm": "none"}  # fmt: skip

# The second value: "training" normalises over the batch.
VARIANTS = {
    "bias": (DSIN, ""),
    "bilinear-concat": (dict(DSIN, att="bilinear", lstm_merge="concat", lstm_layers=2,
                             position="sinusoid", session_least=2), ""),
    "long-sessions": (dict(DSIN, position="learned", gap=2000, session_length=6, layers=2, heads=1,
                           head_width=3, sessions=3, activation="tanh"), ""),
    "reference": (dict(DSIN, ln=0, blind=1, mean="padded", position="sinusoid", lstm_layers=2,
                       lstm_stack="per_direction"), ""),
    "newest-first": (dict(DSIN, sess_order="newest_first"), ""),
    "norms": (dict(DSIN, position="none", lstm_layers=2, norm="layers", activation="prelu"), "training"),
}  # fmt: skip


class Dsin(Model):
    def __init__(self, config, rng):
        self.config = config
        self.p, self.statistics, self.training, self.seen = {}, {}, False, {}
        d = config["dim"]
        h = self.h = d * (1 + len(COLUMNS))
        self.profile_width = d * len(PROFILE)
        tables = {"item.id": ITEMS}
        tables.update({f"item.{column}": rows for column, (rows, _) in COLUMNS.items()})
        tables.update({f"profile.{field}": rows for field, rows in PROFILE.items()})
        for table, rows in tables.items():
            value = float32(rng, (rows, d), 0.6)
            value[0] = 0
            self.p[table] = torch.tensor(value, requires_grad=True)
        self.add_positions(rng)
        self.add_blocks(rng)
        self.lstm_width = h // 2 if config["lstm_merge"] == "concat" else h
        n = self.lstm_width
        for layer in range(1, config["lstm_layers"] + 1):
            for way in ("forward", "backward"):
                wide = h if layer == 1 else n if config.get("lstm_stack") else 2 * n
                at = f"lstm.{way}{layer}"
                self.add(rng, {f"{at}.input.w": (4 * n, wide), f"{at}.input.b": (1, 4 * n),
                               f"{at}.state.w": (4 * n, n), f"{at}.state.b": (1, 4 * n)})  # fmt: skip
        self.units = {}
        for name in ("interests", "states"):
            self.add_activation(rng, name)
        widths = [self.profile_width + 3 * h, *hidden(config, "hidden1", "hidden2"), 1]
        self.tower = Mlp(self, "tower", widths, config["activation"], config["norm"])
        self.tower.declare(rng, True)

    def add_positions(self, rng):
        config, h = self.config, self.h
        places = config["session_length"]
        if config["position"] == "bias":
            self.add(rng, {"bias.session": (config["sessions"], 1), "bias.place": (places, 1),
                           "bias.column": (1, h)})  # fmt: skip
        if config["position"] == "learned":
            self.add(rng, {"position": (places, h)})
        if config["position"] == "sinusoid":
            place, even = numpy.arange(places)[:, None], 2 * (numpy.arange(h) // 2)
            angle = place / 10000.0 ** (even / h)
            value = numpy.where(numpy.arange(h) % 2, numpy.cos(angle), numpy.sin(angle))
            self.p["position"] = torch.tensor(value.astype("<f4").astype("<f8"))

    def add_blocks(self, rng):
        config, h = self.config, self.h
        wide, inner = config["heads"] * config["head_width"], config["inner"]
        for layer in range(1, config["layers"] + 1):
            shapes = {}
            for what in "qkv":
                shapes.update({f"{what}.w": (wide, h), f"{what}.b": (1, wide)})
            shapes.update({"out.w": (h, wide), "out.b": (1, h), "forward1.w": (inner, h),
                           "forward1.b": (1, inner), "forward2.w": (h, inner), "forward2.b": (1, h)})
            for norm in ("norm1", "norm2") if config.get("ln", 1) else ():
                shapes.update({f"{norm}.gain": (1, h), f"{norm}.bias": (1, h)})
            self.add(rng, {f"layer{layer}.{name}": shape for name, shape in shapes.items()})

    def add_activation(self, rng, name):
        config, h = self.config, self.h
        if config["att"] == "bilinear":
            self.add(rng, {f"{name}.map": (h, h)})
            return
        widths = [h, *hidden(config, "attention1", "attention2"), 1]
        unit = Mlp(self, name, widths, config["attention_activation"], first_outside=True)
        n = widths[1]
        self.add(rng, {f"{name}1.query": (n, h), f"{name}1.key": (n, h), f"{name}1.product": (n, h),
                       f"{name}1.b": (1, n)})  # fmt: skip
        unit.declare(rng, True)
        self.units[name] = unit

    # ---- one user ----

    def sessions(self, items, times):
        """Lists of items, each in the order of time; the sessions the oldest first, or the newest."""
        config = self.config
        items, times = items[-config["history"] :], times[-config["history"] :]
        found = []
        for i, item in enumerate(items):
            if i == 0 or times[i] - times[i - 1] > config["gap"]:
                found.append([])
            found[-1].append(item)
        found = [session for session in found if len(session) >= config["session_least"]]
        found = [session[-config["session_length"] :] for session in found[-config["sessions"] :]]
        return found[::-1] if config.get("sess_order") == "newest_first" else found

    def block(self, at, x):
        """x [L, H]; Vaswani et al., layer norm after each residual."""
        p, heads, width = self.p, self.config["heads"], self.config["head_width"]

        def dense(name, x):
            return functional.linear(x, p[f"{at}.{name}.w"], p[f"{at}.{name}.b"][0])

        def norm(name, x):
            if not self.config.get("ln", 1):
                return x
            return functional.layer_norm(x, (self.h,), p[f"{at}.{name}.gain"][0], p[f"{at}.{name}.bias"][0], 1e-5)

        q, k, v = (dense(name, x).reshape(-1, heads, width).transpose(0, 1) for name in "qkv")
        s = q @ k.transpose(1, 2) / width**0.5
        if self.config.get("blind"):
            s = s.masked_fill(torch.eye(len(x)) > 0, float("-inf"))
        mixed = torch.softmax(s, -1) @ v if len(x) > 1 or not self.config.get("blind") else 0 * v
        x = norm("norm1", x + dense("out", mixed.transpose(0, 1).reshape(-1, heads * width)))
        return norm("norm2", x + dense("forward2", torch.relu(dense("forward1", x))))

    def interest(self, number, session):
        p, kind, length = self.p, self.config["position"], len(session)
        x = self.rows(torch.tensor(session))
        if kind == "bias":
            x = x + p["bias.session"][number] + p["bias.place"][:length] + p["bias.column"]
        elif kind != "none":
            x = x + p["position"][:length]
        for layer in range(1, self.config["layers"] + 1):
            x = self.block(f"layer{layer}", x)
        return x.sum(0) / self.config["session_length"] if self.config.get("mean") == "padded" else x.mean(0)

    def states(self, interests):
        """PyTorch's LSTM, both directions side by side in every layer."""
        n, layers = self.lstm_width, self.config["lstm_layers"]
        if self.config.get("lstm_stack") == "per_direction":
            return (self.one_way("forward", interests) + self.one_way("backward", interests.flip(0)).flip(0)) / 2
        weights = []
        for layer in range(1, layers + 1):
            for way in ("forward", "backward"):
                at = f"lstm.{way}{layer}"
                weights += [self.p[f"{at}.input.w"], self.p[f"{at}.state.w"],
                            self.p[f"{at}.input.b"][0], self.p[f"{at}.state.b"][0]]  # fmt: skip
        start = torch.zeros(2 * layers, 1, n)
        both = torch.lstm(interests.unsqueeze(0), (start, start), weights, True, layers, 0.0, False, True, True)
        both = both[0].squeeze(0)
        return both if self.config["lstm_merge"] == "concat" else (both[:, :n] + both[:, n:]) / 2

    def one_way(self, way, x):
        weights = []
        for layer in range(1, self.config["lstm_layers"] + 1):
            at = f"lstm.{way}{layer}"
            weights += [self.p[f"{at}.input.w"], self.p[f"{at}.state.w"],
                        self.p[f"{at}.input.b"][0], self.p[f"{at}.state.b"][0]]  # fmt: skip
        layers = self.config["lstm_layers"]
        start = torch.zeros(layers, 1, self.lstm_width)
        return torch.lstm(x.unsqueeze(0), (start, start), weights, True, layers, 0.0, False, False, True)[0].squeeze(0)

    def look(self, name, candidate, keys):
        p = self.p
        if self.config["att"] == "bilinear":
            s = keys @ p[f"{name}.map"] @ candidate
        else:
            q = candidate.expand_as(keys)
            four = torch.cat([q, keys, q - keys, q * keys], -1)
            w = torch.cat([p[f"{name}1.query"], p[f"{name}1.key"],
                           torch.zeros_like(p[f"{name}1.key"]), p[f"{name}1.product"]], 1)  # fmt: skip
            s = self.units[name].run(functional.linear(four, w, p[f"{name}1.b"][0]))[:, 0]
        return torch.softmax(s, 0) @ keys

    # ---- the whole ----

    def scores(self, batch):
        users = []
        for items, times in zip(batch["histories"], batch["times"]):
            cut = self.sessions(items, times)
            interests = [self.interest(i, session) for i, session in enumerate(cut)]
            interests = torch.stack(interests) if interests else None
            users.append((interests, self.states(interests)) if interests is not None else None)
        rows = []
        profile = self.profile([batch["profile"][user] for user in batch["users"]])
        for i, user in enumerate(batch["users"]):
            candidate = self.rows(torch.tensor([batch["candidates"][i]]))[0]
            seen = [torch.zeros(self.h), torch.zeros(self.h)]
            if users[user]:
                seen = [self.look(*args) for args in zip(("interests", "states"), [candidate] * 2, users[user])]
            rows.append(torch.cat([profile[i], candidate, *seen]))
        return self.tower.run(torch.stack(rows)).reshape(-1)

    def loss(self, batch):
        labels = torch.tensor(batch["labels"], dtype=torch.float64)
        return functional.binary_cross_entropy_with_logits(self.scores(batch), labels)

    def looked_up(self, batch):
        self.statistics.update(self.seen)
        self.seen = {}
        cut = [session for one in zip(batch["histories"], batch["times"]) for session in self.sessions(*one)]
        rows = item_rows(set(sum(cut, [])) | set(batch["candidates"]))
        asked = [batch["profile"][user] for user in range(len(batch["profile"]))]
        for i, field in enumerate(PROFILE):
            rows[f"profile.{field}"] = {profile[i] for profile in asked} - {0}
        rows["position"] = set(range(max(map(len, cut), default=0)))
        return rows


def add_times(rng, batch):
    batch["times"] = [numpy.cumsum([100, *rng.choice([0, 700, 1800, 1801, 9000], len(history))])[: len(history)].tolist()
                      for history in batch["histories"]]  # fmt: skip
    return batch


def make(config, mode, seed):
    rng = numpy.random.RandomState(seed)
    model = Dsin(config, rng)
    several = [1] * 4 if mode == "training" else [2, 1, 0, 3]
    batches = [add_times(rng, make_batch(rng, [5, 1, 6, 2, 0, 8, 5], [1] * 7, [1, 2, 3, 5, 6, 7, 9, 11])),
               add_times(rng, make_batch(rng, [4, 0, 8, 3], several, [2, 4, 8, 10, 7]))]  # fmt: skip
    tensors = {f"param.{key}": matrix(value) for key, value in model.p.items()}
    tensors.update({f"param.{key}": matrix(value) for key, value in model.statistics.items()})
    tensors.update(column_tensors())
    for prefix, batch in zip("ab", batches):
        tensors.update(batch_tensors(prefix, batch))
    tensors["expect.scores"] = matrix(model.scores(batches[0]))
    model.training = mode == "training"
    tensors.update(ten_steps(model.p, batches, model.loss, model.looked_up, dict(ADAM, epsilon=EPSILON)))
    tensors.update({f"after.{key}": matrix(value) for key, value in model.statistics.items()})
    return tensors


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    for variant, (config, mode) in VARIANTS.items():
        settings = " ".join(f"{key}={value}" for key, value in config.items())
        about = {"preset": "best", "config": f"{settings} epsilon={EPSILON}", "mode": mode or "serving"}
        write(os.path.join(folder, f"dsin-{variant}.safetensors"), make(config, mode, 1), about)


if __name__ == "__main__":
    main()
