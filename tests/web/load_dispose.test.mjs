/** 1,000 loads and disposes leave nothing behind: neither on the heap nor in the engines' memories. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { dist } from './web_support.mjs';

const script = `
  import { invent } from ${JSON.stringify(new URL('./invented_model.mjs', import.meta.url).href)};
  import { load } from '${pathToFileURL(dist).href}/node.js';
  const model = invent(50);
  const never = new AbortController(); // lives on, as a page's own does
  async function visit() {
    const pique = await load(model, { signal: never.signal });
    await pique.history.add({ id: '0000007' });
    await pique.recommend({ count: 3, filter: (id) => id > '0000009' });
    await pique.dispose();
  }
  const used = async () => {
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      gc();
    }
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return heapUsed + external + arrayBuffers;
  };
  for (let i = 0; i < 100; i++) await visit();
  const before = await used();
  for (let i = 0; i < 1000; i++) await visit();
  console.log(JSON.stringify({ before, after: await used() }));
`;

test('1,000 loads and disposes leave the heap flat', (t) => {
  const args = ['--expose-gc', '--input-type=module', '-e', script];
  const { before, after } = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  const growth = after - before;
  t.diagnostic(`${before} bytes before, ${growth} more after`);
  assert.ok(growth < 1 << 20, `${growth} bytes more: over 1 KB a load`);
});
