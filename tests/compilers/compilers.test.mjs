// One epoch of training by a program that gcc built and by one that clang built leaves the same parameters,
// on every instruction set of this machine. The test builds the second program itself, in
// build/native-clang; the first is the native preset's, whichever compiler that took.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { folder, writeTools } from '../cli/cli_harness.mjs';
import { projectRoot } from '../structure/tree.mjs';

const TOLERANCE = 1e-5;
const build = process.env.PIQUE_BUILD ?? join(projectRoot, 'build');
const native = join(build, 'native');
const other = join(build, 'native-clang');
const place = folder(after);
const data = join(place, 'data');

function run(program, args, env = {}) {
  return spawnSync(program, args.map(String), {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 1 << 26,
  });
}

function good(program, args, env) {
  const { status, stdout, stderr, error } = run(program, args, env);
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${error ?? stderr + stdout.slice(-2000)}`);
  return stdout;
}

/** clang by its plain name, or the newest of those with a number. */
function findClang() {
  const names = ['clang', ...Array.from({ length: 30 }, (_, i) => `clang-${40 - i}`)];
  const found = names.find((name) => run(name, ['--version']).status === 0);
  assert.ok(found, 'there is no clang: install it (Debian: clang)');
  return found;
}

const compilerOf = (folder) =>
  /CMAKE_C_COMPILER_ID "(\w+)"/.exec(
    run('grep', ['-rh', 'CMAKE_C_COMPILER_ID "', join(folder, 'CMakeFiles')]).stdout,
  )?.[1];

/** Name -> numbers of every parameter in a run's checkpoint (the moments of the optimiser left out). */
function parametersOf(path) {
  const bytes = readFileSync(join(path, 'last.ckpt'));
  const size = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + size).toString());
  const parameters = new Map();
  for (const [name, { data_offsets: offsets }] of Object.entries(header)) {
    if (offsets && !/^(first|second)\./.test(name)) {
      const [from, to] = offsets.map((at) => 8 + size + at);
      parameters.set(name, new Float32Array(bytes.buffer.slice(from, to)));
    }
  }
  return parameters;
}

before(() => {
  const clang = findClang();
  const set = ['-DCMAKE_BUILD_TYPE=Release', `-DCMAKE_C_COMPILER=${clang}`, '-DPIQUE_TESTS=OFF'];
  good('cmake', ['-S', projectRoot, '-B', other, ...set]);
  good('cmake', ['--build', other, '--target', 'pique_cli', '--parallel', 2]);
  const catalog = join(writeTools(join(place, 'tools')), 'items.csv');
  good(join(native, 'pique'), ['simulate', '--catalog', catalog, '--users', 300, '--out', data]);
});

test('the two programs come from two compilers', () => {
  assert.equal(compilerOf(other), 'Clang');
  assert.notEqual(compilerOf(native), compilerOf(other));
});

for (const model of ['sasrec', 'mind']) {
  for (const isa of ['scalar', 'v128', 'avx2', 'avx512']) {
    test(`${model} on ${isa}`, (t) => {
      const runs = [native, other].map((folder, i) => {
        const out = join(place, `${model}-${isa}-${i}`);
        const args = ['train', '--model', model, '--data', data, '--out', out, '--epochs', 1];
        const { status, stderr } = run(join(folder, 'pique'), args, { PIQUE_ISA: isa });
        const absent = /PIQUE_ISA: .*it can be/.test(stderr);
        assert.ok(status === 0 || absent, stderr);
        return absent ? null : parametersOf(out);
      });
      if (runs.includes(null)) {
        t.skip('not on this processor');
        return;
      }
      let largest = 0;
      assert.deepEqual([...runs[0].keys()], [...runs[1].keys()]);
      for (const [name, values] of runs[0]) {
        const others = runs[1].get(name);
        assert.ok(values.length > 0 && values.length === others.length);
        for (let i = 0; i < values.length; i++) {
          const away = Math.abs(values[i] - others[i]) / Math.max(1, Math.abs(values[i]));
          assert.ok(away <= TOLERANCE, `${name}[${i}]: ${values[i]} and ${others[i]}`);
          largest = Math.max(largest, away);
        }
      }
      t.diagnostic(`largest difference ${largest}`);
    });
  }
}
