// Every model that ranks on one data set: AUC, GAUC, log loss and calibration on the test split, seconds to train
// and trained parameters, as rows of a table in Markdown.
//
//   node tests/bench/ctr_table.mjs --data FOLDER [--split random] [--seeds 1] [--threads 2] [--only a,b] [--json OUT]
//
// Models that take a side file are left out. Each model has its defaults, but for what SETTINGS says. PIQUE_CLI names the program.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    split: { type: 'string', default: 'random' },
    seeds: { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
if (!options.data) throw new Error('--data FOLDER is missing');
const cli = process.env.PIQUE_CLI ?? 'build/native/pique';
const folder = mkdtempSync(path.join(tmpdir(), 'pique-table-'));
const tell = (text) => process.stderr.write(`${text}\n`);

/** The next-item losses over the whole catalogue take most of the time of the models that have one. */
const SETTINGS = {
  rnn_joint: ['aux_negatives=200', 'epochs=6'],
  transformer4rec: ['aux_negatives=200', 'epochs=6'],
};

function runSeed(model, seed) {
  const out = path.join(folder, `${model}-${seed}`);
  const split = ['--set', `split=${options.split}`];
  const own = (SETTINGS[model] ?? []).flatMap((setting) => ['--set', setting]);
  const given = ['--data', options.data, '--threads', options.threads, ...split];
  const args = ['train', '--model', model, '--out', out, '--seed', seed, ...given, ...own];
  const trained = spawnSync(cli, args, { encoding: 'utf8' });
  if (trained.status !== 0) throw new Error(`${model}: ${trained.stderr}`);
  const lines = readFileSync(path.join(out, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const file = path.join(out, 'model.pique');
  const tested = ['eval', file, '--data', options.data, '--split', 'test', ...split, '--json'];
  const report = JSON.parse(execFileSync(cli, tested, { encoding: 'utf8', stdio: 'pipe' }));
  return {
    auc: report.auc,
    gauc: report.gauc,
    logloss: report.logloss,
    ece: report.ece,
    popularity: report.popularity.auc,
    seconds: JSON.parse(lines.at(-1)).seconds,
    epochs: lines.length,
    parameters: Number(/: (\d+) parameters to train/.exec(trained.stderr + trained.stdout)?.[1]),
  };
}

const mean = (runs, key) => runs.reduce((sum, run) => sum + run[key], 0) / runs.length;

const { models } = JSON.parse(execFileSync(cli, ['models', '--json'], { encoding: 'utf8' }));
const names = models
  .filter(({ task, side }) => task === 'ranking' && side.length === 0)
  .map(({ name }) => name);
const chosen = options.only ? options.only.split(',') : names;
const rows = [];
try {
  for (const name of chosen) {
    const runs = options.seeds.split(',').map((seed) => runSeed(name, seed));
    rows.push({ name, runs });
    tell(`${name}: ${runs.map(({ auc }) => auc.toFixed(4)).join(' ')}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

const digits = (value, count) => value.toFixed(count).replace(/^0\./, '.');
rows.sort((a, b) => mean(b.runs, 'auc') - mean(a.runs, 'auc'));
console.log('| model | AUC | GAUC | log loss | ECE | epochs | seconds | parameters |');
console.log('|---|---|---|---|---|---|---|---|');
for (const { name, runs } of rows) {
  const cells = ['auc', 'gauc', 'logloss', 'ece'].map((key) => digits(mean(runs, key), 4));
  const size = runs[0].parameters.toLocaleString('en-US');
  const [epochs, seconds] = [mean(runs, 'epochs'), mean(runs, 'seconds')];
  console.log(`| ${[name, ...cells, epochs.toFixed(0), seconds.toFixed(1), size].join(' | ')} |`);
}
console.log(`\npopularity of the item: AUC ${digits(rows[0].runs[0].popularity, 4)}`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
