/** What tests of the same recommendations everywhere share: small models, what native says of them, comparing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from './web_support.mjs';

/** Kinds of item rows that every test of parity goes through; the models are 64 wide. */
export const QUANTS = [
  ...['f32', 'f16', 'int8', 'int4', 'pq8', 'pq16', 'pq32'],
  ...['pq8+int8', 'pq16+int8', 'pq32+int8'],
];
export const USERS = 200;
/** Items of a list. */
export const COUNT = 50;
const TOLERANCE = 1e-5;
const cli = process.env.PIQUE_CLI ?? path.join(build, 'native/pique');

/** The command line with PIQUE_CLI's program. */
export function run(args, env = {}) {
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
export function readHistories(file, userColumn, itemColumn, timeColumn) {
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

/** Vectors of items from their features and neighbours, where other models train. */
function pretrain(data, file) {
  const settings = ['epochs=2', 'theta=2'].flatMap((setting) => ['--set', setting]);
  run(['pretrain', '--data', data, '--out', file, '--threads', '1', ...settings]);
}

/**
 * Trains on `data`; leaves QUANT.pique for each of QUANTS, and histories.txt, in the folder `where`. Returns the
 * histories.
 */
export function prepare(where, data, histories, { model, epochs, samples }) {
  const at = (...names) => path.join(where, ...names);
  const training = ['--threads', '1', '--seed', '3', '--set', `samples_per_user=${samples}`];
  const files = ['--data', data, '--out', at('run'), '--epochs', epochs];
  if (model === 'pmgt') {
    mkdirSync(at('run'));
    pretrain(data, at('run/model.pique'));
  } else {
    run(['train', '--model', model, ...files, ...training]);
  }
  for (const quant of QUANTS) {
    run(['export', at('run/model.pique'), '--quant', quant, '-o', at(`${quant}.pique`)]);
  }
  writeFileSync(at('histories.txt'), histories.map((ids) => `${ids.join(',')}\n`).join(''));
  return histories;
}

/** The same on simulated viewers of invented items. */
export function prepareInvented(where, model) {
  const at = (...names) => path.join(where, ...names);
  inventCatalogue(at('items.csv'));
  run(['simulate', '--catalog', at('items.csv'), '--users', '400', '--out', at('viewers')]);
  const file = at('viewers', 'interactions.csv');
  const histories = readHistories(file, 'user', 'item', 'timestamp');
  return prepare(where, at('viewers'), histories, { model, epochs: '2', samples: 20 });
}

/**
 * What the command line recommends from the files of {@link prepare} with an instruction set; undefined where the
 * processor lacks it.
 */
export function askNative(where, quant, isa) {
  const histories = path.join(where, 'histories.txt');
  const batch = ['--batch', histories, '--exclude-seen', '-k', String(COUNT)];
  try {
    const file = path.join(where, `${quant}.pique`);
    const output = run(['recommend', file, ...batch], { PIQUE_ISA: isa });
    return output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).items);
  } catch (error) {
    if (isa !== 'scalar' && /not available here/.test(error.stderr)) return undefined;
    throw error;
  }
}

/** The size that three quarters of the scores reach. */
export function lowerQuartile(scores) {
  const sizes = scores.map(Math.abs).sort((a, b) => a - b);
  return sizes[Math.floor(sizes.length / 4)];
}

/**
 * Whether two scores are the same but for 1e-5 of their size. A score is a sum, and rounding is relative to its terms:
 * where they cancel, digits of the sum are lost on every machine. So scores smaller than `least` are compared by it.
 */
export const isClose = (a, b, least = 0) =>
  Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), least);

/** Equal scores place by place, and equal scores item by item: the order differs only in ties. */
function assertSame(expected, found, who) {
  // A shortlist reaches down to scores that are nearly 0 although their terms are not.
  const least = who.includes('+') ? lowerQuartile(expected.map(({ score }) => score)) : 0;
  assert.equal(found.length, expected.length, who);
  const scores = new Map(found.map(({ id, score }) => [id, score]));
  const last = found.at(-1).score;
  for (const [place, { id, score }] of expected.entries()) {
    const there = found[place].score;
    assert.ok(isClose(score, there, least), `${who}, place ${place}: ${score} and ${there}`);
    const own = scores.get(id) ?? last; // the tie may lie across the end of the list
    assert.ok(isClose(score, own, least), `${who}, ${id}: ${score} and ${own}`);
  }
}

export function assertAllSame(expected, found, who) {
  assert.equal(found.length, expected.length);
  for (const [user, list] of expected.entries()) {
    assertSame(list, found[user], `${who}, history ${user}`);
  }
}
