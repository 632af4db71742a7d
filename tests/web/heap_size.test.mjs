/** The page holds one copy of the weights: the heap beside the unpacked file, for big invented catalogues. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invent, WIDTH } from './invented_model.mjs';
import { importDist, watchHeaps } from './web_support.mjs';

const { load } = await importDist('index.js');
for (const [items, most] of [
  [100_000, 1.3],
  [1_000_000, 1.15],
]) {
  test(`${items} items of ${WIDTH}: the heap is at most ${most} of the file`, async (t) => {
    const file = invent(items);
    const seen = watchHeaps();
    t.after(seen.restore);
    const pique = await load(new Blob([file]), { worker: false });
    const { items: list } = await pique.recommend({ context: ['0000007', '0000042'], count: 20 });
    assert.equal(list.length, 20);
    const heap = seen.memories[0].buffer.byteLength;
    console.log(
      `${items} items: ${heap} bytes of heap, ${(heap / file.length).toFixed(3)} of the file, ${seen.growths} growths`,
    );
    assert.equal(seen.growths, 1, 'it grows once');
    assert.ok(heap <= most * file.length, `${heap} of ${file.length}`);
    await pique.dispose();
  });
}
