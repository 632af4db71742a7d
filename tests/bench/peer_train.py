"""The same training in PyTorch, as a peer to measure beside: SASRec, GRU4Rec and MIND with the sizes, batches and
losses that Pique has by default, on a file of sequences (user item item ...), the last two items of a user held
out. Written the way PyTorch programs for these models are: histories padded on the left, batches prepared ahead,
everything batched, dense Adam.

    peer_train.py DATA MODEL VARIANT [--steps N] [--threads N]

MODEL: sasrec-bce, sasrec-ce, gru4rec-ce, mind
VARIANT: padded   every one of the [B, 50] positions goes through the whole loss and is masked there
         valid    the network is padded; only the valid positions go into the loss

Prints one JSON object: seconds of a whole epoch (from `steps` timed ones after a warm-up), the mean loss of the
timed steps, what it ran on."""

import argparse
import json
import math
import resource
import time

import torch
import torch.nn.functional as F
from torch import nn

D, WINDOW = 64, 50


def read(path):
    """Users' training items as numbers from 1, and how many numbers there are with PAD."""
    users = []
    for line in open(path):
        items = line.split()[1:]
        users.append(items[:-2] if len(items) >= 3 else items)
    numbers = {}
    for items in users:
        for item in items:
            numbers.setdefault(item, len(numbers) + 1)
    return [[numbers[i] for i in items] for items in users if len(items) >= 2], len(numbers) + 1


class SASRec(nn.Module):
    def __init__(self, items):
        super().__init__()
        self.items = nn.Embedding(items, D, padding_idx=0)
        self.positions = nn.Embedding(WINDOW, D)
        self.norm = nn.LayerNorm(D, eps=1e-12)
        self.drop = nn.Dropout(0.5)
        self.blocks = nn.ModuleList([
            nn.TransformerEncoderLayer(D, 2, 4 * D, dropout=0.5, activation="gelu", batch_first=True)
            for _ in range(2)
        ])  # fmt: skip
        causal = torch.full((WINDOW, WINDOW), -math.inf).triu(1)
        self.register_buffer("causal", causal)
        for p in (self.items.weight, self.positions.weight):
            nn.init.normal_(p, std=0.02)

    def forward(self, x):
        h = self.drop(self.norm(self.items(x) + self.positions.weight))
        for block in self.blocks:
            h = block(h, src_mask=self.causal)
        return h


class GRU4Rec(nn.Module):
    def __init__(self, items):
        super().__init__()
        self.items = nn.Embedding(items, D, padding_idx=0)
        self.drop = nn.Dropout(0.5)
        self.gru = nn.GRU(D, 128, batch_first=True)
        self.out = nn.Linear(128, D)

    def forward(self, x):
        return self.out(self.gru(self.drop(self.items(x)))[0])


class MIND(nn.Module):
    """Shared map, routing noise, interests by log2 of the length, unit vectors, label-aware attention."""

    K, LENGTH, ROUNDS = 4, 20, 3

    def __init__(self, items):
        super().__init__()
        self.items = nn.Embedding(items, D, padding_idx=0)
        self.map = nn.Linear(D, D, bias=False)
        self.layers = nn.Sequential(nn.Linear(D, 2 * D), nn.ReLU(), nn.Linear(2 * D, D))
        self.drop = nn.Dropout(0.2)
        nn.init.normal_(self.items.weight, std=0.1)

    def forward(self, x):
        mask = (x > 0).unsqueeze(-1)
        lengths = mask.sum(1)
        u = self.map(self.drop(self.items(x)))
        age = (self.LENGTH - 1 - torch.arange(self.LENGTH)).view(1, -1, 1)
        mass = torch.exp(-0.2 * age) * mask
        live = torch.arange(self.K) < torch.floor(torch.log2(lengths.clamp(min=1).float())).clamp(1, self.K)
        logits = 0.2 * torch.randn(x.shape[0], self.LENGTH, self.K)
        fixed = u.detach()
        for round in range(self.ROUNDS):
            last = round == self.ROUNDS - 1
            w = torch.softmax(logits.masked_fill(~live.unsqueeze(1), -math.inf), -1) * mass
            z = w.transpose(1, 2) @ (u if last else fixed)
            q = (z * z).sum(-1, keepdim=True)
            c = q / (1 + q) * z / torch.sqrt(q + 1e-9)
            if not last:
                logits = logits + fixed @ c.transpose(1, 2)
        v = F.normalize(self.layers(c), dim=-1)
        return v * live.unsqueeze(-1), live


# ---- batches, prepared ahead ----


def windows(users):
    """[U, WINDOW] inputs and labels, padded on the left, and the items of each user."""
    x = torch.zeros(len(users), WINDOW, dtype=torch.long)
    y = torch.zeros(len(users), WINDOW, dtype=torch.long)
    for row, items in enumerate(users):
        own = items[-WINDOW - 1 :]
        x[row, WINDOW - len(own) + 1 :] = torch.tensor(own[:-1])
        y[row, WINDOW - len(own) + 1 :] = torch.tensor(own[1:])
    return x, y


def prefixes(users, length):
    """Up to 20 labels a user, each with the items before it."""
    rows, labels = [], []
    for items in users:
        places = torch.randperm(len(items) - 1)[:20] + 1
        for place in places.tolist():
            own = items[max(0, place - length) : place]
            rows.append([0] * (length - len(own)) + own)
            labels.append(items[place])
    return torch.tensor(rows), torch.tensor(labels)


def negatives_of(users, y, items):
    """One for each label that its user does not have: drawn again where it hits."""
    negative = torch.randint(1, items, y.shape)
    for row, own in enumerate(users):
        seen = set(own)
        valid = (y[row] > 0).nonzero().flatten().tolist()
        for at in valid:
            while int(negative[row, at]) in seen:
                negative[row, at] = torch.randint(1, items, (1,))
    return negative


def sequence_loss(model, loss, variant, x, y, negative):
    h, table = model(x), model.items.weight
    valid = y > 0
    if variant == "valid":
        h, y = h[valid], y[valid]
        negative = negative[valid] if negative is not None else None
        valid = None
    if loss == "ce":
        logits = h @ table[1:].T
        return F.cross_entropy(logits.flatten(0, -2), y.flatten() - 1, ignore_index=-1)
    right, wrong = (h * model.items(y)).sum(-1), (h * model.items(negative)).sum(-1)
    each = F.softplus(-right) + F.softplus(wrong)
    return each.mean() if valid is None else each[valid].mean()


def mind_loss(model, x, y, drawn, log_q):
    v, live = model(x)
    table = F.normalize(model.items.weight, dim=-1)
    e = table[y]
    weights = torch.softmax((v @ e.unsqueeze(-1)).squeeze(-1).masked_fill(~live, -math.inf), -1)
    u = F.normalize((weights.detach().unsqueeze(-1) * v).sum(1), dim=-1)
    right = (u * e).sum(-1) / 0.1 - log_q[y]
    others = u @ table[drawn].T / 0.1 - log_q[drawn]
    others = others.masked_fill(drawn.unsqueeze(0) == y.unsqueeze(1), -math.inf)
    return (torch.logsumexp(torch.cat([right.unsqueeze(1), others], 1), 1) - right).mean()


def steps_of(name, variant, users, items, model):
    """The number of steps of an epoch, and a function that makes the loss of step i."""
    if name == "mind":
        x, y = prefixes(users, MIND.LENGTH)
        counts = torch.bincount(torch.tensor(sum(users, [])), minlength=items).double()
        chance = (counts**0.75 / (counts**0.75).sum()).float()
        log_q = torch.log(chance * 2000 + 1e-30)
        batches = torch.randperm(len(y)).split(512)
        return len(batches), lambda i: mind_loss(
            model, x[batches[i]], y[batches[i]], torch.multinomial(chance, 2000, True), log_q)  # fmt: skip
    x, y = windows(users)
    loss = name.split("-")[1]
    negative = negatives_of(users, y, items) if loss == "bce" else None
    batches = torch.randperm(len(y)).split(256)
    return len(batches), lambda i: sequence_loss(
        model, loss, variant, x[batches[i]], y[batches[i]],
        negative[batches[i]] if loss == "bce" else None)  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("model", choices=["sasrec-bce", "sasrec-ce", "gru4rec-ce", "mind"])
    parser.add_argument("variant", choices=["padded", "valid"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    users, items = read(options.data)
    model = {"sasrec": SASRec, "gru4rec": GRU4Rec, "mind": MIND}[options.model.split("-")[0]](items)
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.003 if options.model == "mind" else 0.001)
    epoch, loss_of = steps_of(options.model, options.variant, users, items, model)
    warm, total = 2, 0.0
    for i in range(warm + options.steps):
        if i == warm:
            start = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(i % epoch)
        loss.backward()
        optimiser.step()
        total += loss.item() if i >= warm else 0
    seconds = (time.perf_counter() - start) / options.steps
    print(json.dumps({
        "model": options.model, "variant": options.variant, "seconds_per_epoch": seconds * epoch,
        "steps_per_epoch": epoch, "timed_steps": options.steps, "loss": total / options.steps,
        "threads": options.threads, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "torch": torch.__version__,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
