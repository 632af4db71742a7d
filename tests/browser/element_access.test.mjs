/** The elements by keyboard, by axe, and in their four languages. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BROWSERS, launch } from './drivers.mjs';
import { axeFindings, event, open, serveElements, until } from './element_support.mjs';

const BODY = `<pique-list id="list" model="films.pique" catalog="films.json" count="3" explain exclude-seen
  actions="like hide" data-store></pique-list>
  <pique-privacy id="panel" catalog="films.json" data-store></pique-privacy>`;

/** By hand from the tables, so that a table that is mixed up is found. */
const LANGUAGES = {
  en: {
    label: 'Recommendations',
    reason: /^Because you liked Alien$/,
    heading: /this device remembers/,
    dir: 'ltr',
  },
  de: {
    label: 'Empfehlungen',
    reason: /^Weil Ihnen Alien gefällt$/,
    heading: /Was dieses Gerät/,
    dir: 'ltr',
  },
  'zh-Hans': { label: '推荐内容', reason: /^因为您喜欢《Alien》$/, heading: /此设备/, dir: 'ltr' },
  'ar-EG': {
    label: 'توصيات',
    reason: /^لأنك أعجبت بـ \u2068Alien\u2069$/,
    heading: /هذا الجهاز/,
    dir: 'rtl',
  },
};

for (const name of BROWSERS) {
  describe(name, () => {
    let elements;
    let browser;
    /** Alien is liked; both elements show it. */
    const show = async (options, body = BODY) => {
      await open(browser, elements.page(body, options));
      const { id } = elements.films.find((film) => film.title === 'Alien');
      await browser.evaluate((liked) => window.store.add({ id: liked, type: 'like' }), id);
      await until(
        browser,
        () => window.events.findLast(({ type }) => type === 'results')?.personal,
      );
      await until(browser, () => {
        const { shadowRoot } = document.getElementById('panel');
        return shadowRoot.querySelectorAll('[part=row]').length === 1;
      });
    };
    /** In the page: what has the focus, through shadow roots. */
    const focused = () =>
      browser.evaluate(() => {
        let { activeElement } = document;
        while (activeElement?.shadowRoot?.activeElement)
          ({ activeElement } = activeElement.shadowRoot);
        return [...(activeElement.part ?? [])].at(-1) ?? activeElement.localName;
      });

    before(async () => {
      elements = await serveElements();
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await elements?.close();
    });

    test('every control is reached by Tab in the order of the page, and does its work', async () => {
      await show();
      const order = [];
      for (let step = 0; step < 15; step++) {
        await browser.press('Tab');
        order.push(await focused());
        if (order.at(-1) === 'clear') break;
      }
      const row = ['link', 'like', 'hide'];
      assert.deepEqual(order, [
        ...row,
        ...row,
        ...row,
        'switch',
        'remove',
        'export',
        'import',
        'clear',
      ]);

      await browser.press('Enter');
      assert.equal(await focused(), 'no');
      await browser.press('Enter');
      assert.equal(await focused(), 'clear');

      await browser.evaluate(() =>
        document.getElementById('list').shadowRoot.querySelector('[part=like]').focus(),
      );
      await browser.press('Space');
      const { id, action } = await event(browser, 'select');
      assert.equal(action, 'like');
      await until(
        browser,
        (liked) =>
          window.events.findLast(({ ids }) => ids) &&
          window.store.list().then((all) => all.at(-1).id === liked),
        id,
      );
      const told = await until(
        browser,
        () => document.getElementById('list').shadowRoot.querySelector('[role=status]').textContent,
      );
      assert.match(told, /: liked$/);
      assert.equal(await focused(), 'like', 'the keyboard stays where it was');

      await browser.evaluate(() =>
        document.getElementById('list').shadowRoot.querySelector('[part=link]').focus(),
      );
      await browser.press('Enter');
      assert.equal((await event(browser, 'select', 2)).action, 'view');
      assert.match(await browser.evaluate(() => location.hash), /^#film-/);
    });

    for (const [lang, { label, reason, heading, dir }] of Object.entries(LANGUAGES)) {
      test(`${lang}: words, direction, and nothing that axe finds`, async () => {
        await show({ lang, dir });
        const found = await browser.evaluate(() => {
          const [list, panel] = ['list', 'panel'].map(
            (id) => document.getElementById(id).shadowRoot,
          );
          const place = (element) => element.getBoundingClientRect().left;
          const [first, second] = list.querySelectorAll('[part=item]');
          return {
            label: list.querySelector('[part=list]').ariaLabel,
            reason: list.querySelector('[part=reason]').textContent,
            heading: panel.querySelector('[part=heading]').textContent,
            dirs: [list, panel].map(
              (root) => getComputedStyle(root.querySelector('[part=frame]')).direction,
            ),
            rightToLeft: place(first) > place(second),
            when: panel.querySelector('time').textContent,
          };
        });
        assert.equal(found.label, label);
        assert.match(found.reason, reason);
        assert.match(found.heading, heading);
        assert.deepEqual(found.dirs, [dir, dir]);
        assert.equal(found.rightToLeft, dir === 'rtl');
        const format = { dateStyle: 'medium' };
        const year = new Date().toLocaleDateString(lang, format).match(/[\d٠-٩]{4}/)[0];
        assert.ok(found.when.includes(year), `${found.when} has ${year}`);
        assert.deepEqual(await axeFindings(browser, elements), []);
      });
    }

    test('axe finds nothing while all is asked and nothing is there', async () => {
      await show();
      await browser.evaluate(() => {
        document.getElementById('panel').shadowRoot.querySelector('[part~=clear]').click();
      });
      assert.deepEqual(await axeFindings(browser, elements), []);
      await browser.evaluate(() => {
        document.getElementById('panel').shadowRoot.querySelector('[part~=yes]').click();
      });
      await event(browser, 'change');
      assert.deepEqual(await axeFindings(browser, elements), []);
    });

    test('a language changes with the page’s lang and the element’s own', async () => {
      await show();
      const heading = () =>
        browser.evaluate(
          () =>
            document.getElementById('panel').shadowRoot.querySelector('[part=heading]').textContent,
        );
      await browser.evaluate(() => document.documentElement.setAttribute('lang', 'de'));
      await until(
        browser,
        () =>
          document.getElementById('list').shadowRoot.querySelector('[part=list]').ariaLabel ===
          'Empfehlungen',
      );
      assert.match(await heading(), /Gerät/);
      await browser.evaluate(() => document.getElementById('panel').setAttribute('lang', 'ar'));
      await until(
        browser,
        () =>
          document.getElementById('panel').shadowRoot.querySelector('[part=frame]').dir === 'rtl',
      );
      assert.match(await heading(), /الجهاز/);
      assert.equal(
        await browser.evaluate(
          () => document.getElementById('list').shadowRoot.querySelector('[part=frame]').dir,
        ),
        'ltr',
      );
    });

    test('words can be replaced, by language and by element', async () => {
      await show({ lang: 'fr-CA' });
      await browser.evaluate(() => {
        window.setStrings('fr', { label: 'Pour vous', becauseLike: 'Comme {title}' });
        document.getElementById('panel').strings = { heading: 'Mon appareil' };
        document.getElementById('list').refresh();
      });
      await until(
        browser,
        () =>
          document.getElementById('list').shadowRoot.querySelector('[part=list]').ariaLabel ===
          'Pour vous',
      );
      const found = await browser.evaluate(() => {
        const list = document.getElementById('list').shadowRoot;
        return [
          list.querySelector('[part=reason]').textContent,
          list.querySelector('button').ariaLabel,
        ];
      });
      assert.equal(found[0], 'Comme Alien');
      assert.match(found[1], /^Like /, 'English where a language has no words');
      await until(
        browser,
        () =>
          document.getElementById('panel').shadowRoot.querySelector('h2').textContent ===
          'Mon appareil',
      );
    });
  });
}
