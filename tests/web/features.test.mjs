/**
 * Raw values of a profile in the page: numbers fall into the buckets that they fall into natively, also in an
 * int8 file, or are mapped to the same quantiles; several values and text count as natively; what is missing, unknown
 * or no number does what the documentation says. The data are invented;
 * PIQUE_CLI names the command line that trains on them.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
const mood = (person) => [person / 90, (person % 3) - 1, 0];
let folder;
let files;
let typed; // models of all types of columns
let cold; // a model that retrieves, for people without a history as well

const run = (...args) => execFileSync(cli, args.map(String), { encoding: 'utf8', stdio: 'pipe' });

const native = (file, profile) => {
  const text = (value) => (Array.isArray(value) ? value.join('|') : value);
  const known = Object.entries(profile).map(([name, value]) => `${name}=${text(value)}`);
  const given = ['--history', context.join(), '--candidates', candidates.join(), '--json'];
  return JSON.parse(run('rank', file, ...given, '--profile', known.join())).items;
};

/** Calls `use` with each file in each build of the engine. */
async function everywhere(use, chosen = files) {
  for (const file of chosen) {
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
  cold = path.join(folder, 'cold/model.pique');
  const dropout = ['--set', 'history_dropout=0.3'];
  run(
    'train',
    '--model',
    'mind',
    '--data',
    data,
    '--out',
    path.dirname(cold),
    '--epochs',
    3,
    ...dropout,
  );

  const people2 = path.join(folder, 'typed');
  cpSync(data, people2, { recursive: true });
  const tags = (n) => [`a${n % 4}`, `b${n % 3}`, `a${(n + 1) % 4}`].join('|');
  const rows = people.map(
    (n) =>
      `p${n},${income(n)},${tags(n)},v${n % 7}|v${(n * 3) % 7}|v${(n * 2) % 5},I like no ${n % 6},${mood(n).join('|')}`,
  );
  const header = 'user,income,tags,path,about,mood';
  writeFileSync(path.join(people2, 'users.csv'), `${[header, ...rows].join('\n')}\n`);
  const users = {
    income: { type: 'number', as: 'quantile', buckets: 20, missing: 'mean' },
    tags: { type: 'multi', max_values: 2 },
    path: { type: 'sequence', max_values: 2 },
    about: { type: 'text', buckets: 64, max_values: 6 },
    mood: { type: 'vector', width: 3 },
  };
  writeFileSync(path.join(people2, 'schema.json'), JSON.stringify({ users }));
  typed = ['din', 'wide_deep', 'fm'].map((name) => {
    const out = path.join(folder, name);
    const more = name === 'wide_deep' ? ['--set', 'crosses=8'] : [];
    run('train', '--model', name, '--data', people2, '--out', out, '--epochs', 3, ...more);
    return path.join(out, 'model.pique');
  });
  run('export', typed[0], '--quant', 'int8', '-o', path.join(folder, 'typed.pique'));
  typed.push(path.join(folder, 'typed.pique'));
});
after(() => rmSync(folder, { recursive: true }));

async function compare(profiles, chosen) {
  await everywhere(async ({ scores, file, place }) => {
    for (const profile of profiles) {
      const got = await scores(profile);
      for (const { id, score } of native(file, profile)) {
        const off = Math.abs(got.get(id) - score) / Math.max(1, Math.abs(score));
        assert.ok(off <= 1e-5, `${place}, ${JSON.stringify(profile)}, ${id}`);
      }
    }
  }, chosen);
}

test('native and page score raw values alike', async () => {
  await compare([
    { income: 30_100, town: 't1' },
    { income: '30077.5' },
    { income: -1e300 },
    { income: 1e21 },
    { town: 'elsewhere' },
    { town: '' },
  ]);
});

test('several values, texts and quantiles score natively as in the page', async () => {
  const profiles = [
    { income: 30_100.5, tags: ['a1', 'b2'], path: ['v1', 'v2'], about: 'I like no 3' },
    { tags: ['x', 'a1', 'b0'], path: ['v1', 'x', 'v3', 'v3'], about: 'No! I LIKE 5' },
    { tags: 'a2', path: [], about: '?!' },
    { income: 1e9, about: 'Zürich ÄÖ' },
    { tags: ['', 'a1', 'a1', 'b1'] },
    {},
  ];
  await compare(profiles, typed);
});

test('several values: each once, the first or the newest, strangers as UNKNOWN', async () => {
  await everywhere(async ({ scores, place }) => {
    const same = async (left, right) =>
      assert.deepEqual(await scores(left), await scores(right), place);
    const other = async (left, right) =>
      assert.notDeepEqual(await scores(left), await scores(right), place);
    await same({ tags: ['a1', 'a1', 'b2'] }, { tags: ['a1', 'b2'] });
    await same({ tags: ['a1', 'b2', 'a3'] }, { tags: ['a1', 'b2'] });
    await other({ tags: ['a1', 'b2'] }, { tags: ['a1'] });
    await same({ tags: 'a1' }, { tags: ['a1'] });
    await same({ tags: 'a1|b2' }, { tags: ['never seen'] }); // a text is one value
    await same({ tags: [''] }, {});
    await same({ path: ['v6', 'v1', 'v2'] }, { path: ['v1', 'v2'] });
    await other({ path: ['v6', 'v1', 'v2'] }, { path: ['v6', 'v1'] });
    await same({ about: 'like? NO' }, { about: 'like no' });
    await other({ about: 'like no' }, { about: 'no like' });
    const mean = income((PEOPLE - 1) / 2);
    await same({}, { income: mean });
    await other({}, { income: mean + 20 });
    await same({ income: income(0) - 1 }, { income: income(0) });
  }, typed);
});

test('several where one belongs, or what is no text, rejects and names the field', async () => {
  await everywhere(async ({ pique, scores, place }) => {
    for (const profile of [{ about: ['no'] }, { income: ['30000', '1'] }, { income: [] }]) {
      const [name] = Object.keys(profile);
      const message = `profile field "${name}" takes one value, not several`;
      await assert.rejects(scores(profile), { code: 'ARGUMENT', message }, place);
    }
    const lengths = [[], [1, 2], [1, 2, 3, 4]];
    for (const mood of lengths.slice(1)) {
      const message = `profile field "mood" takes 3 numbers, not ${mood.length}`;
      await assert.rejects(scores({ mood }), { code: 'ARGUMENT', message }, place);
    }
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e39, 'x']) {
      const message = `profile field "mood" takes a number, not "${value}"`;
      await assert.rejects(scores({ mood: [0, value, 1] }), { code: 'ARGUMENT', message }, place);
    }
    assert.deepEqual(await scores({ mood: lengths[0] }), await scores({}), place);
    for (const value of [null, undefined, ['a1'], {}, true]) {
      const message = `Profile field "tags" takes no ${value}`;
      await assert.rejects(scores({ tags: ['a1', value] }), { code: 'ARGUMENT', message }, place);
    }
    // Without a history only the profile tells something, if it does.
    const personal = async (profile) =>
      (await pique.rank(candidates, { context: [], profile })).personal;
    assert.equal(await personal({ tags: ['', ''], about: '?!', income: '' }), false);
    assert.equal(await personal({ tags: ['a1'] }), true);
    assert.equal((await scores({ tags: ['a1'] })).size, 3); // and goes on
  }, typed);
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

test('a visitor without a history is served by the profile, one without either what is popular', async () => {
  const lists = [];
  await everywhere(
    async ({ pique, file, place }) => {
      for (const profile of [{ town: 't0' }, { town: 't2', income: income(80) }]) {
        const told = Object.entries(profile).map((field) => field.join('='));
        const given = ['--history', '', '--profile', told.join(), '-k', 6, '--json'];
        const expected = JSON.parse(run('recommend', file, ...given)).items;
        const result = await pique.recommend({ context: [], profile, count: 6 });
        assert.equal(result.personal, true, place);
        assert.deepEqual(
          result.items.map(({ id }) => id),
          expected.map(({ id }) => id),
          place,
        );
        for (const [i, { score }] of expected.entries()) {
          const off = Math.abs(result.items[i].score - score);
          assert.ok(off <= 1e-5 * Math.abs(score), `${place}, ${i}`);
        }
        lists.push(result.items.map(({ id }) => id).join());
      }
      const stranger = await pique.recommend({ context: [], count: 6 });
      assert.equal(stranger.personal, false, place);
      assert.equal(stranger.items.length, 6);
      assert.ok(!lists.includes(stranger.items.map(({ id }) => id).join()), place);
    },
    [cold],
  );
  assert.equal(new Set(lists).size, 2); // two profiles, alike in both builds
});

test('a text where a number belongs rejects and names the field', async () => {
  await everywhere(async ({ pique, scores }) => {
    for (const value of ['much', '30 000', Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(scores({ income: value }), {
        code: 'ARGUMENT',
        message: `profile field "income" takes a number, not "${value}"`,
      });
    }
    await assert.rejects(scores({ height: 3 }), { code: 'ARGUMENT', message: /"height"/ });
    assert.equal((await scores({ income: 1 })).size, 3); // and goes on
    assert.deepEqual(pique.info.profile, ['income', 'town']);
  });
});
