"""Writes golden fixtures: a safetensors file with 32-bit tensors and text metadata, made with nothing but
NumPy, so that a fixture's bytes depend on the script alone."""

import json
import struct

import numpy

DTYPES = {numpy.dtype("<f4"): "F32", numpy.dtype("<u4"): "U32"}


def write(path, tensors, metadata):
    """tensors: name -> array; float arrays become F32, whole numbers U32."""
    header = {"__metadata__": {key: str(value) for key, value in sorted(metadata.items())}}
    parts = []
    offset = 0
    for name, array in tensors.items():
        array = numpy.asarray(array)
        kind = "<f4" if array.dtype.kind == "f" else "<u4"
        array = numpy.ascontiguousarray(array, dtype=kind)
        size = array.nbytes
        header[name] = {
            "dtype": DTYPES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + size],
        }
        parts.append(array.tobytes())
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        file.write(b"".join(parts))


def float32(rng, shape, scale):
    """Normal numbers that float holds exactly, in double."""
    return (rng.standard_normal(shape) * scale).astype("<f4").astype("<f8")
