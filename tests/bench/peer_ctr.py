"""The same ranking models in PyTorch, as peers to measure beside: DIN and DIEN with the sizes, batches and losses that
Pique has by default, on a folder of RecBole atomic files whose ratings from 4 on are labels, split 8 : 1 : 1 at
random as Pique splits it. Written the way PyTorch programs for these models are: histories padded to [B, 50] with a
mask, batches prepared ahead, dense Adam.

    peer_ctr.py FOLDER MODEL [--steps N] [--threads N]          seconds of an epoch
    peer_ctr.py FOLDER MODEL --epochs N [--seed S]              accuracy: the best epoch on validation, on test

--dim, --history and --batch are Pique's settings of those names; --no-aux trains DIEN without its auxiliary loss.
Prints one JSON object."""

import argparse
import collections
import json
import os
import resource
import time

import numpy
import torch
import torch.nn.functional as F
from torch import nn

D, T, BATCH = 18, 50, 256  # set by the options
USER_FIELDS, ITEM_FIELDS = ("age", "gender", "occupation", "zip_code"), ("release_year", "class")
MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15

# ---- the data ----


def mix(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def split_of(seed, user, place):
    """0 train, 1 validation, 2 test: the hash that Pique splits by."""
    key = mix((seed ^ 0x73706C6974) + GOLDEN & MASK)
    key = mix(key ^ (user + GOLDEN * 2 & MASK))
    key = mix(key ^ (place + GOLDEN * 3 & MASK))
    share = (mix(key + GOLDEN & MASK) >> 11) * 2.0**-53
    return 0 if share < 0.8 else 1 if share < 0.8 + 0.1 else 2


def table(folder, ending):
    path = os.path.join(folder, os.path.basename(os.path.normpath(folder)) + ending)
    with open(path, encoding="utf-8") as file:
        names = [cell.split(":")[0] for cell in file.readline().rstrip("\n").split("\t")]
        return [dict(zip(names, line.rstrip("\n").split("\t"))) for line in file]


class Data:
    """Arrays by split: candidates [n], users' fields [n, 4], histories [n, T] padded at the end, labels [n]."""

    def __init__(self, folder, seed):
        rows = table(folder, ".inter")
        users = {row["user_id"]: row for row in table(folder, ".user")}
        items = {row["item_id"]: row for row in table(folder, ".item")}
        events = collections.OrderedDict()
        for row in rows:
            events.setdefault(row["user_id"], []).append(row)
        pairs = [[], [], []]
        for number, (user, own) in enumerate(events.items()):
            own.sort(key=lambda row: float(row["timestamp"]))  # stable
            liked = []
            for place, row in enumerate(own):
                label = float(row["rating"]) >= 4
                split = split_of(seed, number, place)
                pairs[split].append((user, row["item_id"], liked[-T:], label))
                if label:
                    liked.append(row["item_id"])
        known = sorted({item for _, item, _, _ in pairs[0]})
        self.items = {item: i + 1 for i, item in enumerate(known)}
        self.terms = {}
        for field in USER_FIELDS:
            seen = sorted({users[user][field] for user, _, _, _ in pairs[0]})
            self.terms[field] = {term: i + 1 for i, term in enumerate(seen)}
        for field in ITEM_FIELDS:
            seen = sorted({term for item in known for term in items[item][field].split()})
            self.terms[field] = {term: i + 1 for i, term in enumerate(seen)}
        self.describe(items)
        self.splits = [self.arrays(part, users) for part in pairs]

    def number(self, item):
        return self.items.get(item, len(self.items) + 1)

    def describe(self, items):
        """Codes of every item's fields, padded: [rows, most]."""
        rows = len(self.items) + 2
        self.columns = []
        for field in ITEM_FIELDS:
            terms = self.terms[field]
            codes = {self.number(item): [terms[t] for t in row[field].split() if t in terms]
                     for item, row in items.items() if item in self.items}  # fmt: skip
            width = max(map(len, codes.values()))
            out = torch.zeros(rows, width, dtype=torch.long)
            for number, values in codes.items():
                out[number, : len(values)] = torch.tensor(values)
            self.columns.append(out)

    def arrays(self, part, users):
        history = torch.zeros(len(part), T, dtype=torch.long)
        for i, (_, _, liked, _) in enumerate(part):
            history[i, : len(liked)] = torch.tensor([self.number(item) for item in liked], dtype=torch.long)
        fields = [[self.terms[f].get(users[u][f], len(self.terms[f]) + 1) for f in USER_FIELDS] for u, _, _, _ in part]
        return {
            "users": [user for user, _, _, _ in part],
            "fields": torch.tensor(fields),
            "candidates": torch.tensor([self.number(item) for _, item, _, _ in part]),
            "history": history,
            "labels": torch.tensor([float(label) for _, _, _, label in part]),
        }


# ---- the models ----


class Dice(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.BatchNorm1d(width, eps=1e-8, affine=False)
        self.alpha = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        p = torch.sigmoid(self.norm(x))
        return p * x + (1 - p) * self.alpha * x


def linear(a, b):
    layer = nn.Linear(a, b)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def embedding(rows):
    layer = nn.Embedding(rows, D, padding_idx=0)
    nn.init.xavier_uniform_(layer.weight)
    with torch.no_grad():
        layer.weight[0] = 0
    return layer


class Unit(nn.Module):
    """Logits of every candidate and behaviour of its user, [B, T]."""

    def __init__(self, h):
        super().__init__()
        self.mlp = nn.Sequential(linear(4 * h, 80), nn.Sigmoid(), linear(80, 40), nn.Sigmoid(), linear(40, 1))

    def forward(self, q, k):
        q = q.unsqueeze(1).expand_as(k)
        return self.mlp(torch.cat([q, k, q - k, q * k], -1)).squeeze(-1)


class Ranker(nn.Module):
    def __init__(self, data):
        super().__init__()
        self.h = D * (1 + len(ITEM_FIELDS))
        self.ids = embedding(len(data.items) + 2)
        self.columns = data.columns
        self.item_tables = nn.ModuleList([embedding(len(data.terms[f]) + 2) for f in ITEM_FIELDS])
        self.user_tables = nn.ModuleList([embedding(len(data.terms[f]) + 2) for f in USER_FIELDS])
        wide = D * len(USER_FIELDS) + 4 * self.h
        self.tower = nn.Sequential(nn.BatchNorm1d(wide), linear(wide, 200), Dice(200), linear(200, 80), Dice(80),
                                   linear(80, 1))  # fmt: skip
        self.unit = Unit(self.h)

    def rows(self, ids):
        parts = [self.ids(ids)]
        for column, weights in zip(self.columns, self.item_tables):
            codes = column[ids]
            count = (codes > 0).sum(-1, keepdim=True).clamp(min=1)
            parts.append(weights(codes).sum(-2) / count)
        return torch.cat(parts, -1)

    def attention(self, q, k, mask):
        logits = self.unit(q, k).masked_fill(~mask, -1e9)
        return torch.softmax(logits, -1) * mask

    def forward(self, batch, negatives=None):
        mask = batch["history"] > 0
        k = self.rows(batch["history"]) * mask.unsqueeze(-1)
        q = self.rows(batch["candidates"])
        user = torch.cat([table(batch["fields"][:, i]) for i, table in enumerate(self.user_tables)], -1)
        total = k.sum(1)
        interest, aux = self.interest(q, k, mask, negatives)
        return self.tower(torch.cat([user, q, total, q * total, interest], -1)).squeeze(-1), aux


class DIN(Ranker):
    def interest(self, q, k, mask, negatives):
        return (self.attention(q, k, mask).unsqueeze(-1) * k).sum(1), 0


class AUGRUCell(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.x, self.z = nn.Linear(h, 3 * h), nn.Linear(h, 3 * h)

    def forward(self, x, state, a):
        xr, xu, xn = self.x(x).chunk(3, -1)
        zr, zu, zn = self.z(state).chunk(3, -1)
        r, u = torch.sigmoid(xr + zr), torch.sigmoid(xu + zu)
        n = torch.tanh(xn + r * zn)
        u = a * u
        return (1 - u) * state + u * n


class DIEN(Ranker):
    def __init__(self, data):
        super().__init__(data)
        h = self.h
        self.extractor = nn.GRU(h, h, batch_first=True)
        self.cell = AUGRUCell(h)
        self.tell = nn.Sequential(linear(2 * h, 100), nn.Sigmoid(), linear(100, 50), nn.Sigmoid(), linear(50, 1))

    def interest(self, q, k, mask, negatives):
        states, _ = self.extractor(k)
        a = self.attention(q, states, mask)
        z = torch.zeros(k.shape[0], self.h)
        for t in range(k.shape[1]):
            after = self.cell(states[:, t], z, a[:, t : t + 1])
            z = torch.where(mask[:, t : t + 1], after, z)
        return z, self.aux(states, k, mask, negatives) if negatives is not None else 0

    def aux(self, states, k, mask, negatives):
        valid, before = mask[:, 1:], states[:, :-1]
        if not valid.any():
            return 0
        yes = self.tell(torch.cat([before, k[:, 1:]], -1)).squeeze(-1)[valid]
        no = self.tell(torch.cat([before, self.rows(negatives[:, 1:])], -1)).squeeze(-1)[valid]
        return (F.softplus(-yes).mean() + F.softplus(no).mean()) / 2


# ---- training ----


def draw_negatives(history, rows, generator):
    return torch.randint(1, rows - 1, history.shape, generator=generator) * (history > 0)


def take(part, index):
    return {key: value[index] for key, value in part.items() if key != "users"}


def auc(labels, scores):
    """By ranks, ties in the middle."""
    order = numpy.argsort(scores, kind="stable")
    sorted_scores, ranks = scores[order], numpy.empty(len(scores))
    _, first, counts = numpy.unique(sorted_scores, return_index=True, return_counts=True)
    ranks[order] = numpy.repeat(first + (counts + 1) / 2, counts)
    positives = labels > 0
    p, n = positives.sum(), (~positives).sum()
    return float((ranks[positives].sum() - p * (p + 1) / 2) / (p * n))


@torch.no_grad()
def evaluate(model, part):
    model.eval()
    scores = []
    for at in range(0, len(part["labels"]), 1024):
        scores.append(model(take(part, slice(at, at + 1024)))[0])
    model.train()
    logits = torch.cat(scores)
    logloss = float(F.binary_cross_entropy_with_logits(logits, part["labels"]))
    return auc(part["labels"].numpy(), logits.double().numpy()), logloss


def steps_of(model, data, optimiser, generator):
    """One epoch, a step at a time."""
    with_aux = isinstance(model, DIEN) and model.with_aux
    train = data.splits[0]
    order = torch.randperm(len(train["labels"]), generator=generator)
    for at in range(0, len(order), BATCH):
        batch = take(train, order[at : at + BATCH])
        negatives = draw_negatives(batch["history"], len(data.items) + 2, generator) if with_aux else None
        optimiser.zero_grad()
        logits, aux = model(batch, negatives)
        loss = F.binary_cross_entropy_with_logits(logits, batch["labels"]) + aux
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimiser.step()
        yield float(loss)


def timed(model, data, optimiser, generator, count):
    steps = steps_of(model, data, optimiser, generator)
    for _ in range(3):
        next(steps)
    start = time.perf_counter()
    losses = [next(steps) for _ in range(count)]
    seconds = time.perf_counter() - start
    epoch = (len(data.splits[0]["labels"]) + BATCH - 1) // BATCH
    return {"seconds_per_epoch": seconds / count * epoch, "loss": sum(losses) / count}


def trained(model, data, optimiser, generator, epochs):
    best = {"valid_auc": 0}
    for epoch in range(1, epochs + 1):
        for _ in steps_of(model, data, optimiser, generator):
            pass
        valid = evaluate(model, data.splits[1])[0]
        if valid > best["valid_auc"]:
            test_auc, test_logloss = evaluate(model, data.splits[2])
            best = {"epoch": epoch, "valid_auc": valid, "test_auc": test_auc, "test_logloss": test_logloss}
        elif epoch - best["epoch"] >= 3:
            break
    return dict(best, epochs=epoch)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("model", choices=["din", "dien"])
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split-seed", type=int, default=1)
    parser.add_argument("--dim", type=int, default=D)
    parser.add_argument("--history", type=int, default=T)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--no-aux", action="store_true")
    options = parser.parse_args()
    globals().update(D=options.dim, T=options.history, BATCH=options.batch)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    data = Data(options.folder, options.split_seed)
    model = {"din": DIN, "dien": DIEN}[options.model](data)
    model.with_aux = not options.no_aux
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    report = {"model": options.model, "torch": torch.__version__, "pairs": [len(s["labels"]) for s in data.splits],
              "parameters": sum(p.numel() for p in model.parameters())}  # fmt: skip
    if options.epochs:
        report.update(trained(model, data, optimiser, generator, options.epochs))
    else:
        report.update(timed(model, data, optimiser, generator, options.steps))
    report["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(report))


if __name__ == "__main__":
    main()
