// What texts alone can tell: models of content of real films (titles, genres, what people tagged), beside popularity and
// chance, on the last event of every user; and what int8 costs.
//
// $PIQUE_DATA names the folder with the data sets; without it these tests are skipped.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { csvFormat, csvParse } from 'd3-dsv';
import { cli, run } from '../../scripts/run.mjs';

const data = process.env.PIQUE_DATA && join(process.env.PIQUE_DATA, 'ml-latest-small');
const missing = !data || !existsSync(data);
const skip = missing ? 'set PIQUE_DATA to a folder that holds ml-latest-small' : false;

describe('pique content on ml-latest-small', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'pique-real-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const results = {};

  const table = (name) => csvParse(readFileSync(join(data, name), 'utf8'));
  const pique = (...args) => run(cli, args, { capture: true });
  const evaluate = async (file) =>
    JSON.parse(await pique('eval', file, '--data', data, '--buckets', '--json'));

  async function make(name, rows) {
    const items = join(folder, `${name}.csv`);
    const file = join(folder, `${name}.pique`);
    writeFileSync(items, csvFormat(rows));
    await pique('content', items, '-o', file);
    results[name] = await evaluate(file);
    return file;
  }

  before(async () => {
    const tags = new Map();
    for (const { movieId, tag } of table('tags.csv')) {
      tags.set(movieId, (tags.get(movieId) ?? new Set()).add(tag.toLowerCase()));
    }
    const films = table('movies.csv').map(({ movieId: id, title, genres }) => ({
      id,
      title,
      tags: [genres, ...(tags.get(id) ?? [])].join('|'),
    }));
    const file = await make('films', films);
    // The same path for words that tell nothing: chance.
    const word = (at, turn) => `word${((at + 1) * (turn + 7919) * 2654435761) % 1009}`;
    await make(
      'chance',
      films.map(({ id }, at) => ({
        id,
        text: [1, 2, 3, 4].map((turn) => word(at, turn)).join(' '),
      })),
    );
    const small = join(folder, 'int8.pique');
    await pique('export', file, '--quant', 'int8', '-o', small);
    results.int8 = await evaluate(small);
  });

  // A list in random order hits with 50 of the catalogue's items; with 610 users the measured figure is of a few hits.
  const expected = (value) => {
    const places = Array.from({ length: 50 }, (_, at) => value(at + 1));
    return places.reduce((sum, each) => sum + each, 0) / table('movies.csv').length;
  };

  test('finds what people saw last far more often than chance does', (t) => {
    const { films, chance } = results;
    const gains = { 'recall@50': () => 1, 'ndcg@50': (rank) => 1 / Math.log2(rank + 1) };
    for (const [key, gain] of Object.entries(gains)) {
      const random = expected(gain);
      const shown = { content: films, chance, popularity: films.popularity, knn: films.item_knn };
      const text = Object.entries(shown).map(([name, each]) => `${name} ${each[key].toFixed(4)}`);
      t.diagnostic(`${key}: ${text.join(', ')}; chance expected ${random.toFixed(4)}`);
      assert.ok(films[key] >= 4 * Math.max(random, chance[key]), key);
      assert.ok(chance[key] <= 2.5 * random, `words that tell nothing: ${key}`);
    }
  });

  test('in the tail, which popularity never reaches', (t) => {
    const { films } = results;
    const [content, popularity] = [films, films.popularity].map((each) => each['tail_recall@50']);
    t.diagnostic(
      `tail recall@50: content ${content.toFixed(4)}, popularity ${popularity.toFixed(4)}`,
    );
    assert.ok(content > popularity);
    assert.ok(films['coverage@50'] > 0.5);
  });

  test('int8 loses at most 3% of recall@50', (t) => {
    const { films, int8 } = results;
    t.diagnostic(
      `recall@50: f32 ${films['recall@50'].toFixed(4)}, int8 ${int8['recall@50'].toFixed(4)}`,
    );
    assert.ok(int8['recall@50'] >= 0.97 * films['recall@50']);
  });
});
