/**
 * Raw values of a profile in the page: numbers fall into the buckets that they fall into natively, also in an
 * int8 file; what is missing, unknown or no number does what the documentation says. The data are invented;
 * PIQUE_CLI names the command line that trains on them.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { build, importDist, readDist } from './web_support.mjs';

const cli = process.env.PIQUE_CLI ?? path.join(build, 'native/pique');
const { load } = await importDist('index.js');
const PEOPLE = 90;
const context = ['thing-1', 'thing-4'];
const candidates = ['thing-2', 'thing-3', 'thing-5'];
// Half precision tells such incomes apart in steps of 16.
const income = (person) => 30_000 + person * 3;
let folder;
let files;

const run = (...args) => execFileSync(cli, args.map(String), { encoding: 'utf8', stdio: 'pipe' });

const native = (file, profile) => {
  const known = Object.entries(profile).map(([name, value]) => `${name}=${value}`);
  const given = ['--history', context.join(), '--candidates', candidates.join(), '--json'];
  return JSON.parse(run('rank', file, ...given, '--profile', known.join())).items;
};

/** Calls `use` with each file in each build of the engine. */
async function everywhere(use) {
  for (const file of files) {
    for (const wasm of ['core.wasm', 'core-nosimd.wasm']) {
      const pique = await load(readFileSync(file), { worker: false, wasm: readDist(wasm) });
      const scores = async (profile) => {
        const { items } = await pique.rank(candidates, { context, profile });
        return new Map(items.map(({ id, score }) => [id, score]));
      };
      await use({ pique, scores, file, place: `${path.basename(file)}, ${wasm}` });
      await pique.dispose();
    }
  }
}

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pique-features-'));
  const data = path.join(folder, 'data');
  mkdirSync(data);
  const write = (name, rows) => writeFileSync(path.join(data, name), `${rows.join('\n')}\n`);
  const people = Array.from({ length: PEOPLE }, (_, n) => n);
  const events = people.flatMap((n) =>
    Array.from({ length: 8 }, (_, i) => `p${n},thing-${(n * 5 + i * 3) % 20},${i},${(n + i) % 2}`),
  );
  write('interactions.csv', ['user,item,timestamp,label', ...events]);
  write('users.csv', ['user,income,town', ...people.map((n) => `p${n},${income(n)},t${n % 3}`)]);
  const model = path.join(folder, 'run/model.pique');
  const small = path.join(folder, 'small.pique');
  run('train', '--model', 'din', '--data', data, '--out', path.dirname(model), '--epochs', 3);
  run('export', model, '--quant', 'int8', '-o', small);
  files = [model, small];
});
after(() => rmSync(folder, { recursive: true }));

test('native and page score raw values alike', async () => {
  const profiles = [
    { income: 30_100, town: 't1' },
    { income: '30077.5' },
    { income: -1e300 },
    { income: 1e21 },
    { town: 'elsewhere' },
    { town: '' },
  ];
  await everywhere(async ({ scores, file, place }) => {
    for (const profile of profiles) {
      const got = await scores(profile);
      for (const { id, score } of native(file, profile)) {
        const off = Math.abs(got.get(id) - score) / Math.max(1, Math.abs(score));
        assert.ok(off <= 1e-5, `${place}, ${JSON.stringify(profile)}, ${id}`);
      }
    }
  });
});

test('the buckets begin at the same numbers in both files', async () => {
  const edges = [];
  await everywhere(async ({ scores }) => {
    const found = [];
    let last;
    for (let value = income(0); value <= income(PEOPLE); value += 0.5) {
      const score = (await scores({ income: value })).get('thing-2');
      if (last !== undefined && score !== last) found.push(value);
      last = score;
    }
    edges.push(found);
  });
  // Ten buckets of nine people: the first number above the middle between neighbours.
  const expected = Array.from({ length: 9 }, (_, b) => income(9 * (b + 1)) - 1);
  for (const found of edges) assert.deepEqual(found, expected);
});

test('what is missing is the median, an unknown category is UNKNOWN', async () => {
  await everywhere(async ({ scores }) => {
    const median = await scores({ income: income(44) });
    assert.deepEqual(await scores({}), median);
    assert.deepEqual(await scores({ income: '' }), median);
    assert.notDeepEqual(await scores({ income: income(0) }), median);
    const stranger = await scores({ town: 'elsewhere' });
    assert.deepEqual(await scores({ town: 'nowhere' }), stranger);
    assert.notDeepEqual(stranger, median);
  });
});

test('a text where a number belongs rejects and names the field', async () => {
  await everywhere(async ({ pique, scores }) => {
    for (const value of ['much', '30 000', Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(scores({ income: value }), {
        code: 'ARGUMENT',
        message: `Profile field "income" takes a number, not "${value}"`,
      });
    }
    await assert.rejects(scores({ height: 3 }), { code: 'ARGUMENT', message: /"height"/ });
    assert.equal((await scores({ income: 1 })).size, 3); // and goes on
    assert.deepEqual(pique.info.profile, ['income', 'town']);
  });
});
