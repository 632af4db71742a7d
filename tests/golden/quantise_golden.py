"""Fixture of the quantisers: what int4 rows, codes of a product quantiser and additive codes should be, by NumPy and
exhaustive search, in float as the files hold it.

    python3 tests/golden/quantise_golden.py
"""

import itertools
import os

import numpy

import golden_io

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
GROUP, LIMIT, STEPS = 32, 7, 16
ALONG = 1.0


def int4(rows):
    """The scale of each group is the one of 16 clipped maxima, as halves, with the least squared error."""
    codes = numpy.zeros(rows.shape, dtype=int)
    scales = numpy.zeros((len(rows), -(-rows.shape[1] // GROUP)))
    for r, row in enumerate(rows):
        for g in range(scales.shape[1]):
            part = row[g * GROUP : (g + 1) * GROUP]
            widest = numpy.float32(numpy.abs(part).max()) / numpy.float32(LIMIT)
            tried = []
            for step in range(STEPS):
                scale = numpy.float32(numpy.float16(widest * numpy.float32((32 - step) / 32)))
                q = numpy.zeros(len(part)) if scale == 0 else numpy.rint(part / scale)
                q = numpy.clip(q, -LIMIT, LIMIT)
                miss = part.astype(float) - (q.astype("<f4") * scale).astype(float)
                tried.append(((miss**2).sum(), -step, scale, q))
            best = min(tried, key=lambda t: (t[0], -t[1]))
            scales[r, g] = best[2]
            codes[r, g * GROUP : g * GROUP + len(part)] = best[3]
    return codes, scales


def product(rng, rows, rotation):
    """Every combination of codes of two subspaces, and the best for each row."""
    width = rows.shape[1]
    codebook = golden_io.float32(rng, (32, width // 2), 1)
    basis = numpy.linalg.qr(rng.standard_normal((width, width)))[0]
    if not rotation:
        basis = rng.standard_normal((width, width))
    basis = basis.astype("<f4").astype(float)
    pairs = list(itertools.product(range(16), range(16)))
    decoded = numpy.array([numpy.r_[codebook[a], codebook[16 + b]] @ basis for a, b in pairs])
    errors = ((rows[:, None] - decoded[None]) ** 2).sum(-1)
    best = errors.argmin(1)
    return codebook, basis, numpy.array([pairs[i] for i in best]), decoded[best], errors.min(1)


def additive(rng, rows):
    """As above with vectors of the whole width, and errors that count more along a row (native/quant/additive.h) in a
    metric that is not the identity."""
    width = rows.shape[1]
    centroids = golden_io.float32(rng, (32, width), 1)
    root = golden_io.float32(rng, (width, width), 1)
    metric = root @ root.T + numpy.eye(width)
    pairs = list(itertools.product(range(16), range(16)))
    decoded = numpy.array([centroids[a] + centroids[16 + b] for a, b in pairs])
    miss = rows[:, None] - decoded[None]
    seen = rows @ metric
    along = (miss @ seen[:, :, None])[:, :, 0] ** 2 / (seen * rows).sum(1)[:, None]
    errors = numpy.einsum("rci,ij,rcj->rc", miss, metric, miss) + ALONG * along
    best = errors.argmin(1)
    return centroids, metric, numpy.array([pairs[i] for i in best]), decoded[best]


def main():
    rng = numpy.random.default_rng(7)
    wide = golden_io.float32(rng, (9, 71), 0.2).astype("<f4")
    wide[3] = 0
    wide[4, 40] = 3
    codes, scales = int4(wide)
    tensors = {"rows": wide, "int4.codes": codes + 8, "int4.scales": scales}
    rows = golden_io.float32(rng, (40, 4), 1)
    tensors["product.rows"] = rows
    for name, rotation in (("rotated", True), ("general", False)):
        codebook, basis, best, decoded, errors = product(rng, rows, rotation)
        tensors[f"{name}.codebook"] = codebook
        tensors[f"{name}.map"] = basis
        tensors[f"{name}.codes"] = best
        tensors[f"{name}.decoded"] = decoded
        tensors[f"{name}.errors"] = errors
    centroids, metric, best, decoded = additive(rng, rows)
    tensors["additive.centroids"] = centroids
    tensors["additive.metric"] = metric
    tensors["additive.codes"] = best
    tensors["additive.decoded"] = decoded
    golden_io.write(os.path.join(HERE, "quantise-rows.safetensors"), tensors, {})


if __name__ == "__main__":
    main()
