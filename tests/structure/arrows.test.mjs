import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrows, checkArrows } from './arrows.mjs';
import { readTree } from './tree.mjs';

const tree = (files) => Object.entries(files).map(([path, text]) => ({ path, text }));

test('the includes of the project follow the arrows', () => {
  const files = readTree();
  assert.ok(files.some((file) => file.path === 'src/kernels/vec.h'));
  assert.deepEqual(checkArrows(files), []);
});

test('the arrows form no circle', () => {
  const visit = (room, path) => {
    assert.ok(!path.includes(room), `circle: ${[...path, room].join(' -> ')}`);
    for (const next of arrows[room] ?? []) {
      visit(next, [...path, room]);
    }
  };
  for (const room of Object.keys(arrows)) {
    visit(room, []);
  }
});

test('an include against an arrow is found, with its line', () => {
  const files = tree({
    'src/base/low.h': '',
    'src/graph/high.h': '#include "base/low.h"\n',
    'src/base/low.c': '#include "base/low.h"\n#include "graph/high.h"\n',
  });
  assert.deepEqual(checkArrows(files), [
    'src/base/low.c:2: src/base must not include src/graph (src/graph/high.h)',
  ]);
});

test('the core does not include native, nor the training header', () => {
  const files = tree({
    'src/pique.h': '',
    'src/pique_train.h': '#include "pique.h"\n',
    'native/data/rows.h': '#include "pique_train.h"\n',
    'src/api/session.c':
      '#include "pique.h"\n#include "native/data/rows.h"\n#include "pique_train.h"\n',
  });
  assert.deepEqual(checkArrows(files), [
    'src/api/session.c:2: src/api must not include native/data (native/data/rows.h)',
    'src/api/session.c:3: src/api must not include src/pique_train.h',
  ]);
});

test('the command line sees the public headers and its own', () => {
  const files = tree({
    'src/pique.h': '',
    'src/pique_train.h': '',
    'src/base/low.h': '',
    'native/cli/options.h': '',
    'native/cli/main.c':
      '#include "options.h"\n#include "pique.h"\n#include "pique_train.h"\n#include "base/low.h"\n',
  });
  assert.deepEqual(checkArrows(files), [
    'native/cli/main.c:4: native/cli must not include src/base (src/base/low.h)',
  ]);
});

test('SIMDe belongs to vec.h alone', () => {
  const include = '#include <simde/wasm/simd128.h>\n';
  const files = tree({ 'src/kernels/vec.h': include, 'src/kernels/other.h': include });
  assert.deepEqual(checkArrows(files), [
    'src/kernels/other.h:1: only src/kernels/vec.h may include SIMDe',
  ]);
});

test('a new room and a header from nowhere are found', () => {
  const files = tree({ 'src/attic/box.c': '', 'src/base/low.c': '#include "gone.h"\n' });
  assert.deepEqual(checkArrows(files), [
    'src/attic/box.c: src/attic is not a room of the house',
    'src/base/low.c:1: includes "gone.h", which is not in the tree (outside headers go between < and >)',
  ]);
});
