"""Films of MovieLens with what they say and show, for models that rank by content: a folder that `--data` takes and side
files for `--side`, made of ml-latest-small alone.

    python3 tests/bench/film_media.py --movielens $PIQUE_DATA/ml-latest-small --out FOLDER [--seed 1]

    interactions.csv, items.csv, schema.json   ratings; of each film genres, year, the words of its title, its tags
    genres.json                                a schema that leaves words and tags out
    media.safetensors                          tokens: the words of the title, then its year; regions: a row for each
                                               genre and each tag. Half of the square of a vector's length is normal
                                               numbers, by which each name is itself, half are factors by which it is
                                               like the names that describe the same films, as in the features of a
                                               pretrained network; no rating has a part in them
    media-no-text.safetensors, media-no-image.safetensors     the same with the tokens, or the regions, of the films
                                               dealt out among them anew"""

import argparse
import csv
import json
import os
import re
import struct
import zlib

import numpy

TOKEN_WIDTH, REGION_WIDTH, FACTORS = 1024, 512, 64
DTYPES = {"float16": "F16", "uint32": "U32", "uint8": "U8"}


def write(path, tensors):
    header, parts, offset = {}, [], 0
    for name, array in tensors.items():
        data = array.tobytes()
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [offset, offset + len(data)]}  # fmt: skip
        parts.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def read_films(folder):
    """id -> genres, tags, words, year"""
    films = {}
    with open(os.path.join(folder, "movies.csv"), encoding="utf-8") as file:
        for row in csv.DictReader(file):
            year = re.search(r"\((\d{4})\)\s*$", row["title"])
            title = re.sub(r"\(\d{4}\)\s*$", "", row["title"]).lower()
            genres = [] if row["genres"].startswith("(") else row["genres"].split("|")
            films[row["movieId"]] = {"genres": genres, "tags": [], "words": re.findall(r"[\w']+", title),
                                     "year": year.group(1) if year else ""}  # fmt: skip
    with open(os.path.join(folder, "tags.csv"), encoding="utf-8") as file:
        for row in csv.DictReader(file):
            tag = row["tag"].strip().lower().replace("|", " ")
            if tag and tag not in films[row["movieId"]]["tags"]:
                films[row["movieId"]]["tags"].append(tag)
    return films


def write_data(source, out, films):
    with open(os.path.join(source, "ratings.csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with open(os.path.join(out, "interactions.csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "item", "timestamp", "rating"])
        writer.writerows([row["userId"], row["movieId"], row["timestamp"], row["rating"]] for row in rows)
    with open(os.path.join(out, "items.csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "genres", "year", "words", "tags"])
        for film, about in films.items():
            lists = ("|".join(about[key]) for key in ("words", "tags"))
            writer.writerow([film, "|".join(about["genres"]), about["year"], *lists])
    several = {"type": "multi", "separator": "|"}
    for name, said in (("schema.json", several), ("genres.json", "skip")):
        with open(os.path.join(out, name), "w", encoding="utf-8") as file:
            json.dump({"items": {"genres": several, "year": "category", "words": said, "tags": said}}, file)


def said(film):
    return [*(f"word {word}" for word in film["words"]), f"year {film['year'] or 'none'}"]


def shown(film):
    return [*(f"genre {genre}" for genre in film["genres"]), *(f"tag {tag}" for tag in film["tags"])]


def associations(described):
    """The positive pointwise mutual information of names and films, and the names."""
    names = sorted({name for film in described for name in film})
    number = {name: i for i, name in enumerate(names)}
    x = numpy.zeros((len(names), len(described)), dtype="float32")
    for j, film in enumerate(described):
        x[[number[name] for name in film], j] = 1
    chance = x.sum(1, keepdims=True) * numpy.maximum(x.sum(0, keepdims=True), 1)
    return numpy.where(x > 0, numpy.log(x.sum() / chance), 0).clip(0), names


def factors(described, seed):
    """name -> vector of length 1. Latent semantic analysis (Deerwester et al., 1990) by a randomised SVD (Halko et al.,
    2011)."""
    x, names = associations(described)
    rng = numpy.random.RandomState(seed)
    y = x @ rng.standard_normal((x.shape[1], FACTORS + 16)).astype("float32")
    for _ in range(4):
        y = x @ (x.T @ numpy.linalg.qr(y)[0])
    q = numpy.linalg.qr(y)[0]
    u, s, _ = numpy.linalg.svd(q.T @ x, full_matrices=False)
    v = (q @ u)[:, :FACTORS] * s[:FACTORS] ** 0.5
    v /= numpy.maximum(numpy.linalg.norm(v, axis=1, keepdims=True), 1e-9)
    return dict(zip(names, v))


def vector(seed, name, width, alike):
    rng = numpy.random.RandomState(zlib.crc32(f"{seed} {name}".encode()))
    own = rng.standard_normal(width - FACTORS) / (width - FACTORS) ** 0.5
    return numpy.concatenate([0.5**0.5 * own, 0.5**0.5 * alike[name]]).astype("float16")


def rows_of(lists, seed, width, alike):
    """Vectors of several names for each entry, and offsets."""
    known = {name: vector(seed, name, width, alike) for name in {name for names in lists for name in names}}
    flat = [known[name] for names in lists for name in names]
    offsets = numpy.cumsum([0] + [len(names) for names in lists]).astype("uint32")
    return numpy.array(flat, dtype="float16").reshape(-1, width), offsets


def write_media(path, films, seed, alike, order):
    """order: whose words and whose genres and tags the films have."""
    ids = [film.encode() for film in films]
    about = list(films.values())
    tokens, token_offsets = rows_of([said(about[i]) for i in order[0]], seed, TOKEN_WIDTH, alike)
    regions, region_offsets = rows_of([shown(about[i]) for i in order[1]], seed, REGION_WIDTH, alike)
    write(path, {"item.ids": numpy.frombuffer(b"".join(ids), dtype="uint8"),
                 "item.ids.offsets": numpy.cumsum([0] + [len(i) for i in ids]).astype("uint32"),
                 "tokens": tokens, "tokens.offsets": token_offsets,
                 "regions": regions, "regions.offsets": region_offsets})  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--movielens", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    films = read_films(options.movielens)
    write_data(options.movielens, options.out, films)
    own = range(len(films))
    dealt = numpy.random.RandomState(options.seed).permutation(len(films))
    alike = factors([said(film) + shown(film) for film in films.values()], options.seed)
    for name, order in (("media", (own, own)), ("media-no-text", (dealt, own)), ("media-no-image", (own, dealt))):
        path = os.path.join(options.out, f"{name}.safetensors")
        write_media(path, films, options.seed, alike, order)


if __name__ == "__main__":
    main()
