// `pique export --blocks`: the same recommendations from rows in another order, for every kind of rows that a file can
// have; what is refused.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { bad, expectNoParts, folder, good, training, writeTools } from './cli_harness.mjs';

const place = folder(after);
const data = writeTools(join(place, 'tools'));
const model = join(place, 'run', 'model.pique');
const at = (name) => join(place, `${name}.pique`);

before(() => {
  const wide = ['--set', 'dim=32', '--set', 'hidden=32', '--epochs', 2];
  good(training(data, join(place, 'run'), ...wide));
});

function recommend(file, history) {
  const { items } = JSON.parse(
    good(['recommend', file, '--history', history, '-k', 60, '--explain', '--json']),
  );
  return items;
}

const histories = ['tool-1,tool-55,tool-9', 'tool-40', ''];

for (const quant of ['f32', 'f16', 'int8', 'int4', 'pq8+int8', 'pq8']) {
  test(`${quant} rows in blocks`, () => {
    good(['export', model, '--quant', quant, '-o', at('plain')]);
    good(['export', model, '--quant', quant, '--blocks', 32, '-o', at(quant)]);
    for (const history of histories) {
      const [one, two] = [at('plain'), at(quant)].map((file) => recommend(file, history));
      assert.equal(one.length, 60);
      if (history) assert.deepEqual(two, one);
      else assert.deepEqual(two.slice(0, 31), one.slice(0, 31)); // all scores are equal
    }
    // One stream and one container, of which the index tells what the members are.
    const container = gunzipSync(readFileSync(at(quant)));
    const header = JSON.parse(container.subarray(8, 8 + Number(container.readBigUInt64LE())));
    assert.deepEqual(header['item.blocks'].shape, [2, 5]);
    assert.equal(Object.keys(header).at(-1), quant === 'pq8' ? 'item.codes' : 'item.weight');
  });
}

test('the same file twice, and from a file of blocks', () => {
  good(['export', model, '--quant', 'int8', '--blocks', 32, '-o', at('again')]);
  assert.deepEqual(readFileSync(at('again')), readFileSync(at('int8')));
  good(['export', at('f32'), '--quant', 'int8', '-o', at('back')]);
  for (const history of histories) {
    assert.deepEqual(
      recommend(at('back'), history).map(({ id }) => id),
      recommend(at('int8'), history).map(({ id }) => id),
    );
  }
});

test('what is refused leaves no file', () => {
  const out = at('refused');
  const blocks = (size, ...more) => ['export', model, '--blocks', size, '-o', out, ...more];
  bad(blocks(33, '--quant', 'int8'), 2, /--blocks takes a multiple of 32, not 33/);
  bad(blocks(16, '--quant', 'int8'), 2, /--blocks/);
  assert.ok(!existsSync(out));
  expectNoParts(place);
});
