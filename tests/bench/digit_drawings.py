"""A picture of what a capsule network's decoder draws: images that it has not seen above its drawings of them, a row of
each digit, all from the capsule of the digit that it takes the image for; and how many it takes for the right one.

    python3 tests/bench/digit_drawings.py RUN DATA OUT.png [COUNT]

RUN is the folder of a training, whose checkpoint has the decoder (a model file has not); DATA a folder of
`pique simulate --digits`, of which the last tenth is shown. It shares no code with Pique: the network is that of
tests/golden/capsnet_golden.py in PyTorch, so the share that it prints is a check on `pique eval` too."""

import csv
import gzip
import json
import os
import struct
import sys
import zlib

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden"))
from capsnet_golden import Capsnet  # noqa: E402

CLASSES = 10


def tensors(path):
    """Of a safetensors file, which may be compressed: name -> (shape, bytes)."""
    with open(path, "rb") as file:
        data = file.read()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    return {name: (entry["shape"], data[8 + size + entry["data_offsets"][0] : 8 + size + entry["data_offsets"][1]])
            for name, entry in header.items() if name != "__metadata__"}  # fmt: skip


def open_network(run):
    with open(os.path.join(run, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    found = tensors(os.path.join(run, "last.ckpt"))
    model = Capsnet(config, {}, CLASSES)
    for name in Capsnet.shapes(config, CLASSES):
        shape, data = found[name]
        model.p[name] = torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape).to(torch.float64)
    shape, ids = tensors(os.path.join(run, "model.pique"))["item.ids"]
    return model, ids.decode()  # ten ids of one character, in the order of the capsules


def open_images(data, order):
    """Pixels (B, H W) and the capsule that each image should have, of the last tenth."""
    digits = {}
    with open(os.path.join(data, "interactions.csv"), encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["label"] == "1":
                digits[row["user"]] = order.index(row["item"])
    with open(os.path.join(data, "users.csv"), encoding="utf-8") as file:
        rows = [(digits[row["user"]], [float(x) for x in row["pixels"].split(" ")]) for row in csv.DictReader(file)]
    rows = rows[-(len(rows) // 10) :]
    return torch.tensor([pixels for _, pixels in rows]), torch.tensor([digit for digit, _ in rows])


def write_png(path, rows):
    """rows: lists of grey levels from 0 (white) to 1 (black)."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + bytes(255 - round(255 * level) for level in row) for row in rows)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(chunk(b"IHDR", struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)))
        file.write(chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))


def main():
    run, data, out = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 12
    model, order = open_network(run)
    height, width = model.config["height"], model.config["width"]
    pixels, wanted = open_images(data, order)
    with torch.no_grad():
        v = torch.cat([model.capsules(part) for part in pixels.split(100)])
        taken = (v * v).sum(-1).argmax(1)
        drawn = model.draw(v, taken)
    error = ((drawn - pixels) ** 2).mean().item()
    print(f"{len(pixels)} images: {(taken == wanted).to(torch.float64).mean():.4f} taken for the right digit, "
          f"mean squared error of a pixel {error:.4f} (of white images {(pixels**2).mean():.4f})")  # fmt: skip
    bands = []
    for digit in sorted(range(CLASSES), key=lambda capsule: order[capsule]):
        chosen = (wanted == digit).nonzero()[:count, 0]
        for images in (pixels[chosen], drawn[chosen]):
            bands.append(images.reshape(-1, height, width).permute(1, 0, 2).reshape(height, -1))
    write_png(out, torch.cat(bands).tolist())


if __name__ == "__main__":
    main()
