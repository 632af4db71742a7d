/**
 * The cache of model files over a stand-in of the Cache API (the browsers' own one: tests/browser), and
 * integrity: what is kept, what is not, and when the server is asked.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { failsWith, flipped, importDist, modelBytes, withServer } from './web_support.mjs';

const { load } = await importDist('index.js');
const model = modelBytes();
const sha256 = (bytes, form) => createHash('sha256').update(bytes).digest(form);
let kept;
let refused;
/** What opening the cache waits for. */
let opening;

beforeEach(() => {
  kept = new Map();
  refused = false;
  opening = undefined;
  const cache = {
    async match(url) {
      const entry = kept.get(url);
      return entry && new Response(entry.bytes, { headers: entry.headers });
    },
    async put(url, response) {
      if (refused) throw new DOMException('full', 'QuotaExceededError');
      const bytes = new Uint8Array(await response.arrayBuffer());
      kept.delete(url);
      kept.set(url, { bytes, headers: [...response.headers] });
    },
    delete: async (url) => kept.delete(url),
    keys: async () => [...kept.keys()],
  };
  globalThis.caches = {
    async open(name) {
      assert.equal(name, 'pique-v1');
      await opening;
      if (refused === 'open') throw new DOMException('no', 'SecurityError');
      return cache;
    },
  };
});
afterEach(() => {
  delete globalThis.caches;
});

/** A server of one file that can change; `use` is given its address and what was asked. */
function serve(use, options = {}) {
  const state = { asked: 0, bytes: model, etag: '"1"', status: 200, ...options };
  const answer = (_, response) => {
    state.asked++;
    const headers = { 'content-length': state.bytes.length };
    if (state.etag) headers.etag = state.etag;
    if (state.modified) headers['last-modified'] = state.modified;
    if (state.status !== 200) return response.writeHead(state.status).end();
    response.writeHead(200, headers);
    if (state.half) return response.write(state.bytes.subarray(0, state.bytes.length / 2));
    response.end(state.bytes);
  };
  return withServer(answer, (url) => use(`${url}/films.pique`, state));
}

/** Loads, uses and disposes; whether the bytes came from the cache, and all phases. */
async function visit(url, options = {}) {
  const seen = [];
  const onProgress = (progress) => seen.push(progress);
  const pique = await load(url, { worker: false, onProgress, ...options });
  const { items } = await pique.recommend({ count: 3 });
  await pique.dispose();
  await wait(20); // nobody waits for the copy to be kept
  assert.equal(items.length, 3);
  assert.equal(seen.at(-1).loaded, model.length);
  return {
    fromCache: seen.at(-1).fromCache,
    phases: new Set(seen.map(({ phase }) => phase)),
    seen,
  };
}

describe('a second visit', () => {
  test('takes the copy when the server still has the file', async () => {
    await serve(async (url, state) => {
      assert.equal((await visit(url)).fromCache, false);
      const second = await visit(url);
      assert.equal(second.fromCache, true);
      assert.equal(second.seen[0].total, model.length);
      assert.equal(state.asked, 2);
    });
  });

  test('takes it by date and length where there is no ETag, and not without both', async () => {
    const modified = 'Thu, 26 Nov 2026 10:00:00 GMT';
    await serve(
      async (url, state) => {
        await visit(url);
        assert.equal((await visit(url)).fromCache, true);
        state.modified = 'Fri, 27 Nov 2026 10:00:00 GMT';
        assert.equal((await visit(url)).fromCache, false);
        state.modified = undefined;
        assert.equal((await visit(url)).fromCache, false);
        assert.equal((await visit(url)).fromCache, false);
      },
      { etag: '', modified },
    );
  });

  test('takes the new file when it changed', async () => {
    await serve(async (url, state) => {
      await visit(url);
      state.etag = '"2"';
      assert.equal((await visit(url)).fromCache, false);
      assert.equal((await visit(url)).fromCache, true);
      assert.equal(kept.size, 1);
    });
  });

  test('works offline and while the server fails, but a file that is gone is gone', async () => {
    const address = await serve(async (url, state) => {
      await visit(url);
      state.status = 503;
      assert.equal((await visit(url)).fromCache, true);
      state.status = 404;
      await failsWith('HTTP', load(url, { worker: false }), /404/);
      return url;
    });
    assert.equal((await visit(address)).fromCache, true);
    await failsWith('HTTP', load(address, { worker: false, cache: 'none' }));
  });

  test('asks the server while the cache is opened', { timeout: 10_000 }, async () => {
    await serve(async (url, state) => {
      opening = new Promise((resolve) => {
        Object.defineProperty(state, 'asked', { get: () => 0, set: resolve });
      });
      assert.equal((await visit(url)).fromCache, false);
    });
  });

  test('asks nobody for a file of known hash', async () => {
    await serve(async (url, state) => {
      const integrity = sha256(model, 'hex');
      const first = await visit(url, { integrity });
      assert.ok(first.phases.has('verify'));
      const second = await visit(url, { integrity: `sha256-${sha256(model, 'base64')}` });
      assert.ok(second.fromCache && second.phases.has('verify'));
      assert.equal(state.asked, 1);
    });
  });

  test('of old files makes room: eight stay', async () => {
    const answer = (_, response) => response.end(model);
    await withServer(answer, async (url) => {
      for (let i = 0; i < 10; i++) await visit(`${url}/films.${i}.pique`);
      const names = [...kept.keys()].map((key) => key.at(-7));
      assert.deepEqual(names, ['2', '3', '4', '5', '6', '7', '8', '9']);
    });
  });
});

describe('nothing is kept', () => {
  test('of a load that was aborted on the way', async () => {
    await serve(
      async (url) => {
        const controller = new AbortController();
        const onProgress = ({ loaded }) => loaded > 0 && controller.abort();
        const loading = load(url, { worker: false, signal: controller.signal, onProgress });
        await failsWith('ABORTED', loading);
        await wait(50);
        assert.equal(kept.size, 0);
      },
      { half: true },
    );
  });

  test('of what is no model, a damaged one, or one of another hash', async () => {
    const html = new TextEncoder().encode('<!doctype html><title>no</title>');
    for (const bytes of [html, flipped(model, 5000), model.slice(0, -4)]) {
      await serve((url) => failsWith('MODEL_CORRUPT', load(url, { worker: false })), { bytes });
    }
    const integrity = sha256(html, 'hex');
    await serve((url) =>
      failsWith('INTEGRITY', load(url, { worker: false, integrity }), /SHA-256/),
    );
    await wait(20);
    assert.equal(kept.size, 0);
  });

  test('with cache: none, from bytes, and where storage is refused', async () => {
    await visit(model);
    await serve(async (url) => {
      await visit(url, { cache: 'none' });
      refused = true;
      await visit(url);
      refused = 'open';
      await visit(url);
      delete globalThis.caches;
      await visit(url);
      assert.equal(kept.size, 0);
    });
  });
});

describe('a damaged copy', () => {
  test('is dropped and fetched anew', async () => {
    await serve(async (url, state) => {
      await visit(url);
      for (const bytes of [flipped(model, 9000), model.slice(0, 100), new Uint8Array(0)]) {
        kept.get(url).bytes = bytes;
        assert.equal((await visit(url)).fromCache, false);
        assert.deepEqual(kept.get(url).bytes, model);
      }
      assert.equal(state.asked, 1 + 3 * 2);
      assert.equal((await visit(url)).fromCache, true);
    });
  });

  test('is found by its hash, too', async () => {
    await serve(async (url) => {
      const integrity = sha256(model, 'hex');
      await visit(url, { integrity });
      // A whole, valid file, and not the one that was asked for.
      const { gunzipSync, gzipSync } = await import('node:zlib');
      kept.get(url).bytes = new Uint8Array(gzipSync(gunzipSync(model), { level: 1 }));
      assert.equal((await visit(url, { integrity })).fromCache, false);
      assert.deepEqual(kept.get(url).bytes, model);
    });
  });

  test('without a server is told, and is no copy any more', async () => {
    const address = await serve(async (url) => {
      await visit(url);
      kept.get(url).bytes = flipped(model, 9000);
      return url;
    });
    await failsWith('HTTP', load(address, { worker: false }));
    assert.equal(kept.size, 0);
  });
});

describe('integrity', () => {
  test('of bytes, of a ranker, and what is no hash', async () => {
    const good = { worker: false, integrity: sha256(model, 'hex').toUpperCase() };
    await visit(model, good);
    const other = { ...good, integrity: sha256('x', 'hex') };
    await failsWith('INTEGRITY', load(model, other));
    for (const integrity of ['', 'sha256-', 'md5-x', 5, null, sha256(model, 'hex').slice(1)]) {
      await failsWith('ARGUMENT', load(model, { worker: false, integrity }), /integrity/);
    }
    await failsWith('ARGUMENT', load(model, { ...good, partial: true }), /partial/);
  });

  test('nothing was scored or opened when it does not hold', async () => {
    const phases = [];
    const onProgress = ({ phase }) => phases.push(phase);
    const integrity = sha256('x', 'hex');
    await failsWith('INTEGRITY', load(model, { worker: false, integrity, onProgress }));
    assert.equal(phases.at(-1), 'verify');
  });

  test('a page that cannot hash says so', async () => {
    const { crypto } = globalThis;
    Object.defineProperty(globalThis, 'crypto', { value: {}, configurable: true });
    try {
      const integrity = sha256(model, 'hex');
      await failsWith('UNSUPPORTED', load(model, { worker: false, integrity }), /https/);
    } finally {
      Object.defineProperty(globalThis, 'crypto', { value: crypto, configurable: true });
    }
  });
});
