"""Fixtures of the optimisers: ten steps of PyTorch's own on an embedding table, of which a step touches some
rows, and on a dense matrix. The gradients are drawn; max_norm is that of torch.nn.Embedding, which cuts a
row when it is looked up.

    python3 tests/golden/optimiser_golden.py
"""

import os

import numpy
import torch

import golden_io

torch.set_default_dtype(torch.float64)

STEPS, ROWS, COLS, DENSE = 10, 9, 6, (4, 5)
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")


class Ftrl:
    """FTRL-Proximal as McMahan et al. (2013), algorithm 1, have it, weight by weight of the rows that a step touches."""

    def __init__(self, params, alpha, beta, l1, l2):
        self.p, self.alpha, self.beta, self.l1, self.l2 = params[0], alpha, beta, l1, l2
        self.z, self.n = numpy.zeros(self.p.shape), numpy.zeros(self.p.shape)

    def zero_grad(self):
        self.p.grad = None

    def step(self):
        gradient = self.p.grad.coalesce()
        for row, g in zip(gradient.indices()[0].tolist(), gradient.values().numpy()):
            for j, gj in enumerate(g):
                n, w = self.n[row, j], float(self.p.data[row, j])
                sigma = (numpy.sqrt(n + gj**2) - numpy.sqrt(n)) / self.alpha
                self.z[row, j] += gj - sigma * w
                self.n[row, j] = n + gj**2
                z = self.z[row, j]
                share = (self.beta + numpy.sqrt(self.n[row, j])) / self.alpha + self.l2
                self.p.data[row, j] = 0 if abs(z) <= self.l1 else -(z - numpy.sign(z) * self.l1) / share


# Settings of training, the optimiser over the table, the optimiser over the matrix, its table's max_norm.
CASES = {
    "adam-lazy": (
        "optimiser=adam lr=0.05 beta2=0.99 epsilon=1e-6",
        lambda p: torch.optim.SparseAdam(p, lr=0.05, betas=(0.9, 0.99), eps=1e-6),
        lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.9, 0.99), eps=1e-6),
        None,
    ),
    "adamw-dense": (
        "optimiser=adam dense_rows=1 lr=0.05 weight_decay=0.3",
        lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.3),
        lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.3),
        None,
    ),
    "adam-l2-dense": (
        "optimiser=adam dense_rows=1 lr=0.05 l2=0.2",
        lambda p: torch.optim.Adam(p, lr=0.05, weight_decay=0.2),
        lambda p: torch.optim.Adam(p, lr=0.05, weight_decay=0.2),
        None,
    ),
    "adagrad-l2-dense": (
        "optimiser=adagrad dense_rows=1 lr=0.2 epsilon=1e-10 l2=0.2",
        lambda p: torch.optim.Adagrad(p, lr=0.2, weight_decay=0.2),
        lambda p: torch.optim.Adagrad(p, lr=0.2, weight_decay=0.2),
        None,
    ),
    "adagrad-lazy": (
        "optimiser=adagrad lr=0.2 epsilon=1e-10",
        lambda p: torch.optim.Adagrad(p, lr=0.2),
        lambda p: torch.optim.Adagrad(p, lr=0.2),
        None,
    ),
    "adagrad-dense": (
        "optimiser=adagrad dense_rows=1 lr=0.2 epsilon=1e-10",
        lambda p: torch.optim.Adagrad(p, lr=0.2),
        lambda p: torch.optim.Adagrad(p, lr=0.2),
        None,
    ),
    "adam-max-norm": (
        "optimiser=adam lr=0.1 max_norm=1.5",
        lambda p: torch.optim.SparseAdam(p, lr=0.1),
        lambda p: torch.optim.Adam(p, lr=0.1),
        1.5,
    ),
    "ftrl-adagrad": (
        "optimiser=adagrad lr=0.2 epsilon=1e-10 linear_optimiser=ftrl ftrl_alpha=0.5 ftrl_beta=0.3 ftrl_l1=0.8 ftrl_l2=0.1",
        lambda p: Ftrl(p, 0.5, 0.3, 0.8, 0.1),
        lambda p: torch.optim.Adagrad(p, lr=0.2),
        None,
    ),
}


def make(name, settings, table_optimiser, matrix_optimiser, max_norm):
    rng = numpy.random.default_rng(11)
    start = golden_io.float32(rng, (ROWS, COLS), 1)
    matrix = golden_io.float32(rng, DENSE, 1)
    grads = golden_io.float32(rng, (STEPS, ROWS, COLS), 1)
    matrix_grads = golden_io.float32(rng, (STEPS, *DENSE), 1)
    touched = rng.random((STEPS, ROWS)) < 0.4
    touched[:, 0] = False  # never
    touched[:, 1] = True  # always
    sparse = "dense_rows" not in settings
    table = torch.nn.Embedding(ROWS, COLS, max_norm=max_norm, sparse=sparse)
    table.weight.data = torch.tensor(start)
    weights = torch.nn.Parameter(torch.tensor(matrix))
    optimisers = [table_optimiser([table.weight]), matrix_optimiser([weights])]
    for step in range(STEPS):
        rows = torch.tensor(numpy.flatnonzero(touched[step]))
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss = (table(rows) * torch.tensor(grads[step])[rows]).sum()
        (loss + (weights * torch.tensor(matrix_grads[step])).sum()).backward()
        for optimiser in optimisers:
            optimiser.step()
    looked_up = table(torch.arange(ROWS)).detach().numpy()  # cuts what the last step made longer
    golden_io.write(
        os.path.join(HERE, f"optimiser-{name}.safetensors"),
        {
            "start.table": start,
            "start.matrix": matrix,
            "grads.table": grads,
            "grads.matrix": matrix_grads,
            "touched": touched.astype("<u4"),
            "after.table": looked_up,
            "after.matrix": weights.detach().numpy(),
        },
        {"config": settings},
    )


for name, case in CASES.items():
    make(name, *case)
