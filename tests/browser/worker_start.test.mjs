/** Where the engine runs in each browser: the sealed worker, its fallbacks, and policies in the way. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runInPage, serveSite } from './browser_support.mjs';
import { BROWSERS, launch } from './drivers.mjs';

const LOAD = `
  const pique = await load('films.pique');
  const { items } = await pique.recommend({ count: 3 });
  return { thread: pique.info.thread, isa: pique.info.isa, count: items.length };
`;

for (const name of BROWSERS) {
  describe(name, () => {
    let site;
    let browser;
    const inPage = (body, policy) => runInPage(site, browser, body, { policy });

    before(async () => {
      site = await serveSite();
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await site?.close();
    });

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

    test("'sealed' is refused where no sealed worker starts, rather than run unsealed", async () => {
      const sealed = LOAD.replace("'films.pique'", "'films.pique', { worker: 'sealed' }");
      const policy = "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";
      assert.equal((await inPage(sealed, policy)).code, 'UNSUPPORTED');
      assert.equal((await inPage(sealed)).thread, 'worker');
    });

    test('a browser without workers runs it on the page, one without WebAssembly is named', async () => {
      assert.equal((await inPage(`delete globalThis.Worker; ${LOAD}`)).thread, 'main');
      const nothing = 'delete globalThis.Worker; delete globalThis.WebAssembly;';
      const { code, message } = await inPage(nothing + LOAD);
      assert.equal(code, 'WASM_FAILED', message);
    });

    test('abort and dispose in the page', async () => {
      const aborted = await inPage(`
        const controller = new AbortController();
        const onProgress = () => controller.abort();
        return load('films.pique', { signal: controller.signal, onProgress });
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
  });
}
