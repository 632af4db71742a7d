/**
 * Ranking in the page: the same scores as native, from both builds, float and int8, on 10,000 pairs for every
 * model that ranks; the order; what is left out. The ratings are invented; PIQUE_CLI names the command line
 * to ask.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sideTensors, writeTensors } from '../cli/side_files.mjs';
import { isClose, lowerQuartile } from './parity_support.mjs';
import { build, importDist, readDist } from './web_support.mjs';

const cli = process.env.PIQUE_CLI ?? path.join(build, 'native/pique');
const { load } = await importDist('index.js');
const THINGS = 200;
const PEOPLE = 50; // whose histories are ranked: 10,000 pairs
const EACH = 24;
const all = Array.from({ length: THINGS }, (_, n) => `thing-${n}`);
let folder;

const run = (...args) => execFileSync(cli, args.map(String), { encoding: 'utf8', stdio: 'pipe' });

/** `model` is a name, or a name and settings of the model. */
function train(model) {
  const [name, ...settings] = model.split(' ');
  const out = path.join(folder, model);
  const set = settings.flatMap((setting) => ['--set', setting]);
  const data = ['--data', path.join(folder, name === 'capsnet' ? 'images' : 'data')];
  data.push('--out', out, '--epochs', 3);
  const takesSide = ranking.find((one) => one.name === name)?.side.length > 0;
  const side = takesSide ? ['--side', path.join(folder, 'side.safetensors')] : [];
  run('train', '--model', name, ...data, ...side, ...set);
  const small = path.join(out, 'small.pique');
  run('export', path.join(out, 'model.pique'), '--quant', 'int8', '-o', small);
  return [path.join(out, 'model.pique'), small];
}

const thing = (person, n) => (person * 7 + n * 11 + n * n) % THINGS;
const profileOf = (person) => ({
  gender: person % 2 ? 'F' : 'M',
  age: `${20 + (person % 4) * 10}`,
});
/** 6 x 6, for models that look at images. */
const imageOf = (person) => Array.from({ length: 36 }, (_, n) => ((person * 5 + n * 7) % 11) / 10);
/** Histories of 0 to 60 things, some of them again and again. */
const contextOf = (person) =>
  Array.from({ length: (person * 13) % 61 }, (_, n) => `thing-${thing(person, n)}`);

/** Seconds, with a long break after every fifth; of every other person they are not known. */
const timesOf = (person) =>
  person % 2
    ? contextOf(person).map((_, n) => 1.6e9 + n * 600 + Math.floor(n / 5) * 7200)
    : undefined;

const native = (file, context, ids, profile = {}, times = undefined) => {
  const text = (value) => (Array.isArray(value) ? value.join(' ') : value);
  const known = Object.entries(profile).map(([name, value]) => `${name}=${text(value)}`);
  const given = ['--history', context.join(), '--candidates', ids.join(), '--json'];
  if (known.length > 0) given.push('--profile', known.join());
  if (times) given.push('--times', times.join());
  return JSON.parse(run('rank', file, ...given)).items;
};

/** Native scores of all things for a person, by id. */
function scoresOf(file, person, profile) {
  const items = native(file, contextOf(person), all, profile, timesOf(person));
  return new Map(items.map(({ id, score }) => [id, score]));
}

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pique-rank-'));
  mkdirSync(path.join(folder, 'data'));
  const data = (name, rows) =>
    writeFileSync(path.join(folder, 'data', name), `${rows.join('\n')}\n`);
  const events = Array.from({ length: 80 * EACH }, (_, i) => {
    const [person, n] = [Math.floor(i / EACH), i % EACH];
    return `p${person},thing-${thing(person, n)},${n},${(thing(person, n) + person) % 3 ? 2 : 5}`;
  });
  data('interactions.csv', ['user,item,timestamp,rating', ...events]);
  const kinds = all.map((id, n) => `${id},Thing ${n},kind-${n % 7},maker-${(n * 11) % 29}`);
  data('items.csv', ['item,title,kind,maker', ...kinds]);
  const row = (n, i) => [Math.sin(n + i), Math.cos(n * i), Math.sin(n * n)];
  const rows = (n, most) => Array.from({ length: n % most }, (_, i) => row(n, i));
  const tokens = all.map((_, n) => rows(n, 5));
  const regions = all.map((_, n) => rows(n, 4));
  writeTensors(path.join(folder, 'side.safetensors'), sideTensors(all, { tokens, regions }));
  const people = Array.from({ length: 80 }, (_, person) => profileOf(person));
  data('users.csv', [
    'user,gender,age',
    ...people.map((one, n) => `p${n},${one.gender},${one.age}`),
  ]);
  const images = path.join(folder, 'images');
  cpSync(path.join(folder, 'data'), images, { recursive: true });
  const shown = people.map((_, n) => `p${n},${imageOf(n).join(' ')}`);
  writeFileSync(path.join(images, 'users.csv'), `${['user,image', ...shown].join('\n')}\n`);
  const image = { type: 'vector', width: 36, separator: ' ' };
  writeFileSync(path.join(images, 'schema.json'), JSON.stringify({ users: { image } }));
});
after(() => rmSync(folder, { recursive: true }));

const ranking = JSON.parse(run('models', '--json')).models.filter(({ task }) => task === 'ranking');

/** Options with other parts in the file, or another way through the model. */
const variants = [
  'din att=outer dim=4 attention1=16',
  'dien tables=separate h0=random',
  'bst target_in_encoder=0',
  'mmrec crossmodal=own scale=1',
];

/** Models that retrieve, without and with a score of their own. */
const retrieving = ['mind', 'mgnm', 'mgnm levels=3 sequential=1'];

/** What a model cannot do without on these data. */
const needed = {
  capsnet: 'capsnet height=6 width=6 filters=4 kernel=3 primary_kernel=2 stride=1 types=2 dim=4',
};

for (const model of [
  ...ranking.map(({ name }) => needed[name] ?? name),
  ...variants,
  ...retrieving,
]) {
  describe(`rank by ${model}`, () => {
    let files;
    let known; // what the model can be told of a person
    before(() => {
      files = train(model);
      const { profile } = JSON.parse(run('info', files[0], '--json'));
      const all = (person) => ({ ...profileOf(person), image: imageOf(person) });
      known = (person) => Object.fromEntries(profile.map((name) => [name, all(person)[name]]));
    });

    test('native and page agree, in order and in scores', async () => {
      for (const file of files) {
        const expected = Array.from({ length: PEOPLE }, (_, person) =>
          scoresOf(file, person, known(person)),
        );
        // Log-odds cross 0, and are compared there by the size that three quarters of the model's reach.
        const sizes = lowerQuartile(expected.flatMap((scores) => [...scores.values()]));
        const least = Math.min(sizes, 1);
        assert.ok(least > 0, `${least}`);
        for (const wasm of ['core.wasm', 'core-nosimd.wasm']) {
          const options = { worker: false, wasm: readDist(wasm) };
          const pique = await load(readFileSync(file), options);
          const retrieves = retrieving.includes(model);
          assert.equal(pique.info.task, retrieves ? 'retrieval' : 'ranking');
          for (let person = 0; person < PEOPLE; person++) {
            const times = timesOf(person)?.map((seconds) => seconds * 1000);
            const query = { context: contextOf(person), times, profile: known(person) };
            const { items } = await pique.rank(all, query);
            assert.equal(items.length, THINGS);
            for (const [i, item] of items.entries()) {
              const place = `${path.basename(file)}, ${wasm}, person ${person}, place ${i}`;
              const want = expected[person].get(item.id);
              const before = i > 0 ? items[i - 1].score : Number.POSITIVE_INFINITY;
              assert.ok(item.score <= before, place);
              const close = isClose(want, item.score, least);
              assert.ok(close, `${place}: ${item.score} instead of ${want}`);
              assert.equal('probability' in item, !retrieves);
            }
          }
          await pique.dispose();
        }
      }
    });

    test('histories that are empty, all unknown, or too long; candidates that are all unknown', async () => {
      const pique = await load(readFileSync(files[0]), { worker: false });
      const scores = async (context) => (await pique.rank(all, { context })).items;
      for (const context of [[], ['never', 'nothing']]) {
        const items = await scores(context);
        assert.equal(items.length, THINGS);
        for (const { score } of items) assert.ok(Number.isFinite(score));
      }
      const newest = Array.from({ length: 60 }, (_, n) => `thing-${thing(5, n)}`);
      const older = Array.from({ length: 500 }, (_, n) => `thing-${thing(8, n)}`);
      assert.deepEqual(await scores([...older, ...newest]), await scores(newest));
      const blind = model === 'lr' || model === needed.capsnet; // to the history
      if (!blind) assert.notDeepEqual(await scores(older), await scores(newest));
      const none = await pique.rank(['never', 'nothing'], { context: ['thing-3'] });
      assert.deepEqual(none.items, []);
      await pique.dispose();
    });

    test('count, strangers, exclude, hidden items', async () => {
      const pique = await load(readFileSync(files[0]), { worker: false });
      const context = ['thing-3'];
      const ids = async (query) => (await pique.rank(all, query)).items.map(({ id }) => id);
      assert.equal((await ids({ context, count: 4 })).length, 4);
      assert.deepEqual((await pique.rank(['never', 'thing-1'], { context })).items.length, 1);
      assert.ok((await ids({ context })).includes('thing-3'));
      assert.ok(!(await ids({ context, exclude: { seen: true } })).includes('thing-3'));
      assert.ok(!(await ids({ context, exclude: { ids: ['thing-9'] } })).includes('thing-9'));
      await pique.history.add({ id: 'thing-2' });
      await pique.history.add({ id: 'thing-8', type: 'hide' });
      assert.ok(!(await ids()).includes('thing-8'));
      assert.deepEqual((await pique.rank([], { context })).items, []);
      await assert.rejects(pique.rank([1], { context }), { code: 'ARGUMENT' });
      await pique.dispose();
      await assert.rejects(pique.rank(all), { code: 'DISPOSED' });
    });
  });
}

test('a model that only ranks refuses to recommend, and says why', async () => {
  const pique = await load(readFileSync(path.join(folder, 'pool/model.pique')), { worker: false });
  const asked = pique.recommend({ context: ['thing-1'] });
  await assert.rejects(asked, { code: 'UNSUPPORTED', message: /pool has no interests/ });
  await pique.dispose();
});
