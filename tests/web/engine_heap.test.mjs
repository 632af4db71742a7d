/** The engine's own memory: blocks that do not touch each other, given back and used again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDist } from './web_support.mjs';

async function start() {
  const seen = { growths: 0 };
  const imports = { env: { emscripten_notify_memory_growth: () => seen.growths++ } };
  const { instance } = await WebAssembly.instantiate(readDist('core.wasm'), imports);
  const { exports } = instance;
  exports._initialize?.();
  const js = exports.pique_js_create();
  assert.ok(js);
  return {
    seen,
    alloc: (size) => exports.pique_js_alloc(js, size) >>> 0,
    release: (block) => exports.pique_js_release(js, block),
    memory: exports.memory,
  };
}

/** The same numbers in every run. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('blocks keep what is written into them, whatever comes and goes beside them', async () => {
  const { alloc, release, memory } = await start();
  const next = numbers(7);
  const blocks = [];
  const check = ({ at, size, mark }) => {
    const bytes = new Uint8Array(memory.buffer, at, size);
    assert.ok(
      bytes.every((byte) => byte === mark),
      `block ${mark} at ${at}`,
    );
  };
  for (let turn = 0; turn < 6000; turn++) {
    if (blocks.length > 0 && next(100) < 48) {
      const [block] = blocks.splice(next(blocks.length), 1);
      check(block);
      release(block.at);
    } else {
      const size = 1 + next(next(20) === 0 ? 300_000 : 600);
      const at = alloc(size);
      assert.ok(at > 0 && at % 16 === 0 && at + size <= memory.buffer.byteLength, `${at}`);
      const block = { at, size, mark: turn % 256 };
      new Uint8Array(memory.buffer, at, size).fill(block.mark);
      blocks.push(block);
    }
  }
  assert.ok(blocks.length > 100);
  blocks.forEach(check);
});

test('what was given back in any order is one block again', async () => {
  const { alloc, release, seen } = await start();
  const next = numbers(11);
  const blocks = Array.from({ length: 300 }, () => alloc(40_000));
  assert.ok(seen.growths > 0 && blocks.every(Boolean));
  const grown = seen.growths;
  while (blocks.length > 0) release(blocks.splice(next(blocks.length), 1)[0]);
  for (let i = 0; i < 20; i++) {
    const whole = alloc(300 * 40_000);
    assert.ok(whole);
    release(whole);
  }
  assert.equal(seen.growths, grown);
});

test('pages that the host adds are used, and what is too much is refused', async () => {
  const { alloc, memory, seen } = await start();
  memory.grow(200);
  assert.ok(alloc(199 * 65_536));
  assert.equal(seen.growths, 0);
  for (const size of [0xffffffff, 0xfffffff0, 0xffffff00, 0xf0000000]) {
    assert.equal(alloc(size), 0, `${size} bytes`);
  }
  assert.ok(alloc(100), 'it still works');
});
