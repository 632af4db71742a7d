/**
 * The engine cannot talk: under every policy that `pique site` writes, an engine that tries all ways out of a worker
 * reaches no server, its own or another. The headers are read from the files that the command writes.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BROWSERS, launch } from './drivers.mjs';
import { CHANNEL, leak } from './leak_attempts.mjs';
import { readNginx, readPagesHeaders, serveLogged } from './policy_server.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const dist = process.env.PIQUE_DIST ?? path.join(root, 'dist');
/** Time for what is on its way to arrive. */
const GRACE = 500;
/**
 * Under load some of the attempts block a worker of Firefox for good, so that it cannot say what became of them. Then a
 * fresh browser tries again; whatever the silent one sent counts all the same.
 */
const PATIENCE = 40_000;
const TURNS = 3;

const folder = mkdtempSync(path.join(tmpdir(), 'pique-sealed-'));
const out = path.join(folder, 'pique');
let manifest;
let snippets;

before(() => {
  const model = path.join(folder, 'films.pique');
  cpSync(path.join(root, 'models/films.pique'), model);
  execFileSync(process.execPath, [path.join(dist, 'cli.js'), 'site', model, '--out', out]);
  manifest = JSON.parse(readFileSync(path.join(out, 'pique-manifest.json'), 'utf8'));
  const read = (name) => readFileSync(path.join(out, 'headers', name), 'utf8');
  snippets = {
    pages: readPagesHeaders(read('_headers')),
    nginx: readNginx(read('nginx.conf')),
    meta: read('github-pages.html'),
  };
});
after(() => rmSync(folder, { recursive: true, force: true }));

const TALKATIVE = `;(${leak})('${CHANNEL}');`;

/** The script that every worker from a file runs, and the text that others are made of, with the attempts in it. */
function talkative(pathname, bytes) {
  if (pathname.endsWith('/worker.js')) return `${bytes}\n${TALKATIVE}`;
  if (!pathname.endsWith('/engine.js')) return bytes;
  const text = bytes.toString();
  const changed = text.replace("`fetch('data:,')", () => {
    return `\`\${${JSON.stringify(TALKATIVE)}}fetch('data:,')`;
  });
  assert.notEqual(changed, text, 'the text of the sealed worker was found');
  return changed;
}

/**
 * `head` of the page of the site; `headersOf` of its files; `worker` as in load(). The page begins by itself and posts
 * what it found: no driver has to reach into a page whose frames and workers come and go.
 */
async function openServers({ head = '', headersOf, worker }) {
  const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>
    ${head}<link rel="icon" href="data:,"><script type="module" src="probe.js"></script></head></html>`;
  const pages = { '/': page };
  const site = await serveLogged({ folder, pages, headersOf, edit: talkative });
  const other = await serveLogged();
  const given = {
    engine: `${manifest.element.replace(/[^/]*$/, '')}index.js`,
    model: manifest.model.url,
    worker,
    channelName: CHANNEL,
    origins: [site.url, other.url],
  };
  pages['/probe.js'] = `(${loadAndLeak})(${JSON.stringify(given)})
    .catch((error) => ({ error: String(error) }))
    .then((found) => fetch('/report', { method: 'POST', body: JSON.stringify(found) }));`;
  return {
    site,
    other,
    close() {
      site.close();
      other.close();
    },
  };
}

/** In the page: loads, then tells the engine to talk; what it says of its attempts. */
async function loadAndLeak({ engine, model, worker, channelName, origins }) {
  const { load } = await import(engine);
  const pique = await load(model, { cache: 'none', worker });
  const channel = new BroadcastChannel(channelName);
  await fetch('/loaded').catch(() => {});
  const answer = new Promise((resolve) => {
    channel.onmessage = ({ data }) => resolve(data);
    setTimeout(resolve, 20_000, 'no answer from the engine');
  });
  channel.postMessage({ origins });
  const told = await answer;
  await pique.history.add({ id: '1', type: 'like' });
  const { items } = await pique.recommend({ count: 3 });
  const { thread } = pique.info;
  const frames = document.querySelectorAll('iframe').length;
  await pique.dispose();
  const left = document.querySelectorAll('iframe').length;
  return { told, thread, count: items.length, frames, left };
}

const SILENT = { error: 'no report' };

async function tryToLeak(browser, { site, other }) {
  browser.goto(`${site.url}/`).catch(() => {}); // the report tells
  const silent = new Promise((resolve) => setTimeout(resolve, PATIENCE, SILENT).unref());
  const result = await Promise.race([site.reported, silent]);
  if (result !== SILENT) assert.equal(result.error, undefined);
  await new Promise((resolve) => setTimeout(resolve, GRACE));
  const mark = site.log.indexOf('GET /loaded');
  assert.ok(mark > 0, 'the page says when it has loaded');
  const told = { afterLoad: site.log.slice(mark + 1), elsewhere: other.log };
  return { ...result, ...told, isSilent: result === SILENT };
}

/** Nothing came, and nothing says that it went. */
function assertSealed({ told, thread, count, afterLoad, elsewhere }, servers) {
  assert.deepEqual(afterLoad, []);
  assert.deepEqual(elsewhere, []);
  assert.equal(servers.other.connections(), 0);
  assert.equal(thread, 'worker');
  assert.equal(count, 3, 'it recommends all the same');
  const outcomes = Object.entries(told.outcomes);
  assert.equal(outcomes.length, 30);
  const others = outcomes.filter(([, outcome]) => !['blocked', 'absent'].includes(outcome));
  assert.deepEqual(others, []);
  assert.ok(outcomes.filter(([, outcome]) => outcome === 'blocked').length >= 16, 'most exist');
}

/** What an engine without a policy reaches, in every browser. */
const REACHED = ['fetch', 'keepalive', 'XMLHttpRequest', 'import', 'nested', 'cache', 'wasm'];

for (const name of BROWSERS) {
  describe(name, { timeout: 400_000 }, () => {
    let browser;
    before(async () => {
      browser = await launch(name);
    });
    after(() => browser?.close());

    /** `check` is given what the engine of a page with these `options` reached; `never`: nothing, in no turn. */
    async function withServers(options, check, never = false) {
      for (let turn = 1; ; turn++) {
        const servers = await openServers(options);
        try {
          const result = await tryToLeak(browser, servers);
          if (never) assert.deepEqual([result.afterLoad, result.elsewhere], [[], []]);
          if (!result.isSilent) return check(result, servers);
          assert.ok(turn < TURNS, 'the page reports');
          await browser.close();
          browser = await launch(name);
        } finally {
          servers.close();
        }
      }
    }

    for (const server of ['pages', 'nginx']) {
      test(`the headers of ${server} seal the worker's file`, async () => {
        const check = (result, servers) => {
          assertSealed(result, servers);
          assert.equal(result.frames, 0, 'from the file');
        };
        await withServers({ headersOf: snippets[server] }, check, true);
      });
    }

    for (const [what, head] of [
      ['the policy for GitHub Pages', () => snippets.meta],
      ['no policy at all', () => ''],
    ]) {
      test(`'sealed' does so under ${what}, and leaves no frame behind`, async () => {
        const check = (result, servers) => {
          assertSealed(result, servers);
          assert.deepEqual([result.frames, result.left], [1, 0]);
        };
        await withServers({ head: head(), worker: 'sealed' }, check, true);
      });
    }

    test('without a policy the same attempts arrive', async () => {
      await withServers({}, ({ told, afterLoad, elsewhere }) => {
        for (const way of REACHED) {
          const there = new RegExp(`/leak/${way}$`);
          assert.ok(
            afterLoad.some((line) => there.test(line)),
            `${way}: ${afterLoad}`,
          );
          assert.ok(
            elsewhere.some((line) => there.test(line)),
            `${way}: ${elsewhere}`,
          );
        }
        assert.ok(elsewhere.includes('WebSocket /leak/WebSocket'));
        assert.ok(Object.values(told.outcomes).includes('sent'));
      });
    });

    test('the policy for GitHub Pages alone does not bind a worker from a file', async () => {
      await withServers({ head: snippets.meta }, ({ elsewhere }) => {
        assert.ok(elsewhere.includes('GET /leak/fetch'), 'as the snippet says');
      });
    });
  });
}
