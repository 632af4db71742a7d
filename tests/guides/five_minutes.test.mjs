/** "Five minutes" of README.md, followed word for word in an empty folder with the package as it would be published. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from '../browser/drivers.mjs';
import { packPackage, root } from '../package/package_support.mjs';
import { follow, stepsOf, waitFor } from './guide_steps.mjs';

const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
const section = /^## Five minutes\n([\s\S]*?)^## /m.exec(readme)[1];

let place;
let server;
let browser;
let url;

/** The server of the text on a free port; its address. */
async function startServer(folder, command) {
  const [program, ...args] = command.replace(/\b8000$/, '0').split(' ');
  const env = { ...process.env, PYTHONUNBUFFERED: '1' };
  server = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
  let printed = '';
  return new Promise((resolve, reject) => {
    server.stdout.on('data', (chunk) => {
      printed += chunk;
      const port = / port (\d+) .*\n/.exec(printed)?.[1];
      if (port) resolve(`http://localhost:${port}/`);
    });
    server.on('error', reject);
    server.on('close', () => reject(new Error(`${command}: ${printed}`)));
  });
}

before(async () => {
  place = mkdtempSync(path.join(tmpdir(), 'pique-minutes-'));
  const folder = path.join(place, 'site');
  mkdirSync(folder);
  const { steps } = stepsOf(section);
  const serving = steps.findIndex((step) => step.commands?.[0].endsWith(' 8000'));
  const [{ commands }] = steps.splice(serving, 1);
  follow(folder, steps, packPackage(place));
  url = await startServer(folder, commands[0]);
  assert.ok(section.includes('http://localhost:8000/'));
  browser = await launch('chromium');
});
after(async () => {
  await browser?.close();
  server?.kill();
  rmSync(place, { recursive: true, force: true });
});

/** Once the element shows something personal or not: ids that it links or names, and the words of its reasons. */
const shown = (personal) => {
  const list = document.querySelector('pique-list');
  const root = list?.shadowRoot;
  const texts = (part) =>
    [...(root?.querySelectorAll(`[part~="${part}"]`) ?? [])].map((each) => each.textContent.trim());
  const reasons = texts('reason').filter(Boolean);
  const isIt = list?.getAttribute('state') === 'ready' && reasons.length > 0 === personal;
  return isIt && { titles: texts('title'), reasons };
};

test('the element shows popular films, and others for a visitor who likes one, also after a reload', async () => {
  await browser.goto(url);
  const popular = await waitFor(browser, shown, false);
  assert.equal(popular.titles.length, 6);
  await browser.evaluate(() => {
    document.querySelector('pique-list').shadowRoot.querySelector('[part~="like"]').click();
  });
  const own = await waitFor(browser, shown, true);
  assert.equal(own.titles.length, 6);
  assert.ok(!own.titles.includes(popular.titles[0]));
  assert.ok(
    own.reasons.every((reason) => reason.includes(popular.titles[0])),
    own.reasons,
  );
  await browser.goto(url);
  assert.deepEqual(await waitFor(browser, shown, true), own);
});

test('the lines of script show six films', async () => {
  await browser.goto(`${url}script.html`);
  const titles = await waitFor(browser, () => {
    const rows = [...document.querySelectorAll('li')].map((row) => row.textContent);
    return rows.length === 6 && rows;
  });
  assert.equal(new Set(titles).size, 6);
});
