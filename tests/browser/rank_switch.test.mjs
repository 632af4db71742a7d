/** The switch of the demo site between the order of retrieval and the ranker's. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import {
  changeFilms,
  listIds,
  openExample,
  openPage,
  openSite,
  PHONE,
  picture,
  textOf,
  waitForLikes,
} from './browser_support.mjs';

let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

const shown = (page, id) => page.$eval(id, (element) => !element.hidden);
const checked = (page) => page.$eval('#rank', (input) => input.checked);
const moves = (page) =>
  page.$$eval('#films .moved', (rows) => rows.map((row) => Number(/\d+/.exec(row.textContent)[0])));

test('ranked films come from the 100 retrieved; the switch shows the order of retrieval', async () => {
  const { page, context, problems } = await openExample(site);
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  assert.equal(await checked(page), true);
  const ranked = await listIds(page, '#films');
  const places = await moves(page);
  assert.equal(places.length, 12);
  assert.equal(new Set(places).size, 12);
  assert.ok(places.every((place) => place >= 1 && place <= 100));
  assert.notDeepEqual(
    places,
    [...places].sort((a, b) => a - b),
    'another order than retrieval',
  );
  assert.match(
    await textOf(page, '#rank-hint'),
    /^MIND retrieves 100 films, \w+ puts them in order/,
  );

  await changeFilms(page, () => page.click('#rank-label'));
  const retrieved = await listIds(page, '#films');
  assert.equal(await checked(page), false);
  assert.deepEqual(await moves(page), []);
  assert.match(await textOf(page, '#rank-hint'), /^MIND alone/);
  for (const [i, id] of ranked.entries()) {
    const place = retrieved.indexOf(id);
    assert.equal(place < 0 ? places[i] > 12 : places[i] === place + 1, true, `${id}`);
  }

  await changeFilms(page, () => page.click('#rank'));
  assert.deepEqual(await listIds(page, '#films'), ranked);
  assert.deepEqual(requests, []);
  assert.deepEqual(problems, []);
  await context.close();
});

test('it is a switch to the keyboard and to screen readers, which are told the new first film', async () => {
  const { page, context } = await openExample(site);
  await page.focus('#rank');
  await changeFilms(page, () => page.keyboard.press('Space'));
  assert.equal(await checked(page), false);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'rank', 'the focus stays');
  const {
    name,
    role,
    checked: state,
  } = await page.accessibility.snapshot({
    root: await page.$('#rank'),
  });
  assert.match(name, /^Ranked by \w+$/);
  assert.deepEqual([role, Boolean(state)], ['switch', false]);
  await changeFilms(page, () => page.keyboard.press('Space'));
  const [first] = await page.$$eval('#films h3', (titles) => titles.map((t) => t.textContent));
  assert.equal(await textOf(page, '#announcer'), `12 recommendations. First: ${first}.`);
  await context.close();
});

test('it is not there when there is nothing to rank, or nothing that ranks', async () => {
  const { page, context } = await openPage(site);
  assert.equal(await shown(page, '#rank-switch'), false);
  const popular = await listIds(page, '#films');
  await page.click('#example');
  await waitForLikes(page, 4);
  assert.equal(await shown(page, '#rank-switch'), true);
  await page.click('#clear');
  await waitForLikes(page, 0);
  assert.equal(await shown(page, '#rank-switch'), false);
  assert.deepEqual(await listIds(page, '#films'), popular);
  await context.close();

  const alone = await openExample(site, { query: '?model=films.pique' });
  assert.equal(await shown(alone.page, '#rank-switch'), false);
  assert.equal(await shown(alone.page, '#rank-hint'), false);
  assert.deepEqual(await moves(alone.page), []);
  assert.deepEqual(alone.problems, []);
  await alone.context.close();
});

test('a file that does not rank is an error that names it', async () => {
  const { page, context } = await openPage(site, { query: '?ranker=films.pique' });
  assert.equal(await textOf(page, '.failure-code'), 'UNSUPPORTED');
  assert.match(await textOf(page, '.failure-detail'), /mind retrieves and cannot.*films\.pique/);
  await context.close();
});

test('on a narrow screen it fits, is large enough to touch, and axe finds nothing', async () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  for (const viewport of [PHONE, { ...PHONE, width: 320 }]) {
    const { page, context } = await openExample(site, { viewport });
    await changeFilms(page, () => page.tap('#rank-switch'));
    await page.$eval('#shelf-title', (title) => title.scrollIntoView());
    await picture(page, `switch-${viewport.width}`);
    const { right, height } = await page.$eval('#rank-switch', (label) => {
      const box = label.getBoundingClientRect();
      return { right: box.right, height: box.height };
    });
    assert.ok(right <= viewport.width && height >= 44, `${right}, ${height}`);
    assert.equal(
      await page.evaluate(() => document.documentElement.scrollWidth > innerWidth),
      false,
    );
    await page.evaluate(axe);
    const violations = await page.evaluate(async () => (await window.axe.run()).violations);
    assert.deepEqual(
      violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`),
      [],
    );
    await context.close();
  }
});
