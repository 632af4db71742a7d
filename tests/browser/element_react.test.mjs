/** `useRecommendations` with React in each browser: strict mode, changes, and the end. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { BROWSERS, launch } from './drivers.mjs';
import { open, serveElements, until } from './element_support.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** Two components of one model in strict mode, where every effect runs twice. */
const APP = `
  import { createElement as h, StrictMode, useState } from 'react';
  import { createRoot } from 'react-dom/client';
  import { useRecommendations } from 'pique/react';
  window.seen = [];
  const List = ({ name, source, count }) => {
    const state = useRecommendations(source, { count, initial: [{ id: 'served', score: 0, interest: -1 }] });
    const { items, status, personal, error } = state;
    window[name] = { ...state, ids: items.map(({ id }) => id), code: error?.code };
    if (window.seen.at(-1) !== status) window.seen.push(status);
    return h('ul', null, items.map(({ id }) => h('li', { key: id }, id)));
  };
  const App = () => {
    const [state, set] = useState({ source: 'films.pique', count: 4, two: true });
    window.set = (more) => set((before) => ({ ...before, ...more }));
    return [
      h(List, { key: 1, name: 'one', source: state.source, count: state.count }),
      state.two && h(List, { key: 2, name: 'two', source: state.source, count: 3 }),
    ];
  };
  const mounted = createRoot(document.getElementById('app'));
  window.unmount = () => mounted.unmount();
  mounted.render(h(StrictMode, null, h(App)));
  document.documentElement.dataset.loaded = '';
`;

/** The app with React inside; the package stays beside it, as the hook's own file has it. */
async function buildApp() {
  const result = await build({
    stdin: { contents: APP, resolveDir: root },
    bundle: true,
    format: 'esm',
    write: false,
    define: { 'process.env.NODE_ENV': '"development"' },
    plugins: [
      {
        name: 'beside',
        setup(builder) {
          builder.onResolve({ filter: /index\.js$/ }, ({ kind }) =>
            kind === 'dynamic-import' ? { path: './index.js', external: true } : undefined,
          );
        },
      },
    ],
  });
  return result.outputFiles[0].text;
}

for (const name of BROWSERS) {
  describe(name, () => {
    let elements;
    let browser;
    const show = () =>
      open(
        browser,
        elements.page('<div id="app"></div>', {
          script: '<script type="module" src="app.js"></script>',
        }),
      );
    const ready = () =>
      until(browser, () => window.one?.status === 'ready' && window.two?.status === 'ready');
    const ids = (which) => browser.evaluate((name) => window[name].ids, which);

    before(async () => {
      elements = await serveElements();
      writeFileSync(path.join(elements.folder, 'app.js'), await buildApp());
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await elements?.close();
    });

    test('strict effects load one model for all, and what was given stands until then', async () => {
      await show();
      await ready();
      const found = await browser.evaluate(() => ({
        shared: window.one.recommender === window.two.recommender,
        rows: [...document.querySelectorAll('ul')].map((list) => list.children.length),
        seen: window.seen,
        personal: window.one.personal,
      }));
      assert.deepEqual(found, {
        shared: true,
        rows: [4, 3],
        seen: ['loading', 'ready'],
        personal: false,
      });
      const fetched = elements.requests.filter((each) => each === 'GET /films.pique');
      assert.equal(fetched.length, 1);
    });

    test('what is recorded and what is asked change the list', async () => {
      await show();
      await ready();
      const before = await ids('one');
      await browser.evaluate((id) => window.one.record(id, 'like'), before[1]);
      await until(browser, () => window.one.personal && window.two.personal);
      const liked = await ids('one');
      assert.ok(!liked.includes(before[1]));
      await browser.evaluate(() => window.set({ count: 7 }));
      await until(browser, () => window.one.ids.length === 7);
      assert.deepEqual((await ids('one')).slice(0, 4), liked);
    });

    test('the last one to go disposes of the model', async () => {
      await show();
      await ready();
      const codes = await browser.evaluate(async () => {
        const { recommender } = window.one;
        const wait = () => new Promise((resolve) => setTimeout(resolve, 60));
        const ask = () =>
          recommender.recommend().then(
            () => 'answers',
            (error) => error.code,
          );
        window.set({ two: false });
        await wait();
        const one = await ask();
        window.unmount();
        await wait();
        return [one, await ask()];
      });
      assert.deepEqual(codes, ['answers', 'DISPOSED']);
    });

    test('a failure is told, and another model is taken', async () => {
      await show();
      await ready();
      const before = await ids('one');
      await browser.evaluate(() => window.set({ source: 'none.pique' }));
      await until(browser, () => window.one.status === 'failed');
      assert.deepEqual(await browser.evaluate(() => [window.one.code, window.one.ids]), [
        'HTTP',
        before,
      ]);
      await browser.evaluate(() => window.set({ source: 'films.pique?again' }));
      await until(browser, () => window.one.status === 'ready');
      assert.deepEqual(await ids('one'), before);
    });
  });
}
