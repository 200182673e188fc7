# SPDX-License-Identifier: Apache-2.0
"""Foedus's own architectures as PyTorch modules, with the recipe's names and shapes: `architecture(config)` is a factory for TorchBackend."""

import torch
from torch import nn

from .protocol import Refusal
from .torch_models import Mask

_ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def architecture(config):
    kinds = {
        "logistic": Perceptron,
        "mlp": Perceptron,
        "cnn": Convolutional,
        "resnet": Residual,
        "lstm": Recurrent,
        "transformer": Transformer,
        "bagOfEmbeddings": BagOfEmbeddings,
    }
    kind = config["kind"]
    if kind not in kinds:
        raise Refusal("UNSUPPORTED", f"there is no {kind!r} among {', '.join(kinds)}")
    return kinds[kind](config)


def _project(module, width, config):
    """Adds the projection head, if the model has one: its layers, and the width that the last layer reads."""
    outputs = config.get("projection")
    if outputs is None:
        return [], width
    module.projection1 = nn.Linear(width, width)
    module.projection2 = nn.Linear(width, outputs)
    return [module.projection1, nn.ReLU(), module.projection2], outputs


def _through(steps, x):
    for step in steps:
        x = step(x)
    return x


class Adapter(nn.Module):
    """Houlsby's bottleneck: h + up(act(down(h)))."""

    def __init__(self, features, width, activation):
        super().__init__()
        self.down = nn.Linear(features, width)
        self.up = nn.Linear(width, features)
        self._activation = _ACTIVATIONS[activation]()

    def forward(self, h):
        return h + self.up(self._activation(self.down(h)))


class Perceptron(nn.Module):
    def __init__(self, config):
        super().__init__()
        widths = [config["inputs"], *config.get("hidden", []), config["classes"]]
        self._steps = []
        for number, (inputs, outputs) in enumerate(zip(widths, widths[1:]), start=1):
            if number == len(widths) - 1:
                projection, inputs = _project(self, inputs, config)
                self._steps += projection
            layer = nn.Linear(inputs, outputs)
            self.add_module(f"layer{number}", layer)
            self._steps.append(layer)
            if number < len(widths) - 1:
                self._steps.append(_ACTIVATIONS[config["activation"]]())
                if config.get("adapters"):
                    adapter = Adapter(outputs, config["adapters"]["width"], config["activation"])
                    self.add_module(f"adapter{number}", adapter)
                    self._steps.append(adapter)
                if config.get("dropout"):
                    self.add_module(f"mask{number}", Mask(f"layer{number}.dropout"))
                    self._steps.append(self.get_submodule(f"mask{number}"))

    def forward(self, x):
        for step in self._steps:
            x = step(x)
        return x


class Convolutional(nn.Module):
    def __init__(self, config):
        super().__init__()
        image = config["image"]
        self._shape = (image["channels"], image["height"], image["width"])
        activation = _ACTIVATIONS[config["activation"]]
        pool = nn.MaxPool2d if config["pool"] == "max" else nn.AvgPool2d
        self._steps = []
        channels, *extents = self._shape
        for number, layer in enumerate(config["convolutions"], start=1):
            # An axis of extent 1 has nothing to convolve or pool: signals are images of height 1.
            kernel = tuple(1 if extent == 1 else layer["kernel"] for extent in extents)
            padding = tuple((size - 1) // 2 if layer["padding"] == "same" else 0 for size in kernel)
            convolution = nn.Conv2d(channels, layer["channels"], kernel, padding=padding)
            self.add_module(f"conv{number}", convolution)
            self._steps += [convolution, activation()]
            channels = layer["channels"]
            extents = [extent + 2 * pad - size + 1 for extent, pad, size in zip(extents, padding, kernel)]
            window = tuple(1 if extent == 1 else layer["pool"] for extent in extents)
            if window != (1, 1):
                self._steps.append(pool(window))
                extents = [extent // size for extent, size in zip(extents, window)]
        self._steps.append(nn.Flatten())
        width = channels * extents[0] * extents[1]
        for number, outputs in enumerate(config["hidden"], start=1):
            dense = nn.Linear(width, outputs)
            self.add_module(f"dense{number}", dense)
            self._steps += [dense, activation()]
            if config.get("dropout"):
                self.add_module(f"mask{number}", Mask(f"dense{number}.dropout"))
                self._steps.append(self.get_submodule(f"mask{number}"))
            width = outputs
        projection, width = _project(self, width, config)
        self._steps += projection
        self.head = nn.Linear(width, config["classes"])

    def forward(self, x):
        x = x.reshape(-1, *self._shape)
        for step in self._steps:
            x = step(x)
        return self.head(x)


class _NormalisedConvolution(nn.Module):
    def __init__(self, inputs, outputs, size, stride, extents, groups):
        super().__init__()
        kernel, strides = zip(*((1, 1) if extent == 1 else (size, stride) for extent in extents))
        padding = tuple((k - 1) // 2 for k in kernel)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=strides, padding=padding, bias=False)
        self.norm = nn.GroupNorm(groups, outputs)
        self.extents = [(e + 2 * p - k) // s + 1 for e, p, k, s in zip(extents, padding, kernel, strides)]

    def forward(self, x):
        return self.norm(self.conv(x))


class _Block(nn.Module):
    def __init__(self, inputs, outputs, stride, extents, groups):
        super().__init__()
        first = _NormalisedConvolution(inputs, outputs, 3, stride, extents, groups)
        self.add_module("1", first)
        self.add_module("2", _NormalisedConvolution(outputs, outputs, 3, 1, first.extents, groups))
        self.shortcut = None
        if stride > 1 or inputs != outputs:
            self.shortcut = _NormalisedConvolution(inputs, outputs, 1, stride, extents, groups)
        self.extents = first.extents

    def forward(self, x):
        inner = self.get_submodule("2")(self.get_submodule("1")(x).relu())
        return (inner + (x if self.shortcut is None else self.shortcut(x))).relu()


class Residual(nn.Module):
    def __init__(self, config):
        super().__init__()
        image = config["image"]
        self._shape = (image["channels"], image["height"], image["width"])
        channels, *extents = self._shape
        self.stem = _NormalisedConvolution(channels, config["stages"][0], 3, 1, extents, config["groups"])
        channels, extents = config["stages"][0], self.stem.extents
        self._blocks = []
        for number, width in enumerate(config["stages"], start=1):
            stage = nn.Module()
            self.add_module(f"stage{number}", stage)
            for index in range(1, config["blocks"] + 1):
                stride = 2 if number > 1 and index == 1 else 1
                block = _Block(channels, width, stride, extents, config["groups"])
                stage.add_module(f"block{index}", block)
                self._blocks.append(block)
                channels, extents = width, block.extents
        self._projection, width = _project(self, channels, config)
        self.head = nn.Linear(width, config["classes"])

    def forward(self, x):
        x = self.stem(x.reshape(-1, *self._shape)).relu()
        for block in self._blocks:
            x = block(x)
        return self.head(_through(self._projection, x.mean((2, 3))))


class Recurrent(nn.Module):
    def __init__(self, config):
        super().__init__()
        self._shape = (config["steps"], config["channels"])
        self.lstm = nn.LSTM(config["channels"], config["hidden"], config["layers"], batch_first=True)
        self._projection, width = _project(self, config["hidden"], config)
        self.head = nn.Linear(width, config["classes"])
        self._masked = bool(config.get("dropout"))
        if self._masked:
            for layer in range(config["layers"] - 1):
                self.add_module(f"mask{layer}", Mask(f"lstm.l{layer}.dropout"))

    def forward(self, x):
        x = x.reshape(-1, *self._shape)
        x = (self._layers(x) if self._masked else self.lstm(x)[0])[:, -1]
        return self.head(_through(self._projection, x))

    def _layers(self, x):
        """One layer at a time, with what is dropped between them."""
        lstm = self.lstm
        zeros = x.new_zeros(1, len(x), lstm.hidden_size)
        for layer, weights in enumerate(lstm.all_weights):
            x = torch.lstm(x, (zeros, zeros), weights, True, 1, 0.0, self.training, False, True)[0]
            if layer < lstm.num_layers - 1:
                x = self.get_submodule(f"mask{layer}")(x)
        return x


def _token_mean(x, ids):
    present = (ids != 0).unsqueeze(2)
    return (x * present).sum(1) / present.sum(1).clamp(min=1)


class _AdaptedLayer(nn.TransformerEncoderLayer):
    """With an adapter at the end of each branch."""

    def __init__(self, width, heads, feed_forward, adapter_width, **options):
        super().__init__(width, heads, feed_forward, **options)
        self.adapter1 = Adapter(width, adapter_width, "relu")
        self.adapter2 = Adapter(width, adapter_width, "relu")

    def _sa_block(self, *args, **options):
        return self.adapter1(super()._sa_block(*args, **options))

    def _ff_block(self, x):
        return self.adapter2(super()._ff_block(x))


class Transformer(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, before = config["width"], config["normalisation"] == "pre"
        self.embedding = nn.Embedding(config["vocabulary"], width)
        self.position = nn.Embedding(config["inputs"], width)
        extents = (width, config["heads"], config["feedForward"])
        options = {"dropout": 0.0, "batch_first": True, "norm_first": before}
        if config.get("adapters"):
            layer = _AdaptedLayer(*extents, config["adapters"]["width"], **options)
        else:
            layer = nn.TransformerEncoderLayer(*extents, **options)
        self.encoder = nn.TransformerEncoder(layer, config["blocks"], nn.LayerNorm(width) if before else None)
        if config.get("dropout"):
            for number, block in enumerate(self.encoder.layers):
                block.dropout1 = Mask(f"encoder.layers.{number}.dropout1")
                block.dropout2 = Mask(f"encoder.layers.{number}.dropout2")
        self._projection, width = _project(self, width, config)
        self.head = nn.Linear(width, config["classes"])

    def train(self, mode=True):
        # The fused path of evaluation takes no additive mask; nothing here differs between the phases.
        return super().train(True)

    def forward(self, x):
        ids = x.long()
        # Finite, so that a text of padding alone has a softmax.
        padding = (ids == 0).float() * -1e9
        x = self.encoder(self.embedding(ids) + self.position.weight, src_key_padding_mask=padding)
        return self.head(_through(self._projection, _token_mean(x, ids)))


class BagOfEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Embedding(config["vocabulary"], config["width"])
        self._projection, width = _project(self, config["width"], config)
        self.head = nn.Linear(width, config["classes"])

    def forward(self, x):
        ids = x.long()
        return self.head(_through(self._projection, _token_mean(self.embedding(ids), ids)))
