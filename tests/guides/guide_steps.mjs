/**
 * Following a guide of docs/guides: its files and commands, as they stand there, in an empty folder. `pique` is the native
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
export function readGuide(name) {
  const markdown = readFileSync(path.join(root, 'docs/guides', name), 'utf8');
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

/** Does all the steps; returns what the commands printed. */
export function follow(folder, steps) {
  const { PIQUE_DIST: _, ...env } = process.env;
  const PATH = `${path.dirname(native)}:${env.PATH}`;
  const options = { cwd: folder, encoding: 'utf8', env: { ...env, PATH } };
  let printed = '';
  for (const { file, text, commands } of steps) {
    if (file) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text);
    } else {
      for (const command of commands) printed += execFileSync('sh', ['-ec', command], options);
    }
  }
  return printed;
}

/** Opens pages of a folder, one after the other in one browser; resolves to the addresses that each one's list links to. */
export async function visit(folder, pages) {
  const server = await serve(folder);
  const browser = await launch('chromium');
  const url = `http://localhost:${server.address().port}`;
  const found = [];
  try {
    for (const page of pages) {
      await browser.goto(url + page);
      found.push(await links(browser));
    }
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
  return found;
}

async function links(browser) {
  const end = Date.now() + PATIENCE;
  const look = () => {
    const list = document.querySelector('pique-list');
    const anchors = list?.shadowRoot?.querySelectorAll('a[href]') ?? [];
    return { state: list?.getAttribute('state'), found: [...anchors].map((each) => each.pathname) };
  };
  for (;;) {
    const { state, found } = await browser.evaluate(look);
    if (state === 'ready' && found.length > 0) return found;
    if (state === 'failed' || Date.now() > end) throw new Error(`the list is ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
