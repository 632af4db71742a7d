/** The demo site in Chromium: what a visitor does, and what they see when something is broken. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  DESKTOP,
  listIds,
  openPage,
  openSite,
  PHONE,
  pickFilm,
  picture,
  reload,
  stateOf,
  textOf,
  waitForLikes,
  waitUntil,
} from './browser_support.mjs';

let site;
let films;
let popular;

before(async () => {
  site = await openSite();
  films = JSON.parse(readFileSync(path.join(site.folder, 'films.json'), 'utf8'));
  const { page, context } = await openPage(site);
  popular = await listIds(page, '#films');
  await context.close();
});
after(() => site?.close());

/** Titles of popular films that no other title begins with. */
function titlesToPick(count) {
  const alone = popular
    .map((id) => films.find((film) => film.id === id).title)
    .filter((title) => {
      const begins = (other) => other.title.toLowerCase().startsWith(title.toLowerCase());
      return films.filter(begins).length === 1;
    });
  assert.ok(alone.length >= count, `${alone}`);
  return alone.slice(0, count);
}

describe('a visit', () => {
  test('three films give recommendations with reasons, none of them picked', async () => {
    const { page, context, problems } = await openPage(site);
    assert.equal(await stateOf(page), 'ready');
    assert.equal(await textOf(page, '#shelf-title'), 'Popular films');
    const titles = titlesToPick(3);
    for (const title of titles) await pickFilm(page, title);

    const liked = await listIds(page, '#likes');
    const byTitle = titles.map((title) => films.find((film) => film.title === title).id);
    assert.deepEqual([...liked].sort(), [...byTitle].sort());
    const shown = await listIds(page, '#films');
    assert.equal(shown.length, 12);
    assert.equal(new Set(shown).size, 12);
    assert.ok(shown.every((id) => !liked.includes(id)));
    assert.notDeepEqual(shown, popular);
    assert.equal(await textOf(page, '#shelf-title'), 'Recommended for you');

    const reasons = await page.$$eval('#films .reason', (rows) =>
      rows.map((row) => row.textContent),
    );
    assert.equal(reasons.length, 12);
    for (const reason of reasons) {
      assert.match(reason, /^Because you liked /);
      assert.ok(
        titles.some((title) => reason.includes(title)),
        reason,
      );
    }
    assert.match(await textOf(page, '#timing'), /^[\d.]+ ms to compute, [\d.]+ ms in all$/);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('interests change with every film', async () => {
    const { page, context } = await openPage(site);
    const interests = () =>
      page.$$eval('#interests > li', (rows) => rows.map((row) => row.textContent));
    assert.deepEqual(await interests(), []);
    const seen = new Set();
    for (const title of titlesToPick(4)) {
      await pickFilm(page, title);
      const now = await interests();
      assert.ok(now.length >= 1);
      seen.add(now.join());
    }
    assert.equal(seen.size, 4);
    const fed = await page.$$eval('#interests .fed-title', (rows) =>
      rows.map((row) => row.textContent),
    );
    assert.ok(fed.length > 0 && fed.every((title) => titlesToPick(4).includes(title)));
    await context.close();
  });

  test('hearts add, crosses remove, and the page can start over', async () => {
    const { page, context } = await openPage(site);
    const [first] = await listIds(page, '#films');
    await page.click('#films > li:first-child .heart');
    await waitForLikes(page, 1);
    assert.deepEqual(await listIds(page, '#likes'), [first]);
    await page.click('#films > li:nth-child(2) .heart');
    await waitForLikes(page, 2);
    await page.click('#likes > li:last-child .remove');
    await waitForLikes(page, 1);
    assert.ok(!(await listIds(page, '#likes')).includes(first));
    await page.click('#clear');
    await waitForLikes(page, 0);
    assert.equal(await textOf(page, '#shelf-title'), 'Popular films');
    await page.click('#example');
    await waitForLikes(page, 4);
    await context.close();
  });

  test('a reload keeps nothing of the visitor, and the files of the page alone', async () => {
    const { page, context } = await openPage(site);
    await pickFilm(page, titlesToPick(1)[0]);
    const stored = await page.evaluate(async () => {
      const [name, ...others] = await caches.keys();
      const kept = await (await caches.open(name)).keys();
      return {
        local: localStorage.length,
        session: sessionStorage.length,
        cookies: document.cookie,
        databases: (await indexedDB.databases()).length,
        caches: [name.split(' ')[0], ...others],
        strangers: kept.filter(({ url }) => new URL(url).search !== '').length,
      };
    });
    const nothing = { local: 0, session: 0, cookies: '', databases: 0, strangers: 0 };
    assert.deepEqual(stored, { ...nothing, caches: ['pique-demo'] });
    await reload(page);
    assert.deepEqual(await listIds(page, '#likes'), []);
    assert.equal(await textOf(page, '#shelf-title'), 'Popular films');
    await context.close();
  });

  test('says where titles and viewers come from, and what it costs', async () => {
    const { page, context } = await openPage(site);
    assert.match(await textOf(page, '#provenance'), /vega-datasets/);
    assert.match(await textOf(page, '#provenance'), /simulated/);
    assert.match(await textOf(page, '#fact-size'), /^\d[\d.]* (kB|MB)/);
    assert.equal(await textOf(page, '#fact-runs'), 'in a worker, with SIMD');
    await context.close();
  });
});

describe('with the keyboard alone', () => {
  test('search, choose, walk on to a film, like it, take it back', async () => {
    const { page, context, problems } = await openPage(site);
    const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label'));
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const inSearch = () => page.evaluate(() => document.activeElement.id === 'search-input');
    for (let step = 0; step < 10 && !(await inSearch()); step++) await press('Tab');
    assert.equal(await inSearch(), true, 'within ten steps');
    await page.keyboard.type(titlesToPick(1)[0].slice(0, 3));
    const expanded = await page.$eval('#search-input', (input) => input.ariaExpanded);
    assert.equal(expanded, 'true');
    await press('ArrowDown', 'ArrowUp', 'ArrowDown');
    const active = await page.$eval('#search-input', (input) =>
      document
        .getElementById(input.getAttribute('aria-activedescendant'))
        .getAttribute('aria-selected'),
    );
    assert.equal(active, 'true');
    await press('Escape');
    assert.equal(await page.$eval('#search-list', (list) => list.hidden), true);
    await press('ArrowDown', 'Enter');
    await waitForLikes(page, 1);

    // On to the first heart among the films, wherever it stands in the order of the page.
    for (let step = 0; step < 30 && !/^Like /.test((await focused()) ?? ''); step++) {
      await press('Tab');
    }
    const wanted = await focused();
    assert.match(wanted, /^Like /);
    await press('Space');
    await waitForLikes(page, 2);
    assert.match(await focused(), /^Like /, 'the keyboard stays among the films');
    assert.notEqual(await focused(), wanted);

    await page.focus('#likes > li:first-child .remove');
    await press('Enter');
    await waitForLikes(page, 1);
    assert.match(await focused(), /^Remove /, 'and among the liked ones');
    await press('Enter');
    await waitForLikes(page, 0);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'search-input');
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('screen readers are told', async () => {
    const { page, context } = await openPage(site);
    const [title] = titlesToPick(1);
    await page.evaluate(() => {
      window.said = [];
      const announcer = document.getElementById('announcer');
      new MutationObserver(() => window.said.push(announcer.textContent)).observe(announcer, {
        childList: true,
      });
    });
    await pickFilm(page, title);
    await waitUntil(page, () => window.said.some((text) => /recommendations/.test(text)));
    const said = await page.evaluate(() => window.said);
    assert.ok(
      said.some((text) => text.includes(title)),
      said.join(' | '),
    );
    await context.close();
  });
});

describe('accessibility, measured by axe', () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

  for (const [name, viewport, scheme] of [
    ['desktop', DESKTOP, 'light'],
    ['desktop-dark', DESKTOP, 'dark'],
    ['phone', PHONE, 'light'],
    ['phone-dark', PHONE, 'dark'],
  ]) {
    test(name, async () => {
      const media = { 'prefers-color-scheme': scheme };
      const { page, context } = await openPage(site, { viewport, media });
      await picture(page, `${name}-start`);
      for (const title of titlesToPick(4)) await pickFilm(page, title);
      await page.evaluate(() => document.activeElement.blur());
      await picture(page, name);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.equal(wide, false, 'the page does not scroll sideways');
      await page.focus('#search-input');
      await page.keyboard.type('the');
      await page.evaluate(axe);
      const violations = await page.evaluate(async () => (await window.axe.run()).violations);
      const told = violations.map(
        ({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`,
      );
      assert.deepEqual(told, []);
      await context.close();
    });
  }
});

describe('broken files show their error', () => {
  const model = () => new Uint8Array(readFileSync(path.join(site.folder, 'films.pique')));
  const broken = {
    'cut.pique': () => model().subarray(0, Math.floor(model().length / 2)),
    'flipped.pique': () => {
      const bytes = model();
      bytes[Math.floor(bytes.length / 2)] ^= 4;
      return bytes;
    },
    'other.pique': () => new TextEncoder().encode('id,title\n1,one\n'.repeat(200)),
    'page.pique': () => new TextEncoder().encode('<!doctype html><title>Not here</title>'),
  };

  for (const [name, make] of Object.entries(broken)) {
    test(name, async () => {
      writeFileSync(path.join(site.folder, name), make());
      const { page, context } = await openPage(site, { query: `?model=${name}` });
      assert.equal(await stateOf(page), 'failed');
      assert.equal(await textOf(page, '.failure-code'), 'MODEL_CORRUPT');
      assert.match(await textOf(page, '.failure-detail'), new RegExp(name));
      assert.equal(await page.$eval('#failure', (panel) => panel.getAttribute('role')), 'alert');
      assert.equal(await page.$eval('#content', (content) => content.hidden), true);
      await picture(page, `error-${name}`);
      await context.close();
    });
  }

  test('a missing file', async () => {
    const { page, context } = await openPage(site, { query: '?model=none.pique' });
    assert.equal(await textOf(page, '.failure-code'), 'HTTP');
    assert.match(await textOf(page, '.failure-detail'), /404/);
    await context.close();
  });
});
