// Pretraining by the command line, what begins with its vectors, and how new items and new people fare.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bad, folder, good, pique, randomNumbers } from './cli_harness.mjs';

const place = folder(after);
const data = join(place, 'data');
const file = join(place, 'vectors.pique');
const COLOURS = ['red', 'green', 'blue'];
const held = ['--set', 'hold_out_items=0.2'];

/** People like tools of one colour; their age tells which. Tool 60 and 61 nobody took. */
function writeData() {
  const random = randomNumbers(5);
  const events = ['user,item,timestamp'];
  const users = ['user,age'];
  for (let user = 0; user < 90; user++) {
    const colour = user % 3;
    for (let n = 0; n < 9; n++) {
      const item = 3 * Math.floor(random() * 20) + colour;
      events.push(`u${user},tool-${item},${1000 + n}`);
    }
    users.push(`u${user},${['young', 'middle', 'old'][colour]}`);
  }
  const items = ['item,colour,note'];
  for (let item = 0; item < 62; item++) {
    const note = item === 61 ? '' : `n${Math.floor(item / 3)}|${COLOURS[item % 3]}ish`;
    items.push(`tool-${item},${item === 61 ? '' : COLOURS[item % 3]},${note}`);
  }
  mkdirSync(data);
  for (const [name, lines] of Object.entries({ interactions: events, items, users })) {
    writeFileSync(join(data, `${name}.csv`), `${lines.join('\n')}\n`);
  }
}

const small = ['dim=8', 'epochs=30', 'theta=1', 'batch=16', 'lr=0.01', 'inner=8', 'context=4'];
const settings = (list) => list.flatMap((setting) => ['--set', setting]);
const pretraining = (out, ...more) => [
  ...['pretrain', '--data', data, '--out', out, '--threads', 1, ...settings(small), ...more],
];
const training = (model, out, ...more) => [
  ...['train', '--model', model, '--data', data, '--out', join(place, out), '--threads', 1],
  ...['--set', 'dim=8', '--set', 'dropout=0', '--epochs', 2, ...more],
];
const json = (...args) => JSON.parse(good([...args, '--json']));

before(() => {
  writeData();
  const told = good(pretraining(file, ...held));
  assert.match(told, /62 items, \d+ links, \d+ items without one, 1 without a feature/);
});

test('items nobody took have vectors, and a page recommends from the file', () => {
  const list = json('recommend', file, '--history', 'tool-60', '-k', 5, '--exclude-seen');
  for (const { id } of list.items) {
    assert.equal(Number(id.slice(5)) % 3, 0); // of the same colour
  }
  const info = json('info', file);
  assert.equal(info.model, 'mind');
  assert.match(info.data, /0\.2 of the items held out \(seed 1\)/);
});

test('any model begins with the vectors; widths that differ are refused', () => {
  const begun = pique(training('sasrec', 'begun', '--init-items', file, '--set', 'init.freeze=1'));
  assert.equal(begun.code, 0, begun.stderr);
  assert.match(begun.stderr, /60 items begin with the file's rows, 0 at random; 2 ids of the file/);
  good(training('mind', 'mind', '--init-items', file));
  const message = /"item\.weight" has rows of width 8, not 12/;
  bad(training('sasrec', 'wide', '--init-items', file, '--set', 'dim=12'), 1, message);
  const own = ['--set', 'item_ids=0'];
  bad(training('mind', 'no', '--init-items', file, ...own), 2, /item_ids = 0 leaves items no rows/);
  const config = JSON.parse(readFileSync(join(place, 'begun', 'config.json'), 'utf8'));
  assert.equal(config.init_items, file);
});

test('new items are found by vectors and by features, not by ids', () => {
  const cold = (path, ...more) =>
    json('eval', path, '--data', data, ...held, '--split', 'cold-items', '-k', '3', ...more);
  const vectors = cold(file);
  assert.ok(vectors.users > 50 && vectors.items > 5 && vectors.unknown === 0);
  assert.ok(vectors['recall@3'] > 1.5 * vectors['chance@3']);
  const schema = join(place, 'bare.json');
  writeFileSync(schema, '{"items":{"colour":"skip","note":"skip"}}');
  good(training('mind', 'ids', ...held, '--schema', schema));
  assert.equal(cold(join(place, 'ids', 'model.pique'), '--schema', schema)['recall@3'], 0);
  good(training('mind', 'features', ...held, '--epochs', 20, ...settings(['item_ids=0'])));
  const features = cold(join(place, 'features', 'model.pique'));
  assert.ok(features['recall@3'] > 1.5 * features['chance@3'], JSON.stringify(features));
});

test('a file that may have seen the held-out items is refused', () => {
  const split = ['--split', 'cold-items'];
  good(training('mind', 'seen'));
  const message = /does not come from data with 0\.2 of the items held out \(seed 1\)/;
  bad(['eval', join(place, 'seen', 'model.pique'), '--data', data, ...held, ...split], 2, message);
  bad(['eval', file, '--data', data, ...split], 2, /with 0\.1 of the items/);
  const other = ['--set', 'hold_out_items=0.2', '--set', 'hold_out_seed=2'];
  bad(['eval', file, '--data', data, ...other, ...split], 2, /\(seed 2\)/);
});

test('people without a history are known by their profile', () => {
  good(training('mind', 'profile', '--epochs', 30));
  const cold = json(
    ...['eval', join(place, 'profile', 'model.pique'), '--data', data],
    ...['--split', 'cold-users', '-k', '20'],
  );
  assert.equal(cold.users, 90);
  assert.ok(cold['recall@20'] > 1.5 * cold.popularity['recall@20'], JSON.stringify(cold));
  // Of a model without a profile the list is popularity's.
  const none = json('eval', file, '--data', data, '--split', 'cold-users', '-k', '20');
  assert.equal(none['recall@20'] > 0, true);
});

test('the same seed gives the same file; wrong usage is told', () => {
  const again = join(place, 'again.pique');
  good(pretraining(again, ...held));
  assert.deepEqual(readFileSync(again), readFileSync(file));
  bad(pretraining(again, '--set', 'heads=3'), 2, /heads = 3 does not divide dim = 8/);
  bad(pretraining(again, '--columns', 'weight'), 2, /no column "weight"/);
  bad(pretraining(again, '--features', join(data, 'items.csv')), 1, /items\.csv: not a model file/);
  const missing = join(place, 'missing.pique');
  bad(pretraining(missing, '--columns', ''), 1, /nothing is known of the items/);
  assert.equal(existsSync(missing), false);
});
