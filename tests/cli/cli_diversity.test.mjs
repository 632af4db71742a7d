// Lists by score alone and diverse ones, from the demo's model.
import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { bad, folder, good } from './cli_harness.mjs';

const films = resolve('models/films.pique');
const place = folder(after);
const history = JSON.parse(good(['recommend', films, '--history', '', '-k', 40, '--json']))
  .items.filter((_, i) => i % 10 === 3)
  .map(({ id }) => id)
  .join(',');
const ask = (file, ...more) =>
  JSON.parse(good(['recommend', file, '--history', history, '-k', 12, '--json', ...more])).items;

describe('recommend --diversity', () => {
  test('0 is the list by score; more is another list of the same length', () => {
    const plain = ask(films);
    assert.deepEqual(ask(films, '--diversity', 0), plain);
    const diverse = ask(films, '--diversity', 0.3, '--diversity-by', 'genre');
    assert.equal(diverse.length, 12);
    assert.equal(new Set(diverse.map(({ id }) => id)).size, 12);
    assert.deepEqual(diverse[0], plain[0]);
    assert.notDeepEqual(diverse, plain);
    const mean = (list) => list.reduce((sum, { score }) => sum + score, 0) / list.length;
    assert.ok(mean(diverse) < mean(plain));
  });

  test('info tells the columns, and export keeps them', () => {
    assert.match(good(['info', films]), /^categories +.*genre/m);
    const copy = join(place, 'copy.pique');
    good(['export', films, '--quant', 'int8', '-o', copy]);
    const options = ['--diversity', '0.3', '--diversity-by', 'genre'];
    assert.deepEqual(ask(copy, ...options), ask(films, ...options));
  });

  test('what cannot be is told', () => {
    const asked = ['recommend', films, '--history', history];
    bad([...asked, '--diversity', 'much'], 2, /--diversity: "much" is not a number from 0 up/);
    bad([...asked, '--diversity', '-1'], 2, /--diversity/);
    bad(
      [...asked, '--diversity', '1', '--diversity-by', 'mood'],
      2,
      /no column "mood" of categories/,
    );
    bad([...asked, '--diversity-by', 'genre'], 2, /takes --diversity too/);
  });
});
