# SPDX-License-Identifier: Apache-2.0
"""numpy doing the work of the wide kernels and of the rules, for comparison: a child that answers one JSON line with one JSON line.

    {"do": "hello"}                                                         -> versions
    {"do": "threads", "threads": 2}                                         -> {}
    {"do": "fill", "form": "dense", "k": 20, "length": 5000000, "range": 32767, "unit": 1000000} -> {}
    {"do": "run", "op": "median", "k": 20, "d": 1000000, "part": 3}         -> {"ms": 12.3}
    {"do": "check", "op": "median", "values": [[...], ...]}                 -> {"result": [...]}

`part` chooses the stretch of the data, as in the other contenders, and d above 1e6 is swept in chunks of 1e6. The clock is this process's
own, so neither pipe nor JSON is measured. Operations on int32 grid values are exact unless their name ends in "inexact"; formulas of
frameworks work on float32, as the frameworks do.
"""
import ctypes
import json
import platform
import sys
import time

import numpy as np

CHUNK = 1_000_000
BLOCK = 128
SPARSITY = 100
POOL = 1 << 22


def faulty(k):
    """Byzantine updates that the rules are told to tolerate."""
    return k // 5


def weights(k):
    """Equal weights in units of 2^-16."""
    return np.full(k, 65536 // k, dtype=np.int64)


# ---- wide kernels ----------------------------------------------------------------------------------------------------------------------


def sum_matmul(x):
    return weights(len(x)) @ x


def sum_loop(x):
    """Row by row into one float64 accumulator, in stretches that stay in the cache: exact below 2^53."""
    out = np.zeros(x.shape[1])
    scratch = np.empty(min(16384, x.shape[1]))
    w = weights(len(x)).astype(np.float64)
    for start in range(0, x.shape[1], len(scratch)):
        into = out[start : start + len(scratch)]
        product = scratch[: len(into)]
        for k in range(len(x)):
            np.multiply(x[k, start : start + len(scratch)], w[k], out=product)
            into += product
    return out


def sum_convert_blas(x):
    """float64 BLAS, stretch by stretch so that the conversion stays in the cache: exact below 2^53."""
    out = np.empty(x.shape[1])
    w = weights(len(x)).astype(np.float64)
    for start in range(0, x.shape[1], 16384):
        out[start : start + 16384] = w @ x[:, start : start + 16384].astype(np.float64)
    return out


def sum_blocks(data):
    scales, levels = data
    out = np.zeros(levels.shape[1:])
    for k, w in enumerate(weights(len(levels))):
        out += levels[k] * (float(w) * scales[k])[:, None]
    return out.ravel()


def sum_sparse(data):
    indices, values, size = data
    out = np.zeros(size)
    for k, w in enumerate(weights(len(values))):
        out[indices[k]] += float(w) * values[k]
    return out


def gram_float64(x):
    """Exact while all sums stay below 2^53: int16 range and d up to 2^23."""
    f = x.astype(np.float64)
    return f @ f.T


def gram_int64(x):
    f = x.astype(np.int64)
    return f @ f.T


def gram_limbs(x):
    """Full range: three float64 products of 12-bit limbs, each exact; recombined outside of int64 by the caller of a whole vector."""
    high = (x >> 12).astype(np.float64)
    low = (x & 4095).astype(np.float64)
    cross = high @ low.T
    hh, mid, ll = high @ high.T, cross + cross.T, low @ low.T
    as_objects = [part.astype(np.int64).astype(object) for part in (hh, mid, ll)]
    return as_objects[0] * 2**24 + as_objects[1] * 2**12 + as_objects[2]


def norms_float64(x):
    """Full range: squares of 12-bit limbs apart, each sum exact."""
    out = []
    for row in x:
        high = (row >> 12).astype(np.float64)
        low = (row & 4095).astype(np.float64)
        parts = [int(high @ high), int(high @ low), int(low @ low)]
        out.append(parts[0] * 2**24 + parts[1] * 2**13 + parts[2])
    return out


def median_numpy(x):
    return np.median(x, axis=0)


def median_partition(x):
    k = len(x)
    low, high = (k - 1) // 2, k // 2
    p = np.partition(x, (low, high), axis=0)
    return (p[low].astype(np.float64) + p[high]) / 2


def median_sort(x):
    k = len(x)
    s = np.sort(x, axis=0)
    return (s[(k - 1) // 2].astype(np.float64) + s[k // 2]) / 2


def trimmed_sort(x):
    f = faulty(len(x))
    return np.sort(x, axis=0)[f : len(x) - f].mean(axis=0)


def trimmed_partition(x):
    f = faulty(len(x))
    return np.partition(x, (f, len(x) - f - 1), axis=0)[f : len(x) - f].mean(axis=0)


def around_median(x, center=median_partition):
    near = len(x) - 2 * faulty(len(x))
    far = np.abs(x - center(x))
    which = np.argpartition(far, near - 1, axis=0)[:near]
    return np.take_along_axis(x, which, axis=0).mean(axis=0)


# ---- rules, by the formulas of two frameworks, on float32 ------------------------------------------------------------------------------
# Written from the formulas; nothing is copied. Flower: framework/py/flwr/serverapp/strategy/{multikrum,bulyan,fedmedian,fedtrimmedavg}.py.
# ByzFL: byzfl/aggregators/{aggregators,preaggregators}.py.


def pairwise_flower(x):
    """|x|^2 + |y|^2 - 2xy in the precision of the data."""
    n = np.square(x).sum(axis=1)
    return n[:, None] + n[None, :] - 2 * x @ x.T


def pairwise_byzfl(x):
    """Distance by distance, as cdist computes them."""
    out = np.zeros((len(x), len(x)))
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            out[i, j] = out[j, i] = np.linalg.norm(x[i] - x[j])
    return out


def krum_scores_flower(x, f):
    near = max(1, len(x) - f - 2)
    return np.sort(pairwise_flower(x), axis=1)[:, 1 : near + 1].sum(axis=1)


def krum_scores_byzfl(x, f):
    return np.sort(pairwise_byzfl(x) ** 2, axis=1)[:, 1 : len(x) - f].mean(axis=1)


def best(scores, count):
    return np.argsort(scores)[:count]


def flower_krum(x):
    return x[best(krum_scores_flower(x, faulty(len(x))), 1)[0]].copy()


def flower_multikrum(x):
    f = faulty(len(x))
    return x[best(krum_scores_flower(x, f), len(x) - f)].mean(axis=0)


def flower_bulyan(x):
    f = faulty(len(x))
    theta = len(x) - 2 * f
    chosen = x[best(krum_scores_flower(x, f), theta)]
    near = theta - 2 * f
    which = np.argpartition(np.abs(chosen - np.median(chosen, axis=0)), near - 1, axis=0)[:near]
    return np.take_along_axis(chosen, which, axis=0).mean(axis=0)


def flower_mean(x):
    out = np.zeros(x.shape[1], dtype=np.float32)
    for row in x:
        out += row / np.float32(len(x))
    return out


def flower_median(x):
    return np.median(x, axis=0)


def flower_trimmed(x):
    return trimmed_partition(x)


def byzfl_mean(x):
    return x.mean(axis=0)


def byzfl_median(x):
    return np.median(x, axis=0)


def byzfl_trimmed(x):
    return trimmed_sort(x)


def byzfl_krum(x):
    return x[best(krum_scores_byzfl(x, faulty(len(x))), 1)[0]].copy()


def byzfl_multikrum(x):
    f = faulty(len(x))
    return x[best(krum_scores_byzfl(x, f), len(x) - f)].mean(axis=0)


def byzfl_geometric_median(x, smallest=0.1, steps=3):
    z = np.zeros(x.shape[1], dtype=x.dtype)
    for _ in range(steps):
        radius = np.maximum(np.linalg.norm(x - z, axis=1), smallest)
        pull = (1 / len(x) / radius)[:, None]
        z = (x * pull).sum(axis=0) / pull.sum()
    return z


def byzfl_centered_clipping(x, steps=1, radius=100.0):
    v = np.zeros(x.shape[1], dtype=x.dtype)
    for _ in range(steps):
        difference = x - v
        clip = np.minimum(1, radius / np.linalg.norm(difference, axis=1))
        v = v + (difference * clip[:, None]).mean(axis=0)
    return v


def byzfl_nnm(x):
    keep = len(x) - faulty(len(x))
    near = np.argsort(pairwise_byzfl(x), axis=1)[:, :keep]
    return np.array([x[row].mean(axis=0) for row in near]).mean(axis=0)


def byzfl_bucketing(x, size=2):
    order = np.random.permutation(len(x))
    return np.median([x[order[i : i + size]].mean(axis=0) for i in range(0, len(x), size)], axis=0)


def numpy_byzfed(x, tau=1.5, steps=200):
    """ByzFed is in neither framework: the geometric median by Weiszfeld steps on the float64 Gram matrix, then the filtered mean."""
    f = x.astype(np.float64)
    g = f @ f.T
    n = np.diag(g)
    squared = n[:, None] + n[None, :] - 2 * g
    a = np.full(len(x), 1 / len(x))
    for _ in range(steps):
        sa = squared @ a
        radius = np.sqrt(np.maximum(sa - a @ sa / 2, 0))
        pull = 1 / np.maximum(radius, 1e-30)
        moved = pull / pull.sum()
        done = np.abs(moved - a).sum() < 1e-9
        a = moved
        if done:
            break
    return x[radius <= tau * np.median(radius)].mean(axis=0)


# op: (function, data it takes)
OPS = {
    "sum matmul": (sum_matmul, "dense"),
    "sum loop": (sum_loop, "dense"),
    "sum convert blas": (sum_convert_blas, "dense"),
    "sum float32 blas inexact": (lambda x: np.full(len(x), 1 / len(x), dtype=np.float32) @ x, "float32"),
    "sum int8": (sum_blocks, "int8"),
    "sum int16": (sum_blocks, "int16"),
    "sum sparse": (sum_sparse, "sparse"),
    "gram float64 blas": (gram_float64, "dense"),
    "gram float64 blas, already float64": (lambda x: x @ x.T, "float64"),
    "gram int64": (gram_int64, "dense"),
    "gram limbs": (gram_limbs, "dense"),
    "gram float64 blas inexact": (gram_float64, "dense"),
    "norms limbs": (norms_float64, "dense"),
    "median": (median_numpy, "dense"),
    "median partition": (median_partition, "dense"),
    "median sort": (median_sort, "dense"),
    "trimmed sort": (trimmed_sort, "dense"),
    "trimmed partition": (trimmed_partition, "dense"),
    "around median": (around_median, "dense"),
    "byzfed": (numpy_byzfed, "float32"),
    **{
        f"{framework} {name}": (function, "float32")
        for framework, rules in {
            "flower": {
                "mean": flower_mean,
                "median": flower_median,
                "trimmed mean": flower_trimmed,
                "krum": flower_krum,
                "multi-krum": flower_multikrum,
                "bulyan": flower_bulyan,
            },
            "byzfl": {
                "mean": byzfl_mean,
                "median": byzfl_median,
                "trimmed mean": byzfl_trimmed,
                "krum": byzfl_krum,
                "multi-krum": byzfl_multikrum,
                "geometric median": byzfl_geometric_median,
                "centred clipping": byzfl_centered_clipping,
                "nearest-neighbour mixing": byzfl_nnm,
                "bucketing": byzfl_bucketing,
            },
        }.items()
        for name, function in rules.items()
    },
}


class Data:
    """Random updates in the forms that operations take. What is derived from the integers is made when it is first asked for."""

    def __init__(self):
        self.forms = {}
        self.length = 0

    def fill(self, form, k, length, largest, unit):
        self.forms = {}
        self.length = length
        random = np.random.default_rng(1)
        blocks = length // BLOCK

        def repeated(pool, shape, step=97):
            """Cut from a pool, each row from another place: drawing every value would take longer than the measurements."""
            flat = np.empty((k, int(np.prod(shape))), dtype=pool.dtype)
            for row in range(k):
                flat[row] = np.resize(np.roll(pool, -row * step), flat.shape[1])
            return flat.reshape(k, *shape)

        if form == "dense":
            pool = random.integers(-largest, largest, size=POOL, dtype=np.int32, endpoint=True)
            self.forms["dense"] = repeated(pool, (length,), 196_001)
        elif form in ("int8", "int16"):
            top = 127 if form == "int8" else 32767
            pool = random.integers(-top, top, size=POOL, dtype=form, endpoint=True)
            pool = pool.astype("int8" if form == "int8" else ">i2")
            scales = random.integers(1, (1 << 23) // top, size=blocks + k).astype(np.float64)
            self.forms[form] = (repeated(scales, (blocks,), 1), repeated(pool, (blocks, BLOCK), 196_001))
        elif form == "sparse":
            # The same places in every chunk, as many as 1 % of it.
            kept = unit // SPARSITY
            indices = [np.arange(kept) * SPARSITY + (np.arange(kept) * 61 + row * 37) % SPARSITY for row in range(k)]
            values = random.integers(-largest, largest, size=(k, length // unit, kept), dtype=np.int32)
            self.forms[form] = (indices, values, unit)

    def take(self, form, start, size):
        if form in ("float32", "float64") and form not in self.forms:
            self.forms[form] = (self.forms["dense"] * 2.0**-18).astype(form)
        data = self.forms[form]
        if form in ("int8", "int16"):
            return tuple(part[:, start // BLOCK : (start + size) // BLOCK] for part in data)
        if form == "sparse":
            indices, values, unit = data
            return indices, values[:, start // unit], unit
        return data[:, start : start + size]


DATA = Data()


def blas_file():
    try:
        with open("/proc/self/maps") as maps:
            files = sorted({line.split()[-1] for line in maps if "blas" in line})
    except OSError:
        return None
    return next((file for file in files if "openblas" in file), files[0] if files else None)


def set_threads(count):
    file = blas_file()
    if file is None or "openblas" not in file:
        return False
    library = ctypes.CDLL(file)
    if not hasattr(library, "openblas_set_num_threads"):
        return False
    library.openblas_set_num_threads(count)
    return True


def run(op, k, d, part):
    function, form = OPS[op]
    size = min(d, CHUNK)
    places = DATA.length // size
    chunks = [DATA.take(form, (part + i) % places * size, size) for i in range(-(-d // size))]
    started = time.perf_counter()
    for chunk in chunks:
        function(chunk)
    return {"ms": (time.perf_counter() - started) * 1e3}


def check(op, values):
    function, form = OPS[op]
    x = np.array(values, dtype=np.int32)
    if form in ("float32", "float64"):
        x = x.astype(form)
    return {"result": [str(v) if isinstance(v, int) else float(v) for v in np.ravel(np.array(function(x), dtype=object))]}


def answer(request):
    do = request.pop("do")
    if do == "hello":
        file = blas_file()
        return {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "blas": None if file is None else ("OpenBLAS" if "openblas" in file else file.split("/")[-1]),
        }
    if do == "threads":
        return {"set": set_threads(request["threads"])}
    if do == "fill":
        DATA.fill(request["form"], request["k"], request["length"], request["range"], request["unit"])
        return {}
    if do == "run":
        return run(**request)
    if do == "check":
        return check(**request)
    raise ValueError(f"there is nothing called {do}")


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # Whatever it is, the other side must hear of it rather than wait.
        reply = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()
