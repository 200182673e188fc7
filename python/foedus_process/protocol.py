# SPDX-License-Identifier: Apache-2.0
"""The loop: read a frame, let a model answer, write a frame.

A frame is u32 length of the header and u64 length of the payload, little-endian; then the header, one JSON object; then the payload, a
safetensors file or nothing.
"""

import json
import os
import struct
import sys
import traceback

from . import tensors as safetensors

PROTOCOL_VERSION = 1

MOST_HEADER_BYTES = 1 << 20

#: Parameters, velocity and a batch of the largest model that Foedus takes fit well.
MOST_PAYLOAD_BYTES = 4 << 30

_MOST_MESSAGE = 4_096


class Refusal(Exception):
    """A request that cannot be answered; the process goes on. Codes: UNSUPPORTED, WRONG_SHAPE, FAILED."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class _Broken(Exception):
    """The other side does not speak the protocol; there is no going on."""


def serve(backend, most_payload_bytes=MOST_PAYLOAD_BYTES):
    """Answers on this process's standard streams until the input ends.

    `backend` has
      name: str for Foedus's logs;
      start(threads, device): called once, before any model; may raise Refusal;
      load(config, layout): a model for the recipe's configuration (dict) and tensors (list of {name, shape}); may raise Refusal.
    A model has
      layout: list of (name, shape) in the order of the flat vector;
      features: width of the last linear layer's input;
      forward(parameters, features, phase, masks) -> (logits, features);
      value_and_gradient(parameters, features, targets, phase, masks, trainable, want_inputs, logit_cotangent, feature_cotangent)
        -> dict of loss, logits, features, gradient and, if wanted, input_gradient;
      step(parameters, velocity, features, targets, phase, masks, learning_rate, momentum) -> dict of loss, parameters, velocity,
        or no attribute `step`.
    """
    with _private_streams() as (source, sink):
        models = {}
        while True:
            frame = _read_frame(source, most_payload_bytes)
            if frame is None:
                return
            header, payload = frame
            _write_frame(sink, *_answer(backend, models, header, payload))


class _private_streams:
    """Standard input and output for messages alone: what a model prints goes to standard error, what it reads is empty."""

    def __enter__(self):
        sys.stdout.flush()
        self._streams = (os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        return self._streams

    def __exit__(self, *_):
        for stream in self._streams:
            try:
                stream.close()
            except BrokenPipeError:
                pass


def _read_frame(source, most_payload_bytes):
    prefix = source.read(12)
    if prefix == b"":
        return None
    if len(prefix) < 12:
        raise _Broken("the input ends within a message")
    header_length, payload_length = struct.unpack("<IQ", prefix)
    if not 2 <= header_length <= MOST_HEADER_BYTES or payload_length > most_payload_bytes:
        raise _Broken(f"a message announces {header_length} bytes of header and {payload_length} of payload")
    header = json.loads(_read_exactly(source, header_length))
    if not isinstance(header, dict):
        raise _Broken("a message's header is no object")
    return header, _read_exactly(source, payload_length)


def _read_exactly(source, length):
    data = source.read(length)
    if len(data) < length:
        raise _Broken("the input ends within a message")
    return data


def _write_frame(sink, text, payload):
    sink.write(struct.pack("<IQ", len(text), len(payload)))
    sink.write(text)
    sink.write(payload)
    sink.flush()


def _answer(backend, models, header, payload):
    """Header and payload as bytes. What a model gives is encoded here too: values that are no tensors are its failure, and no reason to end."""
    try:
        return _encoded(header, *_reply(backend, models, header, payload))
    except Refusal as refusal:
        code, message = refusal.code, str(refusal)
    except Exception as error:
        traceback.print_exc()
        code, message = "FAILED", f"{type(error).__name__}: {error}"
    return _encoded(header, {"type": "error", "code": code, "message": message[:_MOST_MESSAGE]}, None)


def _encoded(asked, reply, values):
    payload = b"" if values is None else safetensors.encode(values)
    return json.dumps({**reply, "id": asked.get("id", 0)}).encode(), payload


def _reply(backend, models, header, payload):
    kind = header.get("type")
    if kind == "hello":
        return _hello(backend, header), None
    if kind == "load":
        return _load(backend, models, header), None
    model = models.get(header.get("model"))
    if model is None:
        raise Refusal("FAILED", f"there is no model {header.get('model')}")
    given = safetensors.decode(payload)
    if kind == "forward":
        return {"type": "result"}, _forward(model, header, given)
    if kind == "valueAndGradient":
        return {"type": "result"}, _value_and_gradient(model, header, given)
    if kind == "step" and hasattr(model, "step"):
        return {"type": "result"}, _step(model, header, given)
    raise Refusal("UNSUPPORTED", f"this process does not know {kind!r}")


def _hello(backend, header):
    if header.get("protocol") != PROTOCOL_VERSION:
        raise Refusal("UNSUPPORTED", f"this process speaks version {PROTOCOL_VERSION}, not {header.get('protocol')}")
    backend.start(header.get("threads", 1), header.get("device", "cpu"))
    return {"type": "hello", "protocol": PROTOCOL_VERSION, "name": backend.name}


def _load(backend, models, header):
    model = backend.load(header["config"], header["layout"])
    models[header["model"]] = model
    return {
        "type": "loaded",
        "layout": [{"name": name, "shape": list(shape)} for name, shape in model.layout],
        "features": model.features,
        "step": hasattr(model, "step"),
    }


def _masks(given):
    return {name[len("mask.") :]: values for name, values in given.items() if name.startswith("mask.")}


def _forward(model, header, given):
    logits, features = model.forward(given["parameters"], given["features"], header["phase"], _masks(given))
    return {"logits": logits, "features": features}


def _value_and_gradient(model, header, given):
    return model.value_and_gradient(
        given["parameters"],
        given["features"],
        given["targets"],
        header["phase"],
        _masks(given),
        set(header["trainable"]),
        header["wantInputs"],
        given.get("logit_cotangent"),
        given.get("feature_cotangent"),
    )


def _step(model, header, given):
    return model.step(
        given["parameters"],
        given["velocity"],
        given["features"],
        given["targets"],
        header["phase"],
        _masks(given),
        given["learning_rate"],
        given["momentum"],
    )
