#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Aggregation rules once more, in NumPy and float64, each as its formula reads: on the vectors themselves, never on inner products.

Writes test/vectors/aggregation-rules.json (or the file it is given), which test/aggregation/parity.test.ts holds our rules against. Nothing here is shared with them;
the keyed random stream that bucketing draws from is written again from docs in src/protocol/random.ts. Needs Debian's python3-numpy:

    /usr/bin/python3 test/aggregation/parity/rules.py
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

import numpy as np

FRACTION_BITS = 18
ALPHA = 58_982
BEACON = bytes.fromhex("5a" * 32)


def permutation(count):
    """Fisher-Yates from the end, on SHA-256 of a keyed counter."""

    def item(kind, data):
        return bytes([kind]) + struct.pack(">I", len(data)) + data

    key = hashlib.sha256(b"foedus.v1.random" + item(3, BEACON) + item(1, b"bucketing")).digest()
    words = []
    counter = 0

    def below(n):
        nonlocal counter
        while True:
            if not words:
                words.extend(struct.unpack(">8I", hashlib.sha256(key + struct.pack(">Q", counter)).digest()))
                counter += 1
            word = words.pop(0)
            if word < 2**32 - 2**32 % n:
                return word % n

    order = list(range(count))
    for i in range(count - 1, 0, -1):
        j = below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def distances(x):
    """Euclidean distances of all pairs, from differences."""
    return np.array([[np.linalg.norm(a - b) for b in x] for a in x])


def rounded(mean_of_integers, parts):
    """To whole numbers, half away from zero; the sum of `parts` integers is exact in float64."""
    total = np.rint(mean_of_integers * parts)
    magnitude = np.floor((2 * np.abs(total) + parts) / (2 * parts))
    return np.sign(total) * magnitude


def weighted_mean(x, samples, reputations, p):
    return samples @ x / samples.sum(), np.ones(len(x), bool)


def coordinate_median(x, samples, reputations, p):
    return np.median(x, axis=0), np.ones(len(x), bool)


def trimmed_mean(x, samples, reputations, p):
    ordered = np.sort(x, axis=0)
    return ordered[p["trim"] : len(x) - p["trim"]].mean(axis=0), np.ones(len(x), bool)


def geometric_median_point(x):
    """Weiszfeld's steps until nothing moves; the smoothing is too small to be seen."""
    z = x.mean(axis=0)
    for _ in range(20_000):
        pull = 1 / np.maximum(np.linalg.norm(x - z, axis=1), 1e-9)
        moved = pull @ x / pull.sum()
        if np.linalg.norm(moved - z) < 1e-10:
            break
        z = moved
    return z


def geometric_median(x, samples, reputations, p):
    return geometric_median_point(x), np.ones(len(x), bool)


def krum_order(x, f, neighbours=None):
    """Indices by score, lowest first, and of equal scores the lowest index first."""
    squared = distances(x) ** 2
    n = len(x) - f - 2 if neighbours is None else neighbours
    scores = [np.sort(np.delete(row, i))[:n].sum() for i, row in enumerate(squared)]
    return np.argsort(scores, kind="stable")


def krum(x, samples, reputations, p):
    kept = np.zeros(len(x), bool)
    kept[krum_order(x, p["byzantine"])[0]] = True
    return x[kept][0], kept


def multi_krum(x, samples, reputations, p):
    kept = np.zeros(len(x), bool)
    kept[krum_order(x, p["byzantine"])[: p.get("selected", len(x) - p["byzantine"])]] = True
    return x[kept].mean(axis=0), kept


def bulyan(x, samples, reputations, p):
    f = p["byzantine"]
    left = list(range(len(x)))
    chosen = []
    while len(chosen) < len(x) - 2 * f:
        m = len(left)
        winner = left[krum_order(x[left], f, min(m - 1, max(1, m - f - 2)))[0]]
        chosen.append(winner)
        left.remove(winner)
    selected = x[sorted(chosen)]
    beta = len(selected) - 2 * f
    out = []
    for column in selected.T:
        middle = np.median(column)
        nearest = sorted(column, key=lambda value: (abs(value - middle), value))[:beta]
        out.append(np.mean(nearest))
    kept = np.zeros(len(x), bool)
    kept[chosen] = True
    return np.array(out), kept


def byzfed(x, samples, reputations, p):
    d = np.linalg.norm(x - geometric_median_point(x), axis=1)
    if p["filter"] == "tau":
        limit = p["tau"] * np.median(d)
    else:
        limit = np.median(d) + p["k"] * 1.4826 * np.median(np.abs(d - np.median(d)))
    kept = d <= limit
    weights = np.floor((ALPHA * reputations + (65_536 - ALPHA) * 65_536) / 65_536) * kept
    if p["sizeWeighted"]:
        weights = weights * samples
    return weights @ x / weights.sum(), kept


def centred_clipping(x, samples, reputations, p):
    radius = p["radius"] * 2**FRACTION_BITS
    v = np.zeros(x.shape[1])
    weights = np.zeros(len(x))
    for _ in range(p["iterations"]):
        difference = x - v
        factors = np.minimum(1, radius / np.maximum(np.linalg.norm(difference, axis=1), 1e-300))
        v = v + (difference * factors[:, None]).mean(axis=0)
        weights = weights * (1 - factors.mean()) + factors / len(x)
    # Less than half a unit of weight is not kept.
    return v, weights >= 2**-17


def uniform_mean(x, samples, reputations, p):
    return x.mean(axis=0), np.ones(len(x), bool)


# Rules that decide from facts about members; `facts` has one entry per member and list.


def weighed(x, weights):
    """A movement by weights, whose shares below 2^-52 are none."""
    kept = weights >= 2.0**-52
    return (weights * kept) @ x, kept


def fltrust(x, samples, facts, p):
    root = facts["root"]
    norms = np.linalg.norm(x, axis=1)
    trust = np.maximum(0, x @ root / (norms * np.linalg.norm(root)))
    weights = trust / trust.sum() * np.minimum(1, np.linalg.norm(root) / norms)
    kept = weights >= 2**-17
    return (weights * kept) @ x, kept


def softmax(scores, temperature, prior):
    raw = prior * np.exp((scores - scores.max()) / temperature)
    return raw / raw.sum()


def fedatt(x, samples, facts, p):
    lengths = np.linalg.norm(x, axis=1)
    if p["attention"] == "cosine":
        middle = np.median(x, axis=0)
        scores = x @ middle / (lengths * np.linalg.norm(middle))
    elif p["relative"]:
        scores = lengths / lengths.mean()
    else:
        scores = lengths / 2**FRACTION_BITS
    weights = softmax(scores, p["temperature"], np.ones(len(x)))
    return p["stepSize"] * weights @ x, np.ones(len(x), bool)


def clipped(facts, p):
    nats = facts["losses"] / 65_536
    if "capMads" not in p:
        return nats
    return np.minimum(nats, np.median(nats) + p["capMads"] * np.median(np.abs(nats - np.median(nats))))


def loss_weights(samples, facts, p):
    prior = samples if p["prior"] == "samples" else np.ones(len(samples))
    return softmax(clipped(facts, p), p["temperature"], prior)


def fedeba(x, samples, facts, p):
    return weighed(x, loss_weights(samples, facts, p))


def fair_gradient(x, samples, facts, p):
    prior = samples / samples.sum() if p["prior"] == "samples" else np.full(len(x), 1 / len(x))
    losses = clipped(facts, p)
    weights = np.maximum(0, prior + 2 * p["strength"] / len(x) * (losses - losses.mean()))
    return weighed(x, weights / weights.sum())


def q_fedavg(x, samples, facts, p):
    """As the paper has it: Δw = L(w − w_i), the sum of F^q Δw over the sum of h."""
    big_l, q = 1 / p["learningRate"], p["q"]
    losses = clipped(facts, p) + 1e-10
    difference = -big_l * x
    h = q * losses ** (q - 1) * (np.linalg.norm(difference, axis=1) / 2**FRACTION_BITS) ** 2 + big_l * losses**q
    _, kept = weighed(x, big_l * losses**q / h.sum())
    return -(losses**q * kept) @ difference / h.sum(), kept


def fairfed(x, samples, facts, p):
    metric = (facts["losses"] if p["metric"] == "loss" else facts["accuracies"]) / 65_536
    share = samples / samples.sum()
    gap = np.abs(metric - share @ metric)
    state = facts["memberState"] / 2**32 - p["beta"] * (gap - gap.mean())
    weights = np.maximum(0, state)
    return weighed(x, weights / weights.sum())


def spfl(x, samples, facts, p):
    inside = np.ones(len(x), bool)
    if "audit" in p:
        _, inside = byzfed(x, samples, np.ones(len(x)), {**p["audit"], "sizeWeighted": False})
    phi = facts["contributions"][inside] / 2**20
    if p["weighting"] == "ratio":
        earned = np.maximum(phi, 0) + 1e-12
        earned = earned / earned.sum()
    else:
        earned = softmax(phi, p.get("temperature", max(phi.std(), 1e-3)), np.ones(len(phi)))
    if "fair" in p:
        only = {"losses": facts["losses"][inside]}
        earned = (1 - p["fair"]["kappa"]) * earned + p["fair"]["kappa"] * loss_weights(samples[inside], only, p["fair"])
    weights = np.zeros(len(x))
    weights[inside] = earned
    return weighed(x, weights)


def psi(age, p):
    decay = (1 + age) ** -p["exponent"] if p["decay"] == "polynomial" else (
        np.where(age <= p["after"], 1.0, 1 / (p["slope"] * np.maximum(1, age - p["after"]) + 1))
    )
    return decay * (age <= p["limit"])


def fedbuff(x, samples, facts, p):
    weights = psi(facts["staleness"], p["staleness"])
    buffer = weights > 0
    share = buffer * (samples if p["prior"] == "samples" else 1)
    return p["stepSize"] * (weights * share / share.sum()) @ x, buffer


def fedasync(x, samples, facts, p):
    """One model after the other."""
    w, weights = np.zeros(x.shape[1]), np.zeros(len(x))
    for i, pull in enumerate(p["mixing"] * psi(facts["staleness"], p["staleness"])):
        w = (1 - pull) * w + pull * x[i]
        weights *= 1 - pull
        weights[i] = pull
    return w, weights >= 2**-17


RULES = {
    "weighted-mean": weighted_mean,
    "uniform-mean": uniform_mean,
    "coordinate-median": coordinate_median,
    "trimmed-mean": trimmed_mean,
    "geometric-median": geometric_median,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "byzfed": byzfed,
    "centred-clipping": centred_clipping,
}
FACTUAL = {
    "fltrust": fltrust,
    "fedatt": fedatt,
    "fedeba": fedeba,
    "fair-gradient": fair_gradient,
    "q-fedavg": q_fedavg,
    "fairfed": fairfed,
    "spfl": spfl,
    "fedbuff": fedbuff,
    "fedasync": fedasync,
}
COORDINATE_WISE = {"coordinate-median", "trimmed-mean", "bulyan"}


def members_of(step, x):
    """Which vectors each mixed one is the mean of."""
    if step["step"] == "bucketing":
        order, size = permutation(len(x)), step["size"]
        return [order[i : i + size] for i in range(0, len(x), size)]
    near = distances(x)
    return [
        sorted(range(len(x)), key=lambda k: (k != i, near[i, k], k))[: len(x) - step["byzantine"]] for i in range(len(x))
    ]


def aggregate(config, x, samples, reputations):
    """The movement, and which of the original updates are part of it."""
    steps = config.get("before", [])
    vectors, parts = x, [{i} for i in range(len(x))]
    shown = x  # what a coordinate-wise rule sees: rounded after every step
    for step in steps:
        groups = members_of(step, vectors)
        vectors = np.array([vectors[group].mean(axis=0) for group in groups])
        shown = np.array([rounded(shown[group].mean(axis=0), len(group)) for group in groups])
        # Samples are only ever compared with each other.
        samples = np.array([samples[group].mean() for group in groups])
        reputations = np.array([np.floor(np.round(reputations[group].mean(), 6)) for group in groups])
        parts = [set().union(*(parts[i] for i in group)) for group in groups]
    parameters = config.get("parameters", {})
    rule = RULES[config["rule"]]
    moved, kept = rule(vectors, samples, reputations, parameters)
    if steps and config["rule"] in COORDINATE_WISE:
        if config["rule"] == "bulyan":
            moved = bulyan_of_selected(shown[kept], parameters["byzantine"])
        else:
            moved, _ = rule(shown, samples, reputations, parameters)
    taken = set().union(*(parts[b] for b in range(len(parts)) if kept[b]))
    return moved, sorted(taken)


def bulyan_of_selected(selected, f):
    beta = len(selected) - 2 * f
    out = []
    for column in selected.T:
        middle = np.median(column)
        out.append(np.mean(sorted(column, key=lambda value: (abs(value - middle), value))[:beta]))
    return np.array(out)


CONFIGS = [
    {"rule": "weighted-mean"},
    {"rule": "uniform-mean"},
    {"rule": "coordinate-median"},
    {"rule": "trimmed-mean", "parameters": {"trim": 2}},
    {"rule": "geometric-median"},
    {"rule": "krum", "parameters": {"byzantine": 2}},
    {"rule": "multi-krum", "parameters": {"byzantine": 2}},
    {"rule": "multi-krum", "parameters": {"byzantine": 2, "selected": 4}},
    {"rule": "bulyan", "parameters": {"byzantine": 1}},
    {"rule": "bulyan", "parameters": {"byzantine": 2}},
    {"rule": "byzfed", "parameters": {"filter": "tau", "tau": 1.5, "sizeWeighted": True}},
    {"rule": "byzfed", "parameters": {"filter": "mad", "k": 2, "sizeWeighted": False}},
    {"rule": "centred-clipping", "parameters": {"radius": 0.003, "iterations": 5}},
]
HINGE = {"decay": "hinge", "after": 2, "slope": 10, "limit": 6}
POLYNOMIAL = {"decay": "polynomial", "exponent": 0.5, "limit": 5}
WITH_FACTS = [
    {"rule": "fltrust"},
    {"rule": "fedatt", "parameters": {"attention": "cosine", "temperature": 0.1, "scope": "model", "stepSize": 1}},
    {"rule": "fedatt", "parameters": {"attention": "cosine", "temperature": 0.5, "scope": "layer", "stepSize": 0.6}},
    {
        "rule": "fedatt",
        "parameters": {"attention": "distance", "relative": True, "temperature": 2, "scope": "model", "stepSize": 1},
    },
    {"rule": "fedeba", "parameters": {"temperature": 1, "prior": "uniform"}},
    {"rule": "fedeba", "parameters": {"temperature": 0.5, "prior": "samples", "capMads": 3}},
    {"rule": "fair-gradient", "parameters": {"strength": 0.05, "prior": "samples"}},
    {"rule": "fair-gradient", "parameters": {"strength": 0.5, "prior": "uniform", "capMads": 2}},
    {"rule": "q-fedavg", "parameters": {"q": 0.1, "learningRate": 0.1}},
    {"rule": "q-fedavg", "parameters": {"q": 5, "learningRate": 0.01}},
    {"rule": "fairfed", "parameters": {"beta": 0.02, "metric": "loss"}},
    {"rule": "fairfed", "parameters": {"beta": 0.5, "metric": "accuracy"}},
    {"rule": "spfl", "parameters": {"weighting": "softmax", "audit": {"filter": "mad", "k": 2}}},
    {
        "rule": "spfl",
        "parameters": {"weighting": "ratio", "fair": {"kappa": 0.5, "temperature": 1, "prior": "samples"}},
    },
    {"rule": "fedbuff", "parameters": {"staleness": POLYNOMIAL, "stepSize": 1, "prior": "uniform"}},
    {"rule": "fedbuff", "parameters": {"staleness": HINGE, "stepSize": 0.5, "prior": "samples"}},
    {"rule": "fedasync", "parameters": {"staleness": HINGE, "mixing": 0.6}},
]
STEPS = [
    [],
    [{"step": "nearest-neighbour-mixing", "byzantine": 2}],
    [{"step": "bucketing", "size": 2}],
    [{"step": "bucketing", "size": 2}, {"step": "nearest-neighbour-mixing", "byzantine": 2}],
]


def inputs():
    """Integers on the grid: honest updates around a common direction, some far away, some nearly alike, one spiked, an offset common to all."""
    random = np.random.default_rng(20_180_517)
    center = random.normal(0, 60, 12)
    honest = np.round(center + random.normal(0, 200, (19, 12)))
    negated = np.round(-4 * center + random.normal(0, 50, (4, 12)) + 900)
    spiked = honest[0].copy()
    spiked[3] = 16_777_215
    clouded = np.concatenate([honest, negated])
    return {
        "honest and four attackers": clouded,
        "the same far from the origin": clouded + 4_000_000,
        "one spiked in one coordinate": np.concatenate([honest, [spiked] * 2, negated[:2]]),
        "one coordinate": np.round(random.normal(30, 2_000, (23, 1))),
    }


def main():
    random = np.random.default_rng(7)
    of_facts = np.random.default_rng(11)
    cases = []
    for name, x in inputs().items():
        samples = random.integers(1, 900, len(x))
        reputations = random.integers(0, 65_537, len(x))
        facts = {
            "losses": of_facts.integers(0, 4 * 65_536, len(x)),
            "contributions": of_facts.integers(-40_000, 200_000, len(x)),
            "accuracies": of_facts.integers(0, 65_537, len(x)),
            "staleness": of_facts.integers(0, 8, len(x)),
            "memberState": of_facts.integers(0, 2**29, len(x)),
            "root": np.round(x[:5].mean(axis=0)),
        }
        as_floats = {fact: values.astype(float) for fact, values in facts.items()}
        results = []
        for config in WITH_FACTS:
            moved, kept = FACTUAL[config["rule"]](x, samples.astype(float), as_floats, config.get("parameters", {}))
            results.append({"config": config, "moved": moved.tolist(), "kept": np.flatnonzero(kept).tolist()})
        for config in CONFIGS:
            for steps in STEPS:
                described = {**config, **({"before": steps} if steps else {})}
                moved, kept = aggregate(described, x, samples.astype(float), reputations.astype(float))
                results.append({"config": described, "moved": [float(value) for value in moved], "kept": [int(i) for i in kept]})
        cases.append(
            {
                "name": name,
                "updates": x.astype(int).tolist(),
                "samples": samples.tolist(),
                "reputations": reputations.tolist(),
                "facts": {fact: values.astype(int).tolist() for fact, values in facts.items()},
                "results": results,
            }
        )
    recorded = Path(__file__).parents[2] / "vectors" / "aggregation-rules.json"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else recorded
    about = {
        "madeBy": "test/aggregation/parity/rules.py",
        "fractionBits": FRACTION_BITS,
        "alphaQ16": ALPHA,
        "beacon": "0x" + BEACON.hex(),
    }
    lines = [f"    {json.dumps(case)}" for case in cases]
    head = json.dumps(about, indent=2)[:-2]
    path.write_text(head + ',\n  "cases": [\n' + ",\n".join(lines) + "\n  ]\n}\n")


main()
