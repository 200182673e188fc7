# SPDX-License-Identifier: Apache-2.0
"""PyTorch training Foedus's architectures by plain SGD, for comparison: a child that answers one JSON line with one JSON line.

    {"do": "hello", "threads": 2}                                        -> versions
    {"do": "load", "model": "lenet-5", "config": {...}, "batch": 64}     -> {"parameters": 61706}
    {"do": "run", "model": "lenet-5", "steps": 20}                       -> {"ms": 120.1}

One fixed batch, forward, cross-entropy, backward, SGD with the usual tools. The clock is this process's own, so the pipe is not measured.
"""
import json
import platform
import sys
import time

import torch
from torch import nn

from foedus_process.torch_architectures import architecture

LEARNING_RATE = 0.05
MODELS = {}


def blas_file():
    """What multiplies matrices: the library that the alternatives system put in place of libblas."""
    try:
        with open("/proc/self/maps") as maps:
            files = sorted({line.split()[-1] for line in maps if "blas" in line})
    except OSError:
        return None
    return next((file for file in files if "openblas" in file), files[0] if files else None)


def hello(threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.ones(64, 64) @ torch.ones(64, 64)
    return {"python": platform.python_version(), "torch": torch.__version__, "blas": blas_file()}


def load(model, config, batch):
    module = architecture(config)
    classes, inputs = config["classes"], config["inputs"]
    if "vocabulary" in config:
        features = torch.randint(1, config["vocabulary"], (batch, inputs)).float()
    else:
        features = torch.randn(batch, inputs)
    optimiser = torch.optim.SGD(module.parameters(), LEARNING_RATE)
    MODELS[model] = (module.train(), optimiser, features, torch.randint(0, classes, (batch,)))
    return {"parameters": sum(parameter.numel() for parameter in module.parameters())}


def run(model, steps):
    module, optimiser, features, labels = MODELS[model]
    started = time.perf_counter()
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(module(features), labels).backward()
        optimiser.step()
    return {"ms": (time.perf_counter() - started) * 1e3}


for line in sys.stdin:
    request = json.loads(line)
    reply = {"hello": hello, "load": load, "run": run}[request.pop("do")](**request)
    print(json.dumps(reply), flush=True)
