// `pique export`: every kind of item rows, what a width does not allow, the loss on validation, and the search for
// the smallest file.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bad, expectNoParts, folder, good, pique, training, writeTools } from './cli_harness.mjs';

const place = folder(after);
const data = writeTools(join(place, 'tools'));
const model = join(place, 'run', 'model.pique'); // 32 wide
const narrow = join(place, 'narrow', 'model.pique'); // 8 wide
const ranker = join(place, 'ranker', 'model.pique');
const at = (name) => join(place, `${name}.pique`);

const write = (quant, out = at(quant), ...more) =>
  good(['export', model, '--quant', quant, '-o', out, ...more]);
const info = (file) => JSON.parse(good(['info', file, '--json']));
const recommend = (file) =>
  JSON.parse(good(['recommend', file, '--history', 'tool-1,tool-5,tool-9', '--json'])).items;

/** Thirty people and what they think of twenty things. */
function writeRatings(path) {
  const rows = ['user,item,timestamp,rating'];
  for (let n = 0; n < 300; n++) {
    const [person, thing] = [n % 30, (n * 7 + Math.floor(n / 30)) % 20];
    rows.push(`p${person},t${thing},${1000 + n},${(person + thing) % 3 ? 5 : 2}`);
  }
  mkdirSync(path);
  writeFileSync(join(path, 'interactions.csv'), `${rows.join('\n')}\n`);
  return path;
}
const ratings = writeRatings(join(place, 'ratings'));

before(() => {
  const wide = ['--set', 'dim=32', '--set', 'hidden=32', '--epochs', 4];
  good(training(data, join(place, 'run'), ...wide));
  good(training(data, join(place, 'narrow'), '--epochs', 1));
  good([
    ...['train', '--model', 'din', '--data', ratings, '--out', join(place, 'ranker')],
    ...['--epochs', 1, '--threads', 1, '--set', 'dim=16'],
  ]);
});

describe('kinds of rows', () => {
  test('each file says its kind and recommends much as the whole one does', () => {
    const whole = recommend(model).map(({ id }) => id);
    for (const quant of ['f16', 'int8', 'int4', 'pq8', 'pq16', 'pq8+int8', 'pq16+int8']) {
      write(quant);
      assert.equal(info(at(quant)).quant, quant);
      const found = recommend(at(quant)).map(({ id }) => id);
      const common = found.filter((id) => whole.includes(id)).length;
      assert.ok(common >= 6, `${quant}: ${common} of 10`);
    }
    const sizes = ['int4', 'int8', 'f16'].map((quant) => statSync(at(quant)).size);
    assert.ok(sizes[0] < sizes[1] && sizes[1] < sizes[2] && sizes[2] < statSync(model).size);
  });

  test('pq is pq16; the same file twice, byte for byte', () => {
    write('pq', at('pq'));
    assert.deepEqual(readFileSync(at('pq')), readFileSync(at('pq16')));
  });

  test('codes that are fitted without data say so', () => {
    const words = /fitted to the item vectors alone: with --data they lose less/;
    const told = (...args) => pique(['export', model, ...args, '-o', at('told')]).stderr;
    assert.match(told('--quant', 'pq16'), words);
    assert.doesNotMatch(told('--quant', 'pq16', '--data', data, '--threads', '1'), words);
    assert.doesNotMatch(told('--quant', 'int8'), words);
  });

  test('--dense int8 makes the layers smaller', () => {
    write('int8', at('dense'), '--dense', 'int8');
    assert.ok(statSync(at('dense')).size < statSync(at('int8')).size);
    assert.equal(recommend(at('dense')).length, 10);
    bad(['export', model, '--quant', 'int8', '--dense', 'int4', '-o', at('no')], 2, /not "int4"/);
  });

  test('rows become narrower, never wider', () => {
    good(['export', at('f16'), '--quant', 'int4', '-o', at('from16')]);
    assert.equal(info(at('from16')).quant, 'int4');
    good(['export', at('int8'), '--quant', 'pq16+int8', '-o', at('from8')]);
    good(['export', at('int8'), '--quant', 'int8', '-o', at('again')]);
    assert.deepEqual(readFileSync(at('again')), readFileSync(at('int8')));
    for (const [from, to] of [
      ['int8', 'f16'],
      ['int4', 'int8'],
    ]) {
      bad(['export', at(from), '--quant', to, '-o', at('no')], 1, /item\.weight" is int\d already/);
    }
    bad(['export', at('int4'), '--quant', 'pq16', '-o', at('no')], 1, /too coarse/);
    bad(['export', at('pq16'), '--quant', 'pq8', '-o', at('no')], 1, /from an f32 file/);
    assert.ok(!existsSync(at('no')));
  });

  test('a width that is less than the codes take is refused with what it allows', () => {
    const words = /pq32 needs a width of at least 64, the model's is 32: .* f32, .* pq16\+int8/;
    bad(['export', model, '--quant', 'pq32', '-o', at('no')], 1, words);
    const fewer = /of at least 16, the model's is 8: it can be f32, f16, int8, int4$/m;
    bad(['export', narrow, '--quant', 'pq8', '-o', at('no')], 1, fewer);
  });

  test('a model that ranks has no codes, and works with every kind of rows', () => {
    for (const quant of ['f16', 'int8', 'int4']) {
      good(['export', ranker, '--quant', quant, '-o', at('ranks')]);
      const eval_ = ['eval', at('ranks'), '--data', ratings, '--json', '--no-baselines'];
      assert.ok(JSON.parse(good(eval_)).auc >= 0);
    }
    bad(['export', ranker, '--quant', 'pq8', '-o', at('no')], 1, /only ranks.*f16, int8, int4/);
  });
});

describe('with data', () => {
  const measured = ['--data', data, '--threads', '1'];

  test('the loss is printed and stands in the file', () => {
    const told = write('int4', at('loss'), ...measured);
    assert.match(told, /ndcg@10 +loss\nbefore +0\.\d{4}\nint4 +\d+ +0\.\d{4} +-?\d+\.\d\d%\n/);
    const { loss, card } = info(at('loss'));
    assert.equal(loss.metric, 'ndcg@10');
    assert.equal(loss.split, 'valid');
    assert.ok(Math.abs(loss.loss - (1 - loss.after / loss.before)) < 1e-12);
    assert.match(card, /^Exported as int4: ndcg@10 on the validation split 0\.\d{4}, before/m);
    const found = JSON.parse(
      good(['eval', at('loss'), '--data', data, '--split', 'valid', '--json', '--no-baselines']),
    );
    assert.ok(Math.abs(found['ndcg@10'] - loss.after) < 1e-12);
  });

  test('codes fitted to the interests are the same with every instruction set', () => {
    const out = (isa) => at(`codes-${isa}`);
    const tensors = (isa) => {
      const options = { env: { PIQUE_ISA: isa } };
      good(['export', model, '--quant', 'pq8', '-o', out(isa), ...measured], options);
      return readFileSync(out(isa));
    };
    assert.deepEqual(tensors('v128'), tensors('scalar'));
    assert.notDeepEqual(readFileSync(out('scalar')), readFileSync(at('pq8')));
  });

  test('--target-loss takes the smallest file that holds it', () => {
    const rows = (told) => [...told.matchAll(/^(\S+) +(\d+) +\S+ +(\S+)%$/gm)];
    const search = (target) =>
      rows(good(['export', model, '--target-loss', target, '-o', at('found'), ...measured]));
    assert.equal(search('100%').length, 1);
    const tried = search('0');
    const bytes = tried.map((row) => Number(row[2]));
    assert.deepEqual(
      bytes,
      bytes.toSorted((a, b) => a - b),
    );
    for (const [place_, row] of tried.entries()) {
      assert.equal(Number(row[3]) <= 0, place_ === tried.length - 1, row[0]);
    }
    assert.equal(info(at('found')).quant, tried.at(-1)[1]);
    assert.equal(statSync(at('found')).size, bytes.at(-1));
    assert.ok(!existsSync(`${at('found')}.trial`));
    expectNoParts(place);
  });

  test('a model that ranks is judged by auc', () => {
    const told = good([
      ...['export', ranker, '--quant', 'int4', '-o', at('ranks'), '--data', ratings],
      ...['--threads', '1'],
    ]);
    assert.match(told, /auc +loss$/m);
    const recall = ['--metric', 'recall@5', '--data', ratings];
    bad(['export', ranker, '--quant', 'int4', ...recall, '-o', at('no')], 2, /has auc and gauc/);
  });

  test('what cannot be meant', () => {
    const out = ['-o', at('no')];
    bad(['export', model, ...out], 2, /--quant KIND is missing/);
    bad(['export', model, '--target-loss', '1%', ...out], 2, /needs --data/);
    bad(['export', model, '--target-loss', 'much', ...measured, ...out], 2, /"much" is no share/);
    bad(
      ['export', model, '--target-loss', '1%', '--quant', 'int8', ...measured, ...out],
      2,
      /excl/,
    );
    for (const metric of ['auc', 'ndcg@0', 'ndcg@', 'ndcg@1x', 'best']) {
      const wrong = ['--quant', 'int8', '--metric', metric];
      bad(['export', model, ...wrong, ...measured, ...out], 2, /metric ".*": a model that retr/);
    }
    assert.ok(!existsSync(at('no')));
  });
});
