#!/usr/bin/env node
// film-map.mjs: the catalogue on a plane, for the map of the demo page.
//
//   node scripts/film-map.mjs --model FILE.pique --catalog films.json --out map.json
//
// map.json  { "size": 1000, "points": [x, y, x, y, …] } in the order of films.json, whole numbers; null, null for
//           a film that the model does not know.
//
// Films whose vectors point the same way stand together: a neighbour embedding as UMAP's (McInnes et al., 2018), begun
// from the two principal components. Everything is drawn from one seed, so the same file gives the same map.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

const SIZE = 1000;
const NEIGHBOURS = 24;
const EPOCHS = 300;
const NEGATIVES = 5;
/** Every pair is looked at, so larger catalogues show their first films only. */
const MOST_FILMS = 12_000;
/** UMAP's curve 1 / (1 + a d^(2b)) for min_dist 0.5. */
const CURVE = { a: 0.583, b: 1.334 };

/** Rows of item vectors by id; undefined where the file holds codes of them only. */
export function readVectors(file) {
  const bytes = file[0] === 0x1f && file[1] === 0x8b ? gunzipSync(file) : file;
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start));
  const part = (name) => {
    const [from, to] = header[name].data_offsets;
    return bytes.subarray(start + from, start + to);
  };
  const weights = header['item.weight'];
  const read = weights && readers[weights.dtype];
  if (!read) return undefined;
  const [rows, width] = weights.shape;
  const data = part('item.weight');
  if (data.length !== rows * width * read.bytes) return undefined; // packed in another way
  const offsets = part('item.ids.offsets');
  const names = part('item.ids');
  const ids = Array.from({ length: offsets.length / 4 - 1 }, (_, i) =>
    names.toString('utf8', offsets.readUInt32LE(4 * i), offsets.readUInt32LE(4 * i + 4)),
  );
  // Row 0 is padding. Directions alone count, so the scale of a row of int8 does not matter.
  const vectors = ids.map((_, i) =>
    normalise(Float64Array.from({ length: width }, (_, d) => read.at(data, (i + 1) * width + d))),
  );
  return { ids, vectors };
}

const readers = {
  I8: { bytes: 1, at: (data, i) => data.readInt8(i) },
  F32: { bytes: 4, at: (data, i) => data.readFloatLE(4 * i) },
  F16: { bytes: 2, at: (data, i) => half(data.readUInt16LE(2 * i)) },
};

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return exponent === 0
    ? sign * fraction * 2 ** -24
    : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function normalise(vector) {
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Numbers from 0 below 1, the same in every run (mulberry32). */
function makeRandom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The neighbours of each row, nearest first: { index, distance }. */
function findNeighbours(vectors, count) {
  const nearest = vectors.map(() => []);
  const offer = (row, index, distance) => {
    const list = nearest[row];
    if (list.length === count && distance >= list[count - 1].distance) return;
    let at = list.length;
    while (at > 0 && list[at - 1].distance > distance) at--;
    list.splice(at, 0, { index, distance });
    if (list.length > count) list.pop();
  };
  for (let i = 0; i < vectors.length; i++) {
    for (let j = 0; j < i; j++) {
      const distance = 1 - dot(vectors[i], vectors[j]);
      offer(i, j, distance);
      offer(j, i, distance);
    }
  }
  return nearest;
}

/** The width at which the weights of a row's neighbours sum to log2 of their number. */
function smoothWidth(row, first) {
  const target = Math.log2(row.length);
  let [low, high, width] = [0, Infinity, 1];
  for (let round = 0; round < 40; round++) {
    let sum = 0;
    for (const { distance } of row) sum += Math.exp(-Math.max(0, distance - first) / width);
    if (sum > target) high = width;
    else low = width;
    width = high === Infinity ? width * 2 : (low + high) / 2;
  }
  return Math.max(width, 1e-6);
}

/** Edges with weights 0..1, a + b - ab of both directions. */
function makeEdges(neighbours) {
  const weights = new Map();
  neighbours.forEach((row, i) => {
    const first = row[0]?.distance ?? 0;
    const width = smoothWidth(row, first);
    for (const { index, distance } of row) {
      const weight = Math.exp(-Math.max(0, distance - first) / width);
      const key = Math.min(i, index) * neighbours.length + Math.max(i, index);
      const other = weights.get(key) ?? 0;
      weights.set(key, weight + other - weight * other);
    }
  });
  return [...weights].map(([key, weight]) => ({
    a: Math.floor(key / neighbours.length),
    b: key % neighbours.length,
    weight,
  }));
}

/** The two directions in which the rows differ most, by power iteration. */
function principalPlaces(vectors, random) {
  const width = vectors[0].length;
  const mean = new Float64Array(width);
  for (const vector of vectors) {
    for (let d = 0; d < width; d++) mean[d] += vector[d] / vectors.length;
  }
  const centred = vectors.map((vector) => vector.map((v, d) => v - mean[d]));
  const axes = [];
  for (let axis = 0; axis < 2; axis++) {
    let direction = normalise(Float64Array.from({ length: width }, () => random() - 0.5));
    for (let round = 0; round < 60; round++) {
      const next = new Float64Array(width);
      for (const row of centred) {
        const along = dot(row, direction);
        for (let d = 0; d < width; d++) next[d] += along * row[d];
      }
      for (const known of axes) {
        const along = dot(next, known);
        for (let d = 0; d < width; d++) next[d] -= along * known[d];
      }
      direction = normalise(next);
    }
    axes.push(direction);
  }
  const places = centred.map((row) => axes.map((axis) => dot(row, axis)));
  const widest = Math.max(...places.flat().map(Math.abs)) || 1;
  return places.map((place) => place.map((value) => (10 * value) / widest + 0.01 * random()));
}

const clamp = (value) => Math.max(-4, Math.min(4, value));

/** Stochastic gradient descent on the cross entropy of near and far, as UMAP does it. */
function settle(places, edges, random) {
  const { a, b } = CURVE;
  const strongest = Math.max(...edges.map(({ weight }) => weight));
  const move = (from, to, force, rate) => {
    for (let d = 0; d < 2; d++) {
      const step = rate * clamp(force * (from[d] - to[d]));
      from[d] += step;
    }
  };
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    const rate = 1 - epoch / EPOCHS;
    for (const edge of edges) {
      if (random() * strongest > edge.weight) continue; // strong edges pull more often
      const [one, two] = [places[edge.a], places[edge.b]];
      const square = (one[0] - two[0]) ** 2 + (one[1] - two[1]) ** 2;
      if (square > 0) {
        const pull = (-2 * a * b * square ** (b - 1)) / (1 + a * square ** b);
        move(one, two, pull, rate);
        move(two, one, pull, rate);
      }
      for (let n = 0; n < NEGATIVES; n++) {
        const other = places[Math.floor(random() * places.length)];
        if (other === one) continue;
        const far = (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2;
        move(one, other, (2 * b) / ((0.001 + far) * (1 + a * far ** b)), rate);
      }
    }
  }
}

/** Whole numbers from 0 to SIZE; the few that strayed do not shrink the rest. */
function fit(places) {
  const range = [0, 1].map((d) => {
    const sorted = places.map((place) => place[d]).sort((x, y) => x - y);
    const at = (part) => sorted[Math.round(part * (sorted.length - 1))];
    return [at(0.002), at(0.998)];
  });
  return places.map((place) =>
    place.map((value, d) => {
      const [low, high] = range[d];
      const part = (value - low) / (high - low || 1);
      return Math.round(SIZE * Math.max(0, Math.min(1, part)));
    }),
  );
}

/** Places of the rows on the plane. */
export function layOut(vectors, seed = 1) {
  if (vectors.length < 3) return vectors.map(() => [SIZE / 2, SIZE / 2]);
  const random = makeRandom(seed);
  const places = principalPlaces(vectors, random);
  const count = Math.min(NEIGHBOURS, vectors.length - 1);
  settle(places, makeEdges(findNeighbours(vectors, count)), random);
  return fit(places);
}

/** The map of a model file for a catalogue as text, or undefined where the file holds no vectors. */
export function makeMap(model, films) {
  const found = readVectors(model);
  if (!found) return undefined;
  const places = layOut(found.vectors.slice(0, MOST_FILMS));
  const byId = new Map(places.map((place, i) => [found.ids[i], place]));
  const points = films.flatMap(({ id }) => byId.get(id) ?? [null, null]);
  return `${JSON.stringify({ size: SIZE, points })}\n`;
}

function main() {
  const names = ['model', 'catalog', 'out'];
  const { values } = parseArgs({
    options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  });
  if (names.some((name) => !values[name])) {
    console.error(
      'usage: node scripts/film-map.mjs --model FILE.pique --catalog F.json --out F.json',
    );
    return 2;
  }
  const text = makeMap(
    readFileSync(values.model),
    JSON.parse(readFileSync(values.catalog, 'utf8')),
  );
  if (!text) {
    console.error(`film-map: ${values.model} holds codes, not the item vectors themselves`);
    return 1;
  }
  writeFileSync(values.out, text);
  return 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = main();
}
