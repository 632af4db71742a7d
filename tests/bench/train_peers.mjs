// Training throughput beside PyTorch: the same model, batch, data and number of threads, in turns in one run.
//
//   node tests/bench/train_peers.mjs [--data FILE] [--ratings FOLDER]
//        [--threads 2] [--rounds 3] [--steps 15] [--only NAME] [--json OUT]
//
// FILE: sequences, "user item item ..." a line, for models that retrieve (peer_train.py). FOLDER: RecBole atomic
// files with ratings, users and items, for models that rank (peer_ctr.py). Pique's time of an epoch is what `pique train` notes as
// train_seconds (steps alone, no evaluation); PyTorch's is that of `steps` steps after a warm-up, times the
// steps of an epoch. Of the rounds the fastest counts, for both. PIQUE_CLI names the program,
// PYTHON the interpreter that has torch.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    ratings: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '15' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
if (!options.data && !options.ratings)
  throw new Error('--data FILE or --ratings FOLDER is missing');
const cli = process.env.PIQUE_CLI ?? 'build/native/pique';
const python = process.env.PYTHON ?? '/usr/bin/python3';
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);

const both = ['padded', 'valid'];
const cases = [
  { name: 'sasrec-bce', model: 'sasrec', settings: ['loss=bce'], variants: both },
  { name: 'sasrec-ce', model: 'sasrec', settings: [], variants: both },
  { name: 'gru4rec-ce', model: 'gru4rec', settings: ['label_smoothing=0'], variants: both },
  { name: 'mind', model: 'mind', settings: [], variants: ['padded'] },
  { name: 'din', model: 'din', ranks: true, settings: ['split=random'], variants: ['padded'] },
  { name: 'dien', model: 'dien', ranks: true, settings: ['split=random'], variants: ['padded'] },
]
  .map((one) => ({ ...one, data: one.ranks ? options.ratings : options.data }))
  .filter(({ name, data }) => data && (!options.only || name === options.only));

const folder = mkdtempSync(path.join(tmpdir(), 'pique-peers-'));

function ours({ model, settings, data }) {
  const out = path.join(folder, 'run');
  const set = settings.flatMap((setting) => ['--set', setting]);
  const given = ['--data', data, '--threads', options.threads, '--epochs', '1', '--out', out];
  execFileSync(cli, ['train', '--model', model, ...given, ...set], { stdio: 'pipe' });
  const line = JSON.parse(readFileSync(path.join(out, 'metrics.jsonl'), 'utf8').trim());
  return { seconds: line.train_seconds, loss: line.loss };
}

function theirs({ name, data, ranks }, variant) {
  const given = ['--steps', options.steps, '--threads', options.threads];
  const args = ranks
    ? [path.join(here, 'peer_ctr.py'), data, name, ...given]
    : [path.join(here, 'peer_train.py'), data, name, variant, ...given];
  return JSON.parse(execFileSync(python, args, { encoding: 'utf8' }));
}

const fastest = (list, key) => list.reduce((best, one) => (one[key] < best[key] ? one : best));

const results = [];
for (const one of cases) {
  const own = [];
  const others = Object.fromEntries(one.variants.map((variant) => [variant, []]));
  for (let round = 0; round < Number(options.rounds); round++) {
    own.push(ours(one));
    for (const variant of one.variants) others[variant].push(theirs(one, variant));
  }
  const { seconds, loss } = fastest(own, 'seconds');
  const peers = one.variants.map((variant) => {
    const best = fastest(others[variant], 'seconds_per_epoch');
    return { ...best, ratio: best.seconds_per_epoch / seconds };
  });
  results.push({ name: one.name, seconds, loss, peers });
}
rmSync(folder, { recursive: true });

const blas = execFileSync(python, ['-c', 'import torch; print(torch.__config__.show())'], {
  encoding: 'utf8',
});
const report = {
  data: [options.data, options.ratings].filter(Boolean).map((one) => path.basename(one)),
  threads: Number(options.threads),
  torch: results[0]?.peers[0]?.torch,
  torch_build: blas
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /MKL|BLAS|capability/.test(line)),
  results,
};
if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
console.log(
  `PyTorch ${report.torch}, ${options.threads} threads each; seconds of an epoch over ${report.data.join(', ')}\n`,
);
console.log('case          Pique   PyTorch padded  ratio   valid positions  ratio');
for (const { name, seconds, peers } of results) {
  const cells = peers.map(
    (one) =>
      `${one.seconds_per_epoch.toFixed(1).padStart(14)}  ${one.ratio.toFixed(1).padStart(5)}`,
  );
  console.log(`${name.padEnd(12)} ${seconds.toFixed(1).padStart(6)}  ${cells.join('  ')}`);
}
