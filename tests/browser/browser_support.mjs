/** The demo site and the browsers on it: starting both, and the few things that every test does. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from '../../web/serve.mjs';
import { launchChromium } from './drivers.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const built = process.env.PIQUE_SITE ?? path.join(root, 'build/site');

export const PHONE = { width: 390, height: 844, isMobile: true, hasTouch: true };
export const DESKTOP = { width: 1440, height: 900 };

/** A served copy of the demo site, which tests may add files to. */
export async function serveSite() {
  if (!existsSync(path.join(built, 'index.html'))) {
    throw new Error(`${built} holds no site: node web/build.mjs --site DIR, or set PIQUE_SITE`);
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'pique-site-'));
  cpSync(built, folder, { recursive: true });
  const server = await serve(folder);
  return {
    folder,
    url: `http://localhost:${server.address().port}/`,
    async close() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The same with Chromium. */
export async function openSite() {
  const site = await serveSite();
  const browser = await launchChromium();
  return {
    ...site,
    browser,
    async close() {
      await browser.close();
      await site.close();
    },
  };
}

/**
 * Runs `body`, the text of an async function of `load` and `given`, in a page of the site with that policy, in a
 * browser of drivers.mjs. An error becomes `{ code, message }`.
 */
export async function runInPage(site, browser, body, { policy = '', given } = {}) {
  const meta = policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
  writeFileSync(path.join(site.folder, 'bare.html'), `<!doctype html><title>t</title>${meta}`);
  writeFileSync(
    path.join(site.folder, 'bare.js'),
    `import { load } from './index.js';
     export const run = async (given) => { ${body} };`,
  );
  await browser.goto(`${site.url}bare.html`);
  const ask = async (address, argument) => {
    const { run } = await import(address);
    return run(argument).catch((error) => ({ code: error.code, message: error.message }));
  };
  return browser.evaluate(ask, `${site.url}bare.js`, given ?? null);
}

/** A page of its own profile that collects what goes wrong in it. */
export async function openPage(site, { query = '', viewport = DESKTOP, media = {} } = {}) {
  const context = await site.browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport(viewport);
  const features = { 'prefers-reduced-motion': 'reduce', ...media };
  await page.emulateMediaFeatures(
    Object.entries(features).map(([name, value]) => ({ name, value })),
  );
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) problems.push(message.text());
  });
  await page.goto(site.url + query);
  await settled(page);
  return { page, context, problems };
}

/** Until the page has sealed itself, or says why it cannot. */
export const settled = (page) =>
  waitUntil(page, () => ['ready', 'failed'].includes(document.body?.dataset.state));

export async function reload(page) {
  await page.reload();
  await settled(page);
}

export const stateOf = (page) => page.$eval('body', (body) => body.dataset.state);
export const textOf = (page, selector) => page.$eval(selector, (found) => found.textContent.trim());
export const listIds = (page, selector) =>
  page.$$eval(`${selector} > li`, (rows) => rows.map((row) => row.dataset.id));

/** Types into the search field and takes the first film found; resolves when the page shows it. */
export async function pickFilm(page, text) {
  const before = (await listIds(page, '#likes')).length;
  await page.focus('#search-input');
  await page.keyboard.type(text);
  await waitUntil(page, () => document.querySelector('#search-list [role="option"]') !== null);
  await page.keyboard.press('Enter');
  await waitForLikes(page, before + 1);
}

/** Likes and recommendations change together, so the one tells of the other. */
export function waitForLikes(page, count) {
  const there = (wanted) => document.querySelectorAll('#likes > li').length === wanted;
  return waitUntil(page, there, count);
}

/** Likes the four films of the page's example. */
export async function likeExample(page) {
  await page.click('#example');
  await waitForLikes(page, 4);
}

/** As {@link openPage}, with those films liked. */
export async function openExample(site, options) {
  const opened = await openPage(site, options);
  await likeExample(opened.page);
  return opened;
}

/** Does something in the page that changes the films; the ids that are shown then. */
export async function changeFilms(page, act) {
  const before = (await listIds(page, '#films')).join();
  await act();
  const changed = (old) =>
    [...document.querySelectorAll('#films > li')].map((row) => row.dataset.id).join() !== old;
  await waitUntil(page, changed, before);
  return listIds(page, '#films');
}

/** As puppeteer's waitForFunction, which evaluates text in the page; a sealed page refuses that. */
export async function waitUntil(page, condition, ...given) {
  const ends = performance.now() + 30_000;
  while (!(await page.evaluate(condition, ...given))) {
    if (performance.now() > ends) throw new Error(`still not so: ${condition} ${given}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A picture for people, when PIQUE_SCREENSHOTS names a folder. */
export async function picture(page, name) {
  const folder = process.env.PIQUE_SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
}
