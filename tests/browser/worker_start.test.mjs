/** Where the engine runs in Chromium: the sealed worker, its fallbacks, and policies in the way. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { openSite } from './browser_support.mjs';

let site;

before(async () => {
  site = await openSite();
});
after(() => site?.close());

/** Runs `body`, the text of an async function of `load`, in a page with that policy. */
async function inPage(body, policy = '') {
  const meta = policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
  writeFileSync(path.join(site.folder, 'bare.html'), `<!doctype html><title>t</title>${meta}`);
  writeFileSync(
    path.join(site.folder, 'bare.js'),
    `import { load } from './pique.js';
     export const run = async () => { ${body} };`,
  );
  const page = await site.browser.newPage();
  await page.setCacheEnabled(false);
  await page.goto(`${site.url}bare.html`);
  try {
    return await page.evaluate(async (address) => {
      const { run } = await import(address);
      return run().catch((error) => ({ code: error.code, message: error.message }));
    }, `${site.url}bare.js`);
  } finally {
    await page.close();
  }
}

const LOAD = `
  const pique = await load('films.pique');
  const { items } = await pique.recommend({ count: 3 });
  return { thread: pique.info.thread, isa: pique.info.isa, count: items.length };
`;

test('the worker file is used where it is served', async () => {
  const result = await inPage(LOAD);
  assert.deepEqual(result, { thread: 'worker', isa: 'v128', count: 3 });
});

test('a strict page policy does not stop the sealed worker', async () => {
  const result = await inPage(LOAD, "script-src 'self'; connect-src 'self'");
  assert.deepEqual(result, { thread: 'worker', isa: 'v128', count: 3 });
});

test('worker: false runs on the page, and a policy without WebAssembly is named', async () => {
  const here = LOAD.replace("'films.pique'", "'films.pique', { worker: false }");
  assert.equal((await inPage(here)).thread, 'main');
  assert.equal((await inPage(here, "script-src 'self'")).code, 'CSP_BLOCKED');
  const allowed = await inPage(here, "script-src 'self' 'wasm-unsafe-eval'");
  assert.equal(allowed.thread, 'main');
});

test('abort and dispose in the page', async () => {
  const aborted = await inPage(`
    const controller = new AbortController();
    return load('films.pique', { signal: controller.signal, onProgress: () => controller.abort() });
  `);
  assert.equal(aborted.code, 'ABORTED');
  const disposed = await inPage(`
    const pique = await load('films.pique');
    await pique.dispose();
    return pique.recommend();
  `);
  assert.equal(disposed.code, 'DISPOSED');
});

test('a missing worker file is replaced by the script inside, then by the page', async () => {
  rmSync(path.join(site.folder, 'worker.js'));
  assert.equal((await inPage(LOAD)).thread, 'worker');
  const onPage = await inPage(LOAD, "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'");
  assert.equal(onPage.thread, 'main');
});
