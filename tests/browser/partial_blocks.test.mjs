/** A file of blocks in each browser: recommendations before the last block came, ranges, and its cache. PIQUE_CLI
 * names the command line that makes the file. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { serveSite } from './browser_support.mjs';
import { BROWSERS, launch } from './drivers.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const cli = process.env.PIQUE_CLI ?? path.join(root, 'build/native/pique');
let site;

before(async () => {
  site = await serveSite();
  const film = path.join(site.folder, 'films.pique');
  const out = path.join(site.folder, 'blocks.pique');
  execFileSync(cli, ['export', film, '--quant', 'int8', '--blocks', 256, '-o', out]);
  writeFileSync(path.join(site.folder, 'bare.html'), '<!doctype html><title>t</title>');
});
after(() => site?.close());

/**
 * In the page: what a visitor with these items sees at once, before the end, and then. `most`: how many ranges are
 * answered until the visitor has seen the list between.
 */
async function visit(context, most) {
  const { load } = await import(`${location.origin}/index.js`);
  let ranges = 0;
  let release;
  const released = new Promise((resolve) => {
    release = resolve;
  });
  const { fetch } = globalThis;
  globalThis.fetch = async (address, options) => {
    if (new Headers(options?.headers).has('range') && ++ranges > most) await released;
    return fetch(address, options);
  };
  let blocks = 0;
  let enough;
  const some = new Promise((resolve) => {
    enough = resolve;
  });
  const onProgress = ({ phase }) => phase === 'blocks' && ++blocks >= 4 && enough();
  const pique = await load('blocks.pique', { partial: true, onProgress });
  const query = { context, count: 10 };
  const see = async () => {
    const { items, coverage, personal } = await pique.recommend(query);
    return { items, coverage, personal };
  };
  const first = await see();
  await some;
  const between = await see();
  release();
  await pique.complete;
  const last = await see();
  const whole = await load('films.pique');
  const { items } = await whole.recommend(query);
  return { thread: pique.info.thread, ranges, first, between, last, items };
}

const CONTEXT = ['raiders-of-the-lost-ark-1981', 'alien-1979'];
const MANY = 1000;

for (const name of BROWSERS) {
  describe(name, () => {
    let browser;
    before(async () => {
      browser = await launch(name);
    });
    after(() => browser?.close());

    test('recommends before the last block came', async () => {
      await browser.goto(`${site.url}bare.html`);
      const seen = await browser.evaluate(visit, CONTEXT, 4);
      const { thread, ranges, first, between, last, items } = seen;
      assert.equal(thread, 'worker');
      assert.ok(ranges > 4, `${ranges} ranges`);
      assert.equal(first.items.length, 10);
      assert.ok(first.coverage < 1);
      assert.ok(between.personal && between.coverage > 0 && between.coverage < 1);
      assert.equal(between.items.length, 10);
      assert.equal(last.coverage, 1);
      assert.deepEqual(last.items, items);
    });

    test("with the browser's cache, again and again", async () => {
      for (let visits = 0; visits < 3; visits++) {
        await browser.goto(`${site.url}bare.html`);
        const { last, items } = await browser.evaluate(visit, CONTEXT, MANY);
        assert.equal(last.coverage, 1);
        assert.deepEqual(last.items, items);
      }
    });
  });
}
