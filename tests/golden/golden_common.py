"""What the programs that write golden fixtures share: a small catalogue with categories, Adam, and the ten
steps of training that a fixture records. In double, with PyTorch's autograd."""

import numpy
import torch

torch.set_default_dtype(torch.float64)

ITEMS = 12  # 0 PAD, 1..10, 11 UNKNOWN
COLUMNS = {
    "genre": (5, [[], [1], [2, 3], [1], [], [2], [3, 1], [1, 2, 3], [2], [3, 0, 1], [1], []]),
    "brand": (6, [[], [1], [2], [3], [4], [1], [2], [3], [5], [2], [4], []]),
}
ADAM = {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def unit(x):
    return x / torch.sqrt((x * x).sum(-1, keepdim=True) + 1e-12)


def column_mean(p, name, ids):
    """Mean of the embeddings of each item's values, PAD left out; zeros where there are none."""
    values = COLUMNS[name][1]
    width = max(map(len, values))
    padded = torch.tensor([v + [0] * (width - len(v)) for v in values])[ids]
    mask = (padded > 0).to(torch.float64).unsqueeze(-1)
    total = (p[f"item.{name}"][padded] * mask).sum(-2)
    return total / mask.sum(-2).clamp(min=1)


def item_fields(p, ids):
    # The row of PAD is zero and stays so.
    own = p["item.id"][ids] * (ids > 0).to(torch.float64).unsqueeze(-1)
    return [own] + [column_mean(p, name, ids) for name in COLUMNS]


def item_rows(items):
    """Rows of the item tables that a step touches which looks up these items; PAD is none."""
    items = set(items) - {0}
    rows = {"item.id": items}
    for name, (_, values) in COLUMNS.items():
        rows[f"item.{name}"] = {value for item in items for value in values[item]} - {0}
    return rows


def column_tensors():
    tensors = {}
    for name, (_, values) in COLUMNS.items():
        tensors[f"column.{name}.offsets"] = numpy.cumsum([0] + [len(v) for v in values])
        tensors[f"column.{name}.values"] = sum(values, [])
    return tensors


def matrix(value):
    """A copy as it stands in a fixture, where vectors are matrices of one row."""
    array = value.detach().numpy().copy()
    return array.reshape(1, -1) if array.ndim == 1 else array


def adam_step(p, moments, step, rows, adam=ADAM):
    """Rows of embedding tables move only when touched, moments too; the bias correction counts all steps."""
    for name, value in p.items():
        if value.grad is None:
            continue
        g = value.grad
        first, second = moments.setdefault(name, (torch.zeros_like(g), torch.zeros_like(g)))
        touched = sorted(rows.get(name, range(g.shape[0])))
        first[touched] = adam["beta1"] * first[touched] + (1 - adam["beta1"]) * g[touched]
        second[touched] = adam["beta2"] * second[touched] + (1 - adam["beta2"]) * g[touched] ** 2
        m = first / (1 - adam["beta1"] ** step)
        v = second / (1 - adam["beta2"] ** step)
        with torch.no_grad():
            value[touched] -= adam["lr"] * m[touched] / (torch.sqrt(v[touched]) + adam["epsilon"])
        value.grad = None


def ten_steps(p, batches, loss_of, looked_up, adam=ADAM, pretraining=None):
    """Trains p on the batches in turn: the gradients of the first step, the losses, p afterwards.
    loss_of(batch) is a scalar, looked_up(batch) the rows of embedding tables that it touches. pretraining(batch) is
    the loss of the first five steps where it is given; the others then have an Adam of their own."""
    tensors, losses, moments, before = {}, [], {}, 0
    for step in range(1, 11):
        batch = batches[(step - 1) % len(batches)]
        if pretraining and step == 6:
            moments, before = {}, 5
        loss = (pretraining if pretraining and step <= 5 else loss_of)(batch)
        loss.backward()
        losses.append(loss.item())
        if step == 1:
            for name, value in p.items():
                if value.requires_grad:
                    unused = torch.zeros_like(value)
                    tensors[f"grad.{name}"] = matrix(unused if value.grad is None else value.grad)
        adam_step(p, moments, step - before, looked_up(batch), adam)
    tensors["expect.losses"] = numpy.array(losses)
    for name, value in p.items():
        if value.requires_grad:
            tensors[f"after.{name}"] = matrix(value)
    return tensors
