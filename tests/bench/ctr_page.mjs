// Ranking in the page beside its peers: DIN in onnxruntime-web (wasm, one thread) and DIEN (H = 36) in
// TensorFlow.js (wasm), with the same weights, 200 candidates and a history of 50, in turns in one page of Chromium.
//
//   node tests/bench/ctr_page.mjs --peers FOLDER [--rounds 30] [--json OUT]
//
// FOLDER: where `npm install onnxruntime-web @tensorflow/tfjs-core @tensorflow/tfjs-backend-wasm` ran. The models are
// trained on invented data. PIQUE_CLI names the program, PYTHON the interpreter that has torch, CHROME the browser.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import puppeteer from 'puppeteer-core';
import { serve } from '../../web/serve.mjs';
import { readModel } from './page/dien_tf.js';

const { values: options } = parseArgs({
  options: {
    peers: { type: 'string' },
    rounds: { type: 'string', default: '30' },
    json: { type: 'string' },
  },
});
if (!options.peers) throw new Error('--peers FOLDER is missing');
const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const cli = process.env.PIQUE_CLI ?? path.join(root, 'build/native/pique');
const python = process.env.PYTHON ?? '/usr/bin/python3';
const [THINGS, PEOPLE, EACH, HISTORY, CANDIDATES] = [1000, 200, 80, 50, 200];

const folder = mkdtempSync(path.join(tmpdir(), 'pique-page-'));
const at = (...names) => path.join(folder, ...names);
const run = (...args) => execFileSync(cli, args.map(String), { encoding: 'utf8', stdio: 'pipe' });
const thing = (person, n) => `thing-${(person * 37 + n * 13 + n * n) % THINGS}`;

function invent() {
  const data = (name, rows) => writeFileSync(at('data', name), `${rows.join('\n')}\n`);
  const rows = Array.from({ length: PEOPLE * EACH }, (_, i) => {
    const [person, n] = [Math.floor(i / EACH), i % EACH];
    return `p${person},${thing(person, n)},${n},${(person + n) % 5 ? 5 : 2}`;
  });
  mkdirSync(at('data'));
  data('interactions.csv', ['user,item,timestamp,rating', ...rows]);
  const kinds = Array.from({ length: THINGS }, (_, n) => `thing-${n},Thing ${n},kind-${n % 17}`);
  data('items.csv', ['item,title,kind', ...kinds]);
  const people = Array.from(
    { length: PEOPLE },
    (_, n) => `p${n},${n % 2 ? 'F' : 'M'},years-${20 + (n % 50)}`,
  );
  data('users.csv', ['user,gender,age', ...people]);
}

function train(model) {
  const given = ['--data', at('data'), '--out', at(model), '--epochs', 1, '--set', 'dim=18'];
  run('train', '--model', model, ...given);
  cpSync(at(model, 'model.pique'), at('site', `${model}.pique`));
}

function makeSite() {
  const modules = path.resolve(options.peers, 'node_modules');
  mkdirSync(at('site'));
  cpSync(path.join(root, 'dist'), at('site/dist'), { recursive: true });
  cpSync(path.join(here, 'page'), at('site/page'), { recursive: true });
  cpSync(path.join(modules, 'onnxruntime-web/dist'), at('site/ort'), { recursive: true });
  cpSync(path.join(modules, '@tensorflow/tfjs-core/dist'), at('site/tfjs'), { recursive: true });
  const wasm = path.join(modules, '@tensorflow/tfjs-backend-wasm/dist');
  cpSync(wasm, at('site/tfjs'), { recursive: true });
  for (const model of ['din', 'dien']) train(model);
  const onnx = [path.join(here, 'export_onnx.py'), at('din/model.pique'), at('site/din.onnx')];
  execFileSync(python, onnx, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** A visitor with a full history; item and profile numbers as the files number them. */
async function makeQuery() {
  const { strings } = await readModel(readFileSync(at('site/din.pique')));
  const profile = { gender: 'F', age: 'years-33' };
  const ids = strings('item.ids');
  const code = ([name, value]) => strings(`profile.${name}.terms`).indexOf(value) + 1;
  return {
    ids,
    profile,
    codes: Object.entries(profile).map(code),
    history: ids.filter((_, i) => i % 7 === 3).slice(0, HISTORY),
    candidates: ids.filter((_, i) => i % 3 === 1).slice(0, CANDIDATES),
  };
}

const version = (name) =>
  JSON.parse(readFileSync(path.resolve(options.peers, 'node_modules', name, 'package.json')))
    .version;

async function measure(query) {
  const server = await serve(at('site'));
  const args = ['--no-sandbox', '--disable-gpu'];
  const executablePath = process.env.CHROME ?? '/usr/bin/chromium';
  const browser = await puppeteer.launch({ executablePath, args, protocolTimeout: 600_000 });
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(error.message));
    await page.goto(`http://localhost:${server.address().port}/page/bench.html`);
    await page.waitForSelector('body[data-state="ready"]');
    const results = [];
    for (const [model, peer] of [
      ['din', 'onnx'],
      ['dien', 'tfjs'],
    ]) {
      const ask = (...given) => globalThis.compare(...given);
      const result = await page.evaluate(ask, model, peer, query, Number(options.rounds));
      results.push({ model, peer, ...result, ratio: result.other / result.own });
    }
    return { chromium: await browser.version(), results };
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

try {
  invent();
  makeSite();
  const report = {
    onnxruntime: version('onnxruntime-web'),
    tfjs: version('@tensorflow/tfjs-core'),
    candidates: CANDIDATES,
    history: HISTORY,
    ...(await measure(await makeQuery())),
  };
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`${report.chromium}, medians of ${options.rounds} in milliseconds`);
  for (const { model, peer, own, other, ratio, apart } of report.results) {
    const cells = [
      `Pique ${own.toFixed(2)}`,
      `${peer} ${other.toFixed(2)}`,
      `${ratio.toFixed(1)}x`,
    ];
    console.log(`${model.padEnd(5)} ${cells.join('  ')}  scores apart ${apart.toExponential(1)}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
