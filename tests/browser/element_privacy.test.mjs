/** `<pique-privacy>` in each browser: everything a visitor may do about what the device remembers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BROWSERS, launch } from './drivers.mjs';
import { event, open, serveElements, until } from './element_support.mjs';

const PANEL =
  '<pique-privacy id="panel" catalog="films.json" data-store><p>Loading</p></pique-privacy>';
const FILMS = ['Alien', 'Aliens', 'Jaws', 'Psycho'];

/** In the page: what the panel shows. */
const look = () => {
  const root = document.getElementById('panel').shadowRoot;
  const text = (part) => root.querySelector(`[part~=${part}]`)?.innerText.trim();
  const shown = (part) => root.querySelector(`[part~=${part}]`)?.getClientRects().length > 0;
  return {
    rows: [...root.querySelectorAll('[part=row]')].map((row) =>
      row.querySelector('span').innerText.split('\n'),
    ),
    count: text('count'),
    about: [...root.querySelectorAll('[part=about]')].map((one) => one.innerText),
    status: text('status'),
    question: shown('question'),
    focus: root.activeElement?.ariaLabel ?? root.activeElement?.innerText ?? '',
    remember: root.querySelector('[part=switch]')?.checked,
    tools: ['switch', 'export', 'import', 'clear'].filter(shown),
    more: shown('more'),
  };
};

for (const name of BROWSERS) {
  describe(name, () => {
    let elements;
    let browser;
    const panel = () => browser.evaluate(look);
    const act = (part, how = 'click') =>
      browser.evaluate(
        (wanted, call) => document.getElementById('panel').shadowRoot.querySelector(wanted)[call](),
        part,
        how,
      );
    const change = async (action) => {
      const told = await until(browser, () =>
        window.events.findLast(({ type }) => type === 'change'),
      );
      assert.equal(told.action, action);
      return panel();
    };
    const idOf = (title) => elements.films.find((film) => film.title === title).id;
    /** Alien was seen and liked, Aliens bought, Jaws hidden, Psycho seen last. */
    const show = async (body = PANEL) => {
      await open(browser, elements.page(body));
      const types = ['view', 'buy', 'hide', 'view'];
      const events = FILMS.map((title, at) => ({
        id: idOf(title),
        type: types[at],
        at: 1e12 + at * 6e4,
      }));
      events.splice(1, 0, { id: idOf('Alien'), type: 'like', at: 1e12 + 1 });
      await browser.evaluate(async (all) => {
        for (const one of all) await window.store.add(one);
      }, events);
      await until(browser, () => {
        const { shadowRoot } = document.getElementById('panel');
        return shadowRoot?.querySelectorAll('[part=row]').length === 4;
      });
    };

    before(async () => {
      elements = await serveElements();
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await elements?.close();
    });

    test('shows each item once, the newest first, with what was done and when', async () => {
      await show();
      const { rows, count, about, tools, remember } = await panel();
      assert.deepEqual(
        rows.map(([title]) => title),
        [...FILMS].reverse(),
      );
      const done = rows.map(([, what]) => what.split(' · '));
      assert.deepEqual(
        done.map(([what]) => what),
        ['Viewed', 'Hidden', 'Bought', 'Liked'],
      );
      for (const [, when] of done) assert.match(when, /^Sep 9, 2001, \d+:\d\d\s[AP]M$/);
      assert.equal(count, 'Remembered items: 4');
      assert.match(
        about[0],
        /in your browser, on this device.*nothing on the list is sent anywhere/,
      );
      assert.match(about[1], /stays until you delete it/);
      assert.deepEqual([tools, remember], [['switch', 'export', 'import', 'clear'], true]);
    });

    test('deletes one, and the next one has the focus; after the last, the heading', async () => {
      await show();
      const removed = [];
      for (const left of [3, 2, 1, 0]) {
        const at = left === 3 ? 1 : 0;
        await browser.evaluate((place) => {
          const button = document
            .getElementById('panel')
            .shadowRoot.querySelectorAll('[part~=remove]')[place];
          button.focus();
          button.click();
        }, at);
        await event(browser, 'change', 4 - left);
        const { rows, status, focus } = await panel();
        assert.equal(rows.length, left);
        removed.push(status);
        if (left > 0) assert.equal(focus, `Delete ${rows[Math.min(at, left - 1)][0]}`);
        else assert.equal(focus, 'What this device remembers');
      }
      assert.deepEqual(
        removed,
        ['Jaws', 'Psycho', 'Aliens', 'Alien'].map((title) => `${title}: deleted`),
      );
      assert.equal((await panel()).count, 'Nothing is remembered.');
      assert.deepEqual(await browser.evaluate(() => window.store.list()), []);
    });

    test('deletes all, when asked twice', async () => {
      await show();
      await act('[part~=clear]');
      const asked = await panel();
      assert.deepEqual([asked.question, asked.focus], [true, 'Keep']);
      await browser.press('Escape');
      const kept = await panel();
      assert.deepEqual([kept.question, kept.focus, kept.rows.length], [false, 'Delete all', 4]);
      await act('[part~=clear]');
      await act('[part~=no]');
      assert.equal((await panel()).question, false);
      await act('[part~=clear]');
      await act('[part~=yes]');
      const { rows, question, focus, status } = await change('clear');
      assert.deepEqual([rows.length, question, focus], [0, false, 'What this device remembers']);
      assert.equal(status, 'Everything is deleted.');
    });

    test('pauses and goes on', async () => {
      await show();
      await act('[part=switch]');
      assert.match((await change('pause')).status, /^Paused/);
      await browser.evaluate(() => window.store.add({ id: 'x' }));
      assert.equal((await panel()).rows.length, 4);
      await act('[part=switch]');
      assert.match((await change('resume')).status, /again/);
      await browser.evaluate(() => window.store.add({ id: 'x' }));
      await until(
        browser,
        () =>
          document.getElementById('panel').shadowRoot.querySelectorAll('[part=row]').length === 5,
      );
      assert.equal((await panel()).rows[0][0], 'x', 'an id stands for a title that is not known');
    });

    test('saves to a file, and reads one', async () => {
      await show();
      await browser.evaluate(() => {
        window.saved = [];
        HTMLAnchorElement.prototype.click = function () {
          const name = this.download;
          window.saved.push(
            fetch(this.href)
              .then((file) => file.text())
              .then((text) => ({ name, text })),
          );
        };
      });
      await act('[part~=export]');
      assert.equal((await change('export')).status, 'Saved to a file.');
      const { name: file, text } = await browser.evaluate(() => window.saved[0]);
      assert.equal(file, 'pique-history.json');
      assert.equal(JSON.parse(text).length, 5);
      const read = (content) =>
        browser.evaluate(async (given) => {
          await window.store.clear();
          const input = document
            .getElementById('panel')
            .shadowRoot.querySelector('input[type=file]');
          const data = new DataTransfer();
          data.items.add(new File([given], 'a.json', { type: 'application/json' }));
          input.files = data.files;
          input.dispatchEvent(new Event('change'));
        }, content);
      await read(text);
      const { status, rows } = await event(browser, 'change', 2).then(() => change('import'));
      assert.equal(status, 'Entries read: 5');
      assert.equal(rows.length, 4);
      await read('no such thing');
      await until(browser, () =>
        document
          .getElementById('panel')
          .shadowRoot.querySelector('[part=status]')
          .innerText.includes('cannot be read'),
      );
    });

    test('shows many a page at a time, and goes on with the first that is new', async () => {
      await show();
      await browser.evaluate(async () => {
        for (let at = 0; at < 60; at++) await window.store.add({ id: `n${at}`, at });
      });
      await until(
        browser,
        () =>
          document.getElementById('panel').shadowRoot.querySelectorAll('[part=row]').length === 50,
      );
      assert.match((await panel()).count, /64$/);
      assert.equal((await panel()).more, true);
      await act('[part~=more]');
      await until(
        browser,
        () =>
          document.getElementById('panel').shadowRoot.querySelectorAll('[part=row]').length === 64,
      );
      const { rows, focus, more } = await panel();
      assert.deepEqual([focus, more], [`Delete ${rows[50][0]}`, false]);
    });

    test('what a store cannot do is not offered, and what is forgotten is said', async () => {
      await open(browser, elements.page(PANEL.replace('data-store', 'data-wait')));
      await browser.evaluate(() => {
        document.getElementById('panel').store = new window.MemoryHistory();
        const { add, list, remove, clear, subscribe } = window.MemoryHistory.prototype;
        const inner = new window.MemoryHistory();
        const least = Object.fromEntries(
          Object.entries({ add, list, remove, clear, subscribe }).map(([key, call]) => [
            key,
            call.bind(inner),
          ]),
        );
        document.getElementById('panel').store = least;
        window.begin();
      });
      await until(browser, () =>
        Boolean(document.getElementById('panel').shadowRoot?.querySelector('[part=frame]')),
      );
      const { tools, about } = await panel();
      assert.deepEqual(tools, ['clear']);
      assert.match(about[1], /forgotten when you leave/);
    });

    test('a list and the panel agree, and the list’s catalogue gives the titles', async () => {
      const list = `<pique-list id="list" model="films.pique" catalog="films.json" count="3" exclude-seen
        actions="hide" data-store></pique-list>`;
      await show(list + PANEL.replace('catalog="films.json"', ''));
      assert.deepEqual((await panel()).rows[0][0], 'Psycho');
      await event(browser, 'results');
      const before = await browser.evaluate(
        () => window.events.findLast(({ ids }) => ids?.length).ids,
      );
      assert.ok(!before.includes(idOf('Jaws')), 'hidden');
      await browser.evaluate(() =>
        document.getElementById('list').shadowRoot.querySelector('button').click(),
      );
      await until(
        browser,
        () =>
          document.getElementById('panel').shadowRoot.querySelectorAll('[part=row]').length === 5,
      );
      await act('[part~=clear]');
      await act('[part~=yes]');
      await until(
        browser,
        () => window.events.findLast(({ type }) => type === 'results').personal === false,
      );
    });

    test('the history of the device outlives the page, with every function', async (t) => {
      const list = `<pique-list id="list" model="films.pique" catalog="films.json" count="3" actions="like"
        exclude-seen></pique-list>`;
      const url = elements.page(list + PANEL.replace('data-store', ''));
      await open(browser, url);
      if (!(await browser.evaluate(async () => 'openHistory' in (await import('./index.js'))))) {
        t.skip('the package keeps no history on the device');
        return;
      }
      const { ids } = await event(browser, 'results');
      const press = () =>
        browser.evaluate(() =>
          document.getElementById('list').shadowRoot.querySelector('button').click(),
        );
      const shows = (count) =>
        until(
          browser,
          (wanted) => {
            const { shadowRoot } = document.getElementById('panel');
            return shadowRoot?.querySelectorAll('[part=row]').length === wanted;
          },
          count,
        );
      await shows(0);
      await press();
      await shows(1);
      await open(browser, url);
      await shows(1);
      const told = await event(browser, 'results');
      assert.equal(told.personal, true);
      assert.ok(!told.ids.includes(ids[0]));
      const { about, tools } = await panel();
      assert.match(about[1], /stays until you delete it/);
      assert.deepEqual(tools, ['switch', 'export', 'import', 'clear']);
      await act('[part=switch]');
      await open(browser, url);
      await shows(1);
      assert.equal((await panel()).remember, false, 'pausing outlives the page too');
      await act('[part=switch]');
      await act('[part~=clear]');
      await act('[part~=yes]');
      await shows(0);
      await open(browser, url);
      assert.equal((await event(browser, 'results')).personal, false);
    });

    test('when what it needs fails, what stood in it stays', async () => {
      const broken = `<script type="module">const bad = () => Promise.reject(new Error('no disk'));
        document.getElementById('panel').store = { add: bad, list: bad, subscribe: () => () => {} };</script>`;
      await open(browser, elements.page(PANEL.replace('data-store', '') + broken));
      assert.match((await event(browser, 'error')).error, /no disk/);
      const text = await browser.evaluate(() => document.getElementById('panel').innerText);
      assert.match(text, /Loading/);
      assert.equal(
        await browser.evaluate(
          () => document.querySelector('#panel > p').getClientRects().length > 0,
        ),
        true,
      );
    });
  });
}
