// Ranking the whole way on invented ratings: people like the things of their own colour.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bad, folder, good, randomNumbers } from './cli_harness.mjs';

const place = folder(after);
const data = join(place, 'ratings');
const run = join(place, 'run');
const model = join(run, 'model.pique');
const small = join(place, 'small.pique');
const THINGS = 60;

const colour = (number) => number % 3;

/** 150 people rate 20 things each: 5 when it has their colour, else 2. */
function writeRatings(path, { rating = true } = {}) {
  const random = randomNumbers(5);
  const rows = [`user,item,timestamp${rating ? ',rating' : ''}`];
  for (let person = 0; person < 150; person++) {
    for (let n = 0; n < 20; n++) {
      const thing = Math.floor(random() * THINGS);
      const stars = colour(thing) === colour(person) ? 5 : 2;
      rows.push(`person-${person},thing-${thing},${1000 + n}${rating ? `,${stars}` : ''}`);
    }
  }
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'interactions.csv'), `${rows.join('\n')}\n`);
}

const training = (out, ...more) => [
  ...['train', '--model', 'pool', '--data', data, '--out', out, '--threads', 1],
  ...['--set', 'dim=16', '--set', 'batch=64', '--set', 'lr=0.01', ...more],
];
const evaluate = (file, ...more) =>
  JSON.parse(good(['eval', file, '--data', data, '--json', ...more]));
const rank = (file, ...more) => JSON.parse(good(['rank', file, '--json', ...more])).items;
const list = (numbers) => numbers.map((number) => `thing-${number}`).join(',');

before(() => {
  writeRatings(data);
  good(training(run));
  good(['export', model, '--quant', 'int8', '-o', small]);
});

describe('ranking', () => {
  test('learns what popularity cannot know', () => {
    const result = evaluate(model);
    assert.equal(result.pairs, 150);
    assert.ok(result.auc > 0.95, `auc ${result.auc}`);
    assert.ok(result.popularity.auc < 0.75, `popularity ${result.popularity.auc}`);
    assert.ok(result.logloss < result.popularity.logloss);
    assert.ok(result.accuracy > 0.9 && result.ece < 0.2);
    assert.match(good(['eval', model, '--data', data]), /^auc +(1|0\.9)/m);
  });

  test('the journal and the card have the figures of labels', () => {
    const last = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n').at(-1);
    const keys = ['auc', 'gauc', 'top1', 'logloss', 'accuracy', 'ece'];
    for (const key of keys) assert.ok(key in JSON.parse(last));
    assert.match(good(['info', model]), /labelled pairs: auc [01]\.\d+, gauc -, top1 -, logloss/);
  });

  test('splits: random and by time cover a tenth each, and the seed decides', () => {
    for (const split of ['random', 'time']) {
      const { pairs } = evaluate(model, '--set', `split=${split}`);
      assert.ok(pairs > 200 && pairs < 400, `${split}: ${pairs}`);
    }
    const one = evaluate(model, '--set', 'split=random', '--set', 'split_seed=1');
    const two = evaluate(model, '--set', 'split=random', '--set', 'split_seed=2');
    assert.notEqual(one.logloss, two.logloss);
    bad(
      ['eval', model, '--data', data, '--set', 'split=odd'],
      2,
      /"odd" is none of "auto", "last"/,
    );
  });

  test('a rating from label_rating on is a like', () => {
    bad(
      ['eval', model, '--data', data, '--set', 'label_rating=high'],
      2,
      /label_rating: "high" is not a number/,
    );
    const all = evaluate(model, '--set', 'label_rating=1'); // everything is liked: nothing to tell apart
    assert.equal(all.auc, null);
  });

  test('threads do not change the figures', () => {
    const { seconds, peak_bytes, popularity, ...one } = evaluate(model, '--threads', 1);
    const again = evaluate(model, '--threads', 3);
    const two = Object.fromEntries(Object.keys(one).map((key) => [key, again[key]]));
    assert.deepEqual(one, two);
  });

  test('rank puts the own colour first, in both files', () => {
    for (const file of [model, small]) {
      const items = rank(
        file,
        '--history',
        list([0, 3, 6, 9]),
        '--candidates',
        list([1, 12, 2, 15]),
      );
      assert.deepEqual(
        new Set(items.slice(0, 2).map(({ id }) => id)),
        new Set(['thing-12', 'thing-15']),
      );
      for (const [i, { score, probability }] of items.entries()) {
        assert.ok(Math.abs(probability - 1 / (1 + Math.exp(-score))) < 1e-6);
        assert.ok(i === 0 || score <= items[i - 1].score);
      }
    }
  });

  test('rank: of a history that is too long the newest part counts', () => {
    const numbers = (count, step) => Array.from({ length: count }, (_, n) => (n * step) % THINGS);
    const score = (history) =>
      rank(model, '--history', list(history), '--candidates', list(numbers(THINGS, 1)));
    const newest = numbers(60, 3);
    assert.deepEqual(score([...numbers(500, 7), ...newest]), score(newest));
    assert.notDeepEqual(score(numbers(500, 7)), score(newest));
  });

  test('rank: -k, unknown candidates, an empty history', () => {
    const two = ['--candidates', list([1, 2, 3]), '-k', 2];
    assert.equal(rank(model, '--history', list([0]), ...two).length, 2);
    assert.equal(rank(model, '--history', '', '--candidates', `nothing,${list([1])}`).length, 1);
    const none = ['rank', model, '--history', '', '--candidates', 'nothing,never'];
    bad(none, 1, /--candidates: the model knows none/);
    bad(['rank', model, '--history', ''], 2, /candidates/);
  });

  test('a model that only ranks does not recommend', () => {
    bad(
      ['recommend', model, '--history', list([1])],
      1,
      /model\.pique is a ranking model: it has no interests to search/,
    );
  });

  test('what does not go together is refused before training', () => {
    bad(
      training(join(place, 'no'), '--set', 'metric=recall'),
      2,
      /metric = recall, ndcg or mrr is for/,
    );
    const mind = ['train', '--model', 'mind', '--data', data, '--out', join(place, 'no')];
    bad([...mind, '--set', 'metric=auc'], 2, /is for models that rank, which mind does not/);
    const plain = join(place, 'plain');
    writeRatings(plain, { rating: false });
    bad(
      ['train', '--model', 'pool', '--data', plain, '--out', join(place, 'no')],
      1,
      /has neither ratings nor labels, which ranking needs/,
    );
  });
});
