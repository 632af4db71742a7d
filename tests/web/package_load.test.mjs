/** load(): every source, progress, abort, and the typed error of everything that can go wrong. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  failsWith,
  flipped,
  importDist,
  modelBytes,
  NodeWorker,
  readDist,
  withServer,
} from './web_support.mjs';

const { load, MemoryHistory } = await importDist('index.js');
const model = modelBytes();
const plain = new Uint8Array(gunzipSync(model));

async function topOf(source, options) {
  const pique = await load(source, options);
  const popular = await pique.recommend({ count: 40 });
  const context = [popular.items[3].id, popular.items[17].id, popular.items[39].id];
  const { items, personal } = await pique.recommend({ context, count: 5 });
  assert.equal(personal, true);
  await pique.dispose();
  return items.map(({ id }) => id).join();
}

describe('sources', async () => {
  const expected = await topOf(model);

  test('bytes, buffers, blobs and streams give the same model', async () => {
    assert.equal(await topOf(model.buffer), expected);
    assert.equal(await topOf(new DataView(model.buffer)), expected);
    assert.equal(await topOf(new Blob([model])), expected);
    assert.equal(await topOf(new Blob([model]).stream()), expected);
    assert.equal(model.length, modelBytes().length, 'the caller keeps its bytes');
  });

  test('the plain container is taken as well', async () => {
    assert.equal(await topOf(plain), expected);
  });

  test('chunks of any size', async () => {
    for (const size of [1, 7, 1000, 65537]) {
      const bytes = size === 1 ? model.subarray(0, 400) : model;
      const stream = new ReadableStream({
        start(controller) {
          for (let at = 0; at < bytes.length; at += size) {
            controller.enqueue(bytes.slice(at, at + size));
          }
          if (size === 1) controller.enqueue(model.slice(400));
          controller.close();
        },
      });
      assert.equal(await topOf(stream), expected, `chunks of ${size}`);
    }
  });

  test('an address, with progress to the end', async () => {
    const seen = [];
    const fromCache = false;
    const answer = (_, response) => {
      response.writeHead(200, { 'content-length': model.length }).end(model);
    };
    await withServer(answer, async (url) => {
      const onProgress = (progress) => seen.push(progress);
      assert.equal(await topOf(new URL(`${url}/films.pique`), { onProgress }), expected);
    });
    assert.deepEqual(seen[0], { phase: 'fetch', loaded: 0, total: model.length, fromCache });
    assert.deepEqual(seen.at(-1), { ...seen[0], phase: 'ready', loaded: model.length });
    const loaded = seen.map((progress) => progress.loaded);
    assert.deepEqual(
      loaded,
      [...loaded].sort((a, b) => a - b),
    );
  });

  test('a server that inflates on the way', async () => {
    const answer = (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(model);
    };
    await withServer(answer, async (url) => {
      const totals = new Set();
      const onProgress = ({ phase, total }) => phase === 'fetch' && totals.add(total);
      assert.equal(await topOf(`${url}/films.pique`, { onProgress }), expected);
      assert.deepEqual([...totals], [0], 'the length of other bytes is not a total');
    });
  });

  test('the engine from bytes and from an address', async () => {
    assert.equal(await topOf(model, { wasm: readDist('core-nosimd.wasm') }), expected);
    const answer = (_, response) => response.end(readDist('core.wasm'));
    await withServer(answer, async (url) => {
      assert.equal(await topOf(model, { wasm: `${url}/core.wasm` }), expected);
    });
  });

  test('neither is anything else', async () => {
    await failsWith('ARGUMENT', load(42), /address/);
    await failsWith('ARGUMENT', load(null), /address/);
  });
});

describe('damage', () => {
  test('a file that ends early, at any place', async () => {
    for (const part of [0.02, 0.3, 0.7, 0.99]) {
      await failsWith('MODEL_CORRUPT', load(model.subarray(0, model.length * part)));
    }
    await failsWith('MODEL_CORRUPT', load(model.subarray(0, model.length - 1)));
    await failsWith('MODEL_CORRUPT', load(model.subarray(0, 1)), /early/);
    await failsWith('MODEL_CORRUPT', load(plain.subarray(0, plain.length - 1)), /early/);
    await failsWith('MODEL_CORRUPT', load(new Uint8Array(0)), /nothing/);
  });

  test('a changed bit, at any place behind the head of the gzip', async () => {
    for (const part of [0.05, 0.25, 0.5, 0.75, 0.98]) {
      await failsWith('MODEL_CORRUPT', load(flipped(model, Math.floor(model.length * part))));
    }
    await failsWith('MODEL_CORRUPT', load(flipped(model, model.length - 6)));
  });

  test('bytes behind the end', async () => {
    const longer = new Uint8Array(plain.length + 1);
    longer.set(plain);
    await failsWith('MODEL_CORRUPT', load(longer), /longer/);
    await failsWith('MODEL_CORRUPT', load(gzipSync(longer)), /longer/);
  });

  test('other kinds of files', async () => {
    const text = (content) => new TextEncoder().encode(content);
    await failsWith('MODEL_CORRUPT', load(text('<!DOCTYPE html><title>x</title>')), /HTML page/);
    await failsWith('MODEL_CORRUPT', load(text('  \n<html>')), /HTML page/);
    await failsWith('MODEL_CORRUPT', load(text('id,title\n1,one\n'.repeat(100))));
    await failsWith('MODEL_CORRUPT', load(gzipSync(text('id,title\n1,one\n'.repeat(100)))));
    await failsWith('MODEL_CORRUPT', load(new Uint8Array(100_000)));
  });

  test('a later format version', async () => {
    const text = Buffer.from(plain).toString('latin1');
    const match = /"pique\.version": ?"(\d)/.exec(text);
    assert.ok(match, 'the file states its version');
    const later = plain.slice();
    later[match.index + match[0].length - 1] = '9'.charCodeAt(0);
    await failsWith('MODEL_VERSION', load(later), /version/);
  });

  test('a damaged tensor is named', async () => {
    const length = new DataView(plain.buffer, plain.byteOffset).getUint32(0, true);
    const head = Buffer.from(plain.subarray(8, 8 + length)).toString('latin1');
    const at = head.search(/"F(16|32)"/);
    assert.ok(at > 0);
    const damaged = plain.slice();
    damaged.set(new TextEncoder().encode('"F99"'), 8 + at);
    const error = await failsWith('MODEL_CORRUPT', load(damaged));
    assert.match(head, new RegExp(`"${error.tensor?.replace(/\./g, '\\.')}"`));
  });
});

describe('the network', () => {
  test('a missing file, and no answer at all', async () => {
    const answer = (_, response) => response.writeHead(404).end('<!doctype html>');
    const url = await withServer(answer, async (base) => {
      const error = await failsWith('HTTP', load(`${base}/films.pique`), /404/);
      assert.equal(error.status, 404);
      assert.equal(error.url, `${base}/films.pique`);
      return base;
    });
    const error = await failsWith('HTTP', load(`${url}/films.pique`), /could not be fetched/);
    assert.equal(error.status, 0);
  });

  test('a page in place of the model is named with its address', async () => {
    const answer = (_, response) => response.end('<!doctype html><p>Not here');
    await withServer(answer, async (base) => {
      const error = await failsWith('MODEL_CORRUPT', load(`${base}/a.pique`), /HTML page/);
      assert.equal(error.url, `${base}/a.pique`);
    });
  });

  test('a connection that breaks', async () => {
    const answer = (_, response) => {
      response.writeHead(200, { 'content-length': model.length });
      response.write(model.subarray(0, 4000), () => response.destroy());
    };
    await withServer(answer, (base) => failsWith('HTTP', load(`${base}/a.pique`)));
  });

  test('a transfer that is of no use is ended', async () => {
    let closed;
    const gone = new Promise((resolve) => {
      closed = resolve;
    });
    const answer = (_, response) => {
      response.on('close', closed);
      response.write('<!doctype html>'.padEnd(4000)); // and no end
    };
    await withServer(answer, async (base) => {
      await failsWith('MODEL_CORRUPT', load(`${base}/a.pique`));
      await gone;
    });
  });

  test('a page in place of the engine', async () => {
    const answer = (_, response) => response.end('<!doctype html><p>Not here');
    await withServer(answer, async (base) => {
      const wasm = `${base}/core.wasm`;
      const error = await failsWith('WASM_NOT_WASM', load(model, { wasm }), /HTML page/);
      assert.equal(error.url, wasm);
      await failsWith('WASM_NOT_WASM', load(model, { wasm: new Uint8Array([1, 2, 3, 4]) }));
    });
  });
});

describe('abort', () => {
  test('before, and while the server keeps us waiting', async () => {
    await failsWith('ABORTED', load(model, { signal: AbortSignal.abort() }));
    let closed;
    const gone = new Promise((resolve) => {
      closed = resolve;
    });
    const answer = (_, response) => {
      response.on('close', closed);
      response.writeHead(200);
      response.write(model.subarray(0, 4000));
    };
    await withServer(answer, async (base) => {
      const controller = new AbortController();
      const onProgress = ({ loaded }) => loaded > 0 && controller.abort();
      const loading = load(`${base}/a.pique`, { signal: controller.signal, onProgress });
      await failsWith('ABORTED', loading);
      await gone; // the transfer was ended, not left to run
    });
  });

  test('a query', async () => {
    const pique = await load(model);
    await failsWith('ABORTED', pique.recommend({ signal: AbortSignal.abort() }));
    await pique.dispose();
  });
});

describe('in a worker', () => {
  const worker = () => new NodeWorker();

  test('gives what this thread gives', async () => {
    const pique = await load(model, { worker });
    assert.equal(pique.info.thread, 'worker');
    await pique.dispose();
    assert.equal(await topOf(model, { worker }), await topOf(model));
  });

  test('errors keep their code and tensor', async () => {
    await failsWith('MODEL_CORRUPT', load(model.subarray(0, 5000), { worker }));
    await failsWith('WASM_NOT_WASM', load(model, { worker, wasm: new Uint8Array([1, 2, 3]) }));
  });

  test('dispose ends it, and so does a failed load', async () => {
    const before = NodeWorker.ended;
    const pique = await load(model, { worker });
    const pending = pique.recommend();
    await pique.dispose();
    await failsWith('DISPOSED', pending);
    await failsWith('DISPOSED', pique.interests());
    assert.equal(NodeWorker.ended, before + 1);
    await failsWith('MODEL_CORRUPT', load(new Uint8Array(9), { worker }));
    assert.equal(NodeWorker.ended, before + 2);
  });

  test('one that does not start is the fault of who gave it', async () => {
    const broken = () => new NodeWorker('file:///no/such/worker.js');
    await failsWith('ARGUMENT', load(model, { worker: broken }), /worker/);
  });
});

describe('the history', () => {
  test('keeps the order of time, tells its listeners, forgets', async () => {
    const history = new MemoryHistory();
    let changes = 0;
    const stop = history.subscribe(() => changes++);
    await history.add({ id: 'b', at: 20 });
    await history.add({ id: 'a', type: 'like', at: 10 });
    await history.add({ id: 'c', at: 30 });
    assert.deepEqual(
      (await history.list()).map(({ id }) => id),
      ['a', 'b', 'c'],
    );
    assert.deepEqual(
      (await history.list({ limit: 2 })).map(({ id }) => id),
      ['b', 'c'],
    );
    await history.remove('b');
    assert.deepEqual(
      (await history.list()).map(({ id }) => id),
      ['a', 'c'],
    );
    stop();
    await history.clear();
    assert.deepEqual(await history.list(), []);
    assert.equal(changes, 4);
    await failsWith('ARGUMENT', history.add({ id: '' }));
  });
});
