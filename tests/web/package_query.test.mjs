/** recommend() and interests() on the committed model. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { readFilms } from '../../scripts/films.mjs';
import { importDist, modelBytes, readDist } from './web_support.mjs';

const { load, PiqueError } = await importDist('index.js');
const pique = await load(modelBytes());
/** All items of the model, the most popular first. */
const ids = (await pique.recommend({ count: pique.info.items })).items.map(({ id }) => id);
const context = [ids[3], ids[40], ids[90], ids[200]];

after(() => pique.dispose());

const idsOf = ({ items }) => items.map(({ id }) => id);

describe('info', () => {
  test('describes model and engine', () => {
    const { info } = pique;
    assert.equal(info.model, 'mind');
    assert.equal(info.items, ids.length);
    assert.equal(info.isa, 'v128');
    assert.equal(info.size.download, modelBytes().length);
    assert.ok(info.size.memory > info.size.download);
    assert.ok(info.interests >= 1 && info.width >= 1);
    assert.equal(typeof info.details.card, 'string');
  });

  test('every item of the model has a title in the catalogue', () => {
    assert.equal(new Set(ids).size, pique.info.items);
    const titled = new Set(readFilms().map(({ item }) => item));
    assert.deepEqual(
      ids.filter((id) => !titled.has(id)),
      [],
    );
  });
});

describe('recommend', () => {
  test('the best first, as many as asked for, none of the context', async () => {
    const { items, personal, milliseconds } = await pique.recommend({ context, count: 25 });
    assert.equal(personal, true);
    assert.equal(items.length, 25);
    assert.equal(new Set(idsOf({ items })).size, 25);
    assert.ok(milliseconds >= 0);
    for (const [place, item] of items.entries()) {
      assert.ok(!context.includes(item.id));
      assert.ok(Number.isFinite(item.score));
      assert.ok(place === 0 || items[place - 1].score >= item.score);
      assert.equal(item.reasons, undefined);
    }
  });

  test('diversity keeps the first item and spreads the rest over categories', async () => {
    const genre = new Map(readFilms().map((film) => [film.item, film.genre]));
    const kinds = (result) => new Set(idsOf(result).map((id) => genre.get(id))).size;
    const query = { context, count: 10, diversity: 1, diversityBy: 'genre' };
    let [before, after] = [0, 0]; // genres of the lists of several visitors
    for (const own of [context, ...context.map((id) => [id])]) {
      const plain = await pique.recommend({ context: own, count: 10 });
      const diverse = await pique.recommend({ ...query, context: own });
      assert.equal(diverse.items.length, 10);
      assert.equal(diverse.items[0].id, plain.items[0].id);
      assert.ok(kinds(diverse) >= kinds(plain), `${kinds(diverse)} and ${kinds(plain)} genres`);
      before += kinds(plain);
      after += kinds(diverse);
      const none = await pique.recommend({ ...query, context: own, diversity: 0 });
      assert.deepEqual(idsOf(none), idsOf(plain));
    }
    assert.ok(after > before, `${after} and ${before} genres`);
    for (const wrong of [{ diversity: -1 }, { diversity: Number.NaN }, { diversityBy: 'mood' }]) {
      await assert.rejects(pique.recommend({ ...query, ...wrong }), { code: 'ARGUMENT' });
    }
  });

  test('seen items come back when asked for, excluded ones never', async () => {
    const all = await pique.recommend({ context, count: ids.length, exclude: { seen: false } });
    assert.equal(all.items.length, ids.length);
    const without = idsOf(all).slice(0, 7);
    const query = { context, count: ids.length, exclude: { ids: [...without, 'no such film'] } };
    const rest = idsOf(await pique.recommend(query));
    const gone = new Set([...without, ...context]);
    assert.deepEqual(
      rest,
      idsOf(all).filter((id) => !gone.has(id)),
    );
  });

  test('reasons are items of the context with shares', async () => {
    const { items } = await pique.recommend({ context, count: 20, explain: true });
    for (const { reasons } of items) {
      assert.ok(reasons.length >= 1 && reasons.length <= 3);
      let sum = 0;
      for (const [place, { id, share }] of reasons.entries()) {
        assert.ok(context.includes(id));
        assert.ok(share > 0 && (place === 0 || reasons[place - 1].share >= share));
        sum += share;
      }
      assert.ok(sum <= 1 + 1e-5, `${sum}`);
    }
  });

  test('an item that stands in the context twice is one reason', async () => {
    const query = { context: [context[0], context[1], context[0]], count: 5, explain: true };
    for (const { reasons } of (await pique.recommend(query)).items) {
      assert.equal(new Set(reasons.map(({ id }) => id)).size, reasons.length);
    }
  });

  test('without a known item: the popular ones, or nothing', async () => {
    const popular = await pique.recommend({ context: ['no such film'], count: 4 });
    assert.equal(popular.personal, false);
    assert.deepEqual(idsOf(popular), ids.slice(0, 4));
    const less = await pique.recommend({ count: 3, exclude: { ids: [ids[0], ids[2]] } });
    assert.deepEqual(idsOf(less), [ids[1], ids[3], ids[4]]);
    const none = await pique.recommend({ fallback: 'none' });
    assert.deepEqual(none.items, []);
  });

  test('the same context gives the same answer', async () => {
    const first = await pique.recommend({ context, count: 30, explain: true });
    await pique.recommend({ context: context.slice(1), count: 30 });
    const again = await pique.recommend({ context, count: 30, explain: true });
    assert.deepEqual(again.items, first.items);
  });

  test('both builds agree', async () => {
    const other = await load(modelBytes(), { wasm: readDist('core-nosimd.wasm') });
    assert.equal(other.info.isa, 'scalar');
    const a = (await pique.recommend({ context, count: 50 })).items;
    const b = (await other.recommend({ context, count: 50 })).items;
    for (const [place, { score }] of a.entries()) {
      const off = Math.abs(score - b[place].score);
      assert.ok(off <= 1e-5 * Math.abs(score), `${place}: ${score} and ${b[place].score}`);
    }
    await other.dispose();
  });

  test('a history of thousands of items', async () => {
    const long = Array.from({ length: 5000 }, (_, i) => ids[i % ids.length]);
    const { items } = await pique.recommend({ context: long, count: 3, exclude: { seen: false } });
    assert.equal(items.length, 3);
    const [interest] = await pique.interests({ context: [...long, ...context] });
    assert.ok(interest.because.length >= 1);
    const newest = new Set([...long.slice(-pique.info.details.history), ...context]);
    assert.ok(
      interest.because.every((id) => newest.has(id)),
      'interests come from the newest items only',
    );
  });

  test('wrong questions are refused', async () => {
    for (const query of [
      { count: 0 },
      { count: 2.5 },
      { count: Number.NaN },
      { context: [5] },
      { exclude: { ids: [null] } },
      { context, profile: { 'no such field': 'x' } },
      { times: [1] },
      { context, times: [1, 2, 3] },
      { context, times: [1, 2, Number.NaN, 4] },
    ]) {
      const refused = (error) => error instanceof PiqueError && error.code === 'ARGUMENT';
      await assert.rejects(pique.recommend(query), refused, JSON.stringify(query));
    }
    assert.equal((await pique.recommend({ context })).items.length, 10, 'and it works as before');
  });
});

/** No model file here looks at times, but the engine checks what it is told. */
describe('times', () => {
  const early = -1e30;
  const refused = { code: 'ARGUMENT', message: /time 2 of the history is not a number of seconds/ };

  test('of a context reach the engine', async () => {
    const { items } = await pique.recommend({ context, times: [1, 2, 3.5, 4] });
    assert.deepEqual(items, (await pique.recommend({ context })).items);
    await assert.rejects(pique.recommend({ context, times: [1, 2, early, 4] }), refused);
    await assert.rejects(pique.rank(ids, { context, times: [1, 2, early, 4] }), refused);
    await assert.rejects(pique.interests({ context, times: [1, 2, early, 4] }), refused);
    assert.deepEqual(items, (await pique.recommend({ context })).items);
  });

  test('of the history store reach it, too, when it has them', async () => {
    const ask = async (...times) => {
      const events = times.map((at, n) => ({ id: context[n], type: 'view', at }));
      const history = { list: async () => events };
      const other = await load(modelBytes(), { history });
      return other.recommend().finally(() => other.dispose());
    };
    const { items } = await ask(1, 2, 3, 4);
    await assert.rejects(ask(1, 2, early, 4), refused);
    assert.deepEqual(items, (await ask(1, undefined, 3, 4)).items);
  });
});

describe('interests', () => {
  test('hold the context between them', async () => {
    const interests = await pique.interests({ context });
    assert.ok(interests.length >= 1 && interests.length <= pique.info.interests);
    const sum = interests.reduce((total, { weight }) => total + weight, 0);
    assert.ok(Math.abs(sum - 1) < 1e-5, `${sum}`);
    for (const { because, shares } of interests) {
      assert.equal(because.length, shares.length);
      assert.ok(because.every((id) => context.includes(id)));
    }
  });

  test('no history, no interests', async () => {
    assert.deepEqual(await pique.interests(), []);
  });

  test('number what recommend() says', async () => {
    const interests = await pique.interests({ context });
    const { items } = await pique.recommend({ context, count: 40 });
    assert.ok(items.every(({ interest }) => interest >= 0 && interest < interests.length));
  });
});

describe('the history store', () => {
  test('stands in for the context; hidden items are gone and count for nothing', async () => {
    for (const [at, id] of context.entries()) await pique.history.add({ id, at });
    const expected = await pique.recommend({ context, count: 8 });
    assert.deepEqual((await pique.recommend({ count: 8 })).items, expected.items);
    const hidden = expected.items[0].id;
    await pique.history.add({ id: hidden, type: 'hide' });
    const query = { context, count: 7, exclude: { ids: [hidden] } };
    assert.deepEqual(
      (await pique.recommend({ count: 7 })).items,
      (await pique.recommend(query)).items,
    );
    await pique.history.clear();
    assert.equal((await pique.recommend()).personal, false);
  });
});
