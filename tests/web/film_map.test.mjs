/** The places of the demo's map: of the model's own neighbours, the same in every run. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { layOut, makeMap, readVectors } from '../../scripts/film-map.mjs';
import { importDist } from './web_support.mjs';

const model = readFileSync(new URL('../../models/films.pique', import.meta.url));
const NEAREST = 10;

const nearest = (count, distance) =>
  Array.from({ length: count }, (_, i) => i)
    .sort((a, b) => distance(a) - distance(b))
    .slice(0, NEAREST);

const cosine = (a, b) => a.reduce((sum, value, d) => sum + value * b[d], 0);

test('ids and rows of a model file go together as the engine reads them', async () => {
  const { ids, vectors } = readVectors(model);
  assert.equal(ids.length, 3005);
  assert.equal(vectors.length, 3005);
  const { load } = await importDist('node.js');
  const pique = await load(model);
  for (const at of [0, 1, 1500, 3004]) {
    const { items } = await pique.similar(ids[at], { count: 3 });
    for (const { id, score } of items) {
      const own = cosine(vectors[at], vectors[ids.indexOf(id)]);
      assert.ok(Math.abs(own - score) < 1e-3, `${ids[at]}, ${id}: ${own} against ${score}`);
    }
  }
  await pique.dispose();
});

test('films that are near by their vectors are near on the map', () => {
  const vectors = readVectors(model).vectors.filter((_, i) => i % 4 === 0);
  const places = layOut(vectors);
  let [kept, asked] = [0, 0];
  for (let i = 0; i < vectors.length; i += 10) {
    const apart = (j) => -cosine(vectors[i], vectors[j]);
    const flat = (j) => Math.hypot(places[i][0] - places[j][0], places[i][1] - places[j][1]);
    const near = new Set(nearest(vectors.length, flat));
    kept += nearest(vectors.length, apart).filter((j) => near.has(j)).length;
    asked += NEAREST;
  }
  // By chance 10 of 752: 0.013.
  assert.ok(kept / asked > 0.35, `${kept / asked} of the nearest films`);
  assert.deepEqual(layOut(vectors), places, 'the same again');
});

test('a film that the model does not know has no place, and codes alone have no map', () => {
  const { ids } = readVectors(model);
  const { size, points } = JSON.parse(makeMap(model, [{ id: 'nobody' }, { id: ids[7] }]));
  assert.deepEqual(points.slice(0, 2), [null, null]);
  assert.ok(points.slice(2).every((value) => value >= 0 && value <= size));
});
