// Ranking in the page beside its peers: DIN in onnxruntime-web (wasm, one thread) and DIEN (H = 36) in
// TensorFlow.js (wasm), with the same weights, 200 candidates and a history of 50, in turns in one page of Chromium.
//
//   npm ci --prefix tests/bench/web
//   node tests/bench/web/ctr/ctr_page.mjs [--rounds 30] [--json OUT]
//
// The models are trained on invented data. PIQUE_CLI names the program, PYTHON the interpreter that has torch, CHROME
// the browser.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cli as built } from '../../../../scripts/run.mjs';
import { launch } from '../../../browser/drivers.mjs';
import { makeSite, openBenchSite, version, writeSiteFile } from '../bench_site.mjs';
import { readModel } from '../page/model_file.js';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    json: { type: 'string' },
  },
});
const here = path.dirname(fileURLToPath(import.meta.url));
const cli = process.env.PIQUE_CLI ?? built;
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

function prepare() {
  makeSite(at('site'));
  for (const model of ['din', 'dien']) train(model);
  const onnx = [path.join(here, 'export_onnx.py'), at('din/model.pique'), at('din.onnx')];
  execFileSync(python, onnx, { stdio: ['ignore', 'ignore', 'inherit'] });
  writeSiteFile(at('site'), 'din.onnx', readFileSync(at('din.onnx')));
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

async function measure(query) {
  const site = await openBenchSite(at('site'));
  const browser = await launch('chromium');
  try {
    await browser.goto(`${site.url}ctr/ctr.html`);
    const results = [];
    for (const [model, peer] of [
      ['din', 'onnx'],
      ['dien', 'tfjs'],
    ]) {
      const ask = (...given) => globalThis.compare(...given);
      const result = await browser.evaluate(ask, model, peer, query, Number(options.rounds));
      results.push({ model, peer, ...result, ratio: result.other / result.own });
    }
    return { chromium: browser.version, results };
  } finally {
    await browser.close();
    site.close();
  }
}

try {
  invent();
  prepare();
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
