/**
 * The same file gives the same recommendations everywhere: native, WASM with SIMD, WASM without, for
 * float and for int8 weights. The data are invented; PIQUE_CLI names the command line to ask.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { build, importDist, readDist } from './web_support.mjs';

const USERS = 200;
const COUNT = 50;
const TOLERANCE = 1e-5;
const cli = process.env.PIQUE_CLI ?? path.join(build, 'native/pique');
const { load } = await importDist('index.js');

let folder;
let histories;

function run(...args) {
  return execFileSync(cli, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
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

/** The items of the first viewers, oldest first. */
function readHistories(file) {
  const byUser = new Map();
  for (const line of readFileSync(file, 'utf8').trim().split('\n').slice(1)) {
    const [user, item] = line.split(',');
    byUser.set(user, [...(byUser.get(user) ?? []), item]);
  }
  return [...byUser.values()].slice(0, USERS);
}

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pique-parity-'));
  const at = (name) => path.join(folder, name);
  inventCatalogue(at('items.csv'));
  run('simulate', '--catalog', at('items.csv'), '--users', '400', '--out', at('viewers'));
  const training = ['--epochs', '2', '--threads', '1', '--seed', '3'];
  run('train', '--model', 'mind', '--data', at('viewers'), ...training, '--out', at('run'));
  run('export', at('run/model.pique'), '--quant', 'f32', '-o', at('f32.pique'));
  run('export', at('run/model.pique'), '--quant', 'int8', '-o', at('int8.pique'));
  histories = readHistories(at('viewers/interactions.csv'));
  assert.equal(histories.length, USERS);
  writeFileSync(at('histories.txt'), histories.map((ids) => `${ids.join(',')}\n`).join(''));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function askNative(file) {
  const batch = ['--batch', path.join(folder, 'histories.txt'), '--exclude-seen'];
  const output = run('recommend', file, ...batch, '-k', String(COUNT));
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).items);
}

async function askWasm(file, wasm) {
  const pique = await load(readFileSync(file), { wasm });
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

for (const quant of ['f32', 'int8']) {
  for (const name of ['core.wasm', 'core-nosimd.wasm']) {
    test(`${quant}: native and ${name}, ${USERS} histories, the best ${COUNT}`, async () => {
      const file = path.join(folder, `${quant}.pique`);
      const native = askNative(file);
      const wasm = await askWasm(file, readDist(name));
      assert.equal(native.length, USERS);
      for (const [user, expected] of native.entries()) {
        assert.equal(expected.length, COUNT);
        assertSame(expected, wasm[user], `history ${user}`);
      }
    });
  }
}
