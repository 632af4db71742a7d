/**
 * Files of blocks: loaded whole they give what the file that they were made of gives; loaded partially they
 * recommend before all is there, ask for what the visitor needs first, and whatever a server does
 * wrong is a typed error that leaves the recommender working. PIQUE_CLI names the command line.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parseRange } from '../../web/serve.mjs';
import {
  build,
  failsWith,
  flipped,
  importDist,
  modelBytes,
  NodeWorker,
  withServer,
} from './web_support.mjs';

const cli = process.env.PIQUE_CLI ?? path.join(build, 'native/pique');
const { load } = await importDist('index.js');
const folder = mkdtempSync(path.join(tmpdir(), 'pique-blocks-'));
after(() => rmSync(folder, { recursive: true }));

const ROWS = 256;
const plainFile = path.join(folder, 'plain.pique');
const file = path.join(folder, 'blocks.pique');
writeFileSync(plainFile, modelBytes());
execFileSync(cli, ['export', plainFile, '--quant', 'int8', '--blocks', ROWS, '-o', file]);
const bytes = new Uint8Array(readFileSync(file));
const container = gunzipSync(bytes);

/** The index, read with no code of the package's. */
function readIndex() {
  const length = Number(container.readBigUInt64LE(0));
  const header = JSON.parse(container.subarray(8, 8 + length).toString());
  const [begin, end] = header['item.blocks'].data_offsets;
  const at = 8 + length;
  const index = [];
  for (let from = at + begin; from < at + end; from += 20) {
    const [first, rows, offset, size] = [0, 4, 8, 12].map((i) => container.readUInt32LE(from + i));
    index.push({ first, rows, offset, size });
  }
  return { index, rowsAt: at + header['item.weight'].data_offsets[0], tableAt: at + begin };
}

const { index, tableAt } = readIndex();
const headSize = bytes[16] | (bytes[17] << 8) | (bytes[18] << 16);

const whole = await load(modelBytes(), { worker: false });
after(() => whole.dispose());
const ids = (await whole.recommend({ count: 3005 })).items.map(({ id }) => id);
const people = [
  [ids[3], ids[1700], ids[2400]],
  [ids[900], ids[901]],
  [ids[2999], ids[5], ids[40], ids[1200]],
];

/** A promise that is settled from outside. */
function gate() {
  let open;
  const opened = new Promise((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

/** Opens its gate when so many blocks have come. */
function waitingFor(count) {
  const { open, opened } = gate();
  let here = 0;
  const onProgress = ({ phase }) => phase === 'blocks' && ++here >= count && open();
  return { onProgress, ready: opened };
}

const listOf = ({ items }) => items.map(({ id, score }) => [id, score]);

async function givesTheSame(pique) {
  for (const context of people) {
    const [expected, found] = await Promise.all(
      [whole, pique].map((each) => each.recommend({ context, count: 50, explain: true })),
    );
    assert.equal(found.coverage, 1);
    assert.deepEqual(found.items, expected.items);
  }
  const popular = await pique.recommend({ context: [], count: 20 });
  assert.deepEqual(
    listOf(popular),
    ids.slice(0, 20).map((id) => [id, 0]),
  );
}

/** The blocks that hold the items. */
async function blocksOf(wanted) {
  const pique = await load(bytes, { worker: false });
  await pique.dispose();
  const text = container.toString('latin1');
  const length = Number(container.readBigUInt64LE(0));
  const header = JSON.parse(text.slice(8, 8 + length));
  const at = (name) => 8 + length + header[name].data_offsets[0];
  const count = header['item.ids.offsets'].shape[0] - 1;
  const start = (i) => container.readUInt32LE(at('item.ids.offsets') + 4 * i);
  const all = Array.from({ length: count }, (_, i) =>
    container.toString('utf8', at('item.ids') + start(i), at('item.ids') + start(i + 1)),
  );
  return wanted.map((id) => {
    const item = all.indexOf(id) + 1;
    return index.findIndex(({ first, rows }) => item >= first && item < first + rows);
  });
}

/**
 * A server of the file. `log` collects the ranges that were asked for ('all' without one); `change` may
 * spoil an answer { status, headers, body } and `hold` may delay it.
 */
function serving({ of = bytes, ranges = true, change = (answer) => answer, hold = () => {} } = {}) {
  const log = [];
  const answer = async (request, response) => {
    const part = ranges ? parseRange(request.headers.range, of.length) : undefined;
    log.push(part ?? 'all');
    const [first, last] = part ?? [0, of.length - 1];
    const answered = change({
      status: part ? 206 : 200,
      headers: {
        ...(ranges && { 'accept-ranges': 'bytes' }),
        ...(part && { 'content-range': `bytes ${first}-${last}/${of.length}` }),
        'content-length': last - first + 1,
        etag: '"one"',
      },
      body: of.slice(first, last + 1),
      part,
    });
    await hold(log.length, response, part);
    for (const [name, value] of Object.entries(answered.headers)) {
      if (value !== undefined) response.setHeader(name, value);
    }
    response.writeHead(answered.status).end(answered.body);
  };
  return { log, answer };
}

const blocksIn = ([first, last]) =>
  index
    .map(({ offset, size }, block) => ({ block, from: headSize + offset, size }))
    .filter(({ from, size }) => from >= first && from + size - 1 <= last)
    .map(({ block }) => block);

describe('loaded whole', () => {
  test('from bytes, a blob, a stream and an address', async () => {
    assert.ok(index.length > 10, `${index.length} blocks`);
    for (const source of [bytes, new Blob([bytes]), new Blob([bytes]).stream()]) {
      const pique = await load(source, { worker: false });
      await givesTheSame(pique);
      await pique.complete;
      await pique.dispose();
    }
    const { log, answer } = serving();
    await withServer(answer, async (url) => {
      const pique = await load(`${url}/a.pique`, { worker: () => new NodeWorker() });
      await givesTheSame(pique);
      await pique.dispose();
    });
    assert.deepEqual(log, ['all']);
  });

  test('decompressed, and compressed again in one piece', async () => {
    for (const source of [container, gzipSync(container)]) {
      const pique = await load(source, { worker: false, partial: true });
      await pique.complete;
      await givesTheSame(pique);
      await pique.dispose();
    }
  });

  test('damage of any part', async () => {
    for (const part of [0.2, 0.5, 0.99]) {
      const at = Math.floor(bytes.length * part);
      await failsWith('MODEL_CORRUPT', load(bytes.subarray(0, at), { worker: false }));
      await failsWith('MODEL_CORRUPT', load(flipped(bytes, at), { worker: false }));
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    await failsWith('MODEL_CORRUPT', load(longer, { worker: false }), /index tells/);
    const stream = new Blob([longer]).stream(); // of no known length
    await failsWith('MODEL_CORRUPT', load(stream, { worker: false }), /longer/);
    const head = bytes.subarray(0, headSize);
    await failsWith('MODEL_CORRUPT', load(new Blob([head]).stream(), { worker: false }), /early/);
    await failsWith('MODEL_CORRUPT', load(container.subarray(0, -1), { worker: false }), /early/);
  });

  test('an index that does not fit is named', async () => {
    for (const [field, reason] of [
      [5, /gap before its rows|overlap/],
      [6, /rows/],
      [7, /bytes/],
    ]) {
      const damaged = Buffer.from(container);
      damaged.writeUInt32LE(damaged.readUInt32LE(tableAt + 4 * field) + 32, tableAt + 4 * field);
      const error = await failsWith('MODEL_CORRUPT', load(damaged, { worker: false }), reason);
      assert.equal(error.tensor, 'item.blocks');
    }
  });
});

describe('loaded partially', () => {
  for (const thread of ['main', 'worker']) {
    test(`what the visitor needs comes first (${thread})`, async () => {
      const context = people[0];
      const own = await blocksOf(context);
      assert.ok(own.some((block) => block > 0));
      const { log, answer } = serving();
      const worker = thread === 'worker' ? () => new NodeWorker() : false;
      await withServer(answer, async (url) => {
        const seen = [];
        const pique = await load(`${url}/a.pique`, {
          worker,
          partial: true,
          onProgress: (progress) => seen.push(progress),
        });
        for (const id of context) await pique.history.add({ id });
        const first = await pique.recommend({ count: 5 });
        assert.ok(first.coverage < 1);
        await pique.complete;
        assert.equal(pique.info.thread, thread);
        await givesTheSame(pique);
        await pique.dispose();
        assert.deepEqual(seen.at(-1), {
          phase: 'blocks',
          fromCache: false,
          loaded: bytes.length,
          total: bytes.length,
        });
        const loaded = seen.filter(({ phase }) => phase === 'blocks').map((each) => each.loaded);
        assert.equal(loaded.length, index.length);
      });
      assert.equal(log[0], 'all');
      const asked = log.slice(1).map(blocksIn);
      const order = asked.flat();
      assert.deepEqual(
        [...order].sort((a, b) => a - b),
        [...index.keys()],
        'each block once',
      );
      const early = order.slice(0, own.length + 1);
      for (const block of [...own, 0]) assert.ok(early.includes(block), `${block} of ${order}`);
    });
  }

  test('clusters near the interests come before the rest', async () => {
    const context = [ids[1700]];
    const own = await blocksOf(context);
    const { log, answer } = serving();
    await withServer(answer, async (url) => {
      const pique = await load(`${url}/a.pique`, { worker: false, partial: true });
      await pique.recommend({ context });
      await pique.complete;
      await pique.dispose();
    });
    const order = log.slice(1).flatMap(blocksIn);
    assert.equal(order[0], own[0], 'the first range knows of a request that was made at once');
    const best = await whole.recommend({ context, count: 100 });
    const holders = await blocksOf(best.items.map(({ id }) => id));
    const others = order.filter((block) => block !== 0 && !own.includes(block));
    const hits = others.map((block) => holders.filter((holder) => holder === block).length);
    assert.ok(hits[0] > 0 && hits[0] === Math.max(...hits), `${order}: ${holders}`);
  });

  test('recommends before the last block came, and scores nothing that is not there', async () => {
    const context = people[0];
    const own = new Set(await blocksOf(context));
    assert.equal(own.size, 3);
    const { open: release, opened: held } = gate();
    const hold = (_, __, part) => (part && !own.has(blocksIn(part)[0]) ? held : undefined);
    const { answer } = serving({ hold });
    await withServer(answer, async (url) => {
      const { onProgress, ready } = waitingFor(3);
      const pique = await load(`${url}/a.pique`, { worker: false, partial: true, onProgress });
      const nothing = await pique.recommend({ context, count: 3005 });
      assert.deepEqual([nothing.coverage, nothing.personal], [0, false]);
      assert.ok(
        nothing.items.every(({ id }) => !context.includes(id)),
        'not the own items',
      );
      assert.deepEqual(await pique.interests({ context }), []);
      assert.deepEqual((await pique.rank(ids.slice(0, 50), { context })).items, []);
      await ready;
      const some = await pique.recommend({ context, count: 3005 });
      assert.ok(some.coverage > 0 && some.coverage < 1, `${some.coverage}`);
      assert.ok(some.personal);
      const there = own;
      const holders = await blocksOf(some.items.map(({ id }) => id));
      assert.ok(holders.every((block) => there.has(block)));
      const rows = [...there].reduce((sum, block) => sum + index[block].rows, 0);
      const all = index.reduce((sum, block) => sum + block.rows, 0);
      assert.ok(Math.abs(some.coverage - rows / all) < 1e-9);
      // The history is there, so every score is already what it will be.
      const scores = new Map(listOf(await whole.recommend({ context, count: 3005 })));
      for (const { id, score } of some.items) assert.equal(score, scores.get(id), id);
      assert.ok(some.items.length > 400);
      release();
      await pique.complete;
      await givesTheSame(pique);
      await pique.dispose();
    });
  });

  test('ranges of one turn travel at the same time', { timeout: 20_000 }, async () => {
    const { open: more, opened: another } = gate();
    const hold = (count) => (count === 3 ? another : count === 4 && more());
    await withServer(serving({ hold }).answer, async (url) => {
      const pique = await load(`${url}/a.pique`, { worker: false, partial: true });
      await pique.recommend({ context: people[2] });
      await pique.complete; // never, were the third answer waited for
      await givesTheSame(pique);
      await pique.dispose();
    });
  });

  test('codes that stand alone come in blocks too', async () => {
    const [one, two] = ['codes.pique', 'codes-blocks.pique'].map((name) => path.join(folder, name));
    execFileSync(cli, ['export', plainFile, '--quant', 'pq8', '-o', one]);
    execFileSync(cli, ['export', plainFile, '--quant', 'pq8', '--blocks', ROWS, '-o', two]);
    const coded = await load(new Uint8Array(readFileSync(one)), { worker: false });
    const request = { context: [ids[1700]], count: 3005 }; // whose block comes first
    const scores = new Map(listOf(await coded.recommend(request)));
    const { open: release, opened: held } = gate();
    const of = new Uint8Array(readFileSync(two));
    const { log, answer } = serving({ of, hold: (count) => (count > 4 ? held : undefined) });
    await withServer(answer, async (url) => {
      const { onProgress, ready } = waitingFor(3);
      const pique = await load(`${url}/a.pique`, { worker: false, partial: true, onProgress });
      assert.deepEqual((await pique.recommend(request)).coverage, 0);
      await ready;
      const some = await pique.recommend(request);
      assert.ok(some.coverage > 0 && some.coverage < 1, `${some.coverage}`);
      assert.ok(some.items.length > 400);
      for (const { id, score } of some.items) assert.equal(score, scores.get(id), id);
      release();
      await pique.complete;
      assert.deepEqual(new Map(listOf(await pique.recommend(request))), scores);
      await pique.dispose();
    });
    assert.ok(log.length > 4);
    await coded.dispose();
  });

  test('a server without ranges: one request, in the order of the file', async () => {
    const { log, answer } = serving({ ranges: false });
    await withServer(answer, async (url) => {
      const pique = await load(`${url}/a.pique`, { worker: false, partial: true });
      await pique.complete;
      await givesTheSame(pique);
      await pique.dispose();
    });
    assert.deepEqual(log, ['all']);
  });

  test('a server that promises ranges and sends all', async () => {
    const change = (answer) =>
      answer.part ? { ...answer, status: 200, headers: { etag: '"one"' }, body: bytes } : answer;
    const { log, answer } = serving({ change });
    await withServer(answer, async (url) => {
      const pique = await load(`${url}/a.pique`, { worker: false, partial: true });
      await pique.complete;
      await givesTheSame(pique);
      await pique.dispose();
    });
    assert.equal(log.length, 2);
  });

  test('bytes and streams have no ranges', async () => {
    for (const source of [bytes, new Blob([bytes]).stream()]) {
      const pique = await load(source, { worker: false, partial: true });
      await pique.complete;
      await givesTheSame(pique);
      await pique.dispose();
    }
  });
});

/** Spoils the answer to the third range. */
function spoiling(spoil) {
  let ranges = 0;
  return (answer) => (answer.part && ++ranges === 3 ? { ...answer, ...spoil(answer) } : answer);
}

const headers = (more) => (answer) => ({ headers: { ...answer.headers, ...more } });
const cut = (answer) => ({ body: answer.body.subarray(0, answer.body.length - 5) });

/** Rows of another block of the same size: a good member in the wrong place. */
function exchanged({ body, part }) {
  const [block] = blocksIn(part);
  const rows = gunzipSync(body.subarray(0, index[block].size));
  rows[7] ^= 1;
  const member = gzipSync(rows, { level: 9 });
  const padded = Buffer.alloc(body.length);
  if (member.length > body.length) return { body: flipped(body, 40) };
  member.copy(padded);
  return { body: padded };
}

describe('what goes wrong on the way', () => {
  for (const [what, code, spoil] of [
    [
      'a range that ends early',
      'MODEL_CORRUPT',
      (a) => ({
        ...cut(a),
        ...headers({ 'content-length': undefined, 'transfer-encoding': 'chunked' })(a),
      }),
    ],
    [
      'another range than asked for',
      'HTTP',
      ({ headers: h, part: [a, b] }) => ({
        headers: { ...h, 'content-range': `bytes ${a + 1}-${b + 1}/${bytes.length}` },
      }),
    ],
    ['no word of which range', 'HTTP', headers({ 'content-range': undefined })],
    [
      'another length of the file',
      'MODEL_CHANGED',
      ({ headers: h, part: [a, b] }) => ({
        headers: { ...h, 'content-range': `bytes ${a}-${b}/${bytes.length + 1}` },
      }),
    ],
    ['another ETag', 'MODEL_CHANGED', headers({ etag: '"two"' })],
    [
      'all of another file',
      'MODEL_CHANGED',
      () => ({ status: 200, headers: { etag: '"two"' }, body: bytes }),
    ],
    [
      'all of a shorter file',
      'MODEL_CHANGED',
      () => ({ status: 200, headers: { 'content-length': 9000 }, body: bytes.subarray(0, 9000) }),
    ],
    ['a file that became shorter', 'MODEL_CHANGED', () => ({ status: 416, headers: {}, body: '' })],
    ['a failure', 'HTTP', () => ({ status: 500, headers: {}, body: 'no' })],
    ['a changed bit', 'MODEL_CORRUPT', ({ body }) => ({ body: flipped(body, 300) })],
    ['a member in which rows differ', 'MODEL_CORRUPT', exchanged],
    [
      'a page',
      'MODEL_CORRUPT',
      ({ body }) => ({ body: Buffer.alloc(body.length, '<!doctype html>') }),
    ],
  ]) {
    test(`${what}: ${code}`, async () => {
      const { log, answer } = serving({ change: spoiling(spoil) });
      await withServer(answer, async (base) => {
        const url = `${base}/a.pique`;
        const pique = await load(url, { worker: false, partial: true });
        const context = people[0];
        await pique.recommend({ context });
        const error = await failsWith(code, pique.complete);
        assert.equal(error.url, url);
        const { items, coverage } = await pique.recommend({ context, count: 30 });
        assert.ok(coverage > 0 && coverage < 1, `${coverage}`);
        // Exactly what the blocks that came give, of which the bad answer's is none.
        const every = await pique.recommend({ context, count: 3005, exclude: { seen: false } });
        const there = new Set(await blocksOf(every.items.map(({ id }) => id)));
        const asked = log.slice(1).flatMap(blocksIn);
        assert.ok(there.has(asked[0]) && [...there].every((block) => asked.includes(block)));
        assert.ok(blocksIn(log[3]).some((block) => !there.has(block)));
        const rows = [...there].reduce((sum, block) => sum + index[block].rows, 0);
        assert.ok(
          Math.abs(coverage * index.reduce((sum, each) => sum + each.rows, 0) - rows) < 1e-6,
        );
        const own = await blocksOf(context);
        const known = context.filter((_, i) => there.has(own[i]));
        const best = await whole.recommend({ context: known, count: 3005 });
        const holders = await blocksOf(best.items.map(({ id }) => id));
        const left = best.items.filter(
          ({ id }, i) => there.has(holders[i]) && !context.includes(id),
        );
        assert.deepEqual(items, left.slice(0, 30));
        assert.ok(items.length > 0);
        await pique.dispose();
      });
    });
  }

  test('disposed as soon as it is there', { timeout: 20_000 }, async () => {
    await withServer(serving().answer, async (url) => {
      const pique = await load(`${url}/a.pique`, { worker: false, partial: true });
      await pique.dispose();
      await failsWith('DISPOSED', pique.complete);
    });
  });

  test('without ranges: the body ends early, or breaks', async () => {
    const change = (answer) => ({
      ...answer,
      headers: {},
      body: bytes.subarray(0, headSize + index[4].offset + 10),
    });
    const { answer } = serving({ ranges: false, change });
    await withServer(answer, async (url) => {
      const pique = await load(`${url}/a.pique`, { worker: false, partial: true });
      await failsWith('MODEL_CORRUPT', pique.complete, /early/);
      assert.ok((await pique.recommend({ count: 3 })).coverage > 0);
      await pique.dispose();
    });
    const breaking = (_, response) => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, headSize + index[4].offset), () => response.destroy());
    };
    await withServer(breaking, async (url) => {
      const pique = await load(`${url}/a.pique`, { worker: false, partial: true });
      await failsWith('HTTP', pique.complete);
      await pique.dispose();
    });
  });

  for (const thread of ['main', 'worker']) {
    test(`abort and dispose while blocks travel (${thread})`, async () => {
      const worker = thread === 'worker' ? () => new NodeWorker() : false;
      for (const end of ['abort', 'dispose']) {
        let closed;
        const gone = new Promise((resolve) => {
          closed = resolve;
        });
        let asked;
        const travelling = new Promise((resolve) => {
          asked = resolve;
        });
        const hold = (request, response) => {
          if (request < 3) return undefined;
          response.on('close', closed);
          asked();
          return new Promise(() => {});
        };
        const { answer } = serving({ hold });
        await withServer(answer, async (url) => {
          const controller = new AbortController();
          const pique = await load(`${url}/a.pique`, {
            worker,
            partial: true,
            signal: controller.signal,
          });
          await pique.recommend({ context: people[0] });
          await travelling;
          if (end === 'abort') {
            controller.abort();
            await failsWith('ABORTED', pique.complete);
            assert.ok((await pique.recommend({ count: 3 })).coverage > 0, 'goes on with the rest');
            await pique.dispose();
          } else {
            await pique.dispose();
            await failsWith('DISPOSED', pique.complete);
          }
          await gone; // the transfer was ended, not left to run
        });
      }
    });
  }
});
