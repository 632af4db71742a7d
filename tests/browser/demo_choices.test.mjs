/** The demo site's switches, map and privacy panel, and what it looks like to those who come without JavaScript. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  changeFilms,
  DESKTOP,
  listIds,
  openExample,
  openPage,
  openSite,
  PHONE,
  reload,
  textOf,
  waitForLikes,
  waitUntil,
} from './browser_support.mjs';

let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

const radio = (page, group, place) =>
  page.evaluate(
    (selector) => document.querySelector(selector).click(),
    `#${group} label:nth-child(${place}) input`,
  );

describe('the switches', () => {
  test('the strongest interest alone: only its films, in the order that they had', async () => {
    const { page, context } = await openExample(site);
    const tones = () =>
      page.$$eval('#films > li', (rows) => [
        ...new Set(rows.map((row) => /tone-\d/.exec(row.className)[0])),
      ]);
    assert.equal((await tones()).length, 2, 'the example has two interests on the shelf');
    const all = await listIds(page, '#films');
    const strongest = await page.$eval(
      '#interests > li',
      (row) => /tone-\d/.exec(row.className)[0],
    );
    const alone = await changeFilms(page, () => radio(page, 'interest-count', 1));
    assert.deepEqual(await tones(), [strongest]);
    const both = all.filter((id) => alone.includes(id));
    assert.deepEqual(
      alone.filter((id) => all.includes(id)),
      both,
    );
    assert.deepEqual(await changeFilms(page, () => radio(page, 'interest-count', 4)), all);
    await context.close();
  });

  test('diversity moves films that are like others down; off is the list of before', async () => {
    const { page, context } = await openExample(site);
    const slide = (value) =>
      page.evaluate((to) => {
        const slider = document.querySelector('#diversity');
        slider.value = to;
        slider.dispatchEvent(new Event('input'));
        slider.dispatchEvent(new Event('change'));
      }, value);
    const plain = await listIds(page, '#films');
    const diverse = await changeFilms(page, () => slide('100'));
    assert.equal(await textOf(page, '#diversity-value'), '100 %');
    assert.equal(diverse[0], plain[0], 'the first has nothing above it');
    assert.deepEqual(await changeFilms(page, () => slide('0')), plain);
    await context.close();
  });

  test('the compact file is smaller, and finds nearly the same films', async () => {
    const { page, context } = await openExample(site);
    const told = async () => Number.parseFloat(await textOf(page, '#file-hint'));
    /** The films may be the same: what tells of an answer is the time that it took. */
    const choose = async (file) => {
      await page.$eval('#timing', (line) => line.replaceChildren());
      await radio(page, 'file-form', file);
      await waitUntil(page, () => document.querySelector('#timing').textContent !== '');
      return { bytes: await told(), films: await listIds(page, '#films') };
    };
    const [bytes, films] = [await told(), await listIds(page, '#films')];
    const compact = await choose(2);
    assert.ok(compact.bytes < 0.9 * bytes, `${compact.bytes} kB against ${bytes} kB`);
    const common = compact.films.filter((id) => films.includes(id)).length;
    assert.ok(common >= 6 && common <= 12, `${common} in common`);
    assert.deepEqual((await choose(1)).films, films);
    await context.close();
  });

  test('they wait for the first film', async () => {
    const { page, context } = await openPage(site);
    const disabled = () =>
      page.$$eval('#controls input', (all) => all.every((one) => one.disabled));
    assert.equal(await disabled(), true);
    await page.click('#films > li .heart');
    await waitForLikes(page, 1);
    assert.equal(await page.$eval('#diversity', (input) => input.disabled), false);
    await context.close();
  });
});

describe('the map', () => {
  /** What the map says of the film under the pointer. */
  const tip = (page) => page.$eval('#map-tip', (shown) => (shown.hidden ? '' : shown.innerText));

  test('names films under the pointer, and why they are recommended; a click likes one', async () => {
    const { page, context, problems } = await openExample(site);
    await page.$eval('#map-frame', (frame) =>
      frame.scrollIntoView({ block: 'center', behavior: 'instant' }),
    );
    const { left, top, width, height } = await page.$eval('#map-frame', (frame) => {
      const box = frame.getBoundingClientRect();
      return { left: box.left, top: box.top, width: box.width, height: box.height };
    });
    const titles = await page.$$eval('#films .poster-title', (all) =>
      all.map((one) => one.textContent),
    );
    const seen = { recommended: 0, other: 0 };
    let clickable;
    const enough = () => seen.recommended > 0 && seen.other > 20;
    for (let y = height / 2; y < height && !enough(); y += 20) {
      for (let x = 12; x < width && !enough(); x += 20) {
        await page.mouse.move(left + x, top + y);
        const text = await tip(page);
        if (/Recommended by your interest/.test(text)) {
          seen.recommended++;
          assert.ok(
            titles.some((title) => text.startsWith(title)),
            text,
          );
          assert.match(text, /because you like /);
          clickable ??= { x: left + x, y: top + y };
        } else if (/Click to like it/.test(text)) seen.other++;
      }
    }
    assert.ok(enough(), JSON.stringify(seen));
    await page.mouse.click(clickable.x, clickable.y);
    await waitForLikes(page, 5);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('is told in words beside it, and its interests answer to the keyboard', async () => {
    const { page, context } = await openExample(site);
    assert.match(
      await page.$eval('#map-visitor', (canvas) => canvas.getAttribute('aria-label')),
      /Map of 3005 films\. On it 4 films of yours, 2 interests and 12 recommendations/,
    );
    const found = await page.$$eval('#interests .found', (rows) =>
      rows.map((row) => row.textContent),
    );
    const titles = await page.$$eval('#films .poster-title', (all) =>
      all.map((one) => one.textContent),
    );
    for (const title of titles)
      assert.ok(
        found.some((text) => text.includes(title)),
        title,
      );
    const faint = () => page.$$eval('.mark.faint', (marks) => marks.length);
    await page.focus('#interests .interest-show');
    assert.equal(await faint(), 1);
    await page.keyboard.press('Enter');
    await page.focus('#search-input');
    assert.equal(await faint(), 1, 'it stays alone');
    assert.equal(await page.$eval('.interest-show', (button) => button.ariaPressed), 'true');
    await context.close();
  });

  test('paints the catalogue, and leaves most of the plane free', async () => {
    const { page, context } = await openExample(site);
    const painted = await page.$eval('#map-catalogue', (canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let i = 3; i < data.length; i += 4) if (data[i] > 0) count++;
      return count / (canvas.width * canvas.height);
    });
    assert.ok(painted > 0.01 && painted < 0.3, `${painted} of the map`);
    await context.close();
  });
});

describe('the history', () => {
  const remembered = (page) =>
    page.$eval(
      'pique-privacy',
      (panel) => panel.shadowRoot.querySelectorAll('[part="row"]').length,
    );
  const keep = async (page, value) => {
    await page.evaluate(
      (to) => document.querySelector(`input[name="keep"][value="${to}"]`).click(),
      value,
    );
    const noted = (device) =>
      /IndexedDB/.test(document.querySelector('#keep-note').textContent) === device;
    await waitUntil(page, noted, value === 'device');
  };

  test('stays on the device when the visitor wants it, and goes when not', async () => {
    const { page, context, problems } = await openExample(site);
    const likes = await listIds(page, '#likes');
    await keep(page, 'device');
    await reload(page);
    assert.deepEqual(await listIds(page, '#likes'), likes);
    assert.equal(await textOf(page, '#shelf-title'), 'Recommended for you');
    assert.equal(await remembered(page), 4);
    await keep(page, 'page');
    assert.deepEqual(await listIds(page, '#likes'), likes, 'still there for this visit');
    await reload(page);
    assert.deepEqual(await listIds(page, '#likes'), []);
    const left = await page.evaluate(async () => {
      const { openHistory } = await import('./index.js'); // the page has it already
      const events = await (await openHistory({ name: 'pique-demo' })).list();
      return [localStorage.length, events.length];
    });
    assert.deepEqual(left, [0, 0]);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test('the panel removes a film everywhere, and pauses', async () => {
    const { page, context } = await openExample(site);
    await page.evaluate(() => {
      document.querySelector('pique-privacy').shadowRoot.querySelector('[part~="remove"]').click();
    });
    await waitForLikes(page, 3);
    await page.evaluate(() => {
      document.querySelector('pique-privacy').shadowRoot.querySelector('[part="switch"]').click();
    });
    await waitUntil(page, () => !document.getElementById('paused-note').hidden);
    await page.evaluate(() => document.querySelector('#films .heart').click());
    await waitUntil(page, () => /paused/.test(document.getElementById('announcer').textContent));
    assert.equal((await listIds(page, '#likes')).length, 3);
    await context.close();
  });
});

describe('the page itself', () => {
  for (const [name, viewport] of [
    ['desktop', DESKTOP],
    ['phone', PHONE],
  ]) {
    test(`nothing moves while it loads: ${name}`, async () => {
      const context = await site.browser.createBrowserContext();
      const page = await context.newPage();
      await page.setViewport(viewport);
      await page.evaluateOnNewDocument(() => {
        window.shifts = [];
        new PerformanceObserver((list) => {
          for (const { value, hadRecentInput, sources } of list.getEntries()) {
            const moved = sources.map(({ node }) => node?.id || node?.className || node?.nodeName);
            if (!hadRecentInput) window.shifts.push({ value, moved });
          }
        }).observe({ type: 'layout-shift', buffered: true });
      });
      await page.goto(site.url);
      await waitUntil(page, () => document.body.dataset.state === 'ready');
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
      const shifts = await page.evaluate(() => window.shifts);
      const sum = shifts.reduce((total, { value }) => total + value, 0);
      assert.ok(sum < 0.01, JSON.stringify(shifts));
      await context.close();
    });
  }

  test('without JavaScript it explains itself, and shows nothing that does not work', async () => {
    const context = await site.browser.createBrowserContext();
    const page = await context.newPage();
    await page.setJavaScriptEnabled(false);
    await page.goto(site.url);
    const text = await page.$eval('body', (body) => body.innerText);
    assert.match(text, /The model travels to you/);
    assert.match(text, /computed in your browser, which takes JavaScript/);
    for (const words of [/Loading the model/, /Getting ready/, /Live switches/, /…/, /^–$/m]) {
      assert.doesNotMatch(text, words);
    }
    await context.close();
  });
});
