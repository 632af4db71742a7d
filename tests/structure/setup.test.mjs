// scripts/setup.sh on made-up machines: programs that it calls are stand-ins that write down how they
// were called, so nothing is installed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { projectRoot } from './tree.mjs';

const folder = mkdtempSync(join(tmpdir(), 'pique-setup-'));
after(() => rmSync(folder, { recursive: true }));

/** A project with only what the script looks at, and stand-ins for the machine's programs. */
function makeMachine(name, { user = '0', installed = 'nothing', sudo = false }) {
  const machine = join(folder, name);
  const bin = join(machine, 'bin');
  mkdirSync(join(machine, 'scripts'), { recursive: true });
  mkdirSync(bin);
  copyFileSync(join(projectRoot, 'scripts', 'setup.sh'), join(machine, 'scripts', 'setup.sh'));
  writeFileSync(join(machine, 'package-lock.json'), '{"version": 1}');
  const log = join(machine, 'calls');
  writeFileSync(log, '');
  const program = (file, body) => {
    writeFileSync(join(bin, file), `#!/bin/bash\n${body}\n`);
    chmodSync(join(bin, file), 0o755);
  };
  program('id', `echo ${user}`);
  // Arguments: -W -f=FORMAT package…
  const wanted = installed === 'all' ? 'shift 2; for p in "$@"; do echo "ii $p"; done' : 'exit 1';
  program('dpkg-query', wanted);
  program('apt-get', `echo "apt-get $*" >> ${log}`);
  program('npm', `echo "npm $*" >> ${log}; mkdir -p node_modules`);
  program('sudo', sudo ? '[ "$1" = -n ] && shift; "$@"' : 'exit 1');
  return {
    run(...args) {
      const env = { PATH: `${bin}:/usr/bin:/bin` };
      const script = join(machine, 'scripts', 'setup.sh');
      return spawnSync('bash', [script, ...args], { env, encoding: 'utf8', stdio: 'pipe' });
    },
    calls: () => readFileSync(log, 'utf8').split('\n').filter(Boolean),
    machine,
  };
}

test('as root on a fresh machine: packages, then npm ci without install scripts', () => {
  const fresh = makeMachine('fresh', {});
  assert.equal(fresh.run('demo').status, 0);
  const [update, install, npm] = fresh.calls();
  assert.equal(update, 'apt-get -q update');
  assert.match(install, /^apt-get -q install -y --no-install-recommends gcc .*emscripten/);
  assert.doesNotMatch(install, /chromium|clang-tidy/);
  assert.match(npm, /^npm ci --ignore-scripts/);
});

test('the test profile has the tools of the tests, and is the default', () => {
  const fresh = makeMachine('profile', {});
  assert.equal(fresh.run().status, 0);
  assert.match(
    fresh.calls()[1],
    /libcmocka-dev clang-tidy clang-format chromium firefox-esr webkit2gtk-driver xvfb/,
  );
});

test('through sudo where it asks for nothing', () => {
  const other = makeMachine('sudo', { user: '1000', sudo: true });
  assert.equal(other.run('demo').status, 0);
  assert.match(other.calls()[1], /^apt-get -q install .*gcc/);
});

test('without rights: the exact command, and failure', () => {
  const poor = makeMachine('poor', { user: '1000' });
  const result = poor.run('demo');
  assert.equal(result.status, 1);
  assert.match(result.stderr, /sudo apt-get update && sudo apt-get install -y .*gcc .*emscripten/);
  assert.deepEqual(poor.calls(), []);
});

test('with everything there nothing is called twice', () => {
  const ready = makeMachine('ready', { installed: 'all' });
  assert.equal(ready.run('demo').status, 0);
  assert.equal(ready.run('demo').status, 0);
  assert.equal(ready.calls().length, 1, 'npm ci once, apt-get never');
  assert.ok(existsSync(join(ready.machine, 'node_modules')));
  writeFileSync(join(ready.machine, 'package-lock.json'), '{"version": 2}');
  assert.equal(ready.run('demo').status, 0);
  assert.equal(ready.calls().length, 2, 'a changed lock installs again');
});

test('an unknown profile is refused', () => {
  assert.equal(makeMachine('wrong', {}).run('everything').status, 2);
});
