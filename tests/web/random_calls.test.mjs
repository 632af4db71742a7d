/** 10,000 calls of everything with anything, in any order: whatever is wrong is told by a PiqueError. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importDist, modelBytes, NodeWorker } from './web_support.mjs';

const { load, MemoryHistory, openHistory } = await importDist('index.js');
const model = modelBytes();
const CALLS = 10_000;
const SEED = 20261127;

/** Numbers from 0 to 1: the same ones in every run. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const later = (id) => id > 'm';

function makeValues(next, ids) {
  const pick = (list) => list[Math.floor(next() * list.length)];
  const circle = {};
  circle.self = circle;
  const odd = [
    ...[
      undefined,
      null,
      true,
      false,
      0,
      -1,
      1,
      3,
      1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      1e300,
    ],
    ...['', 'x', 'vectors', '0', '\ud800', 'a'.repeat(300), 10n, Symbol('s'), () => true, () => 1],
    ...[[], {}, [null], [1], [[]], circle, new Date(Number.NaN), new Map(), new Uint8Array(3), /x/],
    {
      get count() {
        throw new Error('a getter');
      },
    },
    new Proxy(
      {},
      {
        get() {
          throw new RangeError('a proxy');
        },
      },
    ),
    (id) => {
      throw new Error(id);
    },
    new Blob(['{"format":"pique-history","version":1,"events":[{"id":"a","type":"view","at":1}]}']),
    new Blob(['nothing']),
    AbortSignal.abort(),
    AbortSignal.abort(Symbol('why')),
  ];
  const some = (make, most) => Array.from({ length: Math.floor(next() * most) }, make);
  const good = {
    count: () => 1 + Math.floor(next() * 40),
    context: () => some(() => pick(ids), 8),
    times: () => some(() => next() * 1e12, 8),
    exclude: () => ({ seen: next() < 0.5, ids: some(() => pick(ids), 5) }),
    fallback: () => pick(['popular', 'none']),
    rank: () => pick([true, false, undefined]),
    retrieve: () => pick([undefined, 5, 50]),
    explain: () => next() < 0.5,
    diversity: () => next(),
    diversityBy: () => pick(['genre', 'vectors', undefined]),
    profile: () => ({}),
    filter: () => pick([undefined, later, {}]),
    signal: () => new AbortController().signal,
  };
  const anything = () => pick(odd);
  const query = () => {
    if (next() < 0.05) return anything();
    const fields = Object.entries(good).filter(() => next() < 0.3);
    return Object.fromEntries(
      fields.map(([name, make]) => [name, next() < 0.15 ? anything() : make()]),
    );
  };
  const id = () => (next() < 0.2 ? anything() : pick(ids));
  return { pick, anything, query, id, some };
}

/** What is called, by how often. */
function makeCalls(pique, history, { pick, anything, query, id, some }) {
  const event = () =>
    pick([{ id: id() }, { id: id(), type: anything(), at: anything() }, anything()]);
  const often = [
    () => pique.recommend(query()),
    () => pique.rank(pick([some(id, 9), anything()]), query()),
    () => pique.similar(id(), query()),
    () => pique.interests(query()),
    () => pique.history.add(event()),
    () => history.add(event()),
    () => history.list(pick([undefined, { limit: anything() }, anything()])),
    () => history.remove(id()),
    async () => {
      let pages = 0;
      for await (const _ of pique.pages(query())) if (++pages === 3) break;
    },
  ];
  const rare = [
    () => history.clear(),
    () => history.import(anything()),
    async () => history.import(await history.export()),
    async () => history.pause(anything()),
    async () => history.subscribe(anything())(),
    () => openHistory(pick([undefined, { name: 'x' }, { name: anything() }, anything()])),
    () =>
      load(
        anything(),
        pick([
          undefined,
          { worker: false },
          {
            [pick([
              'signal',
              'cache',
              'ranker',
              'wasm',
              'history',
              'integrity',
              'partial',
              'onProgress',
            ])]: anything(),
            worker: false,
          },
          anything(),
        ]),
      ),
  ];
  const mixed = [...often, ...often, ...often, ...rare];
  return () => pick(mixed)();
}

test(`${CALLS} calls reject with nothing but a PiqueError`, async (t) => {
  const next = random(SEED);
  const hosts = [false, () => new NodeWorker()];
  const codes = new Map();
  let popular;
  for (const [host, worker] of hosts.entries()) {
    const pique = await load(model, { worker });
    popular ??= (await pique.recommend({ count: 60 })).items.map(({ id }) => id);
    const values = makeValues(next, [...popular, 'unknown']);
    const call = makeCalls(pique, new MemoryHistory(), values);
    const waiting = [];
    for (let i = 0; i < CALLS / hosts.length; i++) {
      const last = i === CALLS / hosts.length - 200;
      const promise = (async () => (last ? pique.dispose() : call()))();
      waiting.push(
        promise.then(
          () => 'none',
          (error) => {
            assert.equal(error?.name, 'PiqueError', `call ${host}.${i}: ${error?.stack}`);
            assert.ok(error instanceof Error && error.code && error.message);
            // What the caller's own getters throw is none of ours.
            const isOwn = error.code !== 'INTERNAL' || /^a (getter|proxy)$/.test(error.message);
            assert.ok(isOwn, `call ${host}.${i}: ${error.stack}`);
            return error.code;
          },
        ),
      );
      if (next() < 0.2) await Promise.all(waiting.splice(0)).then((all) => all.forEach(count));
    }
    for (const code of await Promise.all(waiting)) count(code);
  }
  function count(code) {
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  t.diagnostic(`seed ${SEED}: ${JSON.stringify(Object.fromEntries(codes))}`);
  assert.ok(codes.get('none') > CALLS / 4 && codes.get('ARGUMENT') > CALLS / 20);
  assert.ok(codes.get('ABORTED') > 0 && codes.get('DISPOSED') > 100);
});
