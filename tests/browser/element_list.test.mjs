/** `<pique-list>` in each browser: what stands in for what, and what the visitor's doings change. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BROWSERS, launch } from './drivers.mjs';
import { event, open, serveElements, until } from './element_support.mjs';

const STYLE = `<style>
  .shelf{list-style:none;margin:0;padding:0;display:grid;grid-template-columns:repeat(3,1fr);gap:8px}
  .card{block-size:90px;overflow:hidden}
  pique-list::part(title){color:rgb(1,2,3)}
</style>`;
const FALLBACK = `<ul class="shelf" id="served">${[1, 2, 3, 4, 5, 6]
  .map((n) => `<li class="card" data-pique-id="alien-1979"><a href="#s${n}">Served ${n}</a></li>`)
  .join('')}</ul>`;
const TEMPLATE = `<template><li class="card"><a data-bind-href="url" data-bind="title"></a>
  <small data-bind="reason" data-if="reason"></small>
  <button type="button" data-action="like" data-bind-aria-label="likeLabel">+</button>
  <button type="button" data-action="hide" data-bind-aria-label="hideLabel">-</button></li></template>`;
const list = (attributes = '', children = FALLBACK + TEMPLATE) =>
  `<pique-list id="list" model="films.pique" catalog="films.json" data-store ${attributes}>${children}</pique-list>
   <p id="below">Below</p>`;

/** In the page: the rows that a visitor sees. */
const seenRows = () => {
  const element = document.getElementById('list');
  const rows = [
    ...element.querySelectorAll('li'),
    ...(element.shadowRoot?.querySelectorAll('li') ?? []),
  ];
  return rows
    .filter((row) => row.getClientRects().length > 0)
    .map((row) => ({
      id: row.dataset.piqueId,
      text: row.innerText.trim(),
      name: row.className,
      link: row.querySelector('a')?.getAttribute('href'),
    }));
};

for (const name of BROWSERS) {
  describe(name, () => {
    let elements;
    let browser;
    const show = async (body, options) => {
      await open(browser, elements.page(body, { head: STYLE, ...options }));
    };
    const like = (...ids) =>
      browser.evaluate(async (all) => {
        for (const id of all) await window.store.add({ id, type: 'like' });
      }, ids);
    const rows = () => browser.evaluate(seenRows);
    const state = () => browser.evaluate(() => document.getElementById('list').state);
    const idOf = (title) => elements.films.find((film) => film.title === title).id;

    before(async () => {
      elements = await serveElements();
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await elements?.close();
    });

    describe('what the server rendered', () => {
      test('is there without script', async () => {
        await browser.goto(elements.page(list(), { head: STYLE, script: '' }));
        const seen = await rows();
        assert.deepEqual(
          seen.map(({ text }) => text),
          [1, 2, 3, 4, 5, 6].map((n) => `Served ${n}`),
        );
      });

      const failures = {
        'a missing model': [{ from: 'films.pique', to: 'none.pique' }, 'HTTP', /404/],
        'a file that is no model': [
          { from: 'films.pique', to: 'films.json' },
          'MODEL_CORRUPT',
          /films/,
        ],
        'a missing catalogue': [
          { from: 'films.json', to: 'none.json' },
          undefined,
          /none\.json.*404/,
        ],
        'no model named': [{ from: 'model="films.pique"', to: '' }, undefined, /no model/],
      };
      for (const [what, [{ from, to }, code, message]] of Object.entries(failures)) {
        test(`stays for good with ${what}, and an event tells`, async () => {
          await show(list().replace(from, to));
          const told = await event(browser, 'error');
          assert.equal(told.code ?? undefined, code);
          assert.match(told.error, message);
          assert.equal(await state(), 'failed');
          assert.equal((await rows()).filter(({ text }) => /^Served/.test(text)).length, 6);
        });
      }

      test('stays for good where WebAssembly and workers are refused', async () => {
        const policy = "script-src 'self' 'unsafe-inline'; worker-src 'none'";
        const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
        await show(list(), { head: STYLE + meta });
        assert.equal((await event(browser, 'error')).code, 'CSP_BLOCKED');
        assert.equal((await rows())[5].text, 'Served 6');
      });

      test('stays for good where the browser has neither', async () => {
        const none = '<script>delete globalThis.Worker; delete globalThis.WebAssembly</script>';
        await show(list(), { head: STYLE + none });
        assert.equal((await event(browser, 'error')).code, 'WASM_FAILED');
        assert.equal((await rows())[5].text, 'Served 6');
      });

      test('stays until there is something personal, and comes back when that is deleted', async () => {
        await show(list());
        const told = await event(browser, 'results');
        assert.deepEqual([told.ids, told.personal], [[], false]);
        assert.equal((await rows())[0].text, 'Served 1');
        await like(idOf('Alien'));
        await event(browser, 'results', 2);
        assert.ok((await rows()).every(({ text }) => !/Served/.test(text)));
        await browser.evaluate(() => window.store.clear());
        await event(browser, 'results', 3);
        assert.deepEqual(
          (await rows()).map(({ text }) => text),
          [1, 2, 3, 4, 5, 6].map((n) => `Served ${n}`),
        );
      });

      test('records views of what it shows', async () => {
        await show(list());
        await browser.evaluate(() => document.querySelector('#served a').click());
        await until(browser, async () => (await window.store.list()).length === 1);
        const [seen] = await browser.evaluate(() => window.store.list());
        assert.deepEqual([seen.id, seen.type], ['alien-1979', 'view']);
      });
    });

    test('sealed, the engine runs in a worker of a hidden frame, or not at all', async () => {
      await show(list('sealed'));
      await event(browser, 'ready');
      const seen = await browser.evaluate(() => ({
        thread: document.getElementById('list').recommender.info.thread,
        hidden: [...document.querySelectorAll('iframe')].map(({ hidden }) => hidden),
      }));
      assert.deepEqual(seen, { thread: 'worker', hidden: [true] });
      const meta = '<meta http-equiv="Content-Security-Policy" content="worker-src \'self\'">';
      await show(list('sealed'), { head: STYLE + meta });
      assert.equal((await event(browser, 'error')).code, 'UNSUPPORTED');
      assert.equal((await rows())[5].text, 'Served 6');
    });

    test('the template repeats the looks of the page, as many times as the server did', async () => {
      await show(list('explain exclude-seen'));
      await event(browser, 'results');
      await like(idOf('Alien'), idOf('Aliens'));
      const { ids } = await event(browser, 'results', 2).then(() =>
        until(browser, () => window.events.findLast(({ ids }) => ids?.length > 0)),
      );
      const seen = await rows();
      assert.equal(seen.length, 6);
      assert.deepEqual(
        seen.map(({ id }) => id),
        ids,
      );
      for (const { id, text, name: css, link } of seen) {
        const film = elements.films.find((one) => one.id === id);
        assert.ok(text.startsWith(film.title), text);
        assert.match(text, /Because you liked Aliens?/);
        assert.equal(link, film.url);
        assert.equal(css, 'card');
      }
      const held = await browser.evaluate(() => {
        const found = document.querySelector('#list > [slot=results]');
        return [found.localName, found.className, found.id];
      });
      assert.deepEqual(held, ['ul', 'shelf', '']);
    });

    test('without a template the element has looks of its own, whose parts a page can style', async () => {
      await show(list('count="4" explain actions="like hide"', ''));
      await event(browser, 'results');
      const seen = await rows();
      assert.equal(seen.length, 4);
      const found = await browser.evaluate(() => {
        const root = document.getElementById('list').shadowRoot;
        const parts = [...root.querySelectorAll('[part]')].flatMap((one) => [...one.part]);
        const title = root.querySelector('[part=title]');
        return { parts: [...new Set(parts)].sort(), colour: getComputedStyle(title).color };
      });
      const parts = [
        'actions',
        'frame',
        'hide',
        'image',
        'item',
        'like',
        'link',
        'list',
        'message',
      ];
      assert.deepEqual(found.parts, [...parts, 'reason', 'status', 'title']);
      assert.equal(found.colour, 'rgb(1, 2, 3)');
    });

    test('what stands in the catalogue is text and harmless attributes', async () => {
      const bad = elements.films.map((film) => ({
        ...film,
        title: `<img src=x onerror="window.hacked=1"> ${film.title}`,
        url: 'java\nscript:window.hacked=1',
      }));
      writeFileSync(path.join(elements.folder, 'bad.json'), JSON.stringify(bad));
      const template = `<template><li><a data-bind-href="url" data-bind-onclick="title" data-bind-style="title"
        data-bind="title"></a><script data-bind="title"></script></li></template>`;
      await show(list('count="3"', template).replace('films.json', 'bad.json'));
      await event(browser, 'results');
      const found = await browser.evaluate(() => {
        const [row] = document.querySelectorAll('#list > ul > li');
        const { attributes } = row.querySelector('a');
        return {
          markup: row.querySelectorAll('img').length,
          attributes: [...attributes].map((one) => one.name).filter((one) => !/^data-/.test(one)),
          script: row.querySelector('script').textContent,
          text: row.textContent,
          hacked: 'hacked' in window,
        };
      });
      assert.match(found.text, /^<img src=x/);
      assert.deepEqual(
        { ...found, text: '' },
        { markup: 0, attributes: [], script: '', text: '', hacked: false },
      );
    });

    test('items that the catalogue does not know are replaced by others', async () => {
      const known = elements.films.filter((_, at) => at % 9 === 0);
      const byId = Object.fromEntries(known.map(({ id, title }) => [id, title]));
      writeFileSync(path.join(elements.folder, 'few.json'), JSON.stringify(byId));
      await show(list('', '').replace('films.json', 'few.json'));
      const { ids } = await event(browser, 'results');
      assert.equal(new Set(ids).size, 10);
      assert.ok(ids.every((id) => id in byId));
      assert.equal((await rows())[0].text, byId[ids[0]]);
    });

    test('choosing, liking and hiding are told and remembered; what is prevented is not', async () => {
      await show(list('exclude-seen', TEMPLATE));
      const { ids } = await event(browser, 'results');
      const click = (selector) =>
        browser.evaluate((what) => document.querySelector(`#list > ul ${what}`).click(), selector);
      await click('li:nth-child(1) a');
      const chosen = await event(browser, 'select');
      assert.deepEqual([chosen.id, chosen.action], [ids[0], 'view']);
      const second = await event(browser, 'results', 2);
      assert.ok(!second.ids.includes(ids[0]), 'seen is excluded');
      await click('li:nth-child(2) [data-action=hide]');
      const third = await event(browser, 'results', 3);
      assert.ok(!third.ids.includes(second.ids[1]), 'hidden is gone');
      await click('li:nth-child(3) [data-action=like]');
      await event(browser, 'results', 4);
      const kept = await browser.evaluate(() => window.store.list());
      assert.deepEqual(
        kept.map(({ id, type }) => [id, type]),
        [
          [ids[0], 'view'],
          [second.ids[1], 'hide'],
          [third.ids[2], 'like'],
        ],
      );
      await browser.evaluate(() => {
        addEventListener('pique-select', (selected) => selected.preventDefault());
      });
      await click('li:nth-child(1) a');
      await event(browser, 'select', 4);
      assert.equal((await browser.evaluate(() => window.store.list())).length, 3);
    });

    test('what is hidden stays out when there is a context too, and a like is taken back', async () => {
      await show(list(`context="${idOf('Alien')}" actions="like"`, ''));
      const { ids } = await event(browser, 'results');
      await browser.evaluate((id) => window.store.add({ id, type: 'hide' }), ids[1]);
      const next = await event(browser, 'results', 2);
      assert.ok(!next.ids.includes(ids[1]));
      assert.equal(next.ids[0], ids[0]);
      const press = async (times) => {
        await browser.evaluate(() =>
          document.getElementById('list').shadowRoot.querySelector('button').click(),
        );
        await event(browser, 'results', times);
        return browser.evaluate(
          () => document.getElementById('list').shadowRoot.querySelector('button').ariaPressed,
        );
      };
      assert.equal(await press(3), 'true');
      assert.equal(await press(4), 'false');
    });

    test('focus stays when the history changes: on its item, or in its place', async () => {
      await show(list('', TEMPLATE));
      const { ids } = await event(browser, 'results');
      const focus = (id) =>
        browser.evaluate((wanted) => {
          const row = [...document.querySelectorAll('#list > ul > li')].find(
            (one) => one.dataset.piqueId === wanted,
          );
          row.querySelector('[data-action=hide]').focus();
        }, id);
      const focused = () =>
        browser.evaluate(() => {
          const { activeElement } = document;
          const row = activeElement.closest('li');
          return [
            row?.dataset.piqueId,
            activeElement.dataset.action,
            [...(row?.parentNode.children ?? [])].indexOf(row),
          ];
        });
      await focus(ids[4]);
      await browser.evaluate((id) => window.store.add({ id, type: 'hide' }), ids[0]);
      await event(browser, 'results', 2);
      assert.deepEqual(await focused(), [ids[4], 'hide', 3]);
      await browser.evaluate((id) => window.store.add({ id, type: 'hide' }), ids[4]);
      await event(browser, 'results', 3);
      const [id, action, at] = await focused();
      assert.deepEqual([id === ids[4], action, at], [false, 'hide', 3]);
      await browser.evaluate(() => document.activeElement.blur());
      await like(ids[1]);
      await event(browser, 'results', 4);
      assert.equal(await browser.evaluate(() => document.activeElement.localName), 'body');
    });

    test('elements of one model share it, and the last one disposes of it', async () => {
      // An address that no cache knows.
      const first = list('', '').replaceAll(/(films\.(pique|json))/g, '$1?shared');
      const other = first.replace('id="list"', 'id="other" loading="idle"');
      await show(first + other.replace(/<p id.*/s, ''));
      await event(browser, 'results', 2);
      const found = await browser.evaluate(async () => {
        const [one, two] = ['list', 'other'].map((id) => document.getElementById(id));
        const { recommender } = one;
        const shared = recommender === two.recommender;
        const wait = () => new Promise((resolve) => setTimeout(resolve, 50));
        const ask = () =>
          recommender.recommend().then(
            () => 'answers',
            (error) => error.code,
          );
        two.parentNode.append(two);
        await wait();
        const moved = await ask();
        one.remove();
        await wait();
        const left = await ask();
        two.remove();
        await wait();
        return { shared, moved, left, none: await ask() };
      });
      assert.deepEqual(found, {
        ...{ shared: true, moved: 'answers', left: 'answers' },
        none: 'DISPOSED',
      });
      const fetched = elements.requests.filter((each) => each.endsWith('?shared')).sort();
      assert.deepEqual(fetched, ['GET /films.json?shared', 'GET /films.pique?shared']);
    });

    test('properties reflect attributes, also those set before the class was there', async () => {
      await show(`<div data-wait></div>${list('', '')}`);
      const found = await browser.evaluate(() => {
        const element = document.getElementById('list');
        Object.assign(element, {
          count: 3,
          excludeSeen: true,
          context: ['a', 'b'],
          filter: { genre: 'Drama' },
        });
        window.begin();
        const names = ['count', 'exclude-seen', 'context', 'filter'];
        const attributes = names.map((one) => element.getAttribute(one));
        element.setAttribute('filter', 'genre=Drama&genre=Comedy');
        element.excludeSeen = false;
        element.count = undefined;
        const { filter, count, diversity, context } = element;
        return {
          attributes,
          filter,
          count,
          diversity,
          context,
          kept: element.hasAttribute('exclude-seen'),
        };
      });
      assert.deepEqual(found.attributes, ['3', '', 'a,b', '{"genre":"Drama"}']);
      assert.deepEqual(found.filter, { genre: ['Drama', 'Comedy'] });
      assert.deepEqual(found.context, ['a', 'b']);
      assert.equal(found.kept, false);
      assert.equal(found.count ?? undefined, undefined);
    });

    test('attributes and properties that change are obeyed', async () => {
      await show(list('count="4"', ''));
      const { ids } = await event(browser, 'results');
      await browser.evaluate(() => document.getElementById('list').setAttribute('count', '2'));
      assert.deepEqual((await event(browser, 'results', 2)).ids, ids.slice(0, 2));
      await browser.evaluate((id) => {
        document.getElementById('list').items = [{ id, title: 'Mine' }];
      }, ids[1]);
      await event(browser, 'results', 3);
      assert.deepEqual(
        (await rows()).map(({ text }) => text),
        ['Mine'],
      );
      await browser.evaluate(() =>
        document.getElementById('list').setAttribute('model', 'none.pique'),
      );
      assert.equal((await event(browser, 'error')).code, 'HTTP');
      assert.deepEqual(await rows(), []);
      await browser.evaluate(() =>
        document.getElementById('list').setAttribute('model', 'films.pique'),
      );
      await event(browser, 'results', 4);
      assert.deepEqual(
        (await rows()).map(({ text }) => text),
        ['Mine'],
      );
    });

    test('nothing is fetched before the element is near', async () => {
      const far = '<div style="block-size:9000px"></div>';
      await show(far + list('', '').replace('films.pique', 'films.pique?far'));
      const fetched = () => elements.requests.some((each) => each.endsWith('?far'));
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.equal(fetched(), false);
      await browser.evaluate(() => document.getElementById('below').scrollIntoView());
      await event(browser, 'results');
      assert.equal(fetched(), true);
    });

    test('a page counts as a view of the item that it is about', async () => {
      await show(list(`viewing="${idOf('Alien')}"`, ''));
      const { ids, personal } = await event(browser, 'results');
      assert.equal(personal, true);
      assert.ok(!ids.includes(idOf('Alien')));
      const kept = await browser.evaluate(() => window.store.list());
      assert.deepEqual(
        kept.map(({ id, type }) => [id, type]),
        [[idOf('Alien'), 'view']],
      );
    });

    test('the plain script defines the elements while the page is still being read', async () => {
      const head = `${STYLE}<script>window.events = [];
        for (const type of ['results', 'error']) addEventListener('pique-' + type, ({ detail }) =>
          events.push({ type, count: detail.items?.length, error: String(detail.error) }));
        </script><script src="element.auto.iife.js"></script>`;
      const body = list('count="5" history="memory"', '').replace('data-store', '');
      await browser.goto(elements.page(body, { head, script: '' }));
      const told = await until(browser, () => window.events[0]);
      assert.deepEqual(told, { type: 'results', count: 5, error: 'undefined' });
      assert.equal((await rows()).length, 5);
    });

    test('the plain script comes from another origin', async () => {
      const head = `<script src="${elements.cdn}element.auto.iife.js"></script>`;
      const body = `${list('count="4"', '')}<pique-privacy id="panel"></pique-privacy>`;
      await browser.goto(elements.page(body.replace('data-store', ''), { head, script: '' }));
      await until(browser, () => document.getElementById('list').state === 'ready');
      assert.equal((await rows()).length, 4);
      await until(browser, () =>
        Boolean(document.getElementById('panel').shadowRoot.querySelector('[part=rows]')),
      );
    });

    test('a strict policy is enough: no inline style or script, no eval', async () => {
      const policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'";
      const head = `<meta http-equiv="Content-Security-Policy" content="${policy}; worker-src 'self'">
        <script src="element.auto.iife.js"></script>`;
      const body = `${list('count="4"', '')}<pique-privacy></pique-privacy>`;
      await browser.goto(elements.page(body.replace('data-store', ''), { head, script: '' }));
      await until(browser, () => document.getElementById('list').state === 'ready');
      assert.equal((await rows()).length, 4);
      const styled = await browser.evaluate(
        () =>
          getComputedStyle(document.getElementById('list').shadowRoot.querySelector('ul')).display,
      );
      assert.equal(styled, 'grid');
    });

    test('an element that is there before its children waits for them', async () => {
      const head = `${STYLE}<script src="element.auto.iife.js"></script>`;
      await show(list(), { head });
      const own = await browser.evaluate(() =>
        Boolean(document.getElementById('list').shadowRoot.querySelector('ul')),
      );
      assert.equal(own, false, 'the fallback is seen as one, so nothing keeps its place');
      assert.equal((await rows())[5].text, 'Served 6');
    });

    describe('nothing below moves', () => {
      const looks = {
        'a template, and a fallback of the same looks': FALLBACK + TEMPLATE,
        'a fallback, and looks of its own': FALLBACK,
        'looks of its own': '',
        'a template alone': TEMPLATE,
      };
      for (const [what, children] of Object.entries(looks)) {
        test(`with ${what}`, async () => {
          const observe = `<script>window.shifts = [];
            if (window.LayoutShift) new PerformanceObserver((found) => {
              for (const { value, hadRecentInput } of found.getEntries()) if (!hadRecentInput) shifts.push(value);
            }).observe({ type: 'layout-shift', buffered: true });</script>`;
          // An element without a fallback has a height as soon as it is defined, so that has to be early.
          const early = children.includes('served')
            ? ''
            : '<script src="element.auto.iife.js"></script>';
          await show(list('count="6" explain', children), { head: STYLE + observe + early });
          await browser.evaluate((id) => window.store.add({ id, type: 'like' }), idOf('Alien'));
          await until(browser, () =>
            window.events.findLast(({ ids, personal }) => personal && ids?.length === 6),
          );
          await new Promise((resolve) => setTimeout(resolve, 300));
          assert.equal((await rows()).length, 6);
          if (name !== 'chromium') return;
          assert.deepEqual(await browser.evaluate(() => window.shifts), []);
        });
      }

      test('where the place of what lies below is the measure', async () => {
        await show(`<div data-wait></div>${list('explain')}`);
        await like(idOf('Alien'));
        const top = () =>
          browser.evaluate(() => document.getElementById('below').getBoundingClientRect().top);
        const served = await top();
        await browser.evaluate(() => window.begin());
        await event(browser, 'results');
        assert.equal(await top(), served);
        await browser.evaluate(
          (id) => window.store.add({ id, type: 'hide' }),
          (await rows())[2].id,
        );
        await event(browser, 'results', 2);
        assert.equal(await top(), served);
      });
    });
  });
}
