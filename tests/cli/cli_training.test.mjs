// What a training refuses before it reads anything, how it ends when numbers overflow, and what it says at its end.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bad, folder, good, training, writeTools } from './cli_harness.mjs';

const place = folder(after);
const data = writeTools(join(place, 'tools'));

test('impossible settings are refused, with the range, before the data are read', () => {
  const out = join(place, 'never');
  const missing = join(place, 'no-such-data');
  const refused = (model, setting, message) =>
    bad(['train', '--model', model, '--data', missing, '--out', out, '--set', setting], 2, message);
  refused('sasrec', 'heads=3', /heads = 3 does not divide the width 64/);
  refused('sasrec', 'heads=0', /option heads: "0" is not a whole number from 1 to 16/);
  refused('mind', 'interests=0', /option interests: "0" is not a whole number from 1 to 16/);
  refused('comirec', 'interests=0', /option interests: "0" is not a whole number from 1 to 16/);
  for (const model of ['mind', 'comirec', 'gru4rec', 'sasrec']) {
    refused(model, 'dropout=-0.1', /option dropout: "-0.1" is not a number from 0 to 0.95/);
    refused(model, 'cutoff=0', /option cutoff: "0" is not a whole number from 1 to 10000/);
    refused(model, 'dropuot=0.1', /there is no option "dropuot" for model/);
  }
  refused('sasrec', 'max_norm=-1', /option max_norm: "-1" is not a number from 0 to/);
  refused('sasrec', 'lr_every=0', /option lr_every: "0" is not a whole number from 1 to/);
  refused('sasrec', 'optimiser=sgd', /option optimiser: "sgd" is not one of adam,adagrad/);
  refused('sasrec', 'schedule=down', /option schedule: "down" is not one of constant,.*plateau/);
  refused('sasrec', 'sampler=in_batch', /sampler = in_batch .* sampled_softmax alone takes/);
  refused('mind', 'supervision=all', /supervision = all needs a state after every event/);
  assert.ok(!existsSync(out), 'a run was begun');
});

test('data in which no user has three events', () => {
  const path = join(place, 'short.txt');
  const out = join(place, 'short');
  writeFileSync(path, 'u1 a b\nu2 a\nu3 c a\n');
  for (const model of ['mind', 'sasrec']) {
    bad(
      ['train', '--model', model, '--data', path, '--out', out],
      1,
      /^pique train: no user has three events: one to learn from, one to validate/m,
    );
    assert.ok(!existsSync(out), 'a run was begun');
  }
});

/** The state in a checkpoint: JSON text in the metadata of a safetensors file. */
function stateOf(run) {
  const bytes = readFileSync(join(run, 'last.ckpt'));
  const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0)));
  return JSON.parse(JSON.parse(header).__metadata__['pique.state']);
}

test('weights that overflow stop the run at a step and a parameter; the last good checkpoint stays', () => {
  const run = join(place, 'overflow');
  // Each step takes a hundred times the weights off the weights.
  const command = training(data, run, '--epochs', 60, '--set', 'lr=10', '--set', 'weight_decay=10');
  const steps = [...command, '--set', 'schedule=constant', '--set', 'checkpoint_seconds=0'];
  const message = bad(steps, 1, /^pique train: step \d+: the gradient of [a-z.]+ is not finite/m);
  const step = Number(/step (\d+):/.exec(message)[1]);
  assert.ok(step > 1 && step < 60, message);
  assert.equal(stateOf(run).step, step - 1, 'the checkpoint is that of the step before');
  const checkpoint = readFileSync(join(run, 'last.ckpt'));
  const last = (text) => text.trimEnd().split('\n').at(-1);
  assert.equal(last(bad([...steps, '--resume'], 1, /step \d+: the gradient/)), last(message));
  assert.ok(readFileSync(join(run, 'last.ckpt')).equals(checkpoint));
});

test('training and evaluation say the most memory that they had in use', () => {
  const run = join(place, 'memory');
  const megabytes = (text) => Number(/(\d+) MB at most$/m.exec(text)[1]);
  const likely = (count) => assert.ok(count > 2 && count < 2000, `${count} MB`);
  likely(megabytes(good(training(data, run, '--epochs', 1))));
  const model = join(run, 'model.pique');
  likely(megabytes(good(['eval', model, '--data', data])));
  likely(JSON.parse(good(['eval', model, '--data', data, '--json'])).peak_bytes / 1e6);
});
