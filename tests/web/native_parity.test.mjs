/**
 * The same file gives the same recommendations everywhere: native with every instruction set, WASM with
 * SIMD, WASM without, for every kind of item rows. The data are invented, and MovieLens as well where
 * PIQUE_DATA has it; PIQUE_CLI names the command line to ask.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { build, importDist, readDist } from './web_support.mjs';

const USERS = 200;
const COUNT = 50;
const TOLERANCE = 1e-5;
const cli = process.env.PIQUE_CLI ?? path.join(build, 'native/pique');
const { load } = await importDist('index.js');

const movielens = path.join(process.env.PIQUE_DATA ?? '', 'ml-latest-small');
const hasMovielens = Boolean(process.env.PIQUE_DATA) && existsSync(movielens);

/** Kinds of item rows; the models are 64 wide. */
const schemes = [
  ...['f32', 'f16', 'int8', 'int4', 'pq8', 'pq16', 'pq32'],
  ...['pq8+int8', 'pq16+int8', 'pq32+int8'],
];

/** The systems of the runs on invented data, which bear their names. */
const invented = ['mind', 'comirec'];

let folder;
const at = (...names) => path.join(folder, ...names);

function run(args, env = {}) {
  return execFileSync(cli, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
}

/** Items of two categories each; the number of the item decides them. */
function inventCatalogue(file) {
  const rows = Array.from({ length: 300 }, (_, i) => {
    const kind = `kind-${i % 7}`;
    const maker = `maker-${(i * 11) % 29}`;
    return `thing-${i},Thing ${i},${kind},${maker},${1 + ((i * 37) % 500)}`;
  });
  writeFileSync(file, ['item,title,kind,maker,popularity', ...rows, ''].join('\n'));
}

/** The items of the first users of a CSV of events, by column names, oldest first. */
function readHistories(file, userColumn, itemColumn, timeColumn) {
  const [head, ...lines] = readFileSync(file, 'utf8').trim().split(/\r?\n/);
  const place = (name) => head.split(',').indexOf(name);
  const [user, item, time] = [place(userColumn), place(itemColumn), place(timeColumn)];
  const byUser = new Map();
  for (const line of lines) {
    const cells = line.split(',');
    const events = byUser.get(cells[user]) ?? [];
    events.push({ id: cells[item], time: Number(cells[time]) });
    byUser.set(cells[user], events);
  }
  const sorted = [...byUser.values()].map((events) => events.sort((a, b) => a.time - b.time));
  return sorted.slice(0, USERS).map((events) => events.map(({ id }) => id));
}

/** Trains on `data` and leaves a file of each scheme and histories.txt in the folder `name`. */
function prepare(name, data, histories, settings) {
  const training = [
    '--threads',
    '1',
    '--seed',
    '3',
    '--set',
    `samples_per_user=${settings.samples}`,
  ];
  const where = ['--data', data, '--out', at(name, 'run'), '--epochs', settings.epochs];
  run(['train', '--model', settings.model, ...where, ...training]);
  for (const quant of schemes) {
    run([
      'export',
      at(name, 'run/model.pique'),
      '--quant',
      quant,
      '-o',
      at(name, `${quant}.pique`),
    ]);
  }
  writeFileSync(at(name, 'histories.txt'), histories.map((ids) => `${ids.join(',')}\n`).join(''));
  return histories;
}

function prepareInvented(model) {
  inventCatalogue(at('items.csv'));
  const viewers = at(model, 'viewers');
  run(['simulate', '--catalog', at('items.csv'), '--users', '400', '--out', viewers]);
  const file = path.join(viewers, 'interactions.csv');
  const histories = readHistories(file, 'user', 'item', 'timestamp');
  return prepare(model, viewers, histories, { model, epochs: '2', samples: 20 });
}

function prepareMovielens() {
  const file = path.join(movielens, 'ratings.csv');
  const histories = readHistories(file, 'userId', 'movieId', 'timestamp');
  return prepare('movielens', movielens, histories, { model: 'mind', epochs: '1', samples: 5 });
}

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pique-parity-'));
  for (const name of [...invented, 'movielens']) mkdirSync(at(name));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What the command line recommends with an instruction set; undefined where the processor lacks it. */
function askNative(name, quant, isa) {
  const batch = ['--batch', at(name, 'histories.txt'), '--exclude-seen', '-k', String(COUNT)];
  try {
    const output = run(['recommend', at(name, `${quant}.pique`), ...batch], { PIQUE_ISA: isa });
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).items);
  } catch (error) {
    if (isa !== 'scalar' && /not available here/.test(error.stderr)) return undefined;
    throw error;
  }
}

async function askWasm(name, quant, histories, wasm) {
  const pique = await load(readFileSync(at(name, `${quant}.pique`)), { wasm });
  const answers = [];
  for (const context of histories) {
    answers.push((await pique.recommend({ context, count: COUNT })).items);
  }
  await pique.dispose();
  return answers;
}

const close = (a, b) => Math.abs(a - b) <= TOLERANCE * Math.abs(a);

/** Equal scores place by place, and equal scores item by item: the order differs only in ties. */
function assertSame(expected, found, who) {
  assert.equal(found.length, expected.length, who);
  const scores = new Map(found.map(({ id, score }) => [id, score]));
  const last = found.at(-1).score;
  for (const [place, { id, score }] of expected.entries()) {
    const there = found[place].score;
    assert.ok(close(score, there), `${who}, place ${place}: ${score} and ${there}`);
    const own = scores.get(id) ?? last; // the tie may lie across the end of the list
    assert.ok(close(score, own), `${who}, ${id}: ${score} and ${own}`);
  }
}

function assertAllSame(expected, found, who) {
  assert.equal(found.length, expected.length);
  for (const [user, list] of expected.entries()) {
    assertSame(list, found[user], `${who}, history ${user}`);
  }
}

async function compare(name, histories) {
  assert.equal(histories.length, USERS);
  for (const quant of schemes) {
    const scalar = askNative(name, quant, 'scalar');
    assert.equal(scalar.length, USERS);
    for (const list of scalar) assert.equal(list.length, COUNT);
    for (const isa of ['v128', 'avx2', 'avx512']) {
      const found = askNative(name, quant, isa);
      if (found) assertAllSame(scalar, found, `${quant}, ${isa}`);
    }
    for (const build of ['core.wasm', 'core-nosimd.wasm']) {
      const found = await askWasm(name, quant, histories, readDist(build));
      assertAllSame(scalar, found, `${quant}, ${build}`);
    }
  }
}

for (const model of invented) {
  test(`${model} on invented data: ${USERS} histories, the best ${COUNT}, the same everywhere`, () =>
    compare(model, prepareInvented(model)));
}

test(
  `MovieLens: ${USERS} histories, the best ${COUNT}, the same everywhere`,
  {
    skip: hasMovielens ? false : 'PIQUE_DATA has no ml-latest-small',
  },
  () => compare('movielens', prepareMovielens()),
);
