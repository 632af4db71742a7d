// A full disk: a message, exit code 1, nothing half-written, and a run that goes on when there is room
// again. The disk is a small tmpfs, which only root may mount.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bad, expectNoParts, folder, good, training, writeTools } from './cli_harness.mjs';

const FULL = /: No space left on device$/m;

// Hooks run in their order: the disk goes before its folder.
after(() => spawnSync('umount', [disk], { stdio: 'ignore' }));
const place = folder(after);
const data = writeTools(join(place, 'tools'));
const run = join(place, 'run');
const disk = join(place, 'disk');
mkdirSync(disk);

function mount(...options) {
  return spawnSync('mount', ['-t', 'tmpfs', ...options, 'pique-test', disk]).status === 0;
}

/** Fills the disk until `free` bytes are left. */
function fill(free) {
  rmSync(join(disk, 'filler'), { force: true });
  const { stdout } = spawnSync('df', ['--output=avail', '--block-size=1', disk], {
    encoding: 'utf8',
  });
  const size = Number(stdout.trim().split('\n').at(-1)) - free;
  writeFileSync(join(disk, 'filler'), Buffer.alloc(size));
}

const skip = mount('-o', 'size=64k') ? false : 'a tmpfs cannot be mounted (not root)';

describe('a full disk', { skip }, () => {
  before(() => {
    good(training(data, run, '--epochs', 3));
  });

  test('export and simulate leave nothing', () => {
    fill(0);
    const small = join(disk, 'small.pique');
    bad(['export', join(run, 'model.pique'), '--quant', 'int8', '-o', small], 1, FULL);
    const out = join(disk, 'viewers');
    const catalog = join(data, 'items.csv');
    const simulate = ['simulate', '--catalog', catalog, '--users', 100, '--interests', 2];
    bad([...simulate, '--seed', 1, '--out', out], 1, FULL);
    assert.deepEqual(existsSync(out) ? readdirSync(out) : [], []);
    assert.ok(!existsSync(small));
    expectNoParts(disk);
  });

  test('an old file stays whole when the new one does not fit', () => {
    rmSync(join(disk, 'filler'), { force: true });
    const small = join(disk, 'kept.pique');
    good(['export', join(run, 'model.pique'), '--quant', 'int8', '-o', small]);
    const before = readFileSync(small);
    fill(0);
    bad(['export', join(run, 'model.pique'), '--quant', 'f32', '-o', small], 1, FULL);
    assert.deepEqual(readFileSync(small), before);
    rmSync(small);
    expectNoParts(disk);
  });

  test('a run that never fits', () => {
    fill(4096);
    const out = join(disk, 'never');
    bad(training(data, out, '--epochs', 3), 1, FULL);
    assert.ok(!existsSync(join(out, 'model.pique')) && !existsSync(join(out, 'last.ckpt')));
    expectNoParts(out);
    rmSync(out, { recursive: true });
  });

  test('a run that fills the disk on its way goes on when there is room', () => {
    // Room for config.json and the first checkpoint, and then for nothing more.
    const sizes = ['config.json', 'last.ckpt'].map((name) => statSync(join(run, name)).size);
    fill(sizes.reduce((sum, size) => sum + Math.ceil(size / 4096) * 4096, 0));
    const out = join(disk, 'later');
    bad(training(data, out, '--epochs', 3), 1, FULL);
    assert.ok(existsSync(join(out, 'last.ckpt')));
    assert.ok(!existsSync(join(out, 'model.pique')));
    expectNoParts(out);
    rmSync(join(disk, 'filler'));
    assert.ok(mount('-o', 'remount,size=4m'));
    good(training(data, out, '--epochs', 3, '--resume'));
    assert.deepEqual(
      readFileSync(join(out, 'model.pique')),
      readFileSync(join(run, 'model.pique')),
    );
  });
});
