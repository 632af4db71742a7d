// Distillation by the command line: a small student, its run's files, and teachers that are refused.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bad, folder, good, randomNumbers } from './cli_harness.mjs';

const place = folder(after);
const data = join(place, 'data');
const teacher = join(place, 'teacher');
const file = join(teacher, 'model.pique');
const small = join(place, 'small.pique');

/** Users walk through 20 tools in order; every other step they like. */
function writeData() {
  const random = randomNumbers(5);
  const events = ['user,item,timestamp,rating'];
  for (let user = 0; user < 60; user++) {
    const first = Math.floor(random() * 20);
    for (let n = 0; n < 8; n++) {
      events.push(`u${user},tool-${(first + n) % 20},${1000 + n},${n % 2 ? 5 : 4}`);
    }
  }
  mkdirSync(data);
  writeFileSync(join(data, 'interactions.csv'), `${events.join('\n')}\n`);
}

const training = (model, out, ...more) => [
  ...['train', '--model', model, '--data', data, '--out', join(place, out), '--threads', 1],
  ...['--set', 'dim=8', '--set', 'dropout=0', '--epochs', 4, ...more],
];
const journal = (out) =>
  readFileSync(join(place, out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(JSON.parse);

before(() => {
  writeData();
  good(training('sasrec', 'teacher', '--set', 'dim=16'));
  good(['export', file, '--quant', 'int8', '-o', small]);
});

test('a student has two parts of its loss, and its configuration names the teachers', () => {
  good(training('gru4rec', 'student', '--teacher', `${file},${small}`, '--set', 'kd.alpha=0.5'));
  for (const line of journal('student')) {
    assert.ok(line.soft_loss > 0 && line.soft_loss < line.loss);
  }
  const config = JSON.parse(readFileSync(join(place, 'student', 'config.json'), 'utf8'));
  assert.equal(config.teacher, `${file},${small}`);
  assert.match(config.teacher_crc32, /^[0-9a-f]{8},[0-9a-f]{8}$/);
  assert.deepEqual([config['kd.alpha'], config['kd.temperature']], [0.5, 4]);
});

test('the configuration of a run starts another one', () => {
  const from = join(place, 'student', 'config.json');
  good(training('gru4rec', 'again', '--teacher', `${file},${small}`, '--config', from));
  assert.deepEqual(
    readFileSync(join(place, 'again', 'model.pique')),
    readFileSync(join(place, 'student', 'model.pique')),
  );
});

test('each seed learns from the teacher', () => {
  good(training('sasrec', 'seeds', '--teacher', file, '--seeds', '1,2'));
  assert.ok(journal('seeds/seed-2')[0].soft_loss > 0);
});

test('eval measures several models as one', () => {
  const measure = (...more) =>
    JSON.parse(good(['eval', file, '--data', data, '--json', '--no-baselines', ...more]));
  const student = join(place, 'student', 'model.pique');
  const [alone, together, twice] = [[], ['--with', student], ['--with', file]].map((more) =>
    measure(...more),
  );
  assert.notEqual(together.mrr, alone.mrr);
  assert.equal(twice.mrr, alone.mrr); // the order of a distribution is that of its scores
  bad(['eval', file, '--data', data, '--with', 'no.pique'], 1, /no\.pique/);
  const nine = Array.from({ length: 8 }, () => ['--with', file]).flat();
  bad(['eval', file, '--data', data, ...nine], 2, /--with: an ensemble has at most 8 models/);
});

test('teachers stand in one list', () => {
  const twice = training('sasrec', 'no', '--teacher', file, '--teacher', small);
  bad(twice, 2, /--teacher is given twice; write --teacher F,F,\.\.\./);
});

test('a teacher that is no model, or one for the other task, is refused', () => {
  const broken = join(place, 'no.pique');
  writeFileSync(broken, 'no model');
  bad(training('mind', 'no', '--teacher', broken), 1, /no\.pique: not a model file/);
  const other = /is a model for retrieval; a model for ranking cannot learn from it/;
  bad(training('din', 'no', '--teacher', file), 2, other);
});
