// The pairs that the demo's ranker learns from; the viewers and films here are invented.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { historyLines, readViewers, writeLabels } from '../../scripts/film-labels.mjs';

const folder = mkdtempSync(join(tmpdir(), 'pique-labels-'));
after(() => rmSync(folder, { recursive: true }));

const data = join(folder, 'viewers');
mkdirSync(data);
writeFileSync(join(data, 'items.csv'), 'item,title\na,A\n');
writeFileSync(join(data, 'about.txt'), 'Nobody is real.\n');
const events = ['v1,a,10', 'v1,b,20', 'v1,c,30', 'v2,d,15', 'v2,a,25'];
writeFileSync(join(data, 'interactions.csv'), `user,item,timestamp\n${events.join('\n')}\n`);
const viewers = readViewers(data);
const shown = [
  ['x', 'd'],
  ['d', 'a'], // all watched: everything comes from what others watched
];

function label(name, seed) {
  const out = join(folder, name);
  writeLabels({ viewers, shown, data, out, seed });
  const text = readFileSync(join(out, 'interactions.csv'), 'utf8');
  return {
    out,
    text,
    rows: text
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',')),
  };
}

test('a line for each viewer, oldest first', () => {
  assert.equal(historyLines(viewers), 'a,b,c\nd,a\n');
});

test('every film watched, after two that were not, at the same time', () => {
  const { out, rows } = label('one', 1);
  assert.equal(rows.length, 3 * events.length);
  rows.forEach(([user, item, time, given], i) => {
    const [viewer, watched, when] = events[Math.floor(i / 3)].split(',');
    const own = viewers.get(viewer).map((event) => event.item);
    assert.deepEqual([user, time, given], [viewer, when, i % 3 === 2 ? '1' : '0']);
    assert.ok(i % 3 === 2 ? item === watched : !own.includes(item), `${rows[i]}`);
  });
  const drawn = new Set(
    rows.filter((row) => row[0] === 'v1' && row[3] === '0').map((row) => row[1]),
  );
  assert.deepEqual(
    [...drawn].sort(),
    ['d', 'x'],
    'from what was shown and from what others watched',
  );
  assert.equal(readFileSync(join(out, 'items.csv'), 'utf8'), 'item,title\na,A\n');
  assert.match(readFileSync(join(out, 'about.txt'), 'utf8'), /^Nobody is real\. Films watched/);
});

test('the seed decides', () => {
  assert.equal(label('two', 1).text, label('three', 1).text);
  assert.notEqual(label('four', 2).text, label('five', 1).text);
});
