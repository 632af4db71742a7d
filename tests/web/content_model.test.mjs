/**
 * A model of content in the page's engine: the lists of the native program, related posts of the same topic, cold start
 * in the order of the table, and the reader's interests with the posts that feed them.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { run } from './parity_support.mjs';
import { importDist } from './web_support.mjs';

const { load } = await importDist('index.js');

const folder = mkdtempSync(path.join(tmpdir(), 'pique-content-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name) => path.join(folder, name);

const TOPICS = [
  'flour dough yeast oven crust crumb rye loaf',
  'sail harbour crew wind mast fjord anchor hull',
  '面粉 面团 烤箱 面包 发酵 酵母',
  'verb noun syntax clause grammar vowel dialect suffix',
].map((words) => words.split(' '));
const COUNT = 60;
const topicOf = (id) => Number(id.slice(1)) % TOPICS.length;

/** Post n is of topic n mod 4: four of its words, and one of the next topic's. */
function writePosts(file) {
  const rows = Array.from({ length: COUNT }, (_, n) => {
    const pick = (topic, step) => TOPICS[topic][(n * 5 + step * 3) % TOPICS[topic].length];
    const own = [0, 1, 2, 3].map((step) => pick(n % 4, step));
    return `p${n},${own[0]},${own.slice(1).join(' ')} ${pick((n + 1) % 4, 1)}`;
  });
  writeFileSync(file, ['id,title,text', ...rows, ''].join('\n'));
}

before(() => {
  writePosts(at('posts.csv'));
  for (const interests of [1, 4]) {
    const file = at(`f32-${interests}.pique`);
    run(['content', at('posts.csv'), '--interests', `${interests}`, '-o', file]);
    run(['export', file, '--quant', 'int8', '-o', at(`int8-${interests}.pique`)]);
  }
});

for (const name of ['f32-1', 'int8-1', 'f32-4', 'int8-4']) {
  describe(name, () => {
    let pique;
    before(async () => {
      pique = await load(readFileSync(at(`${name}.pique`)), { worker: false });
    });
    after(() => pique?.dispose());

    test('the lists are those of the native program', async () => {
      for (const context of [['p0'], ['p1', 'p9', 'p3'], ['p2', 'p5', 'p8', 'p11', 'p14', 'p17']]) {
        const args = ['--history', context.join(','), '-k', '12', '--exclude-seen', '--json'];
        const native = JSON.parse(run(['recommend', at(`${name}.pique`), ...args])).items;
        const { items } = await pique.recommend({ context, count: 12, exclude: { seen: true } });
        assert.deepEqual(
          items.map(({ id }) => id),
          native.map(({ id }) => id),
        );
      }
    });

    test('what is related is of the same topic', async () => {
      for (let n = 0; n < COUNT; n++) {
        const id = `p${n}`;
        const { items } = await pique.recommend({
          context: [id],
          count: 3,
          exclude: { ids: [id] },
        });
        for (const item of items) assert.equal(topicOf(item.id), topicOf(id), `${id}: ${item.id}`);
      }
    });

    test('a reader of whom nothing is known sees the first rows', async () => {
      const { items } = await pique.recommend({ context: [], count: 3 });
      assert.deepEqual(
        items.map(({ id }) => id),
        ['p0', 'p1', 'p2'],
      );
    });
  });
}

test('interests of a reader of two topics: some of the one alone, some of the other', async () => {
  const pique = await load(readFileSync(at('int8-4.pique')), { worker: false });
  const context = Array.from({ length: 16 }, (_, n) => `p${4 * (n >> 1) + (n % 2)}`);
  const interests = await pique.interests({ context });
  const topics = interests.map(({ because }) => new Set(because.map(topicOf)));
  const pure = topics.filter((found) => found.size === 1).map((found) => [...found][0]);
  assert.deepEqual([...new Set(pure)].sort(), [0, 1]);
  await pique.dispose();
});
