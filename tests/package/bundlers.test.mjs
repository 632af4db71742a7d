/** The packed package in what people build pages with: each ends with recommendations in a browser. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import nodeResolve from '@rollup/plugin-node-resolve';
import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import * as vite from 'vite';
import webpack from 'webpack';
import { launchChromium } from '../browser/drivers.mjs';
import { copyApp, serveBuilt, unpackPackage } from './package_support.mjs';

const IN_WORKER = { thread: 'worker', count: 3 };

let packed;
let browser;

before(async () => {
  packed = unpackPackage();
  browser = await launchChromium();
});
after(() => browser?.close());

/**
 * What the page's `answer` says, and that nothing went wrong on the way but requests for `missing`; `look` does more
 * with the page.
 */
async function answerOf(url, missing, look) {
  const page = await browser.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) problems.push(message.text());
  });
  page.on('requestfailed', (request) => {
    if (request.url() !== `${url}${missing}`) problems.push(`failed: ${request.url()}`);
  });
  await page.goto(url);
  await page.waitForFunction(() => globalThis.answer !== undefined, { timeout: 60_000 });
  const answer = await page.evaluate(() => globalThis.answer);
  await look?.(page);
  await page.close();
  assert.deepEqual(problems, []);
  return answer;
}

async function answerOfFolder(folder, missing) {
  const site = await serveBuilt(folder);
  try {
    return await answerOf(site.url, missing);
  } finally {
    site.close();
  }
}

test('a plain module script', async () => {
  const folder = copyApp('plain');
  cpSync(path.join(packed, 'dist'), path.join(folder, 'pique'), { recursive: true });
  assert.deepEqual(await answerOfFolder(folder), IN_WORKER);
});

/** esbuild and Rollup do not copy a worker's file: its text, which the package carries, takes its place. */
const NOT_COPIED = 'worker.js';

test('esbuild', async () => {
  const folder = copyApp('bundled', 'esbuild');
  await esbuild.build({
    entryPoints: [path.join(folder, 'app.js')],
    bundle: true,
    format: 'esm',
    outdir: path.join(folder, 'out'),
    logLevel: 'error',
  });
  assert.deepEqual(await answerOfFolder(path.join(folder, 'out'), NOT_COPIED), IN_WORKER);
});

test('Rollup', async () => {
  const folder = copyApp('bundled', 'rollup');
  const bundle = await rollup({
    input: path.join(folder, 'app.js'),
    plugins: [nodeResolve({ browser: true })],
    onwarn: (warning) => assert.fail(warning.message),
  });
  await bundle.write({ dir: path.join(folder, 'out'), format: 'es' });
  await bundle.close();
  assert.deepEqual(await answerOfFolder(path.join(folder, 'out'), NOT_COPIED), IN_WORKER);
});

describe('what is not used is left out', () => {
  const ENGINE = /[A-Za-z0-9+/=]{1000,}|emscripten_notify_memory_growth/;
  const using = (name, text) => {
    const folder = copyApp('bundled', name);
    writeFileSync(path.join(folder, 'app.js'), text);
    return path.join(folder, 'app.js');
  };
  const ERROR = `import { PiqueError } from 'pique'; console.log(new PiqueError('HTTP', 'x').code);`;
  const LOAD = `import { load } from 'pique'; console.log(load);`;
  const bundlers = {
    async esbuild(input) {
      const options = { bundle: true, format: 'esm', outdir: 'out', write: false };
      const { outputFiles } = await esbuild.build({ entryPoints: [input], ...options });
      return outputFiles.map(({ text }) => text).join('');
    },
    async Rollup(input) {
      const bundle = await rollup({ input, plugins: [nodeResolve({ browser: true })] });
      const { output } = await bundle.generate({ format: 'es' });
      await bundle.close();
      return output.map(({ code }) => code).join('');
    },
  };
  for (const [name, bundle] of Object.entries(bundlers)) {
    test(name, async () => {
      assert.match(await bundle(using(`used-${name}`, LOAD)), ENGINE);
      const code = await bundle(using(`unused-${name}`, ERROR));
      assert.match(code, /PiqueError/);
      assert.doesNotMatch(code, ENGINE);
      assert.ok(code.length < 4096, `${code.length} bytes`);
    });
  }
});

test('webpack 5', async () => {
  const folder = copyApp('bundled', 'webpack');
  const stats = await new Promise((resolve, reject) => {
    const options = {
      mode: 'production',
      context: folder,
      entry: './app.js',
      output: { path: path.join(folder, 'out'), filename: 'app.js' },
      performance: { hints: false },
    };
    webpack(options, (error, result) => (error ? reject(error) : resolve(result)));
  });
  assert.equal(stats.toString({ all: false, errors: true, warnings: true }), '');
  assert.deepEqual(await answerOfFolder(path.join(folder, 'out')), IN_WORKER);
});

describe('Vite', () => {
  test('build', async () => {
    const folder = copyApp('bundled', 'vite-build');
    await vite.build({ root: folder, configFile: false, logLevel: 'error' });
    assert.deepEqual(await answerOfFolder(path.join(folder, 'dist')), IN_WORKER);
  });

  async function answerOfDev(folder) {
    const options = { root: folder, configFile: false, logLevel: 'error' };
    const server = await vite.createServer({ ...options, server: { port: 0 } });
    try {
      await server.listen();
      return await answerOf(server.resolvedUrls.local[0]);
    } finally {
      await server.close();
    }
  }

  test('dev, which bundles packages by itself beforehand', async () => {
    assert.deepEqual(await answerOfDev(copyApp('bundled', 'vite-dev')), IN_WORKER);
  });

  test('the element, built and in dev', async () => {
    const folder = copyApp('element', 'vite-element');
    assert.deepEqual(await answerOfDev(folder), IN_WORKER);
    await vite.build({ root: folder, configFile: false, logLevel: 'error' });
    assert.deepEqual(await answerOfFolder(path.join(folder, 'dist')), IN_WORKER);
  });
});

test('Next.js renders on the server and recommends in the page', async () => {
  const folder = copyApp('next');
  const bin = createRequire(import.meta.url).resolve('next/dist/bin/next');
  const next = (...args) =>
    spawn(process.execPath, [bin, ...args], {
      cwd: folder,
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const build = await finished(next('build'));
  assert.equal(build.code, 0, build.output);
  const server = next('start', '--port', '0');
  try {
    const url = await addressIn(server);
    const html = await (await fetch(url)).text();
    assert.ok(html.includes('data-server="function"'), 'the server can import the package');
    assert.ok(html.includes('from the server'));
    assert.ok(html.includes('<li>initial</li>'), 'the hook has what it was given');
    assert.deepEqual(await answerOf(url, undefined, likeByHook), IN_WORKER);
  } finally {
    server.kill();
  }
});

/** The list of the hook becomes a personal one. */
async function likeByHook(page) {
  await page.waitForSelector('#hook[data-status="ready"] button:enabled');
  await page.click('#hook button');
  await page.waitForSelector('#hook[data-personal="true"] li');
  const ids = await page.$$eval('#hook li', (rows) => rows.map((row) => row.textContent));
  assert.equal(ids.length, 3);
  assert.ok(!ids.includes('initial'));
}

/** The code and all output of a program. */
function finished(child) {
  let output = '';
  const add = (chunk) => {
    output += chunk;
  };
  child.stdout.on('data', add);
  child.stderr.on('data', add);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

/** The address that a starting server prints. */
function addressIn(child) {
  let output = '';
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      output += chunk;
      const match = /http:\/\/localhost:\d+/.exec(output);
      if (match) resolve(`${match[0]}/`);
    });
    child.on('close', () => reject(new Error(`no address in: ${output}`)));
  });
}
