/** The tutorials, followed word for word. (That for blogs sends its readers to the guides.) */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { packPackage } from '../package/package_support.mjs';
import { follow, makeFolder, readSteps, waitFor, withBrowser } from './guide_steps.mjs';

const DEPARTMENTS = {
  camping: /^(tent|stove|lamp|mat)-/,
  kitchen: /^(pan|knife|kettle|board)-/,
  office: /^(desk|chair|shelf|bin)-/,
  garden: /^(spade|rake|hose|pot)-/,
};

/** The addresses that the command printed, in place of the dots of a page. */
function paste(folder, name, printed) {
  const file = path.join(folder, name);
  let text = readFileSync(file, 'utf8');
  for (const attribute of ['src', 'model', 'integrity', 'catalog']) {
    const given = new RegExp(` ${attribute}="[^"]+"`).exec(printed)[0];
    assert.ok(text.includes(` ${attribute}="…"`));
    text = text.replaceAll(` ${attribute}="…"`, given);
  }
  writeFileSync(file, text);
}

/** Ids of the products that a list of the page shows, once it has them from the model. */
const shown = (index) => {
  const list = document.querySelectorAll('pique-list')[index];
  const links = [...(list?.shadowRoot?.querySelectorAll('a[href]') ?? [])];
  return (
    list?.getAttribute('state') === 'ready' &&
    links.length > 0 &&
    links.map((link) => new URL(link.href).searchParams.get('id'))
  );
};
const similar = () => {
  const links = [...document.querySelectorAll('#similar a')];
  return links.length === 4 && links.map((link) => new URL(link.href).searchParams.get('id'));
};

test('the tutorial for shops', async () => {
  const folder = makeFolder(after);
  const printed = follow(folder, readSteps('docs/tutorials/shop.md').steps);
  for (const page of ['index.html', 'product.html']) paste(folder, page, printed);
  const [recall, popularity] = /recall@10 +(\S+) +(\S+)/.exec(printed).slice(1).map(Number);
  assert.ok(recall > 2 * popularity, `recall@10 ${recall}, of popularity ${popularity}`);

  await withBrowser(folder, async (browser, url) => {
    await browser.goto(`${url}/index.html`);
    const camping = await waitFor(browser, shown, 1);
    assert.equal(camping.length, 4);
    for (const id of camping) assert.match(id, DEPARTMENTS.camping);

    await browser.goto(`${url}/product.html?id=kettle-oak`);
    const near = await waitFor(browser, similar);
    const fromKitchen = near.filter((id) => DEPARTMENTS.kitchen.test(id));
    assert.ok(fromKitchen.length >= 3 && !near.includes('kettle-oak'), near.join());

    await browser.goto(`${url}/index.html`);
    const own = await waitFor(browser, shown, 0);
    assert.equal(own.length, 6);
    assert.ok(own.filter((id) => DEPARTMENTS.kitchen.test(id)).length >= 3, own.join());
  });
});

test('the tutorial for Node', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'pique-node-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const printed = follow(folder, readSteps('docs/tutorials/node.md').steps, packPackage(folder));
  const lines = (word) =>
    printed
      .split('\n')
      .filter((line) => line.startsWith(`${word}: `))
      .map((line) => line.split(' ').slice(word.split(' ').length));
  assert.match(printed, /^mind: 3005 films with genre,/m);
  const [popular] = lines('popular');
  assert.equal(popular.length, 3);
  const own = lines('for you').map(([id]) => id);
  assert.equal(own.length, 3);
  assert.ok(own.every((id) => !popular.slice(0, 2).includes(id)));
  assert.deepEqual(lines('ranked'), [own]);
  assert.equal(lines('comedies')[0].length, 3);
  const [filtered] = lines('of the 1990s');
  assert.equal(filtered.length, 3);
  for (const id of filtered) assert.match(id, /-199\d$/);
  assert.equal(lines('similar')[0].length, 3);
  const pages = lines('page').flat();
  assert.deepEqual(pages.slice(0, 3), own.slice(0, Math.min(pages.length, 3)));
  assert.equal(new Set(pages).size, pages.length);
  assert.match(printed, /^HTTP file:.*missing\.pique$/m);
});
