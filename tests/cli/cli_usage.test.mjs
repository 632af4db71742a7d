// Usage: help, version, wrong options. Wrong usage ends with exit code 2 and does nothing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bad, expectOutput, folder, good, pique, program, writeTools } from './cli_harness.mjs';

const commands = [
  'train',
  'pretrain',
  'content',
  'eval',
  'export',
  'recommend',
  'info',
  'models',
  'simulate',
];
const place = folder(after);
const data = writeTools(join(place, 'tools'));
const out = join(place, 'run');

test('the help lists every command', () => {
  const text = good(['help']);
  expectOutput('help.txt', text);
  for (const command of commands) {
    assert.match(text, new RegExp(`^ {2}${command} +\\S`, 'm'));
  }
  assert.equal(good(['--help']), text);
  const alone = pique([]);
  assert.equal(alone.code, 2);
  assert.equal(alone.stderr, text);
});

for (const command of commands) {
  test(`the help of ${command}`, () => {
    const text = good(['help', command]);
    expectOutput(`help-${command}.txt`, text);
    assert.equal(good([command, '--help']), text);
    assert.equal(good([command, '-h', '--nonsense']), text);
  });
}

test('the version is the package’s', async () => {
  const { default: packed } = await import('../../package.json', { with: { type: 'json' } });
  assert.equal(good(['--version']), `pique ${packed.version}\n`);
});

test('an unknown command, with a guess at what was meant', () => {
  bad(['trian'], 2, /^pique: there is no command "trian"; did you mean train\?$/m);
  bad(['frobnicate'], 2, /^pique: there is no command "frobnicate"$/m);
  bad(['help', 'evla'], 2, /did you mean eval\?/);
});

test('an unknown option, with a guess at what was meant', () => {
  bad(
    ['train', '--modle', 'mind'],
    2,
    /^pique train: there is no option "--modle"; did you mean --model\?$/m,
  );
  bad(['train', '--thr', '2'], 2, /did you mean --threads\?/);
  bad(['info', '--jsn', 'x'], 2, /did you mean --json\?/);
  bad(['eval', '--zzzzzz=4', 'x'], 2, /^pique eval: there is no option "--zzzzzz"$/m);
  bad(['recommend', '-q', 'x'], 2, /^pique recommend: there is no option "-q"$/m);
});

test('options that are missing, empty or too many', () => {
  bad(['train', '--data', data, '--out', out], 2, /^pique train: --model NAME is missing$/m);
  bad(['train', '--model', 'mind', '--out', out], 2, /--data PATH is missing/);
  bad(['train', '--model', 'mind', '--data', data], 2, /--out RUN is missing/);
  bad(['train', '--model'], 2, /--model needs a value: NAME/);
  bad(['train', '--out', '--resume'], 2, /--out needs a value: RUN/);
  bad(['info'], 2, /^pique info: FILE is missing$/m);
  bad(['info', 'a', 'b'], 2, /what is "b" for\?/);
  bad(['info', 'a', '--json=yes'], 2, /--json takes no value/);
  bad(['export', 'a', '--quant', 'int8'], 2, /--out OUT\.pique is missing/);
  bad(['recommend', 'a'], 2, /--history .* or --batch FILE is missing/);
  bad(['recommend', 'a', '--history', '1', '--batch', 'b'], 2, /cannot be given together/);
});

test('numbers that are none', () => {
  const train = ['train', '--model', 'mind', '--data', data, '--out', out];
  for (const value of ['x', '', '-1', '0', '1.5', '0x10', '99999999999']) {
    bad(
      [...train, `--epochs=${value}`],
      2,
      /--epochs: ".*" is not a whole number from 1 to 100000/,
    );
  }
  bad([...train, '--threads', '0'], 2, /--threads: "0" is not a whole number from 1 to 1024/);
  bad([...train, '--seed', '4294967296'], 2, /--seed: "4294967296" is not a whole number/);
  bad([...train, '--seeds', '1,x'], 2, /--seeds: "x" is not a whole number from 0 to 4294967295/);
  bad([...train, '--seeds', '2,1,2'], 2, /--seeds: 2 is given twice/);
  bad([...train, '--seeds', ''], 2, /--seeds: no number is given/);
  bad(
    [...train, '--seeds', '2,3', '--seed', '1'],
    2,
    /--seed and --seeds cannot be given together/,
  );
  const many = Array.from({ length: 65 }, (_, i) => i).join();
  bad([...train, '--seeds', many], 2, /--seeds: more than 64 numbers/);
  bad(['eval', 'f', '--data', data, '--k', '5,x'], 2, /--k: "x" is not a whole number/);
  bad(['eval', 'f', '--data', data, '--k', '5,0'], 2, /--k: "0" is not a whole number/);
  bad(['eval', 'f', '--data', data, '--k', '5,5'], 2, /--k: 5 is given twice/);
  bad(['eval', 'f', '--data', data, '--k', ''], 2, /--k: no number is given/);
  bad(['eval', 'f', '--data', data, '--k', '1,2,3,4,5,6,7,8,9'], 2, /--k: more than 8 numbers/);
  assert.ok(!existsSync(out));
});

test('settings', () => {
  const train = (...more) => ['train', '--model', 'mind', '--data', data, '--out', out, ...more];
  bad(train('--set', 'rounds'), 2, /setting "rounds" is not of the form key=value/);
  bad(train('--set', 'ronuds=3'), 2, /there is no option "ronuds" for model mind/);
  bad(train('--set', 'rounds=0'), 2, /option rounds: "0" is not a whole number from 1 to 10/);
  bad(train('--set', 'lr=nan'), 2, /option lr: "nan" is not a number/);
  bad(train('--set', 'output=sideways'), 2, /option output: "sideways" is not one of relu,/);
  bad(train('--set', 'min_count=x'), 2, /--set min_count: "x" is not a whole number/);
  bad(train('--set', 'min_rating=nan'), 2, /--set min_rating: "nan" is not a number/);
  bad(train('--set', 'min_rating=-1'), 2, /--set min_rating: "-1" is not a number/);
  bad(train('--set', 'strict=maybe'), 2, /--set strict: "maybe" is not true or false/);
  bad(
    train('--set', 'min_rating=3'),
    2,
    /min_rating is set, but .*interactions\.csv has no ratings/,
  );
  bad(
    train('--set', 'linear_optimiser=ftrl'),
    2,
    /linear_optimiser = ftrl needs linear weights of fields, which mind has not/,
  );
  bad(train('--preset', 'worst'), 2, /preset "worst" is not one of best, seed, paper/);
  bad(
    train('--format', 'parquet'),
    2,
    /unknown format "parquet" \(auto, csv, ctr, movielens, recbole, sequences\)/,
  );
  bad(
    ['eval', 'f', '--data', data, '--set', 'rounds=3'],
    2,
    /--set rounds=3: no setting of the data set/,
  );
  bad(['train', '--model', 'minds', '--data', data, '--out', out], 2, /there is no model "minds"/);
  assert.ok(!existsSync(out));
});

test('config files', () => {
  const config = join(place, 'config.json');
  const train = ['train', '--model', 'mind', '--data', data, '--out', out, '--config', config];
  bad(train, 1, /config\.json: No such file or directory/);
  writeFileSync(config, '{"rounds": 3');
  bad(train, 1, /config\.json: line 1, column 1/);
  writeFileSync(config, 'rounds: 3');
  bad(train, 1, /config\.json: line 1, column 1/);
  writeFileSync(config, '[3]');
  bad(train, 2, /config\.json is not a JSON object/);
  writeFileSync(config, '{"ronuds": 3}');
  bad(train, 2, /there is no option "ronuds"/);
  writeFileSync(config, '{"model": "other"}');
  bad(train, 2, /config\.json is for model "other", not mind/);
  assert.ok(!existsSync(out));
});

test('PIQUE_ISA picks the instruction set and must name one', () => {
  assert.equal(
    good(['models', '--json'], { env: { PIQUE_ISA: 'scalar' } }),
    good(['models', '--json']),
  );
  bad(
    ['models'],
    2,
    /^pique models: PIQUE_ISA: instruction set "mmx" is not available here; it can be scalar/m,
    {
      env: { PIQUE_ISA: 'mmx' },
    },
  );
});

test('models: one JSON object, and the same keys in the text', () => {
  const { models, training } = JSON.parse(good(['models', '--json']));
  const text = good(['models']);
  const rows = readFileSync(new URL('../../src/models/models.def', import.meta.url), 'utf8');
  const named = [...rows.matchAll(/^PQ_MODEL\((\w+)\)$/gm)].map((row) => row[1]);
  assert.ok(named.includes('mind'));
  assert.deepEqual(
    models.map((model) => model.name),
    named,
  );
  for (const field of [...models.flatMap((model) => model.fields), ...training]) {
    assert.ok(text.includes(`\n    ${field.name} = ${field.default}`), field.name);
    assert.ok(field.help.length > 0, field.name);
  }
  for (const line of text.split('\n').filter((each) => each.startsWith('        '))) {
    assert.ok(line.length <= 80, line);
  }
});

test('results that cannot be written are noticed', (t) => {
  if (!existsSync('/dev/full')) {
    t.skip('there is no /dev/full');
    return;
  }
  const full = openSync('/dev/full', 'w');
  const result = pique(['models', '--json'], { stdio: ['ignore', full, 'pipe'] });
  closeSync(full);
  assert.equal(result.code, 1);
  assert.match(
    result.stderr,
    /^pique models: the result cannot be written: No space left on device$/m,
  );
});

test('a pipe that nobody reads any more is noticed', () => {
  const script = 'exec 3> >(exec true); wait $!; "$0" models --json >&3; echo $?';
  const shell = spawnSync('bash', ['-c', script, program], { encoding: 'utf8' });
  assert.equal(shell.stdout, '1\n');
  assert.match(shell.stderr, /^pique models: the result cannot be written: Broken pipe$/m);
});
