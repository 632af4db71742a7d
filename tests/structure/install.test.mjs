// Installs the native build into a folder, moves that folder, and builds small programs against it:
// by pkg-config and by find_package, in C and in C++. Moving it shows that nothing installed
// remembers where it was put.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { projectRoot } from './tree.mjs';

const build = join(process.env.PIQUE_BUILD ?? join(projectRoot, 'build'), 'native');
const consumer = join(projectRoot, 'tests', 'structure', 'consumer');
const folder = mkdtempSync(join(tmpdir(), 'pique-install-'));
const prefix = join(folder, 'moved');
let libraries;

function run(program, args, env = {}) {
  return execFileSync(program, args, { encoding: 'utf8', env: { ...process.env, ...env } });
}

before(() => {
  const first = join(folder, 'first');
  run('cmake', ['--install', build, '--prefix', first]);
  renameSync(first, prefix);
  const pc = run('find', [prefix, '-name', 'pique.pc']).trim();
  libraries = join(pc, '..', '..');
});

after(() => rmSync(folder, { recursive: true }));

/** The program prints the version, then the list of models. */
function checkProgram(path) {
  const output = run(path, [], { LD_LIBRARY_PATH: libraries });
  const [version, models] = [
    output.slice(0, output.indexOf(' ')),
    output.slice(output.indexOf(' ')),
  ];
  assert.match(version, /^\d+\.\d+\.\d+$/);
  assert.match(models, /"mind"/);
  assert.doesNotThrow(() => JSON.parse(models));
}

function flags(...options) {
  const env = { PKG_CONFIG_PATH: join(libraries, 'pkgconfig') };
  return run('pkg-config', [...options, 'pique'], env)
    .trim()
    .split(/\s+/);
}

test('headers and command line are installed', () => {
  for (const name of ['include/pique.h', 'include/pique_train.h', 'bin/pique']) {
    assert.ok(existsSync(join(prefix, name)), name);
  }
  assert.match(run(join(prefix, 'bin', 'pique'), ['models', '--json']), /"mind"/);
});

test('pkg-config: C with the shared library', () => {
  const out = join(folder, 'pc_c');
  const strict = ['-std=c99', '-Wall', '-Wextra', '-Wpedantic', '-Werror'];
  run('cc', [...strict, join(consumer, 'consumer.c'), '-o', out, ...flags('--cflags', '--libs')]);
  checkProgram(out);
});

test('pkg-config: C++ with the shared library', () => {
  const out = join(folder, 'pc_cpp');
  const strict = ['-std=c++11', '-Wall', '-Wextra', '-Wpedantic', '-Werror'];
  const source = join(consumer, 'consumer_cpp.cpp');
  run('c++', [...strict, source, '-o', out, ...flags('--cflags', '--libs')]);
  checkProgram(out);
});

test('pkg-config --static names what the static library needs', () => {
  const out = join(folder, 'pc_static');
  const link = flags('--static', '--libs').map((flag) =>
    flag === '-lpique' ? '-l:libpique.a' : flag,
  );
  run('cc', [join(consumer, 'consumer.c'), '-o', out, ...flags('--cflags'), ...link]);
  checkProgram(out);
});

test('find_package: C, C++, shared and static', () => {
  const out = join(folder, 'cmake');
  run('cmake', ['-S', consumer, '-B', out, `-DCMAKE_PREFIX_PATH=${prefix}`]);
  run('cmake', ['--build', out]);
  for (const name of ['consumer_c', 'consumer_static', 'consumer_cpp']) {
    checkProgram(join(out, name));
  }
});
