// Damaged model files: every command that reads one refuses it with a message that names the file.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  bad,
  expectNoParts,
  folder,
  good,
  randomNumbers,
  training,
  writeTools,
} from './cli_harness.mjs';

const place = folder(after);
const data = writeTools(join(place, 'tools'), 40);
const file = join(place, 'damaged.pique');
const out = join(place, 'out.pique');
let whole;

before(() => {
  good(training(data, join(place, 'run'), '--epochs', 1));
  whole = readFileSync(join(place, 'run', 'model.pique'));
});

function refusedByAll(bytes, reason) {
  writeFileSync(file, bytes);
  for (const args of [
    ['info', file],
    ['info', file, '--json'],
    ['eval', file, '--data', data, '--json'],
    ['recommend', file, '--history', 'tool-1'],
    ['export', file, '--quant', 'int8', '-o', out],
  ]) {
    bad(args, 1, new RegExp(`^pique ${args[0]}: .*damaged\\.pique: .*${reason}`, 'm'));
  }
  assert.ok(!existsSync(out));
  expectNoParts(place);
}

test('cut off', () => {
  refusedByAll(whole.subarray(0, whole.length >> 1), 'damaged gzip data');
  refusedByAll(whole.subarray(0, 1), '');
  const unpacked = gunzipSync(whole);
  refusedByAll(unpacked.subarray(0, unpacked.length - 4), '');
});

test('not a model', () => {
  refusedByAll('user,item,timestamp\nu1,a,5\n', '');
  refusedByAll(gzipSync('user,item,timestamp\nu1,a,5\n'), '');
  refusedByAll('', 'the file is empty');
});

test('a flipped bit anywhere is noticed', () => {
  const random = randomNumbers(11);
  for (let n = 0; n < 60; n++) {
    const bytes = Buffer.from(whole);
    // Bytes 4 to 9 of gzip's head are the time, a hint and the system: they carry nothing.
    const at = 10 + Math.floor(random() * (bytes.length - 10));
    bytes[at] ^= 1 << Math.floor(random() * 8);
    writeFileSync(file, bytes);
    bad(['info', file], 1, /^pique info: .*damaged\.pique: ./m);
  }
  const bytes = Buffer.from(whole);
  bytes[whole.length >> 1] ^= 4;
  refusedByAll(bytes, '');
});

test('a number that is not finite, a name that is changed', () => {
  const unpacked = gunzipSync(whole);
  const head = 8 + Number(unpacked.readBigUInt64LE(0));
  const { __metadata__, ...tensors } = JSON.parse(unpacked.toString('utf8', 8, head));
  const at = head + tensors['mlp.w1'].data_offsets[0];
  const bytes = Buffer.from(unpacked);
  bytes.writeFloatLE(Number.NaN, at);
  refusedByAll(gzipSync(bytes), 'mlp\\.w1');
  const renamed = Buffer.from(unpacked);
  renamed.write('mlp.w9', unpacked.indexOf('"mlp.w1"') + 1);
  refusedByAll(gzipSync(renamed), 'mlp\\.w1');
});

test('a file that is not there, a folder', () => {
  bad(['info', join(place, 'none.pique')], 1, /none\.pique: No such file or directory/);
  bad(['recommend', place, '--history', 'a'], 1, /Is a directory/);
});

test('what a file says of itself cannot steer the terminal', () => {
  const unpacked = gunzipSync(whole);
  const at = unpacked.indexOf('Seed 1');
  assert.ok(at > 0);
  unpacked.write('\\u001b', at);
  writeFileSync(file, gzipSync(unpacked));
  assert.match(good(['info', file]), /^\?, epoch 1 of 1\.$/m);
  assert.ok(JSON.parse(good(['info', file, '--json'])).card.includes('\n\u001b, epoch'));
});
