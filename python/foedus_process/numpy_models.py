# SPDX-License-Identifier: Apache-2.0
"""Logistic regression and multilayer perceptrons in NumPy, forward and backward written out."""

import math

import numpy as np

from .protocol import Refusal

ACTIVATIONS = {
    # Each: function of z, and its derivative as a function of the result h.
    "relu": (lambda z: np.maximum(z, np.float32(0)), lambda h: (h > 0).astype(np.float32)),
    "tanh": (np.tanh, lambda h: np.float32(1) - h * h),
}


class NumpyBackend:
    """`fused_step`: whether models answer `step`. NumPy has no switch for threads; its BLAS reads the variables that Foedus sets before the process starts."""

    name = f"numpy {np.__version__}"

    def __init__(self, fused_step=False):
        self._model = FusedPerceptron if fused_step else Perceptron

    def start(self, threads, device):
        if device not in ("cpu", "auto"):
            raise Refusal("UNSUPPORTED", f"NumPy computes on the processor; device {device!r} is not for it")

    def load(self, config, layout):
        return self._model(config)


class Perceptron:
    """Linear layers z = h Wᵀ + b with an activation between them; logistic regression is the head alone."""

    def __init__(self, config):
        kind = config["kind"]
        if kind not in ("logistic", "mlp"):
            raise Refusal("UNSUPPORTED", f"the NumPy process has no {kind!r} models; it has logistic and mlp")
        if config.get("projection") is not None:
            raise Refusal("UNSUPPORTED", "the NumPy process has no projection heads; leave projection out of the model")
        if config.get("adapters") is not None:
            raise Refusal("UNSUPPORTED", "the NumPy process has no adapters; leave adapters out of the model, or take PyTorch")
        widths = [config["inputs"], *config.get("hidden", []), config["classes"]]
        activation = config.get("activation", "relu")
        if activation not in ACTIVATIONS:
            raise Refusal("UNSUPPORTED", f"the NumPy process has no activation {activation!r}; it has relu and tanh")
        self._activate, self._derivative = ACTIVATIONS[activation]
        self.features = widths[-2]
        self.layout = []
        for number, (inputs, outputs) in enumerate(zip(widths, widths[1:]), start=1):
            self.layout.append((f"layer{number}.weight", (outputs, inputs)))
            self.layout.append((f"layer{number}.bias", (outputs,)))

    def forward(self, parameters, features, phase, masks):
        activations, _, logits = self._run(self._tensors(parameters), features, masks)
        return logits, activations[-1]

    def value_and_gradient(
        self, parameters, features, targets, phase, masks, trainable, want_inputs, logit_cotangent, feature_cotangent
    ):
        tensors = self._tensors(parameters)
        activations, outputs, logits = self._run(tensors, features, masks)
        size = np.float32(len(features))
        shifted = logits - logits.max(axis=1, keepdims=True)
        normaliser = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        log_probabilities = shifted - normaliser
        mass = targets.sum(axis=1, keepdims=True)
        loss = -(targets * log_probabilities).sum() / size
        # d/dz of −Σ t ln softmax(z): the mass of the row times softmax, less t.
        slope = (mass * np.exp(log_probabilities) - targets) / size
        if logit_cotangent is not None:
            slope = slope + logit_cotangent
        dropped = _dropped(masks)
        gradients = {name: np.zeros(shape, np.float32) for name, shape in self.layout}
        count = len(self.layout) // 2
        for number in range(count, 0, -1):
            h = activations[number - 1]
            if f"layer{number}.weight" in trainable:
                gradients[f"layer{number}.weight"] = slope.T @ h
            if f"layer{number}.bias" in trainable:
                gradients[f"layer{number}.bias"] = slope.sum(axis=0)
            slope = slope @ tensors[f"layer{number}.weight"]
            if number == count and feature_cotangent is not None:
                slope = slope + feature_cotangent
            if number > 1:
                if number - 1 in dropped:
                    slope = slope * dropped[number - 1].reshape(slope.shape)
                slope = slope * self._derivative(outputs[number - 1])
        results = {
            "loss": loss,
            "logits": logits,
            "features": activations[-1],
            "gradient": np.concatenate([gradients[name].ravel() for name, _ in self.layout]),
        }
        if want_inputs:
            results["input_gradient"] = slope
        return results

    def _tensors(self, parameters):
        tensors = {}
        offset = 0
        for name, shape in self.layout:
            size = math.prod(shape)
            tensors[name] = parameters[offset : offset + size].reshape(shape)
            offset += size
        if offset != len(parameters):
            raise Refusal("WRONG_SHAPE", f"the model has {offset} parameters, not {len(parameters)}")
        return tensors

    def _run(self, tensors, features, masks):
        """Inputs of each layer; the activations they were masked from; and the logits."""
        dropped = _dropped(masks)
        activations, outputs = [features], [features]
        count = len(self.layout) // 2
        for number in range(1, count + 1):
            z = activations[-1] @ tensors[f"layer{number}.weight"].T + tensors[f"layer{number}.bias"]
            if number == count:
                return activations, outputs, z
            h = self._activate(z)
            outputs.append(h)
            activations.append(h * dropped[number].reshape(h.shape) if number in dropped else h)


class FusedPerceptron(Perceptron):
    """Makes whole steps too. Parameters and velocity then travel both ways, which takes longer than Foedus's own update of them."""

    def step(self, parameters, velocity, features, targets, phase, masks, learning_rate, momentum):
        every = {name for name, _ in self.layout}
        results = self.value_and_gradient(parameters, features, targets, phase, masks, every, False, None, None)
        velocity = momentum * velocity + results["gradient"]
        return {"loss": results["loss"], "parameters": parameters - learning_rate * velocity, "velocity": velocity}


def _dropped(masks):
    """Masks by the number of the layer whose activations they multiply."""
    return {int(name[len("layer") :].split(".")[0]): values for name, values in masks.items()}
