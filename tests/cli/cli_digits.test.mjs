// Digits from the first to the last step: drawn, learned, told apart, one given on the command line; what is refused.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bad, folder, good } from './cli_harness.mjs';

const SIDE = 12;
const place = folder(after);
let data;
let model;
let images; // { id, pixels, digit } of users.csv and interactions.csv

const digits = (out, ...more) => [
  ...['simulate', '--digits', 600, '--size', SIDE, '--seed', 3, '--out', out],
  ...more,
];
const small = [
  ...[`height=${SIDE}`, `width=${SIDE}`, 'filters=8', 'kernel=5', 'primary_kernel=3', 'types=4'],
  ...['type_dim=4', 'dim=6', 'hidden1=16', 'hidden2=16', 'batch=16', 'lr=0.005'],
].flatMap((setting) => ['--set', setting]);
const train = (from, out, ...more) => [
  ...['train', '--model', 'capsnet', '--data', from, '--set', 'split=time', '--epochs', 4],
  ...['--out', out, '--threads', 1, ...small, ...more],
];
const read = (folder, file) => readFileSync(join(folder, file), 'utf8');

before(() => {
  data = join(place, 'digits');
  model = join(place, 'run/model.pique');
  assert.match(good(digits(data)), /users\.csv.* of 600 images of digits/);
  const pairs = read(data, 'interactions.csv').trim().split('\n').slice(1);
  const shown = new Map();
  for (const [id, digit, label] of pairs.map((row) => row.split(','))) {
    if (label === '1') shown.set(id, digit);
  }
  const rows = read(data, 'users.csv').trim().split('\n').slice(1);
  images = rows.map((row) => {
    const [id, pixels] = row.split(',');
    return { id, pixels, digit: shown.get(id) };
  });
  good(train(data, join(place, 'run')));
});

test('ten pairs an image, levels from 0 to 1, all digits, the same bytes for a seed', () => {
  assert.equal(images.length, 600);
  assert.equal(new Set(images.map(({ digit }) => digit)).size, 10);
  for (const { pixels } of images) {
    const levels = pixels.split(' ').map(Number);
    assert.equal(levels.length, SIDE * SIDE);
    assert.ok(Math.min(...levels) >= 0 && Math.max(...levels) <= 1);
    assert.ok(levels.filter((level) => level > 0.25).length > 5);
  }
  const [again, other] = [join(place, 'again'), join(place, 'other')];
  good(digits(again));
  good(digits(other, '--rotate', 30));
  for (const file of ['users.csv', 'interactions.csv', 'schema.json', 'about.txt']) {
    assert.equal(read(again, file), read(data, file));
  }
  assert.notEqual(read(other, 'users.csv'), read(data, 'users.csv'));
});

test('the network tells digits apart that it has not seen', () => {
  const result = JSON.parse(
    good(['eval', model, '--data', data, '--set', 'split=time', '--json', '--threads', 1]),
  );
  assert.equal(result.pairs, 600);
  assert.ok(result.top1 > 0.6, `top1 ${result.top1}`);
  assert.ok(result.popularity.top1 < 0.4);
});

test('an image on the command line gets the digit that evaluation counts', () => {
  const ids = '0,1,2,3,4,5,6,7,8,9';
  const right = images.slice(-60).filter(({ pixels, digit }) => {
    const profile = ['--profile', `pixels=${pixels}`, '--history', '', '--json'];
    const { items } = JSON.parse(good(['rank', model, '--candidates', ids, ...profile]));
    return items[0].id === digit;
  });
  const result = JSON.parse(good(['eval', model, '--data', data, '--set', 'split=time', '--json']));
  assert.equal(right.length / 60, result.top1);
});

test('images of another size, what is no number, and users without images are refused', () => {
  const rank = (pixels) => [
    ...['rank', model, '--candidates', '0,1', '--history', '', '--profile', `pixels=${pixels}`],
  ];
  bad(rank('0 1'), 2, /profile field "pixels" takes 144 numbers, not 2/);
  bad(rank(images[0].pixels.replace(/^\S+/, 'x')), 2, /"pixels" takes a number, not "x"/);
  const run = join(place, 'refused');
  bad(
    train(data, run, '--set', 'width=13'),
    2,
    /no column of the users is a vector of 156 numbers/,
  );
  bad(train(data, run, '--set', 'kernel=13'), 2, /no room for the filters/);
  bad(['recommend', model, '--history', '1'], 1, /it has no interests/);
  const users = read(data, 'users.csv').replace('image-1,', 'image-1,0.5 ');
  writeFileSync(join(data, 'users.csv'), users);
  bad(
    train(data, run, '--strict'),
    1,
    /users\.csv:2: column "pixels" has 145 numbers instead of 144/,
  );
});

test('what cannot be drawn', () => {
  const out = join(place, 'nothing');
  bad(digits(out, '--size', 7), 2, /size is 7, not 8 to 64/);
  bad(digits(out, '--rotate', 181), 2, /rotate is 181/);
  bad(digits(out, '--catalog', 'items.csv'), 2, /either --catalog or --digits/);
  bad(['simulate', '--out', out], 2, /either --catalog or --digits/);
});
