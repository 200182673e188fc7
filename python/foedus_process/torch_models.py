# SPDX-License-Identifier: Apache-2.0
"""Any torch.nn.Module as a model of the learning port: layout from named_parameters, gradients by autograd."""

import math

import torch
from torch import nn

from .protocol import Refusal


class Mask(nn.Module):
    """Multiplies by the mask that Foedus sends for the layer of this name; without one it passes its input on. In place of nn.Dropout."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.values = None

    def forward(self, x):
        return x if self.values is None else x * self.values.reshape(x.shape)


class TorchBackend:
    """`factory(config)` makes the module of a recipe's model configuration, a dict. Its input has shape [size, inputs].

    `rename(name)` gives the recipe's name of a parameter of the module; order and shapes must be the recipe's as they are.
    `head` names the last linear layer; left out, it is the last nn.Linear that the module registered.
    """

    def __init__(self, factory, rename=lambda name: name, head=None):
        self._factory = factory
        self._rename = rename
        self._head = head
        self._device = torch.device("cpu")
        self.name = f"torch {torch.__version__}"

    def start(self, threads, device):
        torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._device = torch.device(device)
            torch.zeros(1, device=self._device)
        except (RuntimeError, AssertionError) as error:
            raise Refusal("UNSUPPORTED", f"torch cannot use the device {device!r}: {error}") from error
        self.name = f"torch {torch.__version__} on {self._device}"

    def load(self, config, layout):
        module = self._factory(config)
        return TorchModel(module.to(self._device), config, self._device, self._rename, self._head)


class TorchModel:
    def __init__(self, module, config, device, rename=lambda name: name, head=None):
        _refuse_what_is_not_replayable(module)
        self._module = module
        self._device = device
        self._inputs = config["inputs"]
        self._names = [rename(name) for name, _ in module.named_parameters()]
        self._parameters = [parameter for _, parameter in module.named_parameters()]
        self.layout = [(name, tuple(p.shape)) for name, p in zip(self._names, self._parameters)]
        self._size = sum(math.prod(shape) for _, shape in self.layout)
        self._masks = [part for part in module.modules() if isinstance(part, Mask)]
        head = _head_of(module, head)
        self.features = head.in_features
        self._into_head = None
        head.register_forward_pre_hook(self._remember)

    def forward(self, parameters, features, phase, masks):
        with torch.no_grad():
            self._place(parameters)
            logits, hidden = self._run(self._tensor(features), phase, masks)
        return _array(logits), _array(hidden)

    def value_and_gradient(
        self, parameters, features, targets, phase, masks, trainable, want_inputs, logit_cotangent, feature_cotangent
    ):
        self._place(parameters)
        for name, parameter in zip(self._names, self._parameters):
            parameter.requires_grad_(name in trainable)
        x = self._tensor(features).requires_grad_(want_inputs)
        logits, hidden = self._run(x, phase, masks)
        targets = self._tensor(targets)
        loss = -(targets * logits.log_softmax(1)).sum() / len(x)
        total = loss
        if logit_cotangent is not None:
            total = total + (logits * self._tensor(logit_cotangent)).sum()
        if feature_cotangent is not None:
            total = total + (hidden * self._tensor(feature_cotangent)).sum()
        wanted = [parameter for parameter in self._parameters if parameter.requires_grad] + ([x] if want_inputs else [])
        # A parameter that the module does not use has no gradient; it counts as 0.
        found = iter(torch.autograd.grad(total, wanted, allow_unused=True)) if wanted else iter(())
        gradient = torch.zeros(self._size, device=self._device)
        offset = 0
        for parameter in self._parameters:
            size = parameter.numel()
            slope = next(found) if parameter.requires_grad else None
            if slope is not None:
                gradient[offset : offset + size] = slope.reshape(-1)
            offset += size
        results = {"loss": loss, "logits": logits, "features": hidden, "gradient": gradient}
        if want_inputs:
            slope = next(found)
            results["input_gradient"] = torch.zeros_like(x) if slope is None else slope
        return {name: _array(value) for name, value in results.items()}

    def _tensor(self, values):
        return torch.tensor(values, dtype=torch.float32, device=self._device)

    def _place(self, flat):
        if len(flat) != self._size:
            raise Refusal("WRONG_SHAPE", f"the model has {self._size} parameters, not {len(flat)}")
        values = self._tensor(flat)
        offset = 0
        with torch.no_grad():
            for parameter in self._parameters:
                parameter.copy_(values[offset : offset + parameter.numel()].view_as(parameter))
                offset += parameter.numel()

    def _remember(self, _, inputs):
        self._into_head = inputs[0]

    def _run(self, x, phase, masks):
        known = {mask.name for mask in self._masks}
        unknown = set(masks) - known
        if unknown:
            raise Refusal("UNSUPPORTED", f"the module has no Mask named {', '.join(sorted(unknown))}")
        for mask in self._masks:
            mask.values = self._tensor(masks[mask.name]) if mask.name in masks else None
        self._module.train(phase == "train")
        self._into_head = None
        logits = self._module(x)
        hidden = self._into_head
        if hidden is None or hidden.shape != (len(x), self.features):
            shape = None if hidden is None else tuple(hidden.shape)
            raise Refusal("UNSUPPORTED", f"the last linear layer got an input of shape {shape}; [size, features] is right")
        return logits, hidden


def _refuse_what_is_not_replayable(module):
    """What keeps state between batches or draws random numbers of its own is not a function of parameters and batch."""
    for name, part in module.named_modules():
        if getattr(part, "track_running_stats", False):
            raise Refusal("UNSUPPORTED", f"{name} keeps running statistics, which no parameter vector carries; use GroupNorm")
        if isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0:
            raise Refusal("UNSUPPORTED", f"{name} draws random numbers of its own; use foedus_process.torch_models.Mask")
        if getattr(part, "dropout", 0) and isinstance(part.dropout, float):
            raise Refusal("UNSUPPORTED", f"{name} draws random numbers of its own (dropout={part.dropout}); set it to 0")


def _head_of(module, name):
    linear = {path: part for path, part in module.named_modules() if isinstance(part, nn.Linear)}
    if name is not None and name not in linear:
        raise Refusal("UNSUPPORTED", f"the module has no linear layer {name!r}; it has {', '.join(linear)}")
    if not linear:
        raise Refusal("UNSUPPORTED", "the module has no linear layer to end with")
    return linear[name] if name is not None else list(linear.values())[-1]


def _array(tensor):
    return tensor.detach().cpu().numpy()
