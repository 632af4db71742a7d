/**
 * Ranking in the page: the same scores as native, from both builds, float and int8; the order; what is left
 * out. The ratings are invented; PIQUE_CLI names the command line to ask.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build, importDist, readDist } from './web_support.mjs';

const cli = process.env.PIQUE_CLI ?? path.join(build, 'native/pique');
const { load } = await importDist('index.js');
const THINGS = 40;
const all = Array.from({ length: THINGS }, (_, n) => `thing-${n}`);
let folder;

const run = (...args) => execFileSync(cli, args.map(String), { encoding: 'utf8', stdio: 'pipe' });

function train(model) {
  const out = path.join(folder, model);
  run('train', '--model', model, '--data', path.join(folder, 'data'), '--out', out, '--epochs', 3);
  const small = path.join(out, 'small.pique');
  run('export', path.join(out, 'model.pique'), '--quant', 'int8', '-o', small);
  return [path.join(out, 'model.pique'), small];
}

const native = (file, context, ids) => {
  const given = ['--history', context.join(), '--candidates', ids.join(), '--json'];
  return JSON.parse(run('rank', file, ...given)).items;
};

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pique-rank-'));
  mkdirSync(path.join(folder, 'data'));
  const rows = ['user,item,timestamp,rating'];
  for (let person = 0; person < 80; person++) {
    for (let n = 0; n < 12; n++) {
      const thing = (person * 7 + n * 11) % THINGS;
      rows.push(`p${person},thing-${thing},${n},${(thing + person) % 3 ? 2 : 5}`);
    }
  }
  writeFileSync(path.join(folder, 'data/interactions.csv'), `${rows.join('\n')}\n`);
});
after(() => rmSync(folder, { recursive: true }));

for (const model of ['pool', 'rnn', 'rnn_als', 'rnn_joint', 'mind']) {
  describe(`rank by ${model}`, () => {
    let files;
    before(() => {
      files = train(model);
    });

    test('native and page agree, in order and in scores', async () => {
      for (const file of files) {
        for (const wasm of ['core.wasm', 'core-nosimd.wasm']) {
          const options = { worker: false, wasm: readDist(wasm) };
          const pique = await load(readFileSync(file), options);
          assert.equal(pique.info.task, model === 'mind' ? 'retrieval' : 'ranking');
          for (const context of [['thing-1'], all.slice(5, 25), all]) {
            const expected = native(file, context, all);
            const { items } = await pique.rank(all, { context });
            assert.equal(items.length, THINGS);
            for (const [i, item] of items.entries()) {
              assert.equal(item.id, expected[i].id, `${wasm}, place ${i}`);
              const off = Math.abs(item.score - expected[i].score);
              assert.ok(
                off <= 1e-5 * Math.max(1, Math.abs(expected[i].score)),
                `${item.id}: ${off}`,
              );
              assert.equal('probability' in item, model !== 'mind');
            }
          }
          await pique.dispose();
        }
      }
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
