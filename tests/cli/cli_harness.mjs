// What the tests of the command line share: running it, folders, an invented data set, expected outputs.
//
// PIQUE_BIN names the program; by default it is the native preset's. Expected outputs stand in expected/;
// UPDATE_EXPECTED=1 writes them anew.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

export const program = resolve(
  process.env.PIQUE_BIN ?? join(here, '..', '..', 'build', 'native', 'pique'),
);

const { PIQUE_ISA: _, ...plainEnv } = process.env;

function environment(env) {
  return { ...plainEnv, ...env };
}

/** Runs the program to its end: { code, signal, stdout, stderr }. */
export function pique(args, { env, cwd, stdio } = {}) {
  const result = spawnSync(program, args.map(String), {
    cwd,
    env: environment(env),
    stdio,
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 1 << 26,
  });
  if (result.error) {
    throw result.error;
  }
  return {
    code: result.status,
    signal: result.signal,
    stdout: result.stdout ?? '',
    stderr: result.stderr ?? '',
  };
}

/** The same, and it must succeed; returns stdout. */
export function good(args, options) {
  const result = pique(args, options);
  assert.equal(result.code, 0, `pique ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

/** Runs it and expects a failure that names what it should, and nothing on stdout. */
export function bad(args, code, message, options) {
  const result = pique(args, options);
  const shown = `pique ${args.join(' ')} -> ${result.code} ${result.signal}: ${result.stderr}`;
  assert.equal(result.code, code, shown);
  assert.match(result.stderr, message, shown);
  assert.equal(result.stdout, '', shown);
  return result.stderr;
}

/** Starts the program; `ended` resolves to { code, signal, stderr }. */
export function start(args, { env } = {}) {
  const child = spawn(program, args.map(String), {
    env: environment(env),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => done({ code, signal, stderr }));
  });
  return { child, ended };
}

/** A folder that goes when the test (or the file, with `after`) ends. */
export function folder(after) {
  const path = mkdtempSync(join(tmpdir(), 'pique-cli-'));
  after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** No half-written file anywhere below. */
export function expectNoParts(path) {
  if (existsSync(path)) {
    const names = readdirSync(path, { recursive: true }).map(String);
    assert.deepEqual(
      names.filter((name) => name.endsWith('.part')),
      [],
    );
  }
}

export function expectOutput(name, text) {
  const path = join(here, 'expected', name);
  if (process.env.UPDATE_EXPECTED) {
    writeFileSync(path, text);
  }
  assert.equal(text, readFileSync(path, 'utf8'), `differs from tests/cli/expected/${name}`);
}

/** Numbers from 0 to 1 that are the same in every run. */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Invented tools and their users, as a csv data set: tool-0 to tool-59 in six trades; a user works in
 * one or two trades.
 */
export function writeTools(path, users = 160) {
  const random = randomNumbers(7);
  const whole = (below) => Math.floor(random() * below);
  const items = ['item,title,trade'];
  for (let i = 0; i < 60; i++) {
    items.push(`tool-${i},Tool ${i},trade ${i % 6}`);
  }
  const events = ['user,item,timestamp'];
  for (let user = 0; user < users; user++) {
    const trades = [whole(6), whole(6)];
    const seen = new Set();
    for (let n = 0; n < 12; n++) {
      const item = whole(10) * 6 + trades[whole(2)];
      if (!seen.has(item)) {
        seen.add(item);
        events.push(`user-${user},tool-${item},${1600000000 + n * 1000 + user}`);
      }
    }
  }
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'items.csv'), `${items.join('\n')}\n`);
  writeFileSync(join(path, 'interactions.csv'), `${events.join('\n')}\n`);
  return path;
}

/** The arguments of a small training. */
export function training(data, out, ...more) {
  return [
    ...['train', '--model', 'mind', '--data', data, '--out', out, '--threads', 1],
    ...['--set', 'dim=8', '--set', 'hidden=16', '--set', 'batch=64', '--set', 'negatives=40'],
    ...more,
  ];
}
