/** What the demo site claims of the network: sealed once it is loaded, whole without one, never half of a version. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  likeExample,
  listIds,
  openPage,
  openSite,
  pickFilm,
  reload,
  settled,
  textOf,
  waitForLikes,
  waitUntil,
} from './browser_support.mjs';

let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

/** Works every switch of the page once. */
const switchAll = (page) =>
  page.evaluate(async () => {
    const wait = () => new Promise((resolve) => setTimeout(resolve, 150));
    const click = (selector) => document.querySelector(selector).click();
    click('#file-form label:nth-child(2) input');
    await wait();
    click('#interest-count label:nth-child(1) input');
    await wait();
    click('#rank');
    await wait();
    const diversity = document.querySelector('#diversity');
    diversity.value = '60';
    diversity.dispatchEvent(new Event('input'));
    diversity.dispatchEvent(new Event('change'));
    await wait();
    for (const value of ['device', 'page']) {
      click(`input[name="keep"][value="${value}"]`);
      await wait();
    }
  });

describe('the seal', () => {
  test('no request while all switches are worked, and the panel says so', async () => {
    const { page, context, problems } = await openPage(site);
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    await likeExample(page);
    await switchAll(page);
    await page.click('#clear');
    await waitForLikes(page, 0);
    assert.deepEqual(requests, []);
    assert.deepEqual(problems, []);
    for (const id of ['#fact-requests', '#network-count', '#network-blocked']) {
      assert.equal(await textOf(page, id), '0', id);
    }
    const before = await page.$$eval('#network-before code', (rows) =>
      rows.map((row) => row.textContent),
    );
    for (const name of ['demo.js', 'index.js', 'worker.js', 'films.pique', 'films-compact.pique']) {
      assert.ok(before.includes(name), `${name} among ${before}`);
    }
    await context.close();
  });

  test('whatever a page may send with is refused, and nothing arrives', async () => {
    const arrived = [];
    const collector = createServer((request, response) => {
      arrived.push(request.url);
      response.writeHead(204, { 'access-control-allow-origin': '*' }).end();
    });
    await new Promise((resolve) => collector.listen(0, resolve));
    const address = `http://localhost:${collector.address().port}/`;
    const { page, context } = await openPage(site);
    await page.evaluate(async (to) => {
      const tries = [
        () => fetch(`${to}fetch`),
        () => navigator.sendBeacon(`${to}beacon`, 'x'),
        () => new WebSocket(to.replace('http', 'ws')),
        () => new EventSource(`${to}events`),
        () => new Worker(URL.createObjectURL(new Blob([`fetch('${to}worker')`]))),
        () => {
          new Image().src = `${to}image`;
        },
        () => import(`${to}script.js`),
        () => {
          const frame = document.createElement('iframe');
          frame.src = `${to}frame`;
          document.body.append(frame);
        },
        () => {
          document.body.style.backgroundImage = `url(${to}style)`;
        },
      ];
      for (const attempt of tries) {
        try {
          await attempt();
        } catch {} // refused, as it should be
      }
      await new Promise((resolve) => setTimeout(resolve, 400));
    }, address);
    assert.deepEqual(arrived, []);
    assert.ok(Number(await textOf(page, '#network-blocked')) >= 7);
    collector.closeAllConnections();
    collector.close();
    await context.close();
  });

  test('the visitor may try it', async () => {
    const { page, context } = await openPage(site);
    await page.click('#network-try');
    await waitUntil(page, () => /Refused: collect/.test(document.body.textContent));
    assert.equal(await textOf(page, '#network-blocked'), '1');
    assert.equal(await textOf(page, '#network-count'), '0');
    await context.close();
  });
});

describe('without a network', () => {
  /** A page whose site can be taken away. */
  async function openAlone() {
    const opened = await openPage(site);
    assert.equal(await textOf(opened.page, '#offline-note'), 'Available offline');
    return opened;
  }

  test('a reload brings the whole page, which recommends, explains and switches', async () => {
    const { page, context, problems } = await openAlone();
    await likeExample(page);
    const films = await listIds(page, '#films');
    await page.setOfflineMode(true);
    await reload(page);
    assert.equal(await textOf(page, '#offline-note'), 'Available offline');
    await likeExample(page);
    assert.deepEqual(await listIds(page, '#films'), films);
    await switchAll(page);
    await pickFilm(page, 'a');
    assert.equal(await textOf(page, '#network-count'), '0');
    // The browser itself reports that it could not look for a newer service worker.
    assert.deepEqual(
      problems.filter((text) => !/sw\.js|ERR_INTERNET_DISCONNECTED/.test(text)),
      [],
    );
    await context.close();
  });

  /** What becomes of the service worker that the server has now; the browser takes its time to look by itself. */
  async function lookForUpdate(context) {
    const page = await context.newPage();
    writeFileSync(path.join(site.folder, 'bare.html'), '<!doctype html><title>t</title>');
    await page.goto(`${site.url}bare.html`);
    const state = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      await registration.update();
      const worker = registration.installing ?? registration.waiting;
      while (worker?.state === 'installing') {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return worker?.state;
    });
    await page.close();
    return state;
  }

  test('a newer version is taken whole, when the visitor says so', async () => {
    const { page, context } = await openAlone();
    const file = (name) => path.join(site.folder, name);
    const old = { css: readFileSync(file('demo.css')), sw: readFileSync(file('sw.js'), 'utf8') };
    const css = () => page.evaluate(async () => getComputedStyle(document.body).outlineStyle);
    try {
      // Half of a new version is on the server: its list is, its files are not yet.
      const { createHash } = await import('node:crypto');
      const hash = (bytes) => createHash('sha256').update(bytes).digest('base64');
      const next = Buffer.concat([old.css, Buffer.from('body{outline-style:dotted}')]);
      assert.ok(old.sw.includes(hash(old.css)));
      const version = /"([0-9a-f]{12})"/.exec(old.sw)[1];
      const worker = old.sw.replaceAll(hash(old.css), hash(next)).replaceAll(version, 'next');
      writeFileSync(file('sw.js'), worker);
      assert.equal(await lookForUpdate(context), 'redundant');
      await reload(page);
      assert.equal(await css(), 'none', 'the old set goes on');
      assert.equal(await page.$eval('#update', (button) => button.hidden), true);

      writeFileSync(file('demo.css'), next);
      assert.equal(await lookForUpdate(context), 'installed');
      await reload(page);
      await waitUntil(page, () => !document.getElementById('update').hidden);
      await reload(page);
      assert.equal(await css(), 'none', 'not before the visitor says so');
      await waitUntil(page, () => !document.getElementById('update').hidden);
      await Promise.all([page.waitForNavigation(), page.click('#update')]);
      await settled(page);
      assert.equal(await css(), 'dotted');
      const kept = await page.evaluate(() => caches.keys());
      assert.equal(kept.length, 1);
      assert.match(kept[0], /next$/);
    } finally {
      writeFileSync(file('demo.css'), old.css);
      writeFileSync(file('sw.js'), old.sw);
    }
    await context.close();
  });
});
