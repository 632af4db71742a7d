"""Films of MovieLens with what they say and show, for models that rank by content: a folder that `--data` takes and side
files for `--side`, made of ml-latest-small alone.

    python3 tests/bench/film_media.py --movielens $PIQUE_DATA/ml-latest-small --out FOLDER [--seed 1]

    interactions.csv, items.csv, schema.json   ratings; of each film genres, year, the words of its title, its tags
    genres.json                                a schema that leaves words and tags out
    media.safetensors                          tokens: the words of the title, then its year; regions: a row for each
                                               genre and each tag. A word, genre or tag is a fixed vector of normal
                                               numbers, so that nothing but its identity is told
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

TOKEN_WIDTH, REGION_WIDTH = 256, 128
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


def vector(seed, what, width):
    rng = numpy.random.RandomState(zlib.crc32(f"{seed} {what}".encode()))
    return (rng.standard_normal(width) / width**0.5).astype("float16")


def rows_of(lists, seed, width):
    """Vectors of several names for each entry, and offsets."""
    flat = [vector(seed, name, width) for names in lists for name in names]
    offsets = numpy.cumsum([0] + [len(names) for names in lists]).astype("uint32")
    return numpy.array(flat, dtype="float16").reshape(-1, width), offsets


def write_media(path, films, seed, text, image):
    ids = [film.encode() for film in films]
    about = list(films.values())
    words = [[*about[i]["words"], about[i]["year"] or "no year"] for i in text]
    shown = [[*(f"genre {g}" for g in about[i]["genres"]), *(f"tag {t}" for t in about[i]["tags"])] for i in image]
    tokens, token_offsets = rows_of(words, seed, TOKEN_WIDTH)
    regions, region_offsets = rows_of(shown, seed, REGION_WIDTH)
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
    for name, text, image in (("media", own, own), ("media-no-text", dealt, own), ("media-no-image", own, dealt)):
        write_media(os.path.join(options.out, f"{name}.safetensors"), films, options.seed, text, image)


if __name__ == "__main__":
    main()
