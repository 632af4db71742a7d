// What the libraries export. Needs the native build and `nm`.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from './tree.mjs';

const build = join(process.env.PIQUE_BUILD ?? join(projectRoot, 'build'), 'native');

/** Names of the symbols in the output of nm; archives repeat a header per member. */
function symbolNames(output) {
  return output
    .split('\n')
    .map((line) => /^[0-9a-f]* *[A-Za-z] (\S+)$/.exec(line)?.[1])
    .filter((name) => name !== undefined);
}

const nm = (...args) => symbolNames(execFileSync('nm', args, { encoding: 'utf8' }));
const strangers = (names, allowed) => names.filter((name) => !allowed.test(name));

test('the shared library exports the public functions and nothing else', () => {
  const names = nm('-D', '--defined-only', join(build, 'libpique.so'));
  assert.ok(names.includes('pique_context_create'));
  assert.deepEqual(strangers(names, /^pique_/), []);
});

test('the static library defines only pique_ and pq_ names', () => {
  const names = nm('-g', '--defined-only', join(build, 'libpique.a'));
  assert.deepEqual(strangers(names, /^(pique|pq)_/), []);
});

test('both libraries have the same public functions', () => {
  const shared = nm('-D', '--defined-only', join(build, 'libpique.so')).sort();
  const archive = nm('-g', '--defined-only', join(build, 'libpique.a'));
  assert.deepEqual(archive.filter((name) => name.startsWith('pique_')).sort(), shared);
});

test('a stranger among the symbols is found', () => {
  const names = symbolNames('0000000000001139 T pique_open\n000000000000114a T helper\n\nx.c.o:\n');
  assert.deepEqual(names, ['pique_open', 'helper']);
  assert.deepEqual(strangers(names, /^pique_/), ['helper']);
});
