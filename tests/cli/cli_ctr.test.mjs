// Tables of labelled rows with histories of their own, the whole way: people like what has the colour of the
// last thing in their history.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bad, folder, good, randomNumbers } from './cli_harness.mjs';

const place = folder(after);
const data = join(place, 'table');
const THINGS = 30;

const colour = (number) => number % 3;
const join3 = (numbers) => numbers.map((number) => `t${number}`).join('|');

function writeRows(name, count, seed) {
  const random = randomNumbers(seed);
  const draw = () => Math.floor(random() * THINGS);
  const rows = ['user,item,label,history,history_negatives,history_times,colour,mood'];
  for (let n = 0; n < count; n++) {
    const [item, ...history] = [draw(), draw(), draw(), draw()];
    const label = colour(item) === colour(history[2]) ? 1 : 0;
    const cells = [join3(history), join3([draw(), draw(), draw()]), '10|20|90', colour(item)];
    rows.push([`${name}${n}`, `t${item}`, label, ...cells, 'blue'].join());
  }
  writeFileSync(join(data, `${name}.csv`), `${rows.join('\n')}\n`);
}

const training = (split, ...more) => [
  ...['train', '--model', 'dien', '--data', data, '--out', join(place, split), '--threads', 1],
  ...['--set', `split=${split}`, '--set', 'epochs=12', '--set', 'metric=auc', ...more],
];
const last = (split) =>
  JSON.parse(
    readFileSync(join(place, split, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .at(-1),
  );
const evaluate = (split, which) =>
  JSON.parse(
    good(
      ['eval', join(place, split, 'model.pique'), '--data', data, '--set', `split=${split}`].concat(
        ['--split', which, '--json'],
      ),
    ),
  );

before(() => {
  mkdirSync(data);
  writeRows('train', 1500, 1);
  writeRows('test', 300, 2);
  writeFileSync(join(data, 'schema.json'), '{"columns":{"colour":"category","mood":"profile"}}');
  good(training('file'));
  good(training('file_test'));
});

describe('labelled tables', () => {
  test('histories are learnt from, and the test file is for test', () => {
    const result = evaluate('file', 'test');
    assert.equal(result.pairs, 300);
    assert.ok(result.auc > 0.9, `auc ${result.auc}`);
    assert.ok(result.popularity.auc < 0.6, `popularity ${result.popularity.auc}`);
    const { pairs } = evaluate('file', 'valid');
    assert.ok(pairs > 100 && pairs < 200, `${pairs} pairs validate`);
  });

  test('the journal, the file and its card say what chose the epoch', () => {
    assert.equal(last('file').split, 'valid');
    assert.equal(last('file_test').split, 'test');
    const info = (split, ...more) => good(['info', join(place, split, 'model.pique'), ...more]);
    assert.equal(JSON.parse(info('file_test', '--json')).metrics.split, 'test');
    assert.match(info('file_test'), /Best epoch chosen on the test file, its labelled pairs: auc/);
    assert.match(info('file'), /Validation, labelled pairs: auc/);
    const { metrics } = JSON.parse(info('file_test', '--json'));
    assert.ok(Math.abs(evaluate('file_test', 'test').auc - metrics.auc) < 1e-9);
    assert.ok(Math.abs(evaluate('file_test', 'valid').auc - metrics.auc) < 1e-9);
  });

  test('a model that retrieves refuses them', () => {
    bad(
      ['train', '--model', 'mind', '--data', data, '--out', join(place, 'mind')],
      1,
      /train\.csv: rows with labels and histories of their own are for models that rank/,
    );
  });

  test('--times: one for each item of the history, in seconds', () => {
    const ask = (times, ...more) => [
      ...['rank', join(place, 'file', 'model.pique'), '--history', 't1,t2,t4'],
      ...['--candidates', 't3,t7', '--times', times, ...more],
    ];
    const scores = JSON.parse(good(ask('10,20,2000.5', '--json'))).items;
    assert.equal(scores[0].id, 't7'); // of the colour of t4
    bad(ask('10,20'), 2, /--times: 2 times for the 3 items of --history/);
    bad(ask('10,20,soon'), 2, /--times: "soon" is not a number of seconds/);
    bad(ask('10,20,-5'), 2, /--times: "-5" is not a number of seconds/);
    bad(ask('10,,5'), 2, /--times: "" is not a number of seconds/);
    const batch = ['recommend', join(place, 'file', 'model.pique'), '--batch', 'x', '--times', '1'];
    bad(batch, 2, /--times goes with --history, not with --batch/);
  });
});
