"""Golden fixtures of din, dien and bst: PyTorch, in double, on padded [C, T, H] tensors. Every candidate is a sample of
its own, with a copy of its user's history, except for what normalises over the rows of a batch: that is
over users' behaviours where a user has several candidates, so a fixture of training has one candidate a user.

    python3 tests/golden/interest_golden.py     writes tests/golden/fixtures/{din,dien,bst}-*

A fixture holds the options, the parameters, two batches, and what must come out: the candidates' log-odds with
the running statistics, and of ten steps of Adam in the mode of the fixture the losses, the first gradients and
what the parameters become. GRUs are written out from the papers' equations, the extractor is PyTorch's GRU.

Shapes: C candidates, T padded length, H width of an item's row."""

import os

import numpy
import torch
from torch.nn import functional

from golden_common import ADAM, COLUMNS, ITEMS, column_tensors, item_fields, item_rows, matrix, ten_steps
from golden_io import float32, write

PROFILE = {"gender": 4, "age": 5}
MOMENTUM = 0.1
# Some gradients are zero but for rounding: of what a softmax or a normalisation takes away again. With a small
# epsilon Adam would make steps of them.
EPSILON = 1e-3
UNIT = {"attention1": 5, "attention2": 3, "attention_activation": "sigmoid"}
TOWER = {"hidden1": 6, "hidden2": 4, "activation": "prelu", "norm": "none", "input": "full"}
DIN = dict({"dim": 2, "history": 6, "att": "full", "att_norm": "softmax"}, **UNIT, **TOWER)
DIEN = dict({"dim": 2, "history": 6, "evolution": "augru", "att": "mlp", "aux": "next_mlp", "aux1": 5,
             "aux2": 3, "alpha": 0.7}, **UNIT, **TOWER)  # fmt: skip
KD = {"kd.temperature": 3, "kd.alpha": 0.6}

BST = {"dim": 2, "history": 6, "layers": 1, "heads": 2, "head_width": 3, "inner": 5, "block_dropout": 0, "dropout": 0,
       "block_norm": "post", "position": "learned", "hidden1": 6, "hidden2": 4, "activation": "leaky", "norm": "none"}  # fmt: skip

GAPS = 34  # the candidate, unknown, none, and 1 to 31 bits

# The second value: "training" normalises over the batch.
VARIANTS = {
    "din": {
        "full": (DIN, ""),
        "kd": (dict(DIN, **KD), ""),
        "none-dice": (dict(DIN, att_norm="none", attention_activation="dice", activation="dice",
                           norm="input"), "training"),
        "sigmoid-norms": (dict(DIN, att_norm="sigmoid", attention2=0, norm="layers"), "training"),
        "dot-plain": (dict(DIN, att="dot", att_scale=1, input="plain", activation="leaky"), ""),
        "bilinear": (dict(DIN, att="bilinear", activation="selu"), ""),
        "elem-add": (dict(DIN, att="elem_add"), ""),
        "elem-sub": (dict(DIN, att="elem_sub", att_norm="none"), ""),
        "elem-mul": (dict(DIN, att="elem_mul"), ""),
        "outer": (dict(DIN, att="outer"), ""),
        "outer-dice": (dict(DIN, att="outer", attention2=0, attention_activation="dice"), "training"),
        "dice": (dict(DIN, attention_activation="dice", activation="dice", dice_alpha=0.1, dice_fixed=1, dice_affine=1,
                      dice_epsilon=1e-5), "training"),
        "affine": (dict(DIN, norm="affine"), "training"),
        "user": (dict(DIN, att="user", activation="tanh"), ""),
        "self-compact": (dict(DIN, att="self", input="compact", hidden1=1, hidden2=0, output=0,
                              activation="dice", attention_activation="relu"), "training"),
    },
    "bst": {
        "learned": (BST, ""),
        "sinusoid": (dict(BST, layers=2, heads=1, head_width=4, position="sinusoid"), ""),
        "pre": (dict(BST, block_norm="pre"), ""),
        "none-dice": (dict(BST, position="none", activation="dice", hidden2=0), "training"),
        "time-gap": (dict(BST, position="time_gap"), ""),
        "leaky": (dict(BST, ff_act="leaky"), ""),
        "target-apart": (dict(BST, target_in_encoder=0, **UNIT), ""),
        "target-apart-dice": (dict(BST, target_in_encoder=0, attention1=4, attention2=0, attention_activation="dice",
                                   position="time_gap", block_norm="pre", norm="input"), "training"),
    },
    "dien": {
        "augru": (DIEN, ""),
        "agru": (dict(DIEN, evolution="agru", aux="next_dot"), ""),
        "aigru": (dict(DIEN, evolution="aigru", att_scale=1), ""),
        "gru": (dict(DIEN, evolution="gru", aux="none"), ""),
        "bilinear-norms": (dict(DIEN, att="bilinear", norm="layers", input="plain"), "training"),
        "dice": (dict(DIEN, attention_activation="dice", activation="dice", norm="input"), "training"),
        "tf-augru": (dict(DIEN, cell="tf", att="mlp_prelu_query"), ""),
        "tf-agru": (dict(DIEN, cell="tf", evolution="agru", aux="next_dot", aux_norm="padded", ctr_scale=0.5), ""),
        "tf-aigru": (dict(DIEN, cell="tf", evolution="aigru", aux="none"), ""),
        "tf-gru": (dict(DIEN, cell="tf", evolution="gru", att="bilinear", aux="same_label"), ""),
        "h0": (dict(DIEN, h0="random"), ""),
        "h0-tf-gru": (dict(DIEN, h0="random", cell="tf", evolution="gru"), ""),
        "separate": (dict(DIEN, tables="separate"), ""),
        "separate-label": (dict(DIEN, tables="separate", evolution="aigru", aux="same_label"), ""),
        "kd": (dict(DIEN, ctr_scale=0.5, **KD), ""),
        "one": (dict(DIEN, att="one", aux="same_label", aux_norm="padded"), ""),
    },
}  # fmt: skip


class Mlp:
    """Layers by the names that the file has; statistics are rows mean, variance, unused."""

    def __init__(self, model, name, widths, activation, norm="none", first_outside=False):
        self.model, self.name, self.activation, self.norm = model, name, activation, norm
        self.count = len(widths) - 1
        self.hidden = self.count  # those with an activation; the caller lowers it for an output layer
        self.widths = widths
        self.first_outside = first_outside

    def declare(self, rng, output):
        m, widths = self.model, self.widths
        self.hidden = self.count - (1 if output else 0)
        if self.norm in ("input", "affine"):
            m.add_norm(rng, f"{self.name}0", widths[0], True)
        for i in range(self.count):
            at = f"{self.name}{i + 1}"
            if not (i == 0 and self.first_outside):
                m.add(rng, {f"{at}.w": (widths[i + 1], widths[i]), f"{at}.b": (1, widths[i + 1])})
            if i < self.hidden:
                if self.activation == "dice":
                    m.add_norm(rng, at, widths[i + 1], m.config.get("dice_affine", 0))
                elif self.norm == "layers":
                    m.add_norm(rng, at, widths[i + 1], True)
                if self.activation in ("dice", "prelu"):
                    m.add(rng, {f"{at}.slope": (1, widths[i + 1])})
                if self.activation == "dice" and m.config.get("dice_fixed"):
                    m.p[f"{at}.slope"].requires_grad_(False)

    def run(self, x):
        p, m = self.model.p, self.model
        if self.norm == "input":
            x = m.normalise(f"{self.name}0", x, 1e-5)
        if self.norm == "affine":
            mean, variance = m.statistics[f"{self.name}0.statistic"][:2]
            x = (x - mean) / torch.sqrt(variance + 1e-5) * p[f"{self.name}0.gain"] + p[f"{self.name}0.bias"]
        for i in range(self.count):
            at = f"{self.name}{i + 1}"
            if not (i == 0 and self.first_outside):
                x = functional.linear(x, p[f"{at}.w"], p[f"{at}.b"][0])
            if i < self.hidden:
                x = self.activate(at, x)
        return x

    def activate(self, at, x):
        p, m = self.model.p, self.model
        if self.activation == "dice":
            gate = torch.sigmoid(m.normalise(at, x, m.config.get("dice_epsilon", 1e-8)))
            return gate * x + (1 - gate) * p[f"{at}.slope"] * x
        if self.norm == "layers":
            x = m.normalise(at, x, 1e-5)
        if self.activation == "prelu":
            return torch.where(x > 0, x, p[f"{at}.slope"] * x)
        if self.activation == "leaky":
            return functional.leaky_relu(x, 0.1)
        return {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu,
                "selu": functional.selu}[self.activation](x)  # fmt: skip


def hidden(config, first, second):
    return [width for width in (config[first], config[second]) if width > 0]


class Model:
    def __init__(self, name, config, rng):
        self.name, self.config = name, config
        self.att = config.get("att", "full")
        self.p, self.statistics, self.training, self.seen = {}, {}, False, {}
        d = config["dim"]
        h = self.h = d * (1 + len(COLUMNS))
        self.profile_width = d * len(PROFILE)
        tables = {"item.id": ITEMS}
        tables.update({f"item.{column}": rows for column, (rows, _) in COLUMNS.items()})
        tables.update({f"profile.{field}": rows for field, rows in PROFILE.items()})
        own = ("behaviour", "negative") if config.get("tables") == "separate" else ()
        tables.update({table.replace("item", which): rows for which in own for table, rows in tables.items()
                       if table.startswith("item.")})  # fmt: skip
        for table, rows in tables.items():
            value = float32(rng, (rows, d), 0.6)
            value[0] = 0
            self.p[table] = torch.tensor(value, requires_grad=True)
        if config.get("h0") == "random":
            self.p["evolution.start"] = torch.tensor(float32(rng, (1, h), 0.6))
        if name == "dien":
            self.add(rng, {"layer1.input.w": (3 * h, h), "layer1.input.b": (1, 3 * h),
                           "layer1.state.w": (3 * h, h), "layer1.state.b": (1, 3 * h)})  # fmt: skip
            g = (2 if config["evolution"] == "agru" else 3) * h
            self.add(rng, {"evolution.input.w": (g, h), "evolution.input.b": (1, g),
                           "evolution.state.w": (g, h), "evolution.state.b": (1, g)})  # fmt: skip
        if name == "bst":
            self.declare_bst(rng)
            return
        self.declare_attention(rng)
        if config.get("aux") == "next_mlp":
            self.discriminator = Mlp(self, "aux", [2 * h, *hidden(config, "aux1", "aux2"), 1], "sigmoid")
            self.discriminator.declare(rng, True)
        width = {"full": self.profile_width + 4 * h, "plain": self.profile_width + 2 * h,
                 "compact": 2 * h}[config["input"]]  # fmt: skip
        output = config.get("output", 1)
        widths = [width, *hidden(config, "hidden1", "hidden2"), *([1] if output else [])]
        self.tower = Mlp(self, "tower", widths, config["activation"], config["norm"])
        self.tower.declare(rng, output)

    def declare_bst(self, rng):
        config, h = self.config, self.h
        width, inner = config["heads"] * config["head_width"], config["inner"]
        apart = self.apart()
        ages = config["history"] + (0 if apart else 1)
        if config["position"] == "learned":
            self.add(rng, {"position": (ages, h)})
        if config["position"] == "time_gap":
            self.add(rng, {"position": (GAPS, h)})
        if config["position"] == "sinusoid":
            place, column = torch.arange(ages).unsqueeze(1), torch.arange(h).unsqueeze(0)
            angle = place / 10000 ** ((column - column % 2) / h)
            table = torch.where(column % 2 == 0, torch.sin(angle), torch.cos(angle))
            self.p["position"] = torch.tensor(table.numpy().astype("<f4").astype("<f8"))
        for i in range(config["layers"]):
            at = f"layer{i + 1}"
            for part in "qkv":
                self.add(rng, {f"{at}.{part}.w": (width, h), f"{at}.{part}.b": (1, width)})
            self.add(rng, {f"{at}.out.w": (h, width), f"{at}.out.b": (1, h),
                           f"{at}.forward1.w": (inner, h), f"{at}.forward1.b": (1, inner),
                           f"{at}.forward2.w": (h, inner), f"{at}.forward2.b": (1, h)})  # fmt: skip
            for norm in ("norm1", "norm2"):
                self.add(rng, {f"{at}.{norm}.gain": (1, h), f"{at}.{norm}.bias": (1, h)})
        if apart:
            self.declare_attention(rng)
            widths = [self.profile_width + 2 * h, *hidden(config, "hidden1", "hidden2"), 1]
            self.tower = Mlp(self, "tower", widths, config["activation"], config["norm"])
            self.tower.declare(rng, True)
            return
        first = config["hidden1"]
        self.add(rng, {"tower1.rows": (ages * first, h), "tower1.profile": (first, self.profile_width),
                       "tower1.b": (1, first)})  # fmt: skip
        widths = [h, *hidden(config, "hidden1", "hidden2"), 1]
        self.tower = Mlp(self, "tower", widths, config["activation"], config["norm"], first_outside=True)
        self.tower.declare(rng, True)

    def declare_attention(self, rng):
        config, h = self.config, self.h
        widths = [h, *hidden(config, "attention1", "attention2"), 1]
        att = self.att
        if att in ("full", "outer", "user", "mlp", "mlp_prelu_query"):
            self.unit = Mlp(self, "attention", widths, config["attention_activation"], first_outside=True)
            n = widths[1]
            self.add(rng, {"attention1.query": (n, h), "attention1.key": (n, h),
                           "attention1.product": (n, h), "attention1.b": (1, n)})  # fmt: skip
            if att == "outer":
                self.add(rng, {"attention1.outer": (n * h, h)})
            self.unit.declare(rng, True)
        if att == "self" or att.startswith("elem"):
            self.unit = Mlp(self, "attention", widths, config["attention_activation"])
            self.unit.declare(rng, True)
        if att == "user":
            self.add(rng, {"attention.map": (h, self.profile_width)})
        if att in ("bilinear", "mlp_prelu_query"):
            self.add(rng, {"attention.map": (h, h)})
        if att == "mlp_prelu_query":
            self.add(rng, {"attention.shift": (1, h), "attention.slope": (1, h)})

    def apart(self):
        return self.config.get("target_in_encoder", 1) == 0

    def add(self, rng, shapes):
        for name, shape in shapes.items():
            self.p[name] = torch.tensor(float32(rng, shape, 0.6), requires_grad=True)

    def add_norm(self, rng, at, width, affine):
        value = float32(rng, (3, width), 0.5)
        value[1] = 0.5 + value[1] ** 2
        value = value.astype("<f4").astype("<f8")
        self.statistics[f"{at}.statistic"] = torch.tensor(value)
        if affine:
            self.add(rng, {f"{at}.gain": (1, width), f"{at}.bias": (1, width)})

    def normalise(self, at, x, epsilon):
        """x [rows, width]; nn.BatchNorm1d's own arithmetic, which also moves the running statistics."""
        statistic = self.statistics[f"{at}.statistic"]
        gain, bias = self.p.get(f"{at}.gain"), self.p.get(f"{at}.bias")
        mean, variance = statistic[0].clone(), statistic[1].clone()
        y = functional.batch_norm(x, mean, variance, gain[0] if gain is not None else None,
                                  bias[0] if bias is not None else None, self.training, MOMENTUM,
                                  epsilon)  # fmt: skip
        if self.training:
            self.seen[f"{at}.statistic"] = torch.stack([mean, variance, statistic[2]])
        return y

    def rows(self, ids, which="item"):
        """which: whose tables, where those that are not candidates have their own."""
        if self.config.get("tables") != "separate":
            which = "item"
        own = {name.replace(which, "item"): value for name, value in self.p.items() if name.startswith(f"{which}.")}
        return torch.cat(item_fields(own, ids), -1)

    def profile(self, codes):
        codes = torch.tensor(codes)
        parts = []
        for i, field in enumerate(PROFILE):
            known = (codes[:, i] > 0).to(torch.float64).unsqueeze(-1)
            parts.append(self.p[f"profile.{field}"][codes[:, i]] * known)
        return torch.cat(parts, -1)

    # ---- attention, of queries [C, H] and keys [C, T, H] with a mask [C, T] ----

    def logits(self, queries, keys, mask):
        config, p = self.config, self.p
        if self.att == "mlp_prelu_query":
            queries = functional.linear(queries, p["attention.map"], p["attention.shift"][0])
            queries = functional.prelu(queries, p["attention.slope"][0])
        q = queries.unsqueeze(1).expand_as(keys)
        if self.att == "dot":
            s = (q * keys).sum(-1)
        elif self.att == "bilinear":
            s = torch.einsum("cth,hk,ck->ct", keys, p["attention.map"], queries)
        else:
            valid = mask.reshape(-1) > 0
            if self.att == "self" or self.att.startswith("elem"):
                seen = {"self": keys, "elem_add": keys + q, "elem_sub": keys - q, "elem_mul": keys * q}[self.att]
                rows = self.unit.run(seen.reshape(-1, self.h)[valid])
            else:
                # The weights of [q; k; q - k; q * k], of which the difference is in the first two.
                w = torch.cat([p["attention1.query"], p["attention1.key"],
                               torch.zeros_like(p["attention1.key"]), p["attention1.product"]], 1)  # fmt: skip
                seen = torch.cat([q, keys, q - keys, q * keys], -1)
                if self.att == "outer":  # q_i k_j in column i H + j, whose weights stand in [j, i]
                    turned = p["attention1.outer"].reshape(-1, self.h, self.h).transpose(1, 2)
                    w = torch.cat([w, turned.flatten(1)], 1)
                    seen = torch.cat([seen, (q.unsqueeze(-1) * keys.unsqueeze(-2)).flatten(-2)], -1)
                rows = self.unit.run(functional.linear(seen.flatten(0, 1)[valid], w, p["attention1.b"][0]))
            s = torch.zeros(mask.numel()).masked_scatter(valid, rows.reshape(-1)).reshape(mask.shape)
        return s / self.h**0.5 if config.get("att_scale") else s

    def weights(self, s, mask, norm):
        if norm == "none":
            return s * mask
        if norm == "sigmoid":
            return torch.sigmoid(s) * mask
        e = torch.exp(s - s.max()) * mask
        return e / e.sum(1, keepdim=True).clamp(min=1e-300)

    # ---- dien ----

    def attend(self, queries, keys, mask):
        if self.config["att"] == "one":
            return mask
        return self.weights(self.logits(queries, keys, mask), mask, "softmax")

    def tf_step(self, at, x, state, a=None):
        """TensorFlow's GRUCell with the attention of DIEN's authors: gates r and k (which keeps), reset first."""
        p, h = self.p, self.h
        wx = functional.linear(x, p[f"{at}.input.w"], p[f"{at}.input.b"][0] + p[f"{at}.state.b"][0])
        u = p[f"{at}.state.w"]
        r = torch.sigmoid(wx[:, :h] + state @ u[:h].T)
        c = torch.tanh(wx[:, -h:] + (r * state) @ u[-h:].T)
        k = torch.sigmoid(wx[:, h : 2 * h] + state @ u[h : 2 * h].T) if len(u) == 3 * h else torch.ones_like(c)
        k = k if a is None else (1 - a) * k
        return k * state + (1 - k) * c

    def extract(self, keys):
        h = self.h
        p = self.p
        if self.config.get("cell") == "tf":
            steps, state = [], torch.zeros(keys.shape[0], h)
            for t in range(keys.shape[1]):
                state = self.tf_step("layer1", keys[:, t], state)
                steps.append(state)
            return torch.stack(steps, 1)
        weights = [p["layer1.input.w"], p["layer1.state.w"], p["layer1.input.b"][0], p["layer1.state.b"][0]]
        start = torch.zeros(1, keys.shape[0], h)
        # The function behind nn.GRU: weights, with biases, one layer, no dropout, one way, batch first.
        return torch.gru(keys, start, weights, True, 1, 0.0, False, False, True)[0]

    def evolve(self, queries, states, mask):
        """The paper's cells step by step; z is PyTorch's update gate, so that the paper's is 1 - z."""
        kind, p, h = self.config["evolution"], self.p, self.h
        if kind != "gru":
            a = self.attend(queries, states, mask)
        z_state = torch.zeros(states.shape[0], h)
        if self.config.get("h0") == "random":  # what has no history stays at zero
            z_state = p["evolution.start"] * mask[:, :1]
        steps = []
        for t in range(states.shape[1]):
            x = states[:, t] * (a[:, t : t + 1] if kind == "aigru" else 1)
            here = mask[:, t : t + 1]
            if self.config.get("cell") == "tf":
                after = self.tf_step("evolution", x, z_state, a[:, t : t + 1] if kind in ("agru", "augru") else None)
                z_state = here * after + (1 - here) * z_state
                steps.append(z_state)
                continue
            gi = functional.linear(x, p["evolution.input.w"], p["evolution.input.b"][0])
            gh = functional.linear(z_state, p["evolution.state.w"], p["evolution.state.b"][0])
            r = torch.sigmoid(gi[:, :h] + gh[:, :h])
            n = torch.tanh(gi[:, -h:] + r * gh[:, -h:])
            if kind == "agru":
                u = a[:, t : t + 1]
            else:
                u = 1 - torch.sigmoid(gi[:, h : 2 * h] + gh[:, h : 2 * h])
                u = u * a[:, t : t + 1] if kind == "augru" else u
            after = (1 - u) * z_state + u * n
            z_state = here * after + (1 - here) * z_state
            steps.append(z_state)
        if kind == "gru":
            z = torch.stack(steps, 1)
            a = self.attend(queries, z, mask)
            return (a.unsqueeze(-1) * z).sum(1)
        return z_state

    # ---- bst ----

    def block(self, at, x, mask):
        """x [C, T, H]."""
        p, heads, m = self.p, self.config["heads"], self.config["head_width"]

        def linear(name, y):
            return functional.linear(y, p[f"{at}.{name}.w"], p[f"{at}.{name}.b"][0])

        def norm(name, y):
            return functional.layer_norm(y, (self.h,), p[f"{at}.{name}.gain"][0], p[f"{at}.{name}.bias"][0], 1e-5)

        def bend(y):
            return functional.leaky_relu(y, 0.1) if self.config.get("ff_act") == "leaky" else torch.relu(y)

        pre = self.config["block_norm"] == "pre"
        given, x = x, norm("norm1", x) if pre else x
        q, k, v = (linear(part, x).unflatten(-1, (heads, m)).transpose(1, 2) for part in "qkv")
        scores = (q @ k.transpose(-1, -2) / m**0.5).masked_fill(mask[:, None, None] == 0, -1e30)
        seen = (torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(-2)
        if pre:
            y = given + linear("out", seen)
            return y + linear("forward2", bend(linear("forward1", norm("norm2", y))))
        y = norm("norm1", x + linear("out", seen))
        return norm("norm2", y + linear("forward2", bend(linear("forward1", y))))

    def gaps(self, batch):
        """For each candidate (a 0 at the end, unless it stands apart) the rows of the table: 3 for a second, 4 for 2 and 3 seconds, 5 for 4 to 7, ..."""
        rows = []
        for user in batch["users"]:
            times = self.newest(batch, "times")[user]
            gaps = [max(times[-1] - time, 0) for time in times]
            rows.append([min(3 + int(numpy.log2(gap)), GAPS - 1) if gap else 2 for gap in gaps])
            rows[-1] += [] if self.apart() else [0]
        return rows

    def bst(self, batch, profile):
        """Sequences padded on the left, so that the candidate stands last; the first layer of the MLP is one
        product with all rows side by side, the oldest place first."""
        p, ages, first = self.p, self.config["history"] + (0 if self.apart() else 1), self.config["hidden1"]
        rows = [self.newest(batch, "histories")[user] + ([] if self.apart() else [item])
                for user, item in zip(batch["users"], batch["candidates"])]  # fmt: skip
        ids = torch.tensor([[0] * (ages - len(row)) + row for row in rows])
        mask = torch.tensor([[0.0] * (ages - len(row)) + [1.0] * len(row) for row in rows])
        x = self.rows(ids)
        if self.config["position"] == "time_gap":
            gaps = [[0] * (ages - len(row)) + row for row in self.gaps(batch)]
            x = x + p["position"][torch.tensor(gaps)]
        elif "position" in p:
            x = x + p["position"].flip(0)
        for i in range(self.config["layers"]):
            x = self.block(f"layer{i + 1}", x, mask)
        if self.apart():
            candidates = self.rows(torch.tensor(batch["candidates"]))
            a = self.weights(self.logits(candidates, x, mask), mask, "softmax")
            return self.tower.run(torch.cat([profile, candidates, (a.unsqueeze(-1) * x).sum(1)], 1)).reshape(-1)
        wide = p["tower1.rows"].reshape(ages, first, self.h).flip(0).permute(1, 0, 2).reshape(first, -1)
        z = torch.cat([(x * mask.unsqueeze(-1)).flatten(1), profile], 1)
        weights = torch.cat([wide, p["tower1.profile"]], 1)
        return self.tower.run(functional.linear(z, weights, p["tower1.b"][0])).reshape(-1)

    # ---- the whole ----

    def newest(self, batch, what):
        return [row[-self.config["history"] :] for row in batch[what]]

    def padded(self, rows):
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1.0] * len(row) + [0.0] * (width - len(row)) for row in rows])
        return ids, mask

    def scores_and_states(self, batch):
        config = self.config
        profile = self.profile([batch["profile"][user] for user in batch["users"]])
        if self.name == "bst":
            return self.bst(batch, profile), None
        histories = [self.newest(batch, "histories")[user] for user in batch["users"]]
        ids, mask = self.padded(histories)
        keys = self.rows(ids, "behaviour") * mask.unsqueeze(-1)
        candidates = self.rows(torch.tensor(batch["candidates"]))
        states = None
        if self.name == "dien":
            states = self.extract(keys)
            interest = self.evolve(candidates, states, mask)
        else:
            queries = profile @ self.p["attention.map"].T if config["att"] == "user" else candidates
            a = self.weights(self.logits(queries, keys, mask), mask, config["att_norm"])
            interest = (a.unsqueeze(-1) * keys).sum(1)
        total = keys.sum(1)
        z = {"full": [profile, candidates, total, candidates * total, interest],
             "plain": [profile, candidates, interest],
             "compact": [interest, candidates]}[config["input"]]  # fmt: skip
        return self.tower.run(torch.cat(z, -1)).reshape(-1), states

    def aux(self, batch, states):
        """Of batches with one candidate a user, so that states are those of the users."""
        assert batch["users"] == list(range(len(batch["histories"])))
        parts, ahead = [], self.ahead()
        for which, sign in (("histories", 1), ("negatives", -1)):
            ids, mask = self.padded(self.newest(batch, which))
            table = "negative" if which == "negatives" else "behaviour"
            x, valid = self.rows(ids, table)[:, ahead:], mask[:, ahead:].reshape(-1) > 0
            h = states[:, : states.shape[1] - ahead]
            if self.config["aux"] != "next_mlp":
                logit = (x * h).sum(-1).reshape(-1)[valid]
            else:
                both = torch.cat([h, x], -1).reshape(-1, 2 * self.h)[valid]
                logit = self.discriminator.run(both).reshape(-1)
            parts.append(functional.softplus(-sign * logit))
        losses = torch.cat(parts)
        if self.config.get("aux_norm") == "padded":
            return losses.sum() / (len(batch["users"]) * (self.config["history"] - ahead))
        return losses.mean()

    def ahead(self):
        return 0 if self.config["aux"] == "same_label" else 1

    def loss(self, batch):
        labels = torch.tensor(batch["labels"], dtype=torch.float64)
        scores, states = self.scores_and_states(batch)
        losses = functional.binary_cross_entropy_with_logits(scores, labels, reduction="none")
        if "teacher" in batch:
            alpha, tau = self.config["kd.alpha"], self.config["kd.temperature"]
            soft = functional.binary_cross_entropy_with_logits(
                scores / tau, torch.sigmoid(batch["teacher"] / tau), reduction="none"
            )
            losses = torch.where(batch["taught"], (1 - alpha) * losses + alpha * tau**2 * soft, losses)
        loss = losses.mean() * self.config.get("ctr_scale", 1)
        if self.config.get("aux", "none") != "none":
            loss = loss + self.config["alpha"] * self.aux(batch, states)
        return loss

    def looked_up(self, batch):
        """Statistics of the step before are in place when the next one looks up."""
        self.statistics.update(self.seen)
        self.seen = {}
        histories = self.newest(batch, "histories")
        if self.name == "bst" and not self.apart():  # which looks up the histories of candidates alone
            histories = [histories[user] for user in batch["users"]]
        behaviours, candidates, negatives = set(sum(histories, [])), set(batch["candidates"]), set()
        if self.config.get("aux", "none") != "none":
            negatives = {item for row in self.newest(batch, "negatives") for item in row[self.ahead() :]}
        rows = item_rows(behaviours | candidates | negatives)
        if self.config.get("tables") == "separate":
            rows = item_rows(candidates)
            for which, items in (("behaviour", behaviours), ("negative", negatives)):
                rows.update({name.replace("item", which): own for name, own in item_rows(items).items()})
        for i, field in enumerate(PROFILE):
            uses = self.config.get("input") != "compact" or self.config["att"] == "user"
            codes = {profile[i] for profile in batch["profile"]} if uses else set()
            rows[f"profile.{field}"] = codes - {0}
        if self.config.get("position") == "time_gap":
            rows["position"] = set(sum(self.gaps(batch), []))
        elif "position" in self.p:
            rows["position"] = set(range((0 if self.apart() else 1) + max(len(history) for history in histories)))
        return rows


def make_batch(rng, lengths, counts, ids):
    """counts: candidates of each user."""

    def draw(length):
        return [int(ids[i]) for i in rng.randint(0, len(ids), length)]

    users = [user for user, count in enumerate(counts) for _ in range(count)]
    return {
        "histories": [draw(length) for length in lengths],
        "negatives": [draw(length) for length in lengths],
        "users": users,
        "candidates": draw(len(users)),
        "labels": [int(label) for label in rng.randint(0, 2, len(users))],
        "profile": [[int(rng.randint(0, rows)) for rows in PROFILE.values()] for _ in lengths],
    }


def draw_times(rng, length):
    """With equal times among them, and one that lies after the next."""
    return numpy.cumsum([1000, *rng.choice([0, 1, 2, 3, 4, 900, 86400, -5], length)])[:length].tolist()


def batch_tensors(prefix, batch):
    taught = {f"{prefix}.{key}": batch[key].numpy().astype(float) for key in ("teacher", "taught") if key in batch}
    times = {f"{prefix}.times": sum(batch["times"], [])} if "times" in batch else {}
    return {
        f"{prefix}.starts": numpy.cumsum([0] + [len(h) for h in batch["histories"]]),
        f"{prefix}.items": sum(batch["histories"], []),
        f"{prefix}.history_negatives": sum(batch["negatives"], []),
        f"{prefix}.candidates": batch["candidates"],
        f"{prefix}.candidate_users": batch["users"],
        f"{prefix}.candidate_labels": numpy.array(batch["labels"], dtype=float),
        f"{prefix}.profile": sum(batch["profile"], []),
        **times,
        **taught,
    }


def make(name, config, mode, seed):
    rng = numpy.random.RandomState(seed)
    model = Model(name, config, rng)
    several = [1] * 4 if mode == "training" or name == "dien" else [2, 1, 0, 3]
    batches = [make_batch(rng, [5, 1, 6, 2, 0, 7, 5], [1] * 7, [1, 2, 3, 5, 6, 7, 9, 11]),
               make_batch(rng, [4, 0, 8, 3], several, [2, 4, 8, 10, 7])]  # fmt: skip
    if config.get("position") == "time_gap":
        for batch in batches:
            batch["times"] = [draw_times(rng, len(history)) for history in batch["histories"]]
    for batch in batches if "kd.alpha" in config else []:
        batch["teacher"] = torch.tensor(float32(rng, len(batch["labels"]), 2))
        batch["taught"] = torch.arange(len(batch["labels"])) != 2
    tensors = {f"param.{key}": matrix(value) for key, value in model.p.items()}
    tensors.update({f"param.{key}": matrix(value) for key, value in model.statistics.items()})
    tensors.update(column_tensors())
    tensors.update(batch_tensors("a", batches[0]))
    tensors.update(batch_tensors("b", batches[1]))
    tensors["expect.scores"] = matrix(model.scores_and_states(batches[0])[0])
    model.training = mode == "training"
    tensors.update(ten_steps(model.p, batches, model.loss, model.looked_up, dict(ADAM, epsilon=EPSILON)))
    tensors.update({f"after.{key}": matrix(value) for key, value in model.statistics.items()})
    return tensors


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    for name, variants in VARIANTS.items():
        for variant, (config, mode) in variants.items():
            settings = " ".join(f"{key}={value}" for key, value in config.items())
            path = os.path.join(folder, f"{name}-{variant}.safetensors")
            settings += f" epsilon={EPSILON}"
            about = {"preset": "best", "config": settings, "mode": mode or "serving"}
            write(path, make(name, config, mode, 1), about)


if __name__ == "__main__":
    main()
