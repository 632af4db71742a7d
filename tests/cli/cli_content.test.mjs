// `pique content`: related items of the same topic from texts alone, in two scripts, also as int8; the same bytes
// whatever the machine; clear words about bad tables.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bad, expectNoParts, folder, good, pique } from './cli_harness.mjs';

// Two topics in English, two in Chinese; neighbours share few words.
const posts = [
  ['bread', 'Sourdough bread', '<p>Flour, water &amp; yeast: let the dough rest.</p>', 'baking', 1],
  ['rye', 'Rye loaves', 'A dough of rye flour needs a hot oven.', 'baking', 2],
  ['rolls', 'Breakfast rolls', 'Yeast dough, shaped small, in a hot oven.', 'baking', 3],
  ['fjord', 'Sailing the fjord', 'Wind and sails: the boat leaves the harbour.', 'sailing', 4],
  ['knots', 'Knots for a boat', 'The crew ties sails in the harbour.', 'sailing', 9],
  ['race', 'A boat race', 'Wind, crew and sails off the fjord.', 'sailing', 6],
  ['mianbao', '面包的做法', '面粉和水做成面团，放进烤箱。', '烘焙', 7],
  ['kaoxiang', '烤箱面包', '面团发酵以后放进烤箱。', '烘焙', 8],
  ['fanchuan', '帆船入门', '风大的时候，船员收起船帆。', '航海', 5],
  ['gangkou', '港口的帆船', '船员在港口整理船帆。', '航海', 0],
];
const topics = [
  ['bread', 'rye', 'rolls'],
  ['fjord', 'knots', 'race'],
  ['mianbao', 'kaoxiang'],
  ['fanchuan', 'gangkou'],
];
const quote = (cell) => `"${String(cell).replaceAll('"', '""')}"`;
const table = (rows) => `${rows.map((row) => row.map(quote).join(',')).join('\n')}\n`;
const csv = table([['id', 'title', 'text', 'tags', 'popularity'], ...posts]);

const ids = (file, history, ...more) =>
  JSON.parse(
    good(['recommend', file, '--history', history, '-k', 9, '--exclude-seen', '--json', ...more]),
  ).items.map(({ item, id }) => id ?? item);

describe('pique content', () => {
  const dir = folder(after);
  const items = join(dir, 'items.csv');
  const file = join(dir, 'posts.pique');

  before(() => {
    writeFileSync(items, csv);
    assert.match(good(['content', items, '--out', file]), /posts\.pique: 10 items, .*width 64/);
  });

  test('what is related is of the same topic, also as int8', () => {
    const int8 = join(dir, 'int8.pique');
    good(['export', file, '--quant', 'int8', '-o', int8]);
    for (const model of [file, int8]) {
      for (const topic of topics) {
        for (const id of topic) {
          const others = topic.filter((other) => other !== id);
          assert.deepEqual(ids(model, id).slice(0, others.length).sort(), others.sort(), id);
        }
      }
    }
  });

  test('a history of two topics finds what is near either, and what won is explained', () => {
    assert.deepEqual(ids(file, 'rye,rolls').slice(0, 1), ['bread']);
    const both = ids(file, 'bread,knots').slice(0, 4).sort();
    assert.deepEqual(both, ['fjord', 'race', 'rolls', 'rye']);
    const explained = good(['recommend', file, '--history', 'rye,knots', '--explain', '--json']);
    assert.match(explained, /knots/);
  });

  test('several interests show both of what a reader reads', () => {
    const several = join(dir, 'several.pique');
    good(['content', items, '--interests', 4, '--out', several]);
    const first = ids(several, 'bread,rye,mianbao,fjord,knots').slice(0, 3);
    assert.ok(first.includes('rolls') && first.includes('race'), `${first}`);
  });

  test('without a history the popular posts come first, without such a column the first rows', () => {
    const plain = join(dir, 'plain.csv');
    writeFileSync(plain, table([['url', 'title'], ...posts.map((post) => post.slice(0, 2))]));
    const out = join(dir, 'plain.pique');
    good(['content', plain, '-o', out]);
    assert.deepEqual(ids(file, '').slice(0, 3), ['knots', 'kaoxiang', 'mianbao']);
    assert.deepEqual(ids(out, '').slice(0, 3), ['bread', 'rye', 'rolls']);
    good(['content', items, '--popularity', 'popularity', '-o', out]);
    assert.deepEqual(readFileSync(out), readFileSync(file));
  });

  test('tags are a column of categories, so lists can be spread over them', () => {
    assert.match(good(['info', file]), /categories\s+tags/);
    const spread = ids(file, 'bread,rye', '--diversity', 5);
    assert.notDeepEqual(spread, ids(file, 'bread,rye'));
  });

  test('columns of other names, and several of text', () => {
    const renamed = join(dir, 'renamed.csv');
    const out = join(dir, 'renamed.pique');
    const rows = posts.map(([id, title, text, tags]) => [title, '', id, text, tags]);
    writeFileSync(renamed, table([['name', 'summary', 'slug', 'body', 'topics'], ...rows]));
    const columns = ['--id', 'slug', '--title', 'name', '--text', 'summary,body'];
    good(['content', renamed, ...columns, '--tags', 'topics', '-o', out]);
    assert.deepEqual(ids(out, 'bread').slice(0, 2), ids(file, 'bread').slice(0, 2));
    assert.deepEqual(ids(out, '').slice(0, 2), ['bread', 'rye']);
  });

  test('the same bytes for any instruction set and number of threads', () => {
    const out = join(dir, 'again.pique');
    for (const env of [{ PIQUE_ISA: 'scalar' }, { OMP_NUM_THREADS: '1' }, { PIQUE_ISA: 'v128' }]) {
      good(['content', items, '-o', out], { env });
      assert.deepEqual(readFileSync(out), readFileSync(file), JSON.stringify(env));
    }
    good(['content', items, '--seed', 2, '-o', out]);
    assert.notDeepEqual(readFileSync(out), readFileSync(file));
  });

  test('says what is unrelated or is no UTF-8', () => {
    const odd = join(dir, 'odd.csv');
    const out = join(dir, 'odd.pique');
    writeFileSync(
      odd,
      Buffer.from('id,title\n1,caf\xe9 au lait\n2,lait\n3,nothing else\n', 'latin1'),
    );
    const { code, stderr } = pique(['content', odd, '-o', out]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /1 items have texts that are not valid UTF-8/);
    assert.match(stderr, /1 items share no word with any other/);
    assert.equal(ids(out, '3').length, 2);
  });

  test('bad input', () => {
    const out = join(dir, 'bad.pique');
    const write = (text) => {
      writeFileSync(join(dir, 'bad.csv'), text);
      return ['content', join(dir, 'bad.csv'), '-o', out];
    };
    bad(['content', join(dir, 'none.csv'), '-o', out], 1, /none\.csv: No such file/);
    bad(['content', '-o', out], 2, /ITEMS\.csv/);
    bad(['content', items], 2, /--out/);
    bad(['content', items, '--dim', 3, '-o', out], 2, /--dim/);
    bad(
      ['content', items, '--title', 'headline', '-o', out],
      1,
      /no column "headline"; the header/,
    );
    bad(write(''), 1, /the file is empty/);
    bad(write('id,title\n'), 1, /no items/);
    bad(write('id,title\n1,a\n1,b\n'), 1, /bad\.csv:3: the id stands twice/);
    bad(write('id,year\n1,2000\n'), 1, /no column "text"/);
    bad(['content', items, '-o', join(dir, 'no/such/dir.pique')], 1, /dir\.pique/);
    bad(['content', items, '-o', dir], 1, /directory/i);
    expectNoParts(dir);
  });
});
