/**
 * Following a guide, a tutorial or the README: its files and commands, as they stand there, in an empty folder. `pique` is the native
 * program, `npx pique` the built package's.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from '../../web/serve.mjs';
import { launch } from '../browser/drivers.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const native = process.env.PIQUE_CLI ?? path.join(root, 'build/native/pique');
const dist = process.env.PIQUE_DIST ?? path.join(root, 'dist');
const PATIENCE = 30_000;

/** `{ file, text }` for a block below a line with a file's name, `{ commands }` for one of shell commands. */
export function readSteps(file) {
  return stepsOf(readFileSync(path.join(root, file), 'utf8'));
}

export const readGuide = (name) => readSteps(`docs/guides/${name}`);

/** Of a part of a file, too. */
export function stepsOf(markdown) {
  const parts = /^`([\w./-]+)`:\n\n```\S+\n([\s\S]*?)^```|^```sh\n([\s\S]*?)^```/gm;
  const steps = [...markdown.matchAll(parts)].map(([, file, text, commands]) =>
    file ? { file, text } : { commands: commands.trimEnd().split('\n') },
  );
  return { markdown, steps };
}

/** An empty folder with both programs within reach. */
export function makeFolder(after) {
  for (const file of [native, path.join(dist, 'cli.js')]) {
    if (!existsSync(file)) throw new Error(`${file} is missing: build it first`);
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'pique-guide-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const programs = path.join(folder, 'node_modules/.bin');
  mkdirSync(programs, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{"private":true,"type":"module"}');
  const script = `#!/bin/sh\nexec node '${path.join(dist, 'cli.js')}' "$@"\n`;
  writeFileSync(path.join(programs, 'pique'), script, { mode: 0o755 });
  return folder;
}

/** Does all the steps; returns what the commands printed. `packed`: the file that stands in for the registry's package. */
export function follow(folder, steps, packed) {
  const { PIQUE_DIST: _, ...env } = process.env;
  const PATH = `${path.dirname(native)}:${env.PATH}`;
  const options = { cwd: folder, encoding: 'utf8', env: { ...env, PATH } };
  let printed = '';
  for (const { file, text, commands } of steps) {
    if (file) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text);
    } else {
      for (const command of commands) {
        const local = command.replace(/^npm install pique$/, `npm install --offline '${packed}'`);
        printed += execFileSync('sh', ['-ec', local], options);
      }
    }
  }
  return printed;
}

/** Opens pages of a folder, one after the other in one browser; resolves to the addresses that each one's list links to. */
export async function visit(folder, pages) {
  const found = [];
  await withBrowser(folder, async (browser, url) => {
    for (const page of pages) {
      await browser.goto(url + page);
      found.push(await links(browser));
    }
  });
  return found;
}

/** Calls `use` with a browser and the address where the folder is served. */
export async function withBrowser(folder, use) {
  const server = await serve(folder);
  const browser = await launch('chromium');
  try {
    await use(browser, `http://localhost:${server.address().port}`);
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

/** What `look` finds in the page, as soon as that is something. */
export async function waitFor(browser, look, ...given) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await browser.evaluate(look, ...given);
    if (found) return found;
    if (Date.now() > end) throw new Error(`nothing came of ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function links(browser) {
  const found = await waitFor(browser, () => {
    const list = document.querySelector('pique-list');
    const anchors = list?.shadowRoot?.querySelectorAll('a[href]') ?? [];
    const state = list?.getAttribute('state');
    if (state === 'failed') return state;
    return state === 'ready' && anchors.length > 0 && [...anchors].map((each) => each.pathname);
  });
  if (found === 'failed') throw new Error('the list has failed');
  return found;
}
