/** The rules of the history, which are the same in memory and on the disk. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { failsWith, importDist, modelBytes } from './web_support.mjs';

const { load, MemoryHistory, openHistory } = await importDist('index.js');
const ids = (events) => events.map(({ id }) => id);
const file = (events, more = {}) =>
  new Blob([JSON.stringify({ format: 'pique-history', version: 1, events, ...more })]);

describe('events', () => {
  test('stand by time; those of one moment in the order in which they came', async () => {
    const history = new MemoryHistory();
    for (let i = 0; i < 500; i++) await history.add({ id: `item-${(i * 7) % 500}` });
    assert.deepEqual(
      ids(await history.list()),
      Array.from({ length: 500 }, (_, i) => `item-${(i * 7) % 500}`),
    );
    await history.add({ id: 'old', at: 5 });
    await history.add({ id: 'older', at: -5 });
    assert.deepEqual(ids(await history.list()).slice(0, 3), ['older', 'old', 'item-0']);
    assert.deepEqual(ids(await history.list({ limit: 2 })), ['item-486', 'item-493']);
    await history.clear();
    for (const id of ['b', 'c', 'a']) await history.add({ id, at: 1 });
    assert.deepEqual(ids(await history.list()), ['a', 'b', 'c'], 'equal times by id');
    await history.add({ id: 'a', at: 1 });
    assert.equal((await history.list()).length, 3, 'the same event is one');
    await history.add({ id: 'a', at: 1, type: 'like' });
    assert.equal((await history.list()).length, 4);
    await history.remove('a');
    assert.deepEqual(ids(await history.list()), ['b', 'c']);
  });

  test('wrong ones are refused', async () => {
    const history = new MemoryHistory();
    const wrong = [
      null,
      {},
      { id: 5 },
      { id: '' },
      { id: 'a', type: 'hate' },
      { id: 'a', at: '5' },
    ];
    for (const event of [...wrong, { id: 'a', at: Number.NaN }, undefined, 'a']) {
      await failsWith('ARGUMENT', history.add(event));
    }
    await failsWith('ARGUMENT', history.remove(5));
    await failsWith('ARGUMENT', history.list({ limit: -1 }));
    assert.deepEqual(await history.list(), []);
  });

  test('the newest 10,000 stay, what is hidden longest', async () => {
    const history = new MemoryHistory();
    const events = Array.from({ length: 10_500 }, (_, i) => ({
      id: `item-${i}`,
      type: i < 100 ? 'hide' : 'view',
      at: i,
    }));
    assert.equal(await history.import(file(events)), 10_500);
    const kept = await history.list();
    assert.equal(kept.length, 10_000);
    assert.deepEqual(ids(kept.slice(0, 100)), ids(events.slice(0, 100)));
    assert.deepEqual(ids(kept.slice(100)), ids(events.slice(600)));
    await history.add({ id: 'last' });
    assert.equal((await history.list()).length, 10_000);
    assert.equal((await history.list()).at(-1).id, 'last');
  });

  test('a pause remembers nothing', async () => {
    const history = new MemoryHistory();
    await history.add({ id: 'a' });
    history.pause(true);
    assert.equal(history.paused, true);
    await history.add({ id: 'b' });
    await history.add({ id: 'c', type: 'hide' });
    await failsWith('ARGUMENT', history.add({ id: 5 }));
    history.pause(false);
    await history.add({ id: 'd' });
    assert.deepEqual(ids(await history.list()), ['a', 'd']);
    assert.equal(history.persistent, false);
  });

  test('whoever subscribed is told, until no more', async () => {
    const history = new MemoryHistory();
    let told = 0;
    const stop = history.subscribe(() => told++);
    history.subscribe(() => {
      throw new Error('of a listener');
    });
    await history.add({ id: 'a' });
    await history.remove('a');
    await history.clear();
    assert.equal(told, 3);
    stop();
    await history.add({ id: 'a' });
    assert.equal(told, 3);
    assert.throws(() => history.subscribe('x'), { code: 'ARGUMENT' });
  });
});

describe('files', () => {
  test('what goes out comes in, once', async () => {
    const history = new MemoryHistory();
    for (const type of ['view', 'like', 'hide', 'buy'])
      await history.add({ id: `a ${type}`, type });
    const blob = await history.export();
    assert.equal(blob.type, 'application/json');
    const other = new MemoryHistory();
    await other.add({ id: 'own', at: 3 });
    await other.add((await history.list())[1]);
    assert.equal(await other.import(blob), 3);
    assert.equal(await other.import(blob), 0);
    assert.deepEqual(await other.list(), [
      { id: 'own', type: 'view', at: 3 },
      ...(await history.list()),
    ]);
  });

  test('a damaged one adds nothing', async () => {
    const history = new MemoryHistory();
    const good = { id: 'a', type: 'view', at: 1 };
    const damaged = [
      new Blob(['{']),
      new Blob(['null']),
      new Blob(['[]']),
      file([good], { version: 2 }),
      file([good], { format: 'other' }),
      file('x'),
      file([good, { ...good, id: 7 }]),
      file([good, { ...good, type: 'x' }]),
      file([good, { ...good, at: null }]),
      file([good, null]),
    ];
    for (const blob of damaged) await failsWith('ARGUMENT', history.import(blob));
    await failsWith('ARGUMENT', history.import('{}'));
    assert.deepEqual(await history.list(), []);
    assert.equal(await history.import(file([good, good])), 1);
  });
});

describe('with a recommender', () => {
  test('a hidden item stays away, also after an import, until it is removed', async () => {
    const pique = await load(modelBytes(), { worker: false });
    const top = (await pique.recommend({ count: 30 })).items.map(({ id }) => id);
    const before = [
      { id: top[0], type: 'like', at: 1 },
      { id: top[5], type: 'view', at: 2 },
    ];
    await pique.history.import(file(before));
    const [first] = (await pique.recommend({ count: 5 })).items;
    await pique.history.add({ id: first.id, type: 'hide' });
    const shown = async () => (await pique.recommend({ count: 3000 })).items.map(({ id }) => id);
    assert.ok(!(await shown()).includes(first.id));
    await pique.history.add({ id: first.id, type: 'like' });
    await pique.history.import(file([{ id: first.id, type: 'view', at: 9e15 }]));
    assert.ok(!(await shown()).includes(first.id));
    const near = await pique.similar(top[0], { count: 3000 });
    assert.ok(!near.items.some(({ id }) => id === first.id));
    await pique.history.remove(first.id);
    assert.ok((await shown()).includes(first.id));
    await pique.dispose();
  });

  test('indexeddb where there is none is memory; a store by its name is one', async () => {
    const pique = await load(modelBytes(), { worker: false, history: 'indexeddb' });
    assert.equal(pique.history.persistent, false);
    await pique.history.add({ id: 'a' });
    assert.equal(await openHistory(), pique.history);
    assert.notEqual(await openHistory({ name: 'other' }), pique.history);
    await pique.dispose();
    await failsWith('ARGUMENT', load(modelBytes(), { history: 'elsewhere' }), /history/);
    await failsWith('ARGUMENT', load(modelBytes(), { history: {} }), /history/);
  });

  test('a store that fails is named', async () => {
    const history = {
      list: async () => {
        throw new Error('locked');
      },
    };
    const pique = await load(modelBytes(), { worker: false, history });
    await failsWith('INTERNAL', pique.recommend(), /history store failed: locked/);
    await pique.dispose();
  });
});
