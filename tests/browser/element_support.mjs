/** Pages with the elements on them, and what their tests have in common. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from '../../web/serve.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const dist = process.env.PIQUE_DIST ?? path.join(root, 'dist');
const site = process.env.PIQUE_SITE ?? path.join(root, 'build/site');

/** A served folder with the package, the films and their catalogue, in which every film has an address. */
export async function serveElements() {
  for (const file of [path.join(dist, 'element.js'), path.join(site, 'films.json')]) {
    if (!existsSync(file)) throw new Error(`${file} is missing: node web/build.mjs [--site DIR]`);
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'pique-element-'));
  for (const name of readdirSync(dist).filter((file) => file.endsWith('.js'))) {
    cpSync(path.join(dist, name), path.join(folder, name));
  }
  cpSync(path.join(site, 'films.pique'), path.join(folder, 'films.pique'));
  const films = JSON.parse(readFileSync(path.join(site, 'films.json'), 'utf8')).map((film) => ({
    ...film,
    url: `#film-${film.id}`,
    image: 'poster.svg',
  }));
  writeFileSync(path.join(folder, 'films.json'), JSON.stringify(films));
  writeFileSync(
    path.join(folder, 'poster.svg'),
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 3"><path d="M0 0h2v3H0z"/></svg>',
  );
  const server = await serve(folder);
  const cdn = await serve(folder);
  cdn.prependListener('request', (_, response) => {
    response.setHeader('access-control-allow-origin', '*');
  });
  const requests = [];
  server.on('request', ({ method, url }) => requests.push(`${method} ${url}`));
  let pages = 0;
  return {
    folder,
    films,
    requests,
    /** The same files from another origin, which lets every page have them. */
    cdn: `http://localhost:${cdn.address().port}/`,
    url: `http://localhost:${server.address().port}/`,
    /** Writes a page; returns its address. */
    page(body, { head = '', lang = 'en', dir = 'ltr', script = DEFINE } = {}) {
      const name = `page${++pages}.html`;
      writeFileSync(
        path.join(folder, name),
        `<!doctype html><html lang="${lang}" dir="${dir}"><head><meta charset="utf-8"><title>Films</title>
         <style>body{margin:1rem;font:16px/1.4 sans-serif}</style>${head}</head>
         <body><main><h1>Films</h1>${body}</main>${script}</body></html>`,
      );
      return `${this.url}${name}`;
    },
    copyAxe() {
      const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
      cpSync(axe, path.join(folder, 'axe.js'));
    },
    async close() {
      for (const each of [server, cdn]) {
        each.closeAllConnections();
        each.close();
      }
      rmSync(folder, { recursive: true });
    },
  };
}

/**
 * Defines the elements when the page calls `begin()`, or at once. Those with `data-store` share `store`, which can
 * do what the store of the device can. What happens is collected in `events`.
 */
const DEFINE = `<script type="module">
  import { define, setStrings } from './element.js';
  import { MemoryHistory } from './index.js';
  class Store extends MemoryHistory {
    persistent = true;
    paused = false;
    pause(on) { this.paused = on; }
    async add(event) { if (!this.paused) await super.add(event); }
    async export() { return new Blob([JSON.stringify(await this.list())]); }
    async import(file) {
      const events = JSON.parse(await file.text());
      for (const event of events) await super.add(event);
      return events.length;
    }
  }
  Object.assign(window, { define, setStrings, MemoryHistory, store: new Store(), events: [] });
  for (const type of ['ready', 'results', 'error', 'select', 'change']) {
    addEventListener('pique-' + type, ({ target, detail }) => {
      const { error, items, id, action, personal } = detail;
      const ids = items?.map(({ item }) => item.id);
      events.push({ type, target: target.id, code: error?.code, error: error?.message, ids, id, action, personal });
    });
  }
  for (const element of document.querySelectorAll('[data-store]')) element.store = store;
  window.begin = define;
  if (!document.querySelector('[data-wait]')) define();
  document.documentElement.dataset.loaded = '';
</script>`;

const PATIENCE = 30_000;

/** The value of `body` in the page, as soon as it is one that counts as true. */
export async function until(browser, body, ...given) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const value = await browser.evaluate(body, ...given);
    if (value) return value;
    if (Date.now() > end) throw new Error(`never true: ${body}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Opens a page; resolves when its script has run. */
export async function open(browser, url) {
  await browser.goto(url);
  await until(browser, () => 'loaded' in document.documentElement.dataset);
}

/** Resolves to the last of the events of that type, once there are so many. */
export async function event(browser, type, count = 1) {
  return until(
    browser,
    (wanted, least) => {
      const found = window.events.filter((one) => one.type === wanted);
      return found.length >= least && found.at(-1);
    },
    type,
    count,
  );
}

/** What axe finds wrong with the page. */
export async function axeFindings(browser, elements) {
  elements.copyAxe();
  await browser.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const script = document.createElement('script');
        Object.assign(script, { src: 'axe.js', onload: () => resolve(), onerror: reject });
        document.head.append(script);
      }),
  );
  return browser.evaluate(async () => {
    const { violations } = await window.axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`);
  });
}
