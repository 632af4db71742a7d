/** The packed package in what people build pages with: each ends with recommendations in a browser. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync } from 'node:fs';
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

/** What the page's `answer` says, and that nothing went wrong on the way but requests for `missing`. */
async function answerOf(url, missing) {
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

  test('dev, which bundles packages by itself beforehand', async () => {
    const folder = copyApp('bundled', 'vite-dev');
    const options = { root: folder, configFile: false, logLevel: 'error' };
    const server = await vite.createServer({ ...options, server: { port: 0 } });
    try {
      await server.listen();
      const answer = await answerOf(server.resolvedUrls.local[0]);
      assert.deepEqual(answer, IN_WORKER);
    } finally {
      await server.close();
    }
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
    assert.deepEqual(await answerOf(url), IN_WORKER);
  } finally {
    server.kill();
  }
});

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
