"""Fixture of columns of numbers: what the quantile map and the imputed values should be, by NumPy.

    python3 tests/golden/encoders_golden.py

Where scikit-learn is installed, its QuantileTransformer and SimpleImputer have to agree.
"""

import os

import numpy

import golden_io

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")


def quantile_map(train, count, queries):
    """The mean of the interpolation over the landmarks and of the mirrored one, which differ where landmarks are equal;
    values outside are at the ends. Landmark j lies at place j (n - 1) / (count - 1) of the n sorted numbers, exactly."""
    count = min(count, len(train))
    levels = numpy.linspace(0, 1, count)
    ordered = numpy.sort(train)
    below, rest = numpy.divmod(numpy.arange(count) * (len(train) - 1), max(count - 1, 1))
    above = numpy.minimum(below + 1, len(train) - 1)
    landmarks = ordered[below] + (ordered[above] - ordered[below]) * rest / max(count - 1, 1)
    up = numpy.interp(queries, landmarks, levels)
    down = -numpy.interp(-queries, -landmarks[::-1], -levels[::-1])
    found = (up + down) / 2
    found[queries >= landmarks[-1]] = 1
    found[queries <= landmarks[0]] = 0
    if landmarks[0] == landmarks[-1]:
        found[:] = 0  # a constant tells nothing
    return landmarks, found


def check(train, count, queries, landmarks, found):
    try:
        from sklearn.impute import SimpleImputer
        from sklearn.preprocessing import QuantileTransformer
    except ImportError:
        return
    count = min(count, len(train))
    other = QuantileTransformer(n_quantiles=count, subsample=len(train)).fit(train[:, None])
    assert numpy.allclose(other.quantiles_[:, 0], landmarks, rtol=1e-12, atol=0)
    if landmarks[0] != landmarks[-1]:
        # Its places are rounded, so that a landmark may leave its tie.
        off = numpy.abs(other.transform(queries[:, None])[:, 0] - found)
        assert numpy.all(off <= numpy.where(numpy.isin(queries, train), 1 / (count - 1), 1e-9))
    mean = SimpleImputer(strategy="mean").fit(train[:, None]).statistics_[0]
    assert numpy.isclose(mean, train.mean(), rtol=1e-12)
    print("scikit-learn agrees")


def case(name, train, count, queries, constant):
    train = numpy.asarray(train, dtype="<f4").astype(float)
    queries = numpy.unique(numpy.r_[queries, train[:: len(train) // 50 + 1]].astype("<f4")).astype(float)
    landmarks, found = quantile_map(train, count, queries)
    check(train, count, queries, landmarks, found)
    # The lower one of two in the middle, which training has, and the others as they are.
    fills = [numpy.sort(train)[(len(train) - 1) // 2], train.mean(), constant]
    placed = quantile_map(train, count, numpy.float32(fills).astype(float))[1]
    return {
        f"{name}.train": train,
        f"{name}.count": numpy.array([count]),
        f"{name}.landmarks": landmarks,
        f"{name}.queries": queries,
        f"{name}.expected": found,
        f"{name}.fills": numpy.array(fills),
        f"{name}.placed": placed,
    }


def main():
    rng = numpy.random.default_rng(11)
    normal = rng.standard_normal(1500) * 40 + 7
    tensors = case("normal", normal, 1000, rng.standard_normal(60) * 60, -3.25)
    tensors |= case("few", rng.standard_exponential(200), 7, rng.uniform(-1, 6, 40), 0.5)
    ties = rng.geometric(0.4, 400)
    tensors |= case("ties", ties, 1000, numpy.arange(-1, 16) / 2, 4)
    grid = numpy.round(rng.uniform(-2, 2, 300), 1)  # tenths, which no float is
    tensors |= case("tenths", grid, 50, numpy.arange(-25, 26) / 10, 0.1)
    tensors |= case("sheet", [0, 1, 1, 2], 4, [0, 0.5, 1, 1.5, 2, 9], 1.5)
    tensors |= case("constant", [7] * 5, 1000, [6, 7, 8], 9)
    path = os.path.join(HERE, "encoders-numbers.safetensors")
    golden_io.write(path, tensors, {"what": "quantile maps and imputed values"})


main()
