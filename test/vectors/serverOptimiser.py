# SPDX-License-Identifier: Apache-2.0
"""Writes serverOptimiser.json: several rounds of each server optimiser, computed apart from this project's TypeScript.

The step is NumPy's float64 arithmetic on whole vectors; its rounding to the master grid is exact rational arithmetic. Needs numpy:

    python3 test/vectors/serverOptimiser.py > test/vectors/serverOptimiser.json
"""
import json
import random
import struct
from fractions import Fraction

import numpy as np

ROUNDS = 5
COORDINATES = 14


def hexadecimal(values):
    """Big-endian IEEE 754 of each value."""
    return [struct.pack(">d", value).hex() for value in values]


def rounded(step, bits):
    """The step in units 2^-bits, to the nearest integer, halves away from zero."""
    exact = Fraction(float(step)) * 2**bits
    magnitude = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return magnitude if exact >= 0 else -magnitude


def advance(config, delta, m, v):
    """One step; None where the optimiser keeps nothing."""
    if config["name"] == "fedavgm":
        m = config["momentum"] * m + delta
        return config["learningRate"] * m, m, None
    beta1 = config["beta1"]
    m = beta1 * m + (1 - beta1) * delta
    square = delta * delta
    if config["name"] == "fedadagrad":
        v = v + square
    elif config["name"] == "fedadam":
        v = config["beta2"] * v + (1 - config["beta2"]) * square
    else:
        v = v - (1 - config["beta2"]) * square * np.sign(v - square)
    return config["learningRate"] * m / (np.sqrt(v) + config["tau"]), m, v


def increments(stream, bits, round_):
    """What rules give: nothing, single units, ordinary movements, 0.5 exactly, and the farthest one update can pull."""
    edge = [0, 1, -1, 2 ** (bits - 1), -(2 ** (bits - 1)), 2**40 - 2**16, -(2**40) + 2**16, 3]
    ordinary = [round(stream.gauss(0, 0.02) * 2**bits) for _ in range(COORDINATES - len(edge))]
    # After its first round the second coordinate is not pulled any more, and moves on.
    values = edge + ordinary
    return [0 if j == 1 and round_ > 0 else value for j, value in enumerate(values)]


def case(config, fraction_bits, seed):
    stream = random.Random(seed)
    bits = fraction_bits + 16
    m = np.zeros(COORDINATES)
    v = np.full(COORDINATES, config.get("tau", 0.0) * config.get("tau", 0.0))
    rounds = []
    for round_ in range(ROUNDS):
        units = increments(stream, bits, round_)
        delta = np.array(units, dtype=np.float64) * 2.0**-bits
        step, m, v = advance(config, delta, m, v)
        state = {}
        if config.get("beta1") != 0:
            state["momentum"] = hexadecimal(m)
        if v is not None:
            state["variance"] = hexadecimal(v)
        rounds.append({"increment": units, "movement": [rounded(value, bits) for value in step], "state": state})
    return {"config": config, "fractionBits": fraction_bits, "rounds": rounds}


ADAPTIVE = {"learningRate": 0.1, "beta1": 0.9, "tau": 0.001}
CASES = [
    case({"name": "fedavgm", "learningRate": 1, "momentum": 0.9}, 18, 1),
    # Halves: every odd increment ends between two units.
    case({"name": "fedavgm", "learningRate": 0.5, "momentum": 0}, 0, 2),
    case({"name": "fedadagrad", **ADAPTIVE, "beta1": 0}, 18, 3),
    case({"name": "fedadagrad", **ADAPTIVE}, 20, 4),
    case({"name": "fedadam", **ADAPTIVE, "beta2": 0.99}, 18, 5),
    case({"name": "fedadam", **ADAPTIVE, "beta2": 0}, 16, 6),
    case({"name": "fedyogi", **ADAPTIVE, "learningRate": 0.01, "beta2": 0.99}, 18, 7),
    # v = Δ² in the first round where Δ = ±0.5, which leaves v as it is.
    case({"name": "fedyogi", **ADAPTIVE, "tau": 0.5, "beta2": 0.9}, 24, 8),
]
print(json.dumps(CASES, indent=1))
