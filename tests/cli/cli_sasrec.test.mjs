// SASRec the whole way on invented data: users walk through the tools in order, so that the next tool is known.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bad, folder, good, randomNumbers } from './cli_harness.mjs';

const place = folder(after);
const data = join(place, 'walks');
const run = join(place, 'run');
const model = join(run, 'model.pique');
const small = join(place, 'small.pique');
const TOOLS = 40;

/** tool-0 to tool-39 in a circle; a user starts anywhere and takes 6 to 12 of them in order. */
function writeWalks(path, users) {
  const random = randomNumbers(3);
  const whole = (below) => Math.floor(random() * below);
  const events = ['user,item,timestamp'];
  for (let user = 0; user < users; user++) {
    const first = whole(TOOLS);
    const length = 6 + whole(7);
    for (let n = 0; n < length; n++) {
      events.push(`user-${user},tool-${(first + n) % TOOLS},${1600000000 + n}`);
    }
  }
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'interactions.csv'), `${events.join('\n')}\n`);
}

const training = (out, ...more) => [
  ...['train', '--model', 'sasrec', '--data', data, '--out', out, '--threads', 1],
  ...['--set', 'dim=16', '--set', 'history=10', '--set', 'batch=32', '--set', 'dropout=0.1'],
  ...['--set', 'lr=0.005', ...more],
];
const walk = (first, length) =>
  Array.from({ length }, (_, n) => `tool-${(first + n) % TOOLS}`).join(',');
const ask = (file, history, ...more) =>
  JSON.parse(good(['recommend', file, '--history', history, '--json', ...more])).items;
const evaluate = (file) =>
  JSON.parse(good(['eval', file, '--data', data, '--json', '--k', '1,10']));

before(() => {
  writeWalks(data, 200);
  good(training(run, '--epochs', 30));
  good(['export', model, '--quant', 'int8', '-o', small]);
});

describe('sasrec', () => {
  test('learns the order, which popularity cannot know', () => {
    const result = evaluate(model);
    assert.equal(result.users, 200);
    assert.ok(result['recall@1'] > 0.9, `recall@1 ${result['recall@1']}`);
    assert.ok(result.popularity['recall@10'] < 0.5);
  });

  test('the default is the softmax over the catalogue, after every event', () => {
    const config = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
    assert.deepEqual(
      [config.model, config.loss, config.supervision, config.dim],
      ['sasrec', 'softmax', 'all', 16],
    );
    assert.deepEqual([config.epsilon, config.norm_epsilon], [1e-8, 1e-8]);
  });

  test('int8 is smaller and knows the order too', () => {
    assert.ok(statSync(small).size < statSync(model).size);
    assert.ok(evaluate(small)['recall@1'] > 0.9);
  });

  test('recommends the next tool, with the behaviours that match it best as reasons', () => {
    for (const file of [model, small]) {
      const history = walk(17, 6);
      const [first, ...rest] = ask(file, history, '--exclude-seen', '--explain');
      assert.equal(first.id, 'tool-23');
      assert.equal(rest.length, 9);
      for (const { reasons } of [first, ...rest]) {
        const sum = reasons.reduce((total, reason) => total + reason.share, 0);
        assert.ok(reasons.length <= 3 && sum <= 1 + 1e-6);
        assert.ok(reasons.every(({ id, share }) => share > 0 && history.split(',').includes(id)));
      }
      assert.ok(first.reasons.length > 0);
    }
  });

  test('a history longer than the window counts with its newest part', () => {
    assert.deepEqual(ask(model, walk(5, 30)), ask(model, walk(25, 10)));
    assert.notDeepEqual(ask(model, walk(26, 9)), ask(model, walk(25, 10)));
  });

  test('a new person gets the most popular items', () => {
    assert.ok(ask(model, '').every((item) => item.score === 0));
  });

  for (const loss of ['bce', 'bpr', 'gbce', 'sampled_softmax']) {
    test(`loss=${loss}`, () => {
      const out = join(place, loss);
      good(training(out, '--epochs', 60, '--set', `loss=${loss}`, '--set', 'pair_negatives=4'));
      const recall = evaluate(join(out, 'model.pique'))['recall@1'];
      assert.ok(recall > 0.5, `recall@1 ${recall}`);
    });
  }

  test('one label for each drawn prefix', () => {
    const out = join(place, 'prefix');
    good(
      training(out, '--epochs', 30, '--set', 'supervision=prefix', '--set', 'samples_per_user=0'),
    );
    assert.ok(evaluate(join(out, 'model.pique'))['recall@1'] > 0.9);
  });

  for (const preset of ['seed', 'paper']) {
    test(`preset ${preset}`, () => {
      const out = join(place, preset);
      good(training(out, '--epochs', 2, '--preset', preset));
      const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
      assert.deepEqual([config.loss, config.heads, config.beta2], ['bce', 1, 0.98]);
      assert.equal(config.norm, preset === 'seed' ? 'code' : 'pre');
    });
  }

  test('heads that do not divide the width are refused', () => {
    const never = join(place, 'never');
    bad(training(never, '--set', 'heads=3'), 2, /heads = 3 does not divide the width 16/);
    assert.ok(!existsSync(never), 'a run was begun');
  });
});
