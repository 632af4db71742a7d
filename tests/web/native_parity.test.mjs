/**
 * The same file gives the same recommendations everywhere: native with every instruction set, WASM with
 * SIMD, WASM without, for float and for int8 weights. The data are invented, and MovieLens as well where
 * PIQUE_DATA has it; PIQUE_CLI names the command line to ask.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import {
  askNative,
  assertAllSame,
  COUNT,
  prepare,
  prepareInvented,
  QUANTS,
  readHistories,
  USERS,
} from './parity_support.mjs';
import { importDist, readDist } from './web_support.mjs';

const { load } = await importDist('index.js');

const movielens = path.join(process.env.PIQUE_DATA ?? '', 'ml-latest-small');
const hasMovielens = Boolean(process.env.PIQUE_DATA) && existsSync(movielens);

/** The systems of the runs on invented data, which bear their names. */
const invented = ['mind', 'comirec', 'mgnm', 'pmgt'];

let folder;
const at = (...names) => path.join(folder, ...names);

function prepareMovielens() {
  const file = path.join(movielens, 'ratings.csv');
  const histories = readHistories(file, 'userId', 'movieId', 'timestamp');
  return prepare(at('movielens'), movielens, histories, { model: 'mind', epochs: '1', samples: 5 });
}

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pique-parity-'));
  for (const name of [...invented, 'movielens']) mkdirSync(at(name));
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function askWasm(name, quant, histories, wasm) {
  const pique = await load(readFileSync(at(name, `${quant}.pique`)), { wasm });
  const answers = [];
  for (const context of histories) {
    answers.push((await pique.recommend({ context, count: COUNT })).items);
  }
  await pique.dispose();
  return answers;
}

async function compare(name, histories) {
  assert.equal(histories.length, USERS);
  for (const quant of QUANTS) {
    const scalar = askNative(at(name), quant, 'scalar');
    assert.equal(scalar.length, USERS);
    for (const list of scalar) assert.equal(list.length, COUNT);
    for (const isa of ['v128', 'avx2', 'avx512']) {
      const found = askNative(at(name), quant, isa);
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
    compare(model, prepareInvented(at(model), model)));
}

test(
  `MovieLens: ${USERS} histories, the best ${COUNT}, the same everywhere`,
  {
    skip: hasMovielens ? false : 'PIQUE_DATA has no ml-latest-small',
  },
  () => compare('movielens', prepareMovielens()),
);
