// Training gives the same bytes whatever happens on the way: killed and resumed, stopped by Ctrl-C and
// resumed, on one thread or two, today or tomorrow.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

const ROUNDS = 5;
const EPOCHS = 60;

const place = folder(after);
const data = writeTools(join(place, 'tools'));
const whole = join(place, 'whole');
// A metric that goes on rising, so that the last epochs decide which model is kept; and a checkpoint after
// nearly every step, so that most kills find one inside an epoch.
const options = [
  ...['metric=mrr', 'lr=0.001', 'schedule=constant'],
  ...['eval_every=6', 'checkpoint_seconds=0.001'],
];
const settings = options.flatMap((option) => ['--set', option]);
const args = (out, ...more) => training(data, out, '--epochs', EPOCHS, ...settings, ...more);
const modelOf = (run) => readFileSync(join(run, 'model.pique'));
let milliseconds;

/** What `pique eval` finds, without the time and the memory it takes. */
function metrics(run) {
  const result = JSON.parse(good(['eval', join(run, 'model.pique'), '--data', data, '--json']));
  for (const part of [result, result.popularity, result.item_knn]) {
    delete part.seconds;
    delete part.users_per_second;
    delete part.peak_bytes;
  }
  return result;
}

/** The lines of metrics.jsonl without times. */
function journal(run) {
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => ({ ...JSON.parse(line), seconds: 0, train_seconds: 0 }));
}

function expectSameRun(run, how) {
  assert.ok(modelOf(run).equals(modelOf(whole)), `another model ${how}`);
  assert.deepEqual(metrics(run), metrics(whole), how);
  assert.deepEqual(journal(run), journal(whole), how);
  assert.deepEqual(
    readFileSync(join(run, 'config.json')),
    readFileSync(join(whole, 'config.json')),
  );
  expectNoParts(run);
}

/** Starts training and sends the signal `delay` ms after its first checkpoint stands. */
async function interrupted(run, signal, delay, ...more) {
  const { child, ended } = start(args(run, ...more));
  let over = false;
  ended.then(() => {
    over = true;
  });
  while (!over && !existsSync(join(run, 'last.ckpt'))) {
    await sleep(1);
  }
  await sleep(delay);
  child.kill(signal);
  return ended;
}

before(() => {
  const began = performance.now();
  good(args(whole));
  milliseconds = performance.now() - began;
});

/** Kills a new run on its way; returns the moment in ms. */
async function killed(run) {
  for (let most = milliseconds / 2; most > 1; most /= 2) {
    const delay = Math.random() * most;
    const { signal, stderr } = await interrupted(run, 'SIGKILL', delay);
    if (signal === 'SIGKILL') {
      return delay;
    }
    assert.match(stderr, /epoch 60: loss/, 'it ended, but not because it was done');
    rmSync(run, { recursive: true }); // this machine is faster than it was: sooner
  }
  throw new Error('training ends before it can be killed');
}

for (let round = 1; round <= ROUNDS; round++) {
  test(`kill -9 at a random moment, then --resume: round ${round}`, async () => {
    const run = join(place, `killed-${round}`);
    const moments = [await killed(run), (Math.random() * milliseconds) / 4];
    await interrupted(run, 'SIGKILL', moments[1], '--resume');
    good(args(run, '--resume'));
    expectSameRun(run, `after kills at ${moments.map((ms) => ms.toFixed(1)).join(' and ')} ms`);
  });
}

test('Ctrl-C stops cleanly and tells how to go on', async () => {
  const run = join(place, 'stopped');
  const { code, signal, stderr } = await interrupted(run, 'SIGINT', milliseconds / 4);
  assert.equal(signal, null);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^pique train: stopped at step \d+; .*stopped can be resumed$/m);
  assert.match(stderr, /^the same command with --resume continues it$/m);
  good(args(run, '--resume'));
  expectSameRun(run, 'after Ctrl-C');
});

test('the same seed gives the same bytes, also on two threads; another seed does not', () => {
  const again = join(place, 'again');
  good([...args(again), '--threads', '2']);
  expectSameRun(again, 'on two threads');
  good(args(again)); // over what stands there
  expectSameRun(again, 'the second time');
  const other = join(place, 'other');
  good(args(other, '--seed', '2'));
  assert.ok(!modelOf(other).equals(modelOf(whole)));
});

test('--resume of a finished run changes nothing', () => {
  const checkpoint = readFileSync(join(whole, 'last.ckpt'));
  const model = modelOf(whole);
  good(args(whole, '--resume'));
  assert.deepEqual(modelOf(whole), model);
  assert.deepEqual(readFileSync(join(whole, 'last.ckpt')), checkpoint);
});

test('--resume without a checkpoint', () => {
  const run = join(place, 'nothing');
  bad(args(run, '--resume'), 1, /nothing\/last\.ckpt: nothing to resume, there is no such file/);
  assert.ok(!existsSync(run));
});

test('--resume with other options than the checkpoint’s', () => {
  const before = modelOf(whole);
  const other = (message, ...more) => bad(args(whole, '--resume', ...more), 2, message);
  other(/last\.ckpt was made with other options: seed was 1, now it is 9/, '--seed', '9');
  other(/other options: rounds was 3, now it is 2/, '--set', 'rounds=2');
  other(/other options: epochs was 60, now it is 7/, '--epochs', '7');
  const smaller = writeTools(join(place, 'smaller'), 80);
  const command = args(whole, '--resume').map((each) => (each === data ? smaller : each));
  bad(command, 2, /other options: data was .* now it is /);
  assert.deepEqual(modelOf(whole), before);
});

test('--resume from a damaged checkpoint', () => {
  const run = join(place, 'damaged');
  mkdirSync(run);
  for (const name of ['config.json', 'metrics.jsonl', 'model.pique']) {
    copyFileSync(join(whole, name), join(run, name));
  }
  const bytes = readFileSync(join(whole, 'last.ckpt'));
  const refused = (changed) => {
    writeFileSync(join(run, 'last.ckpt'), changed);
    const result = pique(args(run, '--resume'));
    assert.equal(result.code, 1, result.stderr);
    assert.match(result.stderr, /^pique train: .*last\.ckpt/m);
    assert.deepEqual(readFileSync(join(run, 'last.ckpt')), Buffer.from(changed));
  };
  refused(bytes.subarray(0, bytes.length / 2));
  refused('not a checkpoint');
  refused('');
});
