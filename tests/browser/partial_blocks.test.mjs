/** A file of blocks in Chromium: recommendations before the last block came, ranges, and its cache. PIQUE_CLI
 * names the command line that makes the file. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openSite } from './browser_support.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const cli = process.env.PIQUE_CLI ?? path.join(root, 'build/native/pique');
let site;

before(async () => {
  site = await openSite();
  const film = path.join(site.folder, 'films.pique');
  const out = path.join(site.folder, 'blocks.pique');
  execFileSync(cli, ['export', film, '--quant', 'int8', '--blocks', 256, '-o', out]);
  writeFileSync(path.join(site.folder, 'bare.html'), '<!doctype html><title>t</title>');
});
after(() => site?.close());

/** In the page: what a visitor with these items sees at once, before the end, and then. */
async function visit(context) {
  const { load } = await import('./index.js');
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
  globalThis.release?.();
  await pique.complete;
  const last = await see();
  const whole = await load('films.pique');
  const { items } = await whole.recommend(query);
  return { thread: pique.info.thread, first, between, last, items };
}

const CONTEXT = ['raiders-of-the-lost-ark-1981', 'alien-1979'];

test('recommends before the last block came', async () => {
  const page = await site.browser.newPage();
  await page.goto(`${site.url}bare.html`);
  const held = [];
  let ranges = 0;
  await page.exposeFunction('release', () => {
    for (const request of held.splice(0)) request.continue();
    ranges = Number.NEGATIVE_INFINITY;
  });
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    if (request.headers().range && ++ranges > 4) held.push(request);
    else request.continue();
  });
  const { thread, first, between, last, items } = await page.evaluate(visit, CONTEXT);
  assert.equal(thread, 'worker');
  assert.equal(first.items.length, 10);
  assert.ok(first.coverage < 1);
  assert.ok(between.personal && between.coverage > 0 && between.coverage < 1);
  assert.equal(between.items.length, 10);
  assert.equal(last.coverage, 1);
  assert.deepEqual(last.items, items);
  await page.close();
});

test("with the browser's cache, again and again", async () => {
  const page = await site.browser.newPage();
  for (let visits = 0; visits < 3; visits++) {
    await page.goto(`${site.url}bare.html`);
    const { last, items } = await page.evaluate(visit, CONTEXT);
    assert.equal(last.coverage, 1);
    assert.deepEqual(last.items, items);
  }
  await page.close();
});
