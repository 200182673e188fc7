# SPDX-License-Identifier: Apache-2.0
"""float32 tensors as one safetensors file: u64 length of the header, JSON header, data; all little-endian."""

import json
import math
import struct

import numpy as np

MOST_HEADER_BYTES = 1 << 20


class Malformed(Exception):
    """Bytes that are not what they claim to be."""


def encode(tensors):
    """The file of a dict of arrays; they are written as float32, row-major, in the dict's order. Raises TypeError for what is no real numbers."""
    described = {}
    data = []
    offset = 0
    for name, values in tensors.items():
        numbers = np.asarray(values)
        # A cast would make None NaN, read numbers from text and drop imaginary parts.
        if numbers.dtype.kind not in "fiub":
            raise TypeError(f'tensor "{name}" is of {numbers.dtype}, not of real numbers')
        # ascontiguousarray would turn a scalar into one row.
        block = np.asarray(numbers, dtype="<f4", order="C")
        described[name] = {"dtype": "F32", "shape": list(block.shape), "data_offsets": [offset, offset + block.nbytes]}
        offset += block.nbytes
        data.append(block.tobytes())
    header = json.dumps(described, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return b"".join([struct.pack("<Q", len(header)), header, *data])


def decode(file):
    """A dict of read-only arrays that share the file's memory. Raises Malformed unless header and data agree exactly."""
    if len(file) < 8:
        raise Malformed(f"a safetensors file has at least 8 bytes; this one has {len(file)}")
    (length,) = struct.unpack_from("<Q", file)
    if length > MOST_HEADER_BYTES or 8 + length > len(file):
        raise Malformed(f"the safetensors header claims {length} bytes of a file of {len(file)}")
    try:
        described = json.loads(bytes(file[8 : 8 + length]))
        described.pop("__metadata__", None)
        entries = sorted(described.items(), key=lambda item: item[1]["data_offsets"][0])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as cause:
        raise Malformed("the safetensors header is not valid") from cause
    tensors = {}
    at = 0
    for name, entry in entries:
        shape = entry.get("shape")
        whole = isinstance(shape, list) and all(isinstance(extent, int) and 0 <= extent < 2**40 for extent in shape)
        if not whole or len(shape) > 8 or entry.get("dtype") != "F32":
            raise Malformed(f'tensor "{name}" is not F32 of at most 8 extents')
        size = math.prod(shape)
        if entry["data_offsets"] != [at, at + 4 * size] or 8 + length + at + 4 * size > len(file):
            raise Malformed(f'tensor "{name}" of shape {shape} does not lie at {at} to {at + 4 * size} within the file')
        tensors[name] = np.frombuffer(file, dtype="<f4", count=size, offset=8 + length + at).reshape(shape)
        at += 4 * size
    if 8 + length + at != len(file):
        raise Malformed(f"{len(file) - 8 - length - at} bytes follow the last tensor")
    return tensors
