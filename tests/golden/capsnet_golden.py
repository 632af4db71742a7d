"""Golden fixtures of capsnet: PyTorch with its own convolutions on images in (1, H, W), in double; routing as in the
paper's procedure, on a tensor (B, n_in, C, D).

    python3 tests/golden/capsnet_golden.py     writes tests/golden/fixtures/capsnet-*

Filters stand in a fixture with their places in rows, each with its channels, and capsules of the first layer in the
order of the places, then of the types."""

import os

import numpy
import torch
from torch.nn import functional

from golden_common import ADAM, matrix, ten_steps
from golden_io import float32, write
from interest_golden import EPSILON

CONFIG = {"height": 12, "width": 12, "filters": 8, "kernel": 5, "primary_kernel": 3, "stride": 2, "types": 4,
          "type_dim": 6, "dim": 4, "rounds": 3, "route_full": 0, "squash_epsilon": 1e-9, "margin_high": 0.9,
          "margin_low": 0.1, "margin_down": 0.5, "reconstruction": 0.0005, "hidden1": 18, "hidden2": 32}  # fmt: skip
CLASSES = 3

VARIANTS = {
    "stopped": CONFIG,
    "full": dict(CONFIG, route_full=1, reconstruction=0.02),
    "one-round": dict(CONFIG, rounds=1, reconstruction=0),
    "wide": dict(CONFIG, height=10, width=13, kernel=4, stride=3, types=2, type_dim=3, margin_high=0.8, margin_low=0.05,
                 margin_down=0.3),
}  # fmt: skip


def squash(s, epsilon):
    square = (s * s).sum(-1, keepdim=True)
    return square / (1 + square) * s / torch.sqrt(square + epsilon)


class Capsnet:
    """p: parameters by name, (out, in) as in a fixture."""

    def __init__(self, config, p, classes=CLASSES):
        self.config, self.p, self.classes = config, p, classes

    @staticmethod
    def shapes(c, classes):
        high = (c["height"] - c["kernel"] + 1 - c["primary_kernel"]) // c["stride"] + 1
        wide = (c["width"] - c["kernel"] + 1 - c["primary_kernel"]) // c["stride"] + 1
        inputs = high * wide * c["types"]
        shapes = {"conv.w": (c["filters"], c["kernel"] ** 2), "conv.b": (1, c["filters"]),
                  "primary.w": (c["types"] * c["type_dim"], c["primary_kernel"] ** 2 * c["filters"]),
                  "primary.b": (1, c["types"] * c["type_dim"]),
                  "caps.w": (inputs * classes * c["dim"], c["type_dim"])}  # fmt: skip
        widths = [classes * c["dim"], c["hidden1"], c["hidden2"], c["height"] * c["width"]]
        for i in range(3 if c["reconstruction"] > 0 else 0):
            shapes[f"decoder{i + 1}.w"] = (widths[i + 1], widths[i])
            shapes[f"decoder{i + 1}.b"] = (1, widths[i + 1])
        return shapes

    def capsules(self, pixels):
        """(B, H W) to (B, C, D)"""
        c, p, n = self.config, self.p, len(pixels)
        side, again = c["kernel"], c["primary_kernel"]
        image = pixels.reshape(n, 1, c["height"], c["width"])
        first = p["conv.w"].reshape(-1, side, side, 1).permute(0, 3, 1, 2)
        h = torch.relu(functional.conv2d(image, first, p["conv.b"][0]))
        second = p["primary.w"].reshape(-1, again, again, c["filters"]).permute(0, 3, 1, 2)
        h = functional.conv2d(h, second, p["primary.b"][0], stride=c["stride"])
        # (B, types, type_dim, H, W): a capsule is what the channels of one type say at one place.
        u = h.reshape(n, c["types"], c["type_dim"], *h.shape[2:]).permute(0, 3, 4, 1, 2)
        u = squash(u.reshape(n, -1, c["type_dim"]), c["squash_epsilon"])
        maps = p["caps.w"].reshape(u.shape[1], self.classes, c["dim"], c["type_dim"])
        said = torch.einsum("ijdp,bip->bijd", maps, u)
        logits = torch.zeros(said.shape[:3])
        for r in range(c["rounds"]):
            last = r + 1 == c["rounds"]
            used = said if last or c["route_full"] else said.detach()
            coupling = torch.softmax(logits, 2).unsqueeze(-1)
            v = squash((coupling * used).sum(1), c["squash_epsilon"])
            if not last:
                logits = logits + (used * v.unsqueeze(1)).sum(-1)
        return v

    def lengths(self, pixels):
        v = self.capsules(pixels)
        return torch.sqrt((v * v).sum(-1) + 1e-12)

    def draw(self, v, classes):
        kept = v * functional.one_hot(classes, self.classes).to(v.dtype).unsqueeze(-1)
        x = kept.reshape(len(v), -1)
        for i in (1, 2, 3):
            x = functional.linear(x, self.p[f"decoder{i}.w"], self.p[f"decoder{i}.b"][0])
            x = torch.relu(x) if i < 3 else torch.sigmoid(x)
        return x

    def loss(self, pixels, classes):
        c = self.config
        v = self.capsules(pixels)
        n = torch.sqrt((v * v).sum(-1) + 1e-12)
        t = functional.one_hot(classes, self.classes).to(n.dtype)
        margin = t * torch.relu(c["margin_high"] - n) ** 2 + c["margin_down"] * (1 - t) * torch.relu(n - c["margin_low"]) ** 2
        loss = margin.sum(1).mean()
        if c["reconstruction"] > 0:
            loss = loss + c["reconstruction"] * ((self.draw(v, classes) - pixels) ** 2).sum(1).mean()
        return loss


def make_batch(rng, config, classes):
    """Images with the classes in turn as the one candidate of each."""
    n, pixels = len(classes), config["height"] * config["width"]
    return {"pixels": numpy.abs(float32(rng, (n, pixels), 0.5)).clip(0, 1), "classes": classes,
            "tensors": {"starts": [0] * (n + 1), "items": [0], "candidates": [c + 1 for c in classes],
                        "candidate_users": list(range(n))}}  # fmt: skip


def make(config, seed):
    rng = numpy.random.RandomState(seed)
    p = {name: torch.tensor(float32(rng, shape, 0.4 if name == "caps.w" else shape[1] ** -0.5), requires_grad=True)
         for name, shape in Capsnet.shapes(config, CLASSES).items()}  # fmt: skip
    model = Capsnet(config, p)
    batches = [make_batch(rng, config, [0, 2, 1, 2]), make_batch(rng, config, [1, 1, 0])]
    tensors = {"param.item.id": numpy.zeros((CLASSES + 2, 1))}
    tensors.update({f"param.{name}": matrix(value) for name, value in p.items()})
    for prefix, batch in zip("ab", batches):
        labels = numpy.ones(len(batch["classes"]))
        tensors.update({f"{prefix}.{key}": numpy.array(value) for key, value in batch["tensors"].items()})
        tensors.update({f"{prefix}.pixels": batch["pixels"], f"{prefix}.candidate_labels": labels})

    def images(batch):
        return torch.tensor(batch["pixels"].astype("<f4").astype("<f8"))

    n = model.lengths(images(batches[0]))
    own = n[torch.arange(len(n)), torch.tensor(batches[0]["classes"])]
    tensors["expect.scores"] = matrix(torch.log(own / (1 - own)).reshape(-1, 1))
    tensors.update(ten_steps(p, batches, lambda batch: model.loss(images(batch), torch.tensor(batch["classes"])),
                             lambda batch: {}, dict(ADAM, epsilon=EPSILON)))  # fmt: skip
    return tensors


def main():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
    for variant, config in VARIANTS.items():
        settings = " ".join(f"{key}={value}" for key, value in config.items())
        about = {"preset": "best", "config": f"{settings} epsilon={EPSILON}"}
        write(os.path.join(folder, f"capsnet-{variant}.safetensors"), make(config, 1), about)


if __name__ == "__main__":
    main()
