"""For benchmarks alone: a model file of `din` as the ONNX graph that a PyTorch program for DIN would export, with the
same weights. The attention's first layer is one matrix over [q; k; q - k; q * k], as it is usually written.

    export_onnx.py MODEL.pique OUT.onnx [--history T] [--candidates C]

Inputs: history int64 [T], candidates int64 [C] (item numbers), profile int64 [F]; output: log-odds [C]. Needs
PyTorch. Reads files with float rows."""

import argparse
import gzip
import json
import struct

import numpy
import torch
import torch.nn.functional as F
from torch import nn


def read(path):
    """Tensors and metadata of a model file."""
    with open(path, "rb") as file:
        data = file.read()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    about = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            first, end = entry["data_offsets"]
            raw = numpy.frombuffer(data[8 + size + first : 8 + size + end], "<f4").reshape(entry["shape"])
            tensors[name] = torch.tensor(raw)
    return tensors, about


class DIN(nn.Module):
    def __init__(self, tensors, about):
        super().__init__()
        self.config = json.loads(about["pique.config"])
        fields = json.loads(about["pique.profile"])
        self.items = tensors["item.weight"]
        self.users = [tensors[f"profile.{name}"] for name in fields]
        w = tensors
        wide = [w["attention1.query"], w["attention1.key"], torch.zeros_like(w["attention1.key"]), w["attention1.product"]]
        # q - k has weights of its own in such a program; any split of the first two matrices gives the same sums.
        shift = 0.5 * (wide[0] - wide[1])
        self.w1 = torch.cat([wide[0] - shift, wide[1] + shift, shift, wide[3]], 1)
        self.w = w

    def norm(self, at, x, epsilon):
        s = self.w[f"{at}.statistic"]
        gain = self.w[f"{at}.gain"][0] if f"{at}.gain" in self.w else None
        bias = self.w[f"{at}.bias"][0] if f"{at}.bias" in self.w else None
        return F.batch_norm(x, s[0], s[1], gain, bias, False, 0.1, epsilon)

    def dice(self, at, x):
        p = torch.sigmoid(self.norm(at, x, 1e-8))
        return p * x + (1 - p) * self.w[f"{at}.slope"] * x

    def layer(self, at, x):
        return F.linear(x, self.w[f"{at}.w"], self.w[f"{at}.b"][0])

    def forward(self, history, candidates, profile):
        count = candidates.shape[0]
        k, q = self.items[history], self.items[candidates]
        keys = k.unsqueeze(0).expand(count, -1, -1)
        queries = q.unsqueeze(1).expand(-1, k.shape[0], -1)
        x = torch.cat([queries, keys, queries - keys, queries * keys], -1)
        x = torch.sigmoid(F.linear(x, self.w1, self.w["attention1.b"][0]))
        x = torch.sigmoid(self.layer("attention2", x))
        a = torch.softmax(self.layer("attention3", x).squeeze(-1), -1)
        interest = a @ k
        total = k.sum(0, keepdim=True).expand(count, -1)
        user = torch.cat([table[profile[i]] for i, table in enumerate(self.users)], -1)
        z = torch.cat([user.unsqueeze(0).expand(count, -1), q, total, q * total, interest], -1)
        x = self.dice("tower1", self.layer("tower1", self.norm("tower0", z, 1e-5)))
        x = self.dice("tower2", self.layer("tower2", x))
        return self.layer("tower3", x).squeeze(-1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--history", type=int, default=50)
    parser.add_argument("--candidates", type=int, default=200)
    options = parser.parse_args()
    tensors, about = read(options.model)
    model = DIN(tensors, about).eval()
    inputs = (torch.ones(options.history, dtype=torch.long), torch.ones(options.candidates, dtype=torch.long),
              torch.ones(len(model.users), dtype=torch.long))  # fmt: skip
    torch.onnx.export(model, inputs, options.out, input_names=["history", "candidates", "profile"],
                      output_names=["scores"], opset_version=13, do_constant_folding=True)  # fmt: skip


if __name__ == "__main__":
    main()
