/** What stays on the device, in each browser: the cache of model files, and the history of several tabs. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runInPage, serveSite } from './browser_support.mjs';
import { BROWSERS, launch } from './drivers.mjs';

/** Loads from `given.url`; what the visitor saw, and what is kept of the file some moments later. */
const VISIT = `
  const controller = new AbortController();
  const seen = [];
  const onProgress = (progress) => {
    seen.push(progress);
    if (given.abort && progress.loaded > 0) controller.abort();
  };
  const { integrity } = given;
  const options = { signal: controller.signal, onProgress, ...(integrity && { integrity }) };
  const pique = await load(given.url, options).catch((error) => error);
  const kept = async () => {
    const cache = await caches.open('pique-v1');
    const entry = await cache.match(given.url);
    return entry ? (await entry.arrayBuffer()).byteLength : 0;
  };
  if (pique instanceof Error) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return { code: pique.code, message: pique.message, kept: await kept() };
  }
  const { items } = await pique.recommend({ count: 3 });
  await pique.dispose();
  for (let i = 0; i < 40 && (await kept()) !== given.size; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { fromCache } = seen.at(-1);
  return { fromCache, thread: pique.info.thread, ids: items.map(({ id }) => id), kept: await kept() };
`;

/** Damages the copy that is kept. */
const DAMAGE = `
  const cache = await caches.open('pique-v1');
  const entry = await cache.match(given.url);
  const bytes = new Uint8Array(await entry.arrayBuffer());
  bytes[bytes.length >> 1] ^= 16;
  await cache.put(given.url, new Response(bytes, { headers: entry.headers }));
  return bytes.length;
`;

/** Several of these in one page: visits, damage, words to the server. */
const STEPS = `
  const visit = async (given) => { ${VISIT} };
  const damage = async (given) => { ${DAMAGE} };
  const results = [];
  for (const step of given) {
    if (step.ask) results.push(await fetch(step.ask).catch(String));
    else results.push(await (step.damage ? damage : visit)(step));
  }
  return results;
`;

/** Two documents of the site, each with the package and a store of its own. */
const TABS = `
  const open = async () => {
    const frame = document.createElement('iframe');
    frame.src = 'bare.html?tab';
    await new Promise((resolve) => {
      frame.onload = resolve;
      document.body.append(frame);
    });
    const script = frame.contentDocument.createElement('script');
    script.type = 'module';
    script.textContent =
      "import { openHistory } from './index.js'; window.store = await openHistory(); parent.dispatchEvent(new Event('tab'));";
    const ready = new Promise((resolve) => addEventListener('tab', resolve, { once: true }));
    frame.contentDocument.body.append(script);
    await ready;
    return frame.contentWindow.store;
  };
  const [one, two] = [await open(), await open()];
  const list = async (store) => (await store.list()).map(({ id, type }) => id + ' ' + type).join();
  const agree = async () => {
    for (let i = 0; i < 60 && ((await list(one)) !== (await list(two)) || one.paused !== two.paused); i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return (await list(one)) + ' | ' + (await list(two));
  };
  let told = 0;
  two.subscribe(() => told++);
  const before = await list(one);
  if (given.look) return before;
  await one.clear();
  await one.add({ id: 'a', at: 1 });
  await two.add({ id: 'b', type: 'like', at: 2 });
  await Promise.all([one.add({ id: 'c', type: 'hide', at: 3 }), two.add({ id: 'd', at: 4 })]);
  const both = await agree();
  await two.remove('b');
  const removed = await agree();
  const blob = await one.export();
  one.pause(true);
  await agree();
  const paused = two.paused;
  await two.add({ id: 'e' });
  two.pause(false);
  await two.clear();
  const cleared = await agree();
  const count = await two.import(blob);
  return { different: one !== two, lasting: one.persistent, both, removed, paused, cleared, count, last: await agree(), told: told > 3 };
`;

for (const name of BROWSERS) {
  describe(name, () => {
    let site;
    let browser;
    let server;
    let url;
    let model;
    let size;
    const state = { down: false, half: false };
    const inPage = (body, given) => runInPage(site, browser, body, { given });

    before(async () => {
      site = await serveSite();
      model = readFileSync(path.join(site.folder, 'films.pique'));
      size = model.length;
      // Of another origin, as a storage of files often is.
      server = createServer((request, response) => {
        if (request.url.includes('?')) state.down = request.url.endsWith('?down');
        if (state.down) return response.destroy();
        response.writeHead(200, {
          'access-control-allow-origin': '*',
          'cache-control': 'no-store',
          'content-length': size,
          'last-modified': 'Thu, 26 Nov 2026 10:00:00 GMT',
        });
        if (state.half) return response.write(model.subarray(0, size / 2));
        response.end(model);
      });
      await new Promise((resolve) => server.listen(0, 'localhost', resolve));
      url = `http://localhost:${server.address().port}/films.pique`;
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await site?.close();
      server?.closeAllConnections();
      server?.close();
    });

    test('a load that is aborted on the way leaves nothing', async () => {
      state.half = true;
      const { code, kept } = await inPage(VISIT, { url, size, abort: true });
      state.half = false;
      assert.deepEqual({ code, kept }, { code: 'ABORTED', kept: 0 });
    });

    test('another file than the one of integrity is neither used nor kept', async () => {
      const integrity = createHash('sha256').update('other').digest('hex');
      const { code, kept } = await inPage(VISIT, { url, size, integrity });
      assert.deepEqual({ code, kept }, { code: 'INTEGRITY', kept: 0 });
    });

    test('offline, the file of the last visit serves; a damaged copy heals', async () => {
      const visit = { url, size };
      const offline = [{ ask: `${url}?down` }, visit, { ask: `${url}?up` }];
      const heal = [{ url, damage: true }, visit, visit];
      const results = await inPage(STEPS, [visit, visit, ...offline, ...heal]);
      assert.ok(Array.isArray(results), results.message);
      const [first, second, , alone, , damaged, healed, again] = results;
      assert.deepEqual([first.fromCache, first.thread, first.kept], [false, 'worker', size]);
      assert.equal(second.fromCache, true);
      assert.deepEqual(alone, second);
      assert.deepEqual(alone.ids, first.ids);
      assert.equal(damaged, size);
      assert.deepEqual([healed.fromCache, healed.kept], [false, size]);
      assert.equal(again.fromCache, true);
    });

    // The automated session of WebKitGTK forgets what is stored with the last page of a site.
    test('a page that is opened anew finds it', { skip: name === 'webkit' }, async () => {
      assert.equal((await inPage(VISIT, { url, size })).fromCache, true);
    });

    test('two tabs agree on the history, which stays', async () => {
      const result = await inPage(TABS, {});
      assert.deepEqual(result, {
        different: true,
        lasting: true,
        both: 'a view,b like,c hide,d view | a view,b like,c hide,d view',
        removed: 'a view,c hide,d view | a view,c hide,d view',
        paused: true,
        cleared: ' | ',
        count: 3,
        last: 'a view,c hide,d view | a view,c hide,d view',
        told: true,
      });
      if (name === 'webkit') return; // see above
      assert.equal(await inPage(TABS, { look: true }), 'a view,c hide,d view');
    });
  });
}
