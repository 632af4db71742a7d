// pique recommend --ranker: one file retrieves, another ranks. They were trained on different data, which
// have most of their things in common.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bad, folder, good, pique, randomNumbers } from './cli_harness.mjs';

const place = folder(after);
const mind = join(place, 'mind', 'model.pique');
const pool = join(place, 'pool', 'model.pique');
const stranger = join(place, 'stranger', 'model.pique');

/** People who like things of their colour, `count` of which begin at `first`; some give their town. */
function writeRatings(name, { first, count, prefix = 'thing', towns = false }) {
  const random = randomNumbers(first + 3);
  const rows = ['user,item,timestamp,rating'];
  const users = ['user,town'];
  for (let person = 0; person < 120; person++) {
    users.push(`person-${person},${person % 2 ? 'Rome' : 'Oslo'}`);
    for (let n = 0; n < 16; n++) {
      const thing = first + Math.floor(random() * count);
      const stars = thing % 3 === person % 3 ? 5 : 2;
      rows.push(`person-${person},${prefix}-${thing},${1000 + n},${stars}`);
    }
  }
  const path = join(place, `${name}-data`);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'interactions.csv'), `${rows.join('\n')}\n`);
  if (towns) writeFileSync(join(path, 'users.csv'), `${users.join('\n')}\n`);
  return path;
}

function train(model, name, data) {
  const fixed = ['--threads', 1, '--epochs', 3, '--set', 'dim=8'];
  good(['train', '--model', model, '--data', data, '--out', join(place, name), ...fixed]);
}

const things = (numbers) => numbers.map((number) => `thing-${number}`).join(',');
const history = things([12, 15, 21, 30]);
const asked = ['recommend', mind, '--history', history, '--json'];
const items = (...more) => JSON.parse(good([...asked, ...more])).items;
const number = ({ id }) => Number(id.split('-')[1]);

before(() => {
  train('mind', 'mind', writeRatings('mind', { first: 0, count: 60, towns: true }));
  train('pool', 'pool', writeRatings('pool', { first: 6, count: 60 }));
  train('pool', 'stranger', writeRatings('stranger', { first: 0, count: 40, prefix: 'odd' }));
});

describe('recommend --ranker', () => {
  test('ranks what was retrieved, with the scores of `pique rank`', () => {
    for (const retrieve of [20, 40]) {
      const retrieved = items('-k', retrieve, '--exclude-seen');
      const known = retrieved.filter((item) => number(item) >= 6);
      assert.ok(known.length < retrieved.length, 'the ranker knows all of them');
      const candidates = known.map(({ id }) => id).join(',');
      const given = ['--history', history, '--candidates', candidates, '--json'];
      const expected = JSON.parse(good(['rank', pool, ...given])).items;
      const more = ['--ranker', pool, '--retrieve', retrieve, '--exclude-seen'];
      const ranked = items(...more, '-k', 12);
      assert.deepEqual(
        ranked.map(({ id, score, probability }) => ({ id, score, probability })),
        expected.slice(0, 12),
      );
      assert.notDeepEqual(
        ranked.map(({ id }) => id),
        known.slice(0, 12).map(({ id }) => id),
      );
    }
  });

  test('says how many the ranker does not know, and where in a file', () => {
    const more = ['--ranker', pool, '--retrieve', 60, '-k', 60];
    const result = pique([...asked, ...more]);
    const { length } = JSON.parse(result.stdout).items;
    const told = new RegExp(`ranking model does not know ${60 - length} of the items retrieved`);
    assert.ok(length >= 50 && length < 60, `${length}`);
    assert.match(result.stderr, told);
    const file = join(place, 'histories.txt');
    writeFileSync(file, `${history}\n${things([40])}\n`);
    const batch = pique(['recommend', mind, '--batch', file, ...more]);
    const lines = batch.stdout.trim().split('\n');
    assert.equal(batch.code, 0);
    assert.deepEqual(JSON.parse(lines[0]).items, JSON.parse(result.stdout).items);
    assert.notEqual(lines[0], lines[1]);
    assert.match(batch.stderr, /items retrieved; they are left out, line 2 of .*histories\.txt/);
  });

  test('reasons are those of retrieval; the table has probabilities', () => {
    const before = new Map(items('-k', 30, '--explain').map((item) => [item.id, item]));
    const ranked = items('--ranker', pool, '--retrieve', 30, '-k', 5, '--explain');
    assert.equal(ranked.length, 5);
    for (const { id, interest, reasons } of ranked) {
      assert.deepEqual(reasons, before.get(id).reasons);
      assert.equal(interest, before.get(id).interest);
    }
    const table = good([...asked.slice(0, -1), '--ranker', pool, '--retrieve', 30, '-k', 5]);
    assert.match(
      table,
      /^rank +score +probability +id\n +1 +-?\d+\.\d{4} +[01]\.\d{4} +thing-\d+\n/,
    );
    assert.ok(table.includes(`  ${ranked[4].id}\n`));
  });

  test('a profile may name the fields of either model', () => {
    assert.equal(items('--ranker', pool, '--profile', 'town=Rome', '-k', 3).length, 3);
    bad([...asked, '--ranker', pool, '--profile', 'zip=1'], 2, /no field "zip"/);
  });

  test('retrieve is at least -k', () => {
    const few = items('--ranker', pool, '--retrieve', 1, '-k', 20);
    const same = items('--ranker', pool, '--retrieve', 20, '-k', 20);
    assert.ok(few.length > 1);
    assert.deepEqual(few, same);
  });
});

describe('what does not go together', () => {
  test('a file of the other task is named, with what it is', () => {
    bad([...asked, '--ranker', mind], 1, /--ranker: .*mind\/model\.pique is a retrieval model/);
    const turned = ['recommend', pool, '--ranker', mind, '--history', history];
    bad(
      turned,
      1,
      /^pique recommend: .*pool\/model\.pique is a ranking model: it has no interests/,
    );
  });

  test('a ranker of another catalogue, a missing one, options without it', () => {
    bad([...asked, '--ranker', stranger], 1, /--history: the ranking model knows none/);
    const empty = ['recommend', mind, '--history', '', '--ranker', stranger];
    bad(empty, 1, /ranker: pool knows none of the 60 items retrieved/);
    bad([...asked, '--ranker', join(place, 'none.pique')], 1, /none\.pique: No such file/);
    bad([...asked, '--retrieve', 10], 2, /--retrieve takes --ranker too/);
    bad([...asked, '--ranker', pool, '--retrieve', 0], 2, /--retrieve/);
  });
});
