// Bad data: a message that names file, line and reason, exit code 1, and no run left behind.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  bad,
  expectNoParts,
  folder,
  pique,
  randomNumbers,
  training,
  writeTools,
} from './cli_harness.mjs';

const place = folder(after);
const out = join(place, 'run');

/** A csv data set of this text. */
function dataOf(name, interactions, more = {}) {
  const path = join(place, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'interactions.csv'), interactions);
  for (const [file, text] of Object.entries(more)) {
    writeFileSync(join(path, file), text);
  }
  return path;
}

function refused(data, message, ...more) {
  bad(training(data, out, '--epochs', 1, ...more), 1, message);
  assert.ok(!existsSync(out), 'a run was begun');
}

function junk(size) {
  const random = randomNumbers(5);
  return Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256)));
}

test('a place that is not there', () => {
  refused(join(place, 'nowhere'), /^pique train: .*nowhere: No such file or directory$/m);
});

test('a folder without data', () => {
  const path = join(place, 'bare');
  mkdirSync(path);
  refused(path, /bare: the folder has none of .*interactions\.csv \(csv\)/);
});

test('an empty file', () => {
  refused(dataOf('empty', ''), /interactions\.csv: the file is empty/);
  writeFileSync(join(place, 'empty.txt'), '');
  refused(join(place, 'empty.txt'), /empty\.txt: the file is empty/);
});

test('binary junk', () => {
  refused(
    dataOf('junk', junk(5000)),
    /interactions\.csv: not a text file \(zero byte at offset \d+\)/,
  );
  refused(
    dataOf('gzip', Buffer.concat([Buffer.from([0x1f, 0x8b]), junk(500)])),
    /interactions\.csv: damaged gzip data/,
  );
});

test('a missing column', () => {
  const message = /interactions\.csv: .*"?timestamp"?/;
  refused(dataOf('column', 'user,item,when\nu1,a,5\n'), message);
  refused(
    dataOf('items', 'user,item,timestamp\nu1,a,5\nu1,b,6\nu1,c,7\n', {
      'items.csv': 'thing,trade\na,x\n',
    }),
    /items\.csv: .*"?item"?/,
  );
});

test('only a header', () => {
  refused(dataOf('header', 'user,item,timestamp\n'), /header/);
});

for (const [name, value] of [
  ['NaN', 'NaN'],
  ['negative', '-5'],
  ['infinite', 'inf'],
  ['wordy', 'yesterday'],
]) {
  test(`a ${name} timestamp`, () => {
    const rows = `user,item,timestamp\nu1,a,5\nu1,b,${value}\nu1,c,7\n`;
    const data = dataOf(`time-${name}`, rows);
    refused(data, /interactions\.csv:3: .*timestamp/, '--set', 'strict=1');
  });
}

test('bad rows are counted and named when they are not an error', () => {
  const data = writeTools(join(place, 'tools'), 40);
  const rows = 'user,item,timestamp\nu1,a,NaN\nu1,b,-1\nu2,,5\n';
  const good = [5, 6, 7, 8].map((time) => `user-1,tool-${time},${time}\n`);
  writeFileSync(join(data, 'interactions.csv'), rows + good.join(''));
  const result = pique(training(data, join(place, 'counted'), '--epochs', 1));
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stderr, /1 users, 2 items, 4 events, 3 bad rows left out/);
  for (const line of [2, 3, 4]) {
    assert.match(result.stderr, new RegExp(`interactions\\.csv:${line}: `));
  }
});

test('a run that cannot be created', () => {
  const data = writeTools(join(place, 'tools-2'), 40);
  const file = join(place, 'file');
  writeFileSync(file, 'not a folder');
  bad(
    training(data, join(file, 'run')),
    1,
    /file: Not a directory|file.*: (Not a directory|File exists)/,
  );
  bad(training(data, '/dev/null/run'), 1, /\/dev\/null/);
  expectNoParts(place);
});

test('eval: the same data are refused with the same words', () => {
  const result = pique(['eval', join(place, 'no.pique'), '--data', join(place, 'nowhere')]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /no\.pique: No such file or directory/);
});

test('simulate: a catalogue that cannot serve', () => {
  const catalog = join(place, 'catalog.csv');
  const target = join(place, 'simulated');
  const simulate = [
    'simulate',
    '--catalog',
    catalog,
    '--users',
    10,
    '--interests',
    2,
    '--seed',
    1,
    '--out',
    target,
  ];
  bad(simulate, 1, /catalog\.csv: No such file or directory/);
  writeFileSync(catalog, 'item,title,trade\n');
  bad(simulate, 1, /catalog\.csv/);
  writeFileSync(catalog, 'thing,title\na,A\n');
  bad(simulate, 1, /catalog\.csv: .*"?item"?/);
  writeFileSync(catalog, 'item,title,trade\na,A,x\nb,B,x\nc,C,y\nd,D,y\n');
  bad([...simulate, '--columns', 'colour'], 1, /catalog\.csv: .*"?colour"?/);
  bad([...simulate, '--interests', '0'], 2, /interests/);
  assert.ok(!existsSync(target));
});
