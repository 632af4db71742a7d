// `pique train --seeds`: each seed as if it were trained alone, with mean and deviation over them.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  bad,
  expectNoParts,
  folder,
  good,
  pique,
  start,
  training,
  writeTools,
} from './cli_harness.mjs';

const place = folder(after);
const data = writeTools(join(place, 'tools'));
const out = join(place, 'runs');
const seeds = [7, 1, 3];
let told;

const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const modelOf = (...parts) => readFileSync(join(...parts, 'model.pique'));
const train = (to, ...more) =>
  training(data, to, '--epochs', 3, '--set', 'metric=ndcg', '--set', 'cutoff=5', ...more);

before(() => {
  told = good(train(out, '--seeds', seeds.join()));
});

test('each seed has a folder, and what training it alone makes', () => {
  assert.deepEqual(readdirSync(out).sort(), ['seed-1', 'seed-3', 'seed-7', 'seeds.json']);
  const alone = join(place, 'alone');
  good(train(alone, '--seed', 3));
  assert.ok(modelOf(out, 'seed-3').equals(modelOf(alone)));
  assert.ok(!modelOf(out, 'seed-1').equals(modelOf(alone)));
  expectNoParts(out);
});

test('seeds.json holds the metrics of each, their mean and deviation; stdout tells them', () => {
  const all = read(join(out, 'seeds.json'));
  assert.deepEqual(Object.keys(all), ['seeds', 'mean', 'deviation']);
  assert.deepEqual(
    all.seeds.map((each) => each.seed),
    seeds,
  );
  for (const each of all.seeds) {
    const file = join(out, `seed-${each.seed}`, 'model.pique');
    const { epoch, split, ...metrics } = JSON.parse(good(['info', file, '--json'])).metrics;
    assert.equal(split, 'valid');
    assert.deepEqual(each.metrics, { epoch, ...metrics });
    assert.equal(each.best_epoch, epoch);
    assert.equal(each.epochs, 3);
    assert.ok(each.seconds > 0);
    assert.equal(each.best_metric, metrics['ndcg@5']);
  }
  const values = all.seeds.map((each) => each.best_metric);
  const mean = values.reduce((sum, value) => sum + value, 0) / 3;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  assert.ok(new Set(values).size > 1);
  assert.ok(Math.abs(all.mean - mean) < 1e-12);
  assert.ok(Math.abs(all.deviation - Math.sqrt(squares / 2)) < 1e-12);
  const lines = told.trimEnd().split('\n');
  assert.equal(lines.length, 8);
  for (const [at, seed] of seeds.entries()) {
    assert.equal(lines[2 * at], `${join(out, `seed-${seed}`)}/model.pique`);
    assert.match(
      lines[2 * at + 1],
      new RegExp(
        `^seed ${seed}: best epoch \\d of 3, validation metric \\d\\.\\d{4}, [\\d.]+ seconds, \\d+ MB at most$`,
      ),
    );
  }
  assert.equal(lines[6], join(out, 'seeds.json'));
  const [, shownMean, shownDeviation] = lines[7].match(
    /^3 seeds: validation metric (\d\.\d{4}) in the mean, deviation (\d\.\d{4})$/,
  );
  assert.ok(Math.abs(shownMean - all.mean) <= 5e-5 + 1e-12);
  assert.ok(Math.abs(shownDeviation - all.deviation) <= 5e-5 + 1e-12);
});

test('a single seed has no deviation', () => {
  const one = join(place, 'one');
  assert.match(
    good(train(one, '--seeds', '5')),
    /^1 seed: validation metric \d\.\d{4} in the mean$/m,
  );
  assert.equal(read(join(one, 'seeds.json')).deviation, null);
});

test('interrupted, it goes on with --resume: the same seeds, the same numbers', async () => {
  const to = join(place, 'interrupted');
  const args = (...more) => train(to, '--seeds', seeds.join(), '--epochs', 40, ...more);
  const whole = join(place, 'whole');
  good(train(whole, '--seeds', seeds.join(), '--epochs', 40));
  const { child, ended } = start(args());
  while (!existsSync(join(to, 'seed-1', 'last.ckpt'))) {
    await sleep(1);
  }
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  assert.equal(code, 1, stderr);
  assert.match(stderr, /the same command with --resume continues it/);
  assert.ok(!existsSync(join(to, 'seeds.json')) && !existsSync(join(to, 'seed-3')));
  good(args('--resume'));
  const plain = (path) => {
    const { seeds: list, ...rest } = read(join(path, 'seeds.json'));
    return { ...rest, seeds: list.map((each) => ({ ...each, seconds: 0, peak_bytes: 0 })) };
  };
  assert.deepEqual(plain(to), plain(whole));
  for (const seed of seeds) {
    assert.ok(modelOf(to, `seed-${seed}`).equals(modelOf(whole, `seed-${seed}`)));
  }
});

test('nothing to resume, a place that cannot be written', () => {
  bad(train(join(place, 'never'), '--seeds', '1,2', '--resume'), 1, /nothing to resume/);
  const blocked = join(place, 'blocked');
  mkdirSync(join(blocked, 'seeds.json'), { recursive: true });
  const result = pique(train(blocked, '--seeds', '2', '--epochs', 1));
  assert.equal(result.code, 1);
  assert.match(result.stderr, /^pique train: .*blocked\/seeds\.json: /m);
  expectNoParts(blocked);
  rmSync(blocked, { recursive: true });
});
