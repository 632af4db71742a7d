// How training scales, measured with the program of the native preset (or PIQUE_BIN) on data made here:
//
//   node tests/bench/scaling.mjs linear    an epoch of SASRec (BCE) on 1, 2, 4 and 8 times as many users
//   node tests/bench/scaling.mjs threads   one run on two threads beside two runs on one each, at once
//   node tests/bench/scaling.mjs million   an epoch of SASRec (sampled softmax) on 1,000,000 items
//
//   --users N      of `linear` at once, an eighth of those of `threads` (default 2000)
//   --repeats N    the median of so many runs (default 3; `million` runs once)
//   --json FILE    the figures, too
//
// Seconds are those that steps took, without reading, evaluation and files (train_seconds of metrics.jsonl);
// memory is the most that the process had in use, data and evaluation included.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { cli } from '../../scripts/run.mjs';

const WINDOW = 50;
const program = process.env.PIQUE_BIN ?? cli;
const place = mkdtempSync(join(tmpdir(), 'pique-scaling-'));

/** Runs the program and resolves to what it wrote to stdout. */
async function pique(args) {
  const child = spawn(program, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0) {
    throw new Error(`pique ${args[0]} ended with ${code ?? signal}`);
  }
  return text;
}

let runs = 0;

/** One epoch: the seconds its steps took, and the most memory in MB. */
async function train(data, threads, set) {
  const out = join(place, `run-${++runs}`);
  const options = ['eval_every=1', 'checkpoint_seconds=1e9', ...set].flatMap((o) => ['--set', o]);
  const text = await pique([
    ...['train', '--model', 'sasrec', '--data', data, '--out', out, '--epochs', 1],
    ...['--threads', threads, ...options],
  ]);
  const line = JSON.parse(readFileSync(join(out, 'metrics.jsonl'), 'utf8'));
  rmSync(out, { recursive: true });
  return {
    seconds: line.train_seconds,
    all_seconds: line.seconds,
    megabytes: Number(/(\d+) MB at most/.exec(text)[1]),
  };
}

const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Numbers from 0 to 1, the same in every run. */
function random(seed) {
  let state = BigInt(seed);
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(state >> 11n) / 2 ** 53;
  };
}

/** Simulated viewers of 3000 invented items. */
async function simulate(users) {
  const out = join(place, `users-${users}`);
  const catalog = join(place, 'items.csv');
  const kinds = (i) => `genre ${i % 18}|genre ${(i * 7) % 18},maker ${(i * 31) % 400}`;
  const rows = Array.from({ length: 3000 }, (_, i) => `item-${i},Item ${i},${kinds(i)}`);
  writeFileSync(catalog, `item,title,genre,maker\n${rows.join('\n')}\n`);
  await pique(['simulate', '--catalog', catalog, '--users', users, '--out', out]);
  return out;
}

/** Rows that an epoch runs through the network: of each user's training events all but the last. */
async function tokensOf(data) {
  const lengths = new Map();
  const lines = createInterface({
    input: createReadStream(join(data, 'interactions.csv')),
  });
  for await (const line of lines) {
    const user = line.slice(0, line.indexOf(','));
    lengths.set(user, (lengths.get(user) ?? 0) + 1);
  }
  lengths.delete('user');
  let tokens = 0;
  for (const events of lengths.values()) {
    tokens += Math.min(WINDOW, Math.max(0, (events < 3 ? events : events - 2) - 1));
  }
  return tokens;
}

const bce = ['loss=bce', `history=${WINDOW}`];

async function linear({ users, repeats }) {
  const rows = [];
  for (const times of [1, 2, 4, 8]) {
    const data = await simulate(users * times);
    const tokens = await tokensOf(data);
    const each = [];
    for (let i = 0; i < repeats; i++) {
      each.push(await train(data, 1, bce));
    }
    const seconds = median(each.map((run) => run.seconds));
    const megabytes = median(each.map((run) => run.megabytes));
    rows.push({
      users: users * times,
      tokens,
      seconds,
      microseconds_a_token: (1e6 * seconds) / tokens,
      megabytes,
    });
  }
  return rows;
}

async function threads({ users, repeats }) {
  const data = await simulate(users * 8);
  const tokens = await tokensOf(data);
  const rows = [];
  for (let i = 0; i < repeats; i++) {
    const copies = await Promise.all([train(data, 1, bce), train(data, 1, bce)]);
    const two = await train(data, 2, bce);
    const together = copies.reduce((sum, run) => sum + tokens / run.seconds, 0);
    rows.push({
      two_copies: together,
      two_threads: tokens / two.seconds,
      ratio: tokens / two.seconds / together,
    });
  }
  return rows;
}

/**
 * In training every item once and the rest by Zipf's law, in random order, cut into users; their last two
 * events, which training does not see, by Zipf's law.
 */
async function writeSequences(path, items, events, length) {
  const next = random(5);
  const zipf = () => Math.floor((items + 1) ** next()) - 1;
  const seen = length - 2;
  const count = (events / length) * seen;
  const all = Uint32Array.from({ length: count }, (_, i) => (i < items ? i : zipf()));
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [all[i], all[j]] = [all[j], all[i]];
  }
  const file = createWriteStream(path);
  for (let at = 0; at < count; at += seen) {
    const history = all.subarray(at, at + seen).join(' ');
    if (!file.write(`u${at / seen} ${history} ${zipf()} ${zipf()}\n`)) {
      await once(file, 'drain');
    }
  }
  file.end();
  await once(file, 'finish');
}

async function million() {
  const [items, events, length] = [1_000_000, 2_000_000, 200]; // all users are ranked for: few, then
  const path = join(place, 'million.txt');
  await writeSequences(path, items, events, length);
  const set = ['loss=sampled_softmax', 'dim=64', `history=${length}`, 'negatives=2000'];
  const run = await train(path, 2, set);
  const tokens = (events / length) * (length - 3);
  return [{ items, events, tokens, ...run, gibibytes: (run.megabytes * 1e6) / 2 ** 30, limit: 4 }];
}

const modes = { linear, threads, million };
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    users: { type: 'string', default: '2000' },
    repeats: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const wanted = positionals.length > 0 ? positionals : Object.keys(modes);
const figures = {};
try {
  for (const mode of wanted) {
    if (!(mode in modes)) {
      throw new Error(`no mode '${mode}'; there are ${Object.keys(modes).join(', ')}`);
    }
    figures[mode] = await modes[mode]({
      users: Number(values.users),
      repeats: Number(values.repeats),
    });
    console.log(mode);
    console.table(figures[mode]);
  }
  if (values.json) {
    writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
  }
} finally {
  rmSync(place, { recursive: true });
}
