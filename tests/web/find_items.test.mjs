/**
 * Filters, pages, similar items and relevance by vectors, against the vectors and categories of the file as this
 * test reads them itself. The data are invented; PIQUE_CLI names the command line that trains on them.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { run } from './parity_support.mjs';
import { failsWith, importDist } from './web_support.mjs';

const { load } = await importDist('index.js');
const ITEMS = 60;
const GENRES = ['drama', 'comedy', 'war', 'noir'];
const genreOf = (id) => GENRES[Number(id.slice(6)) % 4];
/** Every item is also of one that all share, some of a third. */
const isLate = (id) => Number(id.slice(6)) % 5 === 0;
const decadeOf = (id) => `${1950 + 10 * (Number(id.slice(6)) % 3)}`;
const context = ['thing-3', 'thing-8', 'thing-21'];
const ids = ({ items }) => items.map(({ id }) => id);
let folder;
let file;
let pique;

/** The rows of item.weight, by id. */
function readVectors(bytes) {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length));
  const tensor = (name) => {
    const [from, to] = header[name].data_offsets;
    return bytes.buffer.slice(
      bytes.byteOffset + 8 + length + from,
      bytes.byteOffset + 8 + length + to,
    );
  };
  const offsets = new Uint32Array(tensor('item.ids.offsets'));
  const text = Buffer.from(tensor('item.ids')).toString();
  const width = header['item.weight'].shape[1];
  const rows = new Float32Array(tensor('item.weight'));
  const id = (i) => text.slice(offsets[i], offsets[i + 1]);
  return new Map(
    Array.from({ length: offsets.length - 1 }, (_, i) => [
      id(i),
      rows.slice((i + 1) * width, (i + 2) * width),
    ]),
  );
}

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'pique-find-'));
  const data = path.join(folder, 'data');
  mkdirSync(data);
  const write = (name, rows) => writeFileSync(path.join(data, name), `${rows.join('\n')}\n`);
  const all = Array.from({ length: ITEMS }, (_, i) => `thing-${i}`);
  const events = Array.from({ length: 120 }, (_, n) =>
    Array.from({ length: 8 }, (_, i) => `p${n},thing-${(n * 7 + i * (1 + (n % 4))) % ITEMS},${i}`),
  ).flat();
  write('interactions.csv', ['user,item,timestamp', ...events]);
  write('items.csv', [
    'item,genre,decade',
    ...all.map((id) => `${id},${genreOf(id)}|other${isLate(id) ? '|late' : ''},${decadeOf(id)}`),
  ]);
  const [model, plain] = [path.join(folder, 'run/model.pique'), path.join(folder, 'f32.pique')];
  run(['train', '--model', 'mind', '--data', data, '--out', path.dirname(model), '--epochs', '2']);
  run(['export', model, '--quant', 'f32', '-o', plain]);
  file = readFileSync(plain);
  pique = await load(file, { worker: false });
});
after(async () => {
  await pique?.dispose();
  rmSync(folder, { recursive: true });
});

describe('filter', () => {
  test('by fields: any of the values, all of the fields', async () => {
    assert.deepEqual(pique.info.terms.genre.toSorted(), [...GENRES, 'late', 'other'].toSorted());
    const all = ids(await pique.recommend({ context, count: ITEMS }));
    const list = async (filter) => ids(await pique.recommend({ context, count: ITEMS, filter }));
    const wars = all.filter((id) => genreOf(id) === 'war');
    assert.ok(wars.length > 5);
    assert.deepEqual(await list({ genre: 'war' }), wars);
    assert.deepEqual(
      await list({ genre: ['war', 'noir'], decade: ['1960'] }),
      all.filter((id) => ['war', 'noir'].includes(genreOf(id)) && decadeOf(id) === '1960'),
    );
    assert.deepEqual(await list({ genre: 'other' }), all);
    const late = all.filter((id) => genreOf(id) === 'war' || isLate(id));
    assert.deepEqual(await list({ genre: ['war', 'late'] }), late);
    assert.deepEqual(await list({ genre: 'western' }), []);
    assert.deepEqual(await list({ genre: [] }), []);
    assert.deepEqual(await list({}), all);
  });

  test('by ids: asked once for every id, and in the engine no list is cut short', async () => {
    const asked = [];
    const filter = (id) => {
      asked.push(id);
      return Number(id.slice(6)) % 5 === 0;
    };
    const all = ids(await pique.recommend({ context, count: ITEMS }));
    const wanted = all.filter((id) => Number(id.slice(6)) % 5 === 0);
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(
        ids(await pique.recommend({ context, count: 7, filter })),
        wanted.slice(0, 7),
      );
    }
    assert.equal(asked.length, ITEMS);
    assert.equal(new Set(asked).size, ITEMS);
  });

  test('without a history: what is popular of the rest', async () => {
    const popular = ids(await pique.recommend({ context: [], count: ITEMS }));
    const filter = { genre: 'noir' };
    const noir = await pique.recommend({ context: [], count: 5, filter });
    assert.equal(noir.personal, false);
    assert.deepEqual(ids(noir), popular.filter((id) => genreOf(id) === 'noir').slice(0, 5));
    const few = await pique.recommend({ context: [], count: 5, filter: (id) => id > 'thing-5' });
    assert.deepEqual(ids(few), popular.filter((id) => id > 'thing-5').slice(0, 5));
  });

  test('of rank() and similar()', async () => {
    const given = ['thing-1', 'thing-2', 'thing-6', 'thing-7', 'unknown'];
    const ranked = await pique.rank(given, { context, filter: { genre: 'war' } });
    assert.deepEqual(ids(ranked).toSorted(), ['thing-2', 'thing-6']);
    const one = await pique.rank(given, { context, filter: (id) => id === 'thing-7' });
    assert.deepEqual(ids(one), ['thing-7']);
    const near = await pique.similar('thing-2', { count: ITEMS, filter: { decade: '1970' } });
    assert.deepEqual(
      ids(near).toSorted(),
      [...readVectors(unpacked()).keys()]
        .filter((id) => decadeOf(id) === '1970' && id !== 'thing-2')
        .toSorted(),
    );
  });

  test('wrong ones are refused', async () => {
    await failsWith('ARGUMENT', pique.recommend({ context, filter: { mood: 'good' } }), /"mood"/);
    await failsWith('ARGUMENT', pique.recommend({ context, filter: { genre: 7 } }), /filter.genre/);
    await failsWith('ARGUMENT', pique.recommend({ context, filter: 'war' }), /filter/);
    await failsWith(
      'ARGUMENT',
      pique.recommend({
        context,
        filter: () => {
          throw new Error('mine');
        },
      }),
      /mine/,
    );
  });
});

const unpacked = () => Buffer.from(gunzipSync(file));

test('similar items are those of the largest cosines', async () => {
  const vectors = readVectors(unpacked());
  assert.equal(vectors.size, ITEMS);
  for (const id of ['thing-0', 'thing-17', 'thing-59']) {
    const wanted = [...vectors]
      .filter(([other]) => other !== id)
      .map(([other, row]) => ({ id: other, score: cosine(vectors.get(id), row) }))
      .sort((a, b) => b.score - a.score);
    const { items, personal } = await pique.similar(id, { count: ITEMS });
    assert.equal(personal, false);
    assert.equal(items.length, ITEMS - 1);
    for (const [i, { score }] of items.entries()) {
      assert.ok(Math.abs(score - wanted[i].score) < 1e-5);
    }
    const by = new Map(wanted.map((item) => [item.id, item.score]));
    for (const item of items) assert.ok(Math.abs(item.score - by.get(item.id)) < 1e-5);
  }
  await failsWith('ARGUMENT', pique.similar('unknown'), /unknown/);
  await failsWith('ARGUMENT', pique.similar(5));
  const seen = await pique.similar('thing-0', { context, count: ITEMS, exclude: { seen: true } });
  assert.ok(!ids(seen).some((id) => context.includes(id)));
  assert.equal(seen.items.length, ITEMS - 1 - context.length);
});

test('diversity by vectors is maximal marginal relevance', async () => {
  const vectors = readVectors(unpacked());
  const all = (await pique.recommend({ context, count: 40 })).items;
  let moved = 0;
  for (const diversity of [0.05, 0.3, 2]) {
    const query = { context, count: 10, diversity, diversityBy: 'vectors' };
    const { items } = await pique.recommend(query);
    assert.equal(new Set(ids({ items })).size, 10);
    items.forEach((item, n) => {
      const worth = ({ id, score }) => {
        const above = items
          .slice(0, n)
          .map((other) => cosine(vectors.get(id), vectors.get(other.id)));
        return score - diversity * Math.max(0, ...above);
      };
      const left = all.filter(({ id }) => !ids({ items: items.slice(0, n) }).includes(id));
      assert.ok(worth(item) >= Math.max(...left.map(worth)) - 1e-4, `${diversity}, place ${n}`);
      moved += item.id !== all[n].id;
    });
  }
  assert.ok(moved > 5);
});

describe('pages', () => {
  test('every item once, in the order of one long list', async () => {
    const seen = [];
    let count = 0;
    for await (const page of pique.pages({ context, count: 7 })) {
      count++;
      assert.ok(page.items.length <= 7 && page.items.length > 0);
      seen.push(...ids(page));
    }
    assert.deepEqual(seen, ids(await pique.recommend({ context, count: ITEMS })));
    assert.equal(count, Math.ceil((ITEMS - context.length) / 7));
  });

  test('no item twice while the visitor goes on', async () => {
    await pique.history.add({ id: 'thing-5' });
    const seen = [];
    for await (const page of pique.pages({ count: 5, exclude: { ids: ['thing-9'] } })) {
      seen.push(...ids(page));
      await pique.history.add({ id: seen.at(-1), type: seen.length % 2 ? 'like' : 'hide' });
      if (seen.length >= 40) break;
    }
    assert.equal(new Set(seen).size, seen.length);
    assert.ok(!seen.includes('thing-9'));
    await pique.history.clear();
  });

  test('can be ended, and fail with a code', async () => {
    const controller = new AbortController();
    const pages = pique.pages({ context, count: 3, signal: controller.signal });
    await pages.next();
    controller.abort();
    await failsWith('ABORTED', pages.next());
    await failsWith('ARGUMENT', pique.pages({ count: 0 }).next());
  });
});
