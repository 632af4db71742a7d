"""Fixture of models of content: the cosines between items, by the standard library's parser of HTML and tables, Unicode's own
names of scripts, and NumPy's exact singular value decomposition.

    python3 tests/golden/content_golden.py
"""

import collections
import csv
import html
import html.parser
import io
import math
import os
import re
import unicodedata

import numpy

import golden_io

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
DENSE = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "HANGUL", "THAI")

ITEMS = [
    ("bread", "Sourdough bread", "<p>Flour, water &amp; <b>yeast</b>: let the dough rest, then bake it.</p>", "Baking|Bread", 3),
    ("rye", "Rye bread", "A dough of rye flour, water and salt; bake it in a hot oven.", "baking", 9),
    ("rolls", "Rolls for breakfast", "<script>bake('dough')</script>Flour and yeast, and an oven.", "baking; bread", 1),
    ("fjord", "Sailing in the fjord", "Wind, sails and the crew: our boat leaves the harbour.", "Sailing", 7),
    ("knots", "Knots for a boat", "<!-- oven --> The crew ties the sails in the harbour, in any wind.", "sailing, Knots", 2),
    ("regatta", "The r\u00e9gate of Bergen", "Boat after boat, wind from the fjord. La R\u00c9GATE &#233;tait belle.", "sailing", 5),
    ("mianbao", "\u9762\u5305\u7684\u505a\u6cd5", "\u9762\u7c89\u548c\u6c34\u505a\u6210\u9762\u56e2\uff0c\u653e\u8fdb\u70e4\u7bb1\u3002", "\u70d8\u7119", 4),
    ("kaoxiang", "\u70e4\u7bb1\u9762\u5305", "\u9762\u56e2\u53d1\u9175\u4ee5\u540e\u653e\u8fdb\u70e4\u7bb1\u3002", "\u70d8\u7119", 0),
    ("fluss", "\u00dcber den Flu\u00df", "\u00dcBER den FLU\u00df mit dem Boot; \u041f\u0430\u0440\u0443\u0441 \u0438 \u0432\u0435\u0442\u0435\u0440.", "sailing", 6),
    ("parus", "\u041f\u0410\u0420\u0423\u0421", "\u0432\u0435\u0442\u0435\u0440 \u0438 \u043f\u0430\u0440\u0443\u0441, \u00fcber das Meer", "", 8),
    ("alone", "Unrelated", "Nothing shared whatsoever", "", 0),
]


class Visible(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts, self.hidden = [], 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("script", "style")
        self.parts.append(" ")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")
        self.parts.append(" ")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


def words(text):
    parser = Visible()
    parser.feed(text)
    parser.close()
    found = []
    for run in re.findall(r"[^\W_]+", "".join(parser.parts).lower()):
        if unicodedata.name(run[0]).startswith(DENSE):
            found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
        elif len(run) > 1:
            found.append(run)
    return found


def matrix(items):
    counts = []
    for _, title, text, tags, _ in items:
        count = collections.Counter(words(title) * 2 + words(text) + words(tags))
        for tag in re.split(r"[|,;]", tags):
            if tag.strip():
                count["tag " + tag.strip().lower()] += 1
        counts.append(count)
    frequency = collections.Counter(term for count in counts for term in count)
    terms = sorted(term for term in frequency if frequency[term] > 1)
    a = numpy.zeros((len(items), len(terms)))
    for i, count in enumerate(counts):
        for t, term in enumerate(terms):
            if count[term]:
                a[i, t] = (1 + math.log(count[term])) * math.log((1 + len(items)) / frequency[term])
    return unit(a)


def unit(rows):
    lengths = numpy.linalg.norm(rows, axis=1, keepdims=True)
    return numpy.divide(rows, lengths, out=numpy.zeros_like(rows), where=lengths > 1e-9)


def vectors(a, dim):
    u, s, _ = numpy.linalg.svd(a, full_matrices=False)
    rank = int((s > 1e-9 * s[0]).sum())
    keep = min(dim, rank)
    rows = unit(u[:, :keep] * numpy.sqrt(s[:keep]))
    filled = a.any(axis=1)
    rows[~filled] = 0
    rows[filled] -= rows[filled].mean(axis=0)
    return unit(rows)


def main():
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["id", "title", "text", "tags", "popularity"])
    writer.writerows(ITEMS)
    items = sorted(ITEMS, key=lambda item: -item[4])
    a = matrix(items)
    tensors = {"matrix": a @ a.T, "terms": numpy.array([a.shape[1]])}
    for dim in (4, 64):
        v = vectors(a, dim)
        tensors[f"cosines.{dim}"] = v @ v.T
    order = " ".join(item[0] for item in items)
    path = os.path.join(HERE, "content-items.safetensors")
    golden_io.write(path, tensors, {"items": text.getvalue(), "order": order})


if __name__ == "__main__":
    main()
