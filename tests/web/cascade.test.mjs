/**
 * A cascade in the page: the same lists and scores as native, from both builds, float and int8; what `rank`,
 * `retrieve` and `fallback` do; files that do not go together. The two models were trained on different data
 * that have most of their things in common. PIQUE_CLI names the command line to ask.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build, flipped, importDist, NodeWorker, readDist, withServer } from './web_support.mjs';

const cli = process.env.PIQUE_CLI ?? path.join(build, 'native/pique');
const { load } = await importDist('index.js');
const HISTORIES = 60;
let folder;
const at = (...names) => path.join(folder, ...names);
const run = (...args) => execFileSync(cli, args.map(String), { encoding: 'utf8', stdio: 'pipe' });
const bytes = (name, quant = 'f32') => new Uint8Array(readFileSync(at(name, `${quant}.pique`)));

/** 100 people rate 15 of the 60 things from number `first` on. */
function writeRatings(name, first, towns) {
  const rows = ['user,item,timestamp,rating'];
  for (let person = 0; person < 100; person++) {
    for (let n = 0; n < 15; n++) {
      const thing = first + ((person * 7 + n * 11 + ((n * n) % 5)) % 60);
      rows.push(`p${person},thing-${thing},${n},${(thing + person) % 3 ? 2 : 5}`);
    }
  }
  const data = at(`${name}-data`);
  mkdirSync(data);
  writeFileSync(path.join(data, 'interactions.csv'), `${rows.join('\n')}\n`);
  const users = Array.from({ length: 100 }, (_, p) => `p${p},${p % 2 ? 'Rome' : 'Oslo'}`);
  if (towns) writeFileSync(path.join(data, 'users.csv'), `user,town\n${users.join('\n')}\n`);
  return data;
}

function prepare(model, first, towns = false) {
  const fixed = ['--epochs', 3, '--set', 'dim=12', '--threads', 1];
  const data = writeRatings(model, first, towns);
  run('train', '--model', model, '--data', data, '--out', at(model), ...fixed);
  for (const quant of ['f32', 'int8']) {
    const out = at(model, `${quant}.pique`);
    run('export', at(model, 'model.pique'), '--quant', quant, '-o', out);
  }
}

const histories = Array.from({ length: HISTORIES }, (_, h) =>
  Array.from({ length: 1 + (h % 20) }, (_, i) => `thing-${6 + ((h * 13 + i * 17) % 54)}`),
);
const context = histories[7];
const ids = ({ items }) => items.map(({ id }) => id);

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pique-cascade-'));
  prepare('mind', 0, true);
  prepare('rnn', 6); // knows neither thing-0 to thing-5 nor those from thing-60 on of the other
  writeFileSync(at('histories.txt'), histories.map((list) => `${list.join(',')}\n`).join(''));
});
after(() => rmSync(folder, { recursive: true }));

async function open(options = {}) {
  return load(bytes('mind'), { worker: false, ranker: bytes('rnn'), ...options });
}

async function failsWith(code, promise, part) {
  const error = await promise.then(
    () => assert.fail(`expected ${code}, but it succeeded`),
    (reason) => reason,
  );
  assert.equal(error.code, code, error.message);
  assert.match(error.message, part);
  return error;
}

describe('native and page agree', () => {
  for (const quant of ['f32', 'int8']) {
    for (const wasm of ['core.wasm', 'core-nosimd.wasm']) {
      test(`${quant}, ${wasm}: ${HISTORIES} histories, items, scores, reasons`, async () => {
        const files = [at('mind', `${quant}.pique`), '--ranker', at('rnn', `${quant}.pique`)];
        const asked = ['--batch', at('histories.txt'), '-k', 12, '--retrieve', 40];
        const output = run('recommend', ...files, ...asked, '--exclude-seen', '--explain');
        const expected = output.trim().split('\n');
        assert.equal(expected.length, HISTORIES);
        const options = { ranker: bytes('rnn', quant), worker: false, wasm: readDist(wasm) };
        const pique = await load(bytes('mind', quant), options);
        for (const [h, line] of expected.entries()) {
          const query = { context: histories[h], count: 12, retrieve: 40, explain: true };
          const { items } = await pique.recommend(query);
          const native = JSON.parse(line).items;
          assert.equal(items.length, native.length);
          for (const [i, item] of items.entries()) {
            const other = native[i];
            const who = `history ${h}, place ${i}`;
            assert.equal(item.id, other.id, who);
            const most = 1e-5 * Math.max(1, Math.abs(other.score));
            assert.ok(Math.abs(item.score - other.score) <= most, who);
            assert.ok(Math.abs(item.probability - other.probability) <= 1e-5, who);
            assert.equal(item.interest, other.interest, who);
            const spoken = (reasons) => reasons.map(({ id }) => id).sort();
            assert.deepEqual(spoken(item.reasons), spoken(other.reasons), who);
          }
        }
        await pique.dispose();
      });
    }
  }
});

describe('recommend with a ranker', () => {
  test('ranks by default; rank: false is the list without it; rank(ids) asks the ranker', async () => {
    const pique = await open();
    const alone = await load(bytes('mind'), { worker: false });
    const ranker = await load(bytes('rnn'), { worker: false });
    const query = { context, count: 8 };
    const plain = await alone.recommend(query);
    const ranked = await pique.recommend(query);
    assert.deepEqual((await pique.recommend({ ...query, rank: false })).items, plain.items);
    assert.deepEqual((await pique.recommend({ ...query, rank: true })).items, ranked.items);
    assert.notDeepEqual(ids(ranked), ids(plain));
    const retrieved = ids(await alone.recommend({ context, count: 100 }));
    const scored = await ranker.rank(retrieved, { context, count: 8 });
    assert.deepEqual(ids(ranked), ids(scored));
    assert.deepEqual((await pique.rank(retrieved, { context, count: 8 })).items, scored.items);
    assert.ok(ranked.unknown >= 5 && ranked.unknown <= 6, `${ranked.unknown}`);
    assert.equal('unknown' in plain, false);
    assert.equal('probability' in plain.items[0], false);
    assert.deepEqual(await pique.interests({ context }), await alone.interests({ context }));
    for (const one of [pique, alone, ranker]) await one.dispose();
  });

  test('retrieve bounds what is ranked, and is never below count', async () => {
    const pique = await open();
    const first = ids(await pique.recommend({ context, count: 20, rank: false }));
    const few = ids(await pique.recommend({ context, count: 5, retrieve: 20 }));
    assert.ok(few.every((id) => first.includes(id)));
    const all = await pique.recommend({ context, count: 20, retrieve: 1 });
    assert.equal(all.items.length + all.unknown, 20);
    await pique.dispose();
  });

  test('the store is asked once; hidden and seen items stay away', async () => {
    let asked = 0;
    const events = [
      { id: 'thing-9', type: 'like', at: 1 },
      { id: 'thing-12', type: 'hide', at: 2 },
    ];
    const list = async () => {
      asked++;
      return events;
    };
    const pique = await open({ history: { list } });
    const found = ids(await pique.recommend({ count: 50 }));
    assert.equal(asked, 1);
    assert.ok(found.length > 40 && !found.includes('thing-9') && !found.includes('thing-12'));
    await pique.dispose();
  });

  test('a person unknown to one model, or to both', async () => {
    const pique = await open();
    const nobody = await pique.recommend({ context: [], count: 6, retrieve: 10 });
    const popular = ids(await pique.recommend({ context: [], count: 10, rank: false }));
    assert.equal(nobody.personal, false);
    assert.ok(nobody.items.every(({ id }) => popular.includes(id)));
    assert.ok(
      nobody.items.every(({ interest, probability }) => interest === -1 && probability > 0),
    );
    const none = await pique.recommend({ context: [], fallback: 'none' });
    assert.deepEqual(none.items, []);
    // The ranker alone knows thing-63: what is popular, ranked for this person.
    const half = await pique.recommend({ context: ['thing-63'], count: 6, retrieve: 10 });
    assert.equal(half.personal, true);
    assert.ok(half.items.every(({ id, interest }) => popular.includes(id) && interest === -1));
    assert.notDeepEqual(half.items, nobody.items);
    // The same from a store, whose events have times: a query without a history has none of them.
    const strange = Array.from({ length: 400 }, (_, i) => ({ id: `thing-${60 + (i % 6)}` }));
    for (const event of strange) await pique.history.add(event);
    const stored = await pique.recommend({ count: 6, retrieve: 10 });
    const context = strange.map(({ id }) => id);
    assert.deepEqual(
      stored.items,
      (await pique.recommend({ context, count: 6, retrieve: 10 })).items,
    );
    // Retrieval alone knows thing-2.
    const other = await pique.recommend({ context: ['thing-2'], count: 6 });
    assert.equal(other.personal, true);
    assert.ok(other.items.every(({ interest }) => interest >= 0));
    await pique.dispose();
  });

  test('a profile may name the fields of either model', async () => {
    const pique = await open();
    const town = { profile: { town: 'Rome' }, context, count: 3 };
    assert.equal((await pique.recommend(town)).items.length, 3);
    assert.equal((await pique.rank(['thing-9'], town)).items.length, 1);
    await failsWith('ARGUMENT', pique.recommend({ profile: { zip: '1' } }), /"zip".*has: town/);
    await pique.dispose();
  });

  test('bad queries', async () => {
    const pique = await open();
    for (const retrieve of [0, 1.5, -3, Number.NaN, 2 ** 32]) {
      await failsWith('ARGUMENT', pique.recommend({ context, retrieve }), /retrieve must be/);
    }
    await pique.dispose();
    const alone = await load(bytes('mind'), { worker: false });
    for (const query of [{ rank: true }, { retrieve: 10 }]) {
      await failsWith('ARGUMENT', alone.recommend({ context, ...query }), /need a ranker/);
    }
    assert.equal((await alone.recommend({ context, rank: false })).items.length, 10);
    assert.equal(alone.info.ranker, undefined);
    await alone.dispose();
  });
});

describe('loading two files', () => {
  test('one worker, both described, one progress', async () => {
    const phases = [];
    let last;
    let made = 0;
    const worker = () => {
      made++;
      return new NodeWorker();
    };
    const onProgress = (progress) => {
      phases.push(progress.phase);
      assert.ok(!last || progress.loaded >= last.loaded);
      last = progress;
    };
    const pique = await open({ worker, onProgress });
    const total = bytes('mind').length + bytes('rnn').length;
    assert.equal(made, 1);
    assert.deepEqual([last.loaded, last.total], [total, total]);
    assert.deepEqual(phases.slice(-2), ['init', 'ready']);
    assert.deepEqual(new Set(phases.slice(0, -2)), new Set(['fetch']));
    const { info } = pique;
    assert.deepEqual([info.model, info.ranker.model], ['mind', 'rnn']);
    assert.deepEqual([info.task, info.ranker.task], ['retrieval', 'ranking']);
    assert.equal(info.size.download, bytes('mind').length);
    assert.equal(info.ranker.size.download, bytes('rnn').length);
    assert.equal((await pique.recommend({ context })).items.length, 10);
    await pique.dispose();
    await assert.rejects(pique.recommend({ context }), { code: 'DISPOSED' });
  });

  test('files of the other task are named', async () => {
    const files = { '/mind': bytes('mind'), '/rnn': bytes('rnn') };
    files['/broken'] = flipped(files['/rnn'], Math.floor(files['/rnn'].length / 2));
    await withServer(
      (request, response) => {
        response.statusCode = files[request.url] ? 200 : 404;
        response.end(files[request.url]);
      },
      async (url) => {
        const fails = async (model, ranker, code, message, culprit) => {
          const loading = load(`${url}${model}`, { ranker: `${url}${ranker}`, worker: false });
          const error = await failsWith(code, loading, message);
          assert.equal(error.url, `${url}${culprit}`);
        };
        await fails('/mind', '/mind', 'UNSUPPORTED', /mind retrieves and cannot be/, '/mind');
        await fails('/rnn', '/mind', 'UNSUPPORTED', /rnn is a ranking model and cannot/, '/rnn');
        await fails('/mind', '/none', 'HTTP', /404/, '/none');
        await fails('/mind', '/broken', 'MODEL_CORRUPT', /./, '/broken');
        const pique = await load(`${url}/mind`, { ranker: `${url}/rnn`, worker: false });
        assert.equal(ids(await pique.recommend({ context })).length, 10);
        await pique.dispose();
      },
    );
  });
});
