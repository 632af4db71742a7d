// The whole way on invented data: simulate, train, eval, export, info, recommend.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  bad,
  expectNoParts,
  folder,
  good,
  pique,
  program,
  training,
  writeTools,
} from './cli_harness.mjs';

const place = folder(after);
const data = writeTools(join(place, 'tools'));
const run = join(place, 'run');
const model = join(run, 'model.pique');
const small = join(place, 'small.pique');

before(() => {
  good(training(data, run, '--epochs', 4));
  good(['export', model, '--quant', 'int8', '-o', small]);
});

describe('train', () => {
  test('leaves the four files of a run', () => {
    assert.deepEqual(readdirSync(run).sort(), [
      'config.json',
      'last.ckpt',
      'metrics.jsonl',
      'model.pique',
    ]);
    const config = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
    assert.equal(config.epochs, 4);
    assert.equal(config.dim, 8);
    const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
    for (const line of lines.map((each) => JSON.parse(each))) {
      for (const key of ['step', 'epoch', 'loss', 'recall@50', 'seconds']) {
        assert.equal(typeof line[key], 'number', key);
      }
    }
    assert.equal(JSON.parse(lines.at(-1)).epoch, 4);
  });

  test('says on stderr what it does, in plain lines when that is no terminal', () => {
    const { stdout, stderr } = pique(training(data, join(place, 'told'), '--epochs', 120));
    assert.match(
      stdout,
      /^.*told\/model\.pique\nbest epoch \d+ of 120, validation metric [01]\.\d{4}, \d+\.\d seconds, \d+ MB at most\n$/,
    );
    assert.match(stderr, /tools: 160 users, 60 items, \d+ events$/m);
    assert.match(stderr, /^epoch 120: loss /m);
    assert.ok(!stderr.includes('\r') && !stderr.includes('\u001b'));
  });

  test('draws a bar on a terminal', (t) => {
    const command = [program, ...training(data, join(place, 'drawn'), '--epochs', 120)].join(' ');
    const typed = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' });
    if (typed.error) {
      t.skip('the program `script` is not there');
      return;
    }
    assert.equal(typed.status, 0, typed.stdout);
    const bars = typed.stdout.split('\r').filter((part) => part.startsWith('train ['));
    assert.ok(bars.length > 0, typed.stdout);
    for (const bar of bars) {
      const [line, rest] = bar.split('\u001b');
      assert.match(
        line,
        /^train \[#*\.*\] +\d+% {2}[\d.]+\/s, \d+:\d\d left, epoch \d+, loss [\d.]+$/,
      );
      assert.ok(rest.startsWith('[K'));
    }
  });

  test('--epochs is --set epochs, a config file stands below --set', () => {
    const config = join(place, 'config.json');
    const other = join(place, 'other');
    writeFileSync(config, '{"model": "mind", "epochs": 9, "dim": 32, "rounds": 2}');
    good(training(data, other, '--config', config, '--epochs', '1'));
    const made = JSON.parse(readFileSync(join(other, 'config.json'), 'utf8'));
    assert.deepEqual([made.epochs, made.dim, made.rounds], [1, 8, 2]);
  });

  test('min_count takes rare items out', () => {
    const rare = writeTools(join(place, 'rare'));
    const file = join(rare, 'interactions.csv');
    const events = 'loner,tool-once,1\nloner,tool-1,2\nloner,tool-2,3\nloner,tool-3,4\n';
    writeFileSync(file, readFileSync(file, 'utf8') + events);
    const out = join(place, 'rare-run');
    const items = (...more) => {
      good(training(rare, out, '--epochs', 1, ...more));
      return JSON.parse(good(['info', join(out, 'model.pique'), '--json'])).items;
    };
    assert.equal(items(), 61);
    assert.equal(items('--set', 'min_count=2'), 60);
  });
});

const figures = ['recall', 'ndcg', 'mrr', 'coverage', 'gini', 'novelty', 'diversity'];

describe('eval', () => {
  test('--json prints one object with the model and both baselines', () => {
    const result = JSON.parse(good(['eval', model, '--data', data, '--json', '--k', '3,50']));
    const keys = [
      ...[3, 50].flatMap((k) => figures.map((figure) => `${figure}@${k}`)),
      ...['mrr', 'seconds', 'users_per_second'],
    ];
    const head = ['users', 'split', 'protocol', 'peak_bytes'];
    assert.deepEqual(Object.keys(result), [...head, ...keys, 'popularity', 'item_knn']);
    assert.equal(result.protocol, 'full');
    assert.deepEqual(Object.keys(result.popularity), keys);
    assert.deepEqual(Object.keys(result.item_knn), keys);
    assert.equal(result.users, 160);
    for (const metrics of [result, result.popularity, result.item_knn]) {
      assert.ok(metrics['recall@3'] <= metrics['recall@50'] && metrics['recall@50'] <= 1);
      assert.ok(metrics['ndcg@3'] <= metrics['recall@3']);
      assert.ok(metrics['mrr@3'] <= metrics['mrr@50'] && metrics['mrr@50'] <= metrics.mrr);
      assert.ok(metrics['coverage@3'] > 0 && metrics['coverage@50'] <= 1);
      assert.ok(metrics['gini@3'] > 0 && metrics['gini@3'] < 1);
      assert.ok(metrics['novelty@3'] > 0 && metrics['diversity@3'] > 0);
      assert.ok(metrics.users_per_second > 0);
    }
    assert.ok(result['recall@3'] > 0);
    // Popularity lists the same few items; item-kNN does not.
    assert.ok(result.popularity['coverage@3'] < result.item_knn['coverage@3']);
    assert.ok(result.popularity['gini@3'] > result.item_knn['gini@3']);
    assert.ok(result.popularity['novelty@3'] < result.item_knn['novelty@3']);
  });

  test('--with-seen, --sampled: the protocol is named, and the table warns', () => {
    const evaluate = (...more) => ['eval', model, '--data', data, '--k', '5', ...more];
    const object = (...more) => JSON.parse(good(evaluate('--json', ...more)));
    const full = object();
    const seen = object('--with-seen');
    assert.equal(seen.protocol, 'full, with seen items');
    assert.ok(seen.popularity.mrr < full.popularity.mrr);
    const sampled = object('--sampled', 10);
    assert.equal(sampled.protocol, 'sampled, 10 negatives');
    assert.equal(
      object('--sampled', 10, '--with-seen').protocol,
      `${sampled.protocol}, with seen items`,
    );
    for (const part of [(result) => result, (result) => result.popularity]) {
      assert.ok(part(sampled).mrr > part(full).mrr);
      // The lists are of all items whatever the target is ranked among.
      assert.equal(part(sampled)['coverage@5'], part(full)['coverage@5']);
    }
    // As many as there are items: the full ranking.
    const all = object('--sampled', 4000000000);
    assert.equal(all.protocol, 'sampled, 4000000000 negatives');
    assert.equal(all.mrr, full.mrr);
    assert.equal(all.item_knn['ndcg@5'], full.item_knn['ndcg@5']);
    const [warning, title] = good(evaluate('--sampled', 10)).split('\n');
    assert.equal(
      warning,
      'ranked among 10 sampled negatives: not comparable with figures of full ranking',
    );
    assert.equal(title, '160 users, test split, protocol: sampled, 10 negatives');
    bad(evaluate('--sampled', 0), 2, /--sampled: "0" is not a whole number from 1 to 4294967295/);
  });

  test('--buckets: recall and ndcg by the popularity of the target', () => {
    const args = ['eval', model, '--data', data, '--k', '5', '--buckets'];
    const result = JSON.parse(good([...args, '--json']));
    const names = ['head', 'middle', 'tail'];
    let users = 0;
    let items = 0;
    let hits = 0;
    for (const name of names) {
      users += result[`${name}_users`];
      items += result[`${name}_items`];
      for (const part of [result, result.popularity, result.item_knn]) {
        const [recall, ndcg] = [part[`${name}_recall@5`], part[`${name}_ndcg@5`]];
        assert.ok(recall >= 0 && recall <= 1 && ndcg >= 0 && ndcg <= recall, name);
      }
      hits += result[`${name}_users`] * result[`${name}_recall@5`];
    }
    assert.deepEqual([users, items], [160, 60]);
    assert.ok(result.head_items < result.middle_items && result.middle_items < result.tail_items);
    assert.ok(Math.abs(hits / 160 - result['recall@5']) < 1e-12);
    assert.ok(result.popularity['head_recall@5'] > result.popularity['tail_recall@5']);
    const text = good(args);
    for (const name of names) {
      const [counted, of] = [result[`${name}_items`], result[`${name}_users`]];
      assert.ok(text.includes(`\n${name}: ${counted} items, targets of ${of} users\n`), text);
      assert.match(
        text,
        new RegExp(`^${name}_ndcg@5 +\\d\\.\\d{4} +\\d\\.\\d{4} +\\d\\.\\d{4}$`, 'm'),
      );
    }
  });

  test('popularity, worked out by hand', () => {
    // Training counts: a 3, b 2, c 1; d only as a target. Tests: the targets of u1 (history a, b, c)
    // and u2 (a, b, c) are d and d, the only item left: rank 1. Of u3 (a, c, b): d as well.
    const hand = join(place, 'hand');
    const text = join(place, 'hand.txt');
    writeFileSync(text, 'u1 a b c d\nu2 a b c d\nu3 a c b d\nu4 d e a b\n');
    good(training(text, hand, '--epochs', 1, '--format', 'sequences'));
    const args = ['eval', join(hand, 'model.pique'), '--data', text, '--json', '--k', '1,2'];
    // Validation. Training events: a b, a b, a c, d e, so a 3, b 2, c 1, d 1, e 1 (ties bytewise).
    // u1, u2: history a b, target c: among c, d, e, which all have count 1; ties count against it: 3.
    // u3: history a c, target b: among b, d, e: 1. u4: history d e, target a: 1.
    const valid = JSON.parse(good([...args, '--split', 'valid'])).popularity;
    assert.equal(valid['recall@1'], 0.5);
    assert.equal(valid['recall@2'], 0.5);
    assert.ok(Math.abs(valid.mrr - (1 / 3 + 1 / 3 + 1 + 1) / 4) < 1e-12);
    // Test. u1, u2, u3: history a b c, target d: among d, e, both 1: rank 2. u4: history d e a, target
    // b: among b, c: 1.
    const test = JSON.parse(good(args)).popularity;
    assert.equal(test['recall@1'], 0.25);
    assert.equal(test['recall@2'], 1);
    assert.ok(Math.abs(test.mrr - (3 * 0.5 + 1) / 4) < 1e-12);
  });

  test('the table holds what the object holds', () => {
    const json = JSON.parse(good(['eval', model, '--data', data, '--json']));
    const text = good(['eval', model, '--data', data]);
    const [table, peak] = text.trimEnd().split('\n\n').slice(-2);
    assert.match(peak, /^\d+ MB at most$/);
    const [title, blank] = text.split('\n');
    const [head, ...rows] = table.split('\n');
    assert.equal(title, '160 users, test split, protocol: full');
    assert.equal(blank, '');
    assert.deepEqual(head.trim().split(/ +/), ['model', 'popularity', 'item-kNN']);
    const cutoffs = [5, 10, 20, 50];
    const names = [
      ...figures.flatMap((figure) => cutoffs.map((k) => `${figure}@${k}`)),
      ...['mrr', 'seconds', 'users_per_second'],
    ];
    assert.deepEqual(
      rows.map((row) => row.split(' ')[0]),
      names,
    );
    for (const row of rows.slice(0, -2)) {
      const [name, ...cells] = row.split(/ +/);
      const values = [json[name], json.popularity[name], json.item_knn[name]];
      assert.equal(cells.length, values.length);
      for (const [at, value] of values.entries()) {
        assert.match(cells[at], /^\d\.\d{4}$/);
        // Four digits: how a tie is rounded is the C library's affair.
        assert.ok(Math.abs(Number(cells[at]) - value) <= 5e-5 + 1e-12, `${name}: ${cells[at]}`);
      }
      assert.equal(row.length, head.length);
    }
  });

  test('--no-baselines, --split, --threads', () => {
    const object = (...more) =>
      JSON.parse(good(['eval', model, '--data', data, '--json', ...more]));
    const own = ({ seconds, users_per_second, peak_bytes, popularity, item_knn, ...rest }) => rest;
    const both = object('--threads', '1');
    const alone = object(...['--no-baselines', '--threads', '2']);
    assert.deepEqual(own(alone), own(both));
    assert.ok(!('popularity' in alone) && !('item_knn' in alone));
    assert.equal(object('--split', 'valid').split, 'valid');
    bad(
      ['eval', model, '--data', data, '--split', 'train'],
      2,
      /split "train" is none of "valid", "test"/,
    );
  });
});

describe('export', () => {
  test('int8 is smaller and ranks nearly as well; f32 keeps every bit', () => {
    assert.ok(statSync(small).size < statSync(model).size);
    const again = join(place, 'again.pique');
    const told = good(['export', model, '--quant', 'f32', '--out', again]);
    assert.equal(told, `${again}: ${statSync(again).size} bytes, 1.00 of ${model}\n`);
    assert.deepEqual(readFileSync(again), readFileSync(model));
  });

  test('int8 cannot become f32, other kinds do not exist, nothing is left', () => {
    const out = join(place, 'never.pique');
    bad(['export', small, '--quant', 'f32', '-o', out], 1, /int8 already/);
    bad(['export', model, '--quant', 'int3', '-o', out], 2, /int8, int4, pq8.* not "int3"/);
    bad(['export', model, '--quant', 'int8', '-o', place], 1, /directory/);
    bad(
      ['export', model, '--quant', 'int8', '-o', join(place, 'no', 'out.pique')],
      1,
      /No such file/,
    );
    assert.ok(!readdirSync(place).includes('never.pique'));
    expectNoParts(place);
  });
});

describe('info', () => {
  test('--json prints one object with sizes, counts, config, metrics and card', () => {
    const info = JSON.parse(good(['info', small, '--json']));
    assert.equal(info.file, small);
    assert.equal(info.file_bytes, statSync(small).size);
    assert.ok(info.bytes > 0);
    assert.deepEqual([info.model, info.quant, info.items, info.width], ['mind', 'int8', 60, 8]);
    assert.equal(info.config.hidden, 16);
    assert.equal(info.metrics.split, 'valid');
    assert.match(info.card, /Validation/);
  });

  test('any name of a file makes good JSON', () => {
    const odd = join(place, 'a "b" \\c\n\u0001\u00e9.pique');
    copyFileSync(small, odd);
    assert.equal(JSON.parse(good(['info', odd, '--json'])).file, odd);
    const broken = Buffer.concat([Buffer.from(join(place, 'x')), Buffer.from([0xff, 0xc3])]);
    copyFileSync(small, broken);
    const script = 'cd "$1" && exec "$0" info --json x*';
    const { stdout } = spawnSync('bash', ['-c', script, program, place], { encoding: 'utf8' });
    assert.equal(JSON.parse(stdout).file, 'x\ufffd\ufffd');
  });

  test('the text tells the same', () => {
    const info = JSON.parse(good(['info', small, '--json']));
    const text = good(['info', small]);
    assert.match(text, /^model +mind$/m);
    assert.match(text, /^item rows +int8$/m);
    assert.ok(text.includes(`${info.file_bytes} bytes on disk, ${info.bytes} unpacked`));
    assert.ok(text.includes(`\ncard\n${info.card}`));
    for (const [key, value] of [...Object.entries(info.config), ...Object.entries(info.metrics)]) {
      if (typeof value !== 'number') {
        assert.ok(text.includes(`\n  ${key} = ${value}\n`), key);
      } else {
        const shown = new RegExp(`^ {2}${key} = (.*)$`, 'm').exec(text)?.[1];
        assert.equal(Number(shown), value, key);
      }
    }
  });
});

describe('recommend', () => {
  const history = 'tool-0,tool-6,tool-13';
  const ask = (...more) => ['recommend', model, '--history', history, ...more];
  const items = (...more) => JSON.parse(good(ask('--json', ...more))).items;

  test('--json: the best first, as many as asked for', () => {
    const list = items('-k', '7');
    assert.equal(list.length, 7);
    for (const [at, item] of list.entries()) {
      assert.deepEqual(Object.keys(item), ['id', 'score', 'interest']);
      assert.match(item.id, /^tool-\d+$/);
      assert.ok(at === 0 || item.score <= list[at - 1].score);
    }
    assert.equal(items().length, 10);
    assert.equal(items('-k', '1000').length, 60);
  });

  test('the table tells the same', () => {
    const rows = good(ask('-k', '4')).trimEnd().split('\n');
    assert.equal(rows[0], 'rank     score  id');
    const list = items('-k', '4');
    for (const [at, item] of list.entries()) {
      const cells = rows[at + 1].trim().split(/ +/);
      assert.deepEqual(cells, [String(at + 1), item.score.toFixed(4), item.id]);
    }
  });

  test('--exclude-seen and --exclude', () => {
    const all = items('-k', '60').map((item) => item.id);
    const seen = history.split(',');
    const unseen = items('-k', '60', '--exclude-seen').map((item) => item.id);
    assert.deepEqual(
      unseen,
      all.filter((id) => !seen.includes(id)),
    );
    const left = items('-k', '60', '--exclude', `${all[0]},${all[2]}`).map((item) => item.id);
    assert.deepEqual(left, [all[1], ...all.slice(3)]);
  });

  test('--explain: history items with shares, the largest first', () => {
    const list = items('--explain', '--exclude-seen');
    for (const { reasons } of list) {
      assert.ok(reasons.length > 0 && reasons.length <= 3);
      let sum = 0;
      for (const [at, reason] of reasons.entries()) {
        assert.ok(history.split(',').includes(reason.id));
        assert.ok(at === 0 || reason.share <= reasons[at - 1].share);
        sum += reason.share;
      }
      assert.ok(sum <= 1 + 1e-6);
    }
    const [first] = list;
    const row = good(ask('--explain', '--exclude-seen', '-k', '1')).split('\n')[1];
    const because = first.reasons.map(({ id, share }) => `${id} (${(100 * share).toFixed(0)}%)`);
    assert.ok(row.endsWith(`interest ${first.interest}: ${because.join(', ')}`), row);
  });

  test('unknown items are told and count as unknown; all unknown is a failure', () => {
    const result = pique(['recommend', model, '--history', 'tool-0,hammer', '--json']);
    assert.equal(result.code, 0);
    assert.match(result.stderr, /--history: the model does not know the item "hammer"/);
    const alone = good(['recommend', model, '--history', 'tool-0', '--json']);
    assert.notEqual(result.stdout, alone);
    bad(
      ['recommend', model, '--history', 'hammer,saw'],
      1,
      /--history: the model knows none of the items/,
    );
    bad(['recommend', model, '--history', 'tool-0,,tool-1'], 2, /--history: an id is empty/);
  });

  test('a new person gets the most popular items', () => {
    const list = JSON.parse(good(['recommend', model, '--history', '', '--json'])).items;
    assert.equal(list.length, 10);
    assert.ok(list.every((item) => item.score === 0));
  });

  test('--batch prints the object of each line', () => {
    const file = join(place, 'batch.txt');
    writeFileSync(file, `${history}\n\ntool-5\r\ntool-7,hammer,tool-1`);
    const result = pique(['recommend', model, '--batch', file, '-k', '3']);
    assert.equal(result.code, 0);
    assert.match(
      result.stderr,
      /history: the model does not know the item "hammer", line 4 of .*batch\.txt/,
    );
    const lines = result.stdout.split('\n');
    assert.equal(lines.length, 5);
    assert.equal(`${lines[0]}\n`, good(ask('-k', '3', '--json')));
    assert.equal(
      `${lines[2]}\n`,
      good(['recommend', model, '--history', 'tool-5', '-k', '3', '--json']),
    );
    assert.match(lines[0], /"score":-?\d\.\d{6,}/);
    writeFileSync(file, 'tool-1\nhammer\n');
    const failed = pique(['recommend', model, '--batch', file]);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /the model knows none of the items, line 2 of /);
    bad(
      ['recommend', model, '--batch', join(place, 'none.txt')],
      1,
      /none\.txt: No such file or directory/,
    );
  });

  test('profiles', () => {
    bad(ask('--profile', 'age=4'), 2, /--profile: the model has no field "age"/);
    bad(ask('--profile', 'age'), 2, /--profile: "age" is not NAME=VALUE/);
    const known = writeTools(join(place, 'profiles'));
    const users = Array.from({ length: 160 }, (_, i) => `user-${i},${i % 2 ? 'left' : 'right'}`);
    writeFileSync(join(known, 'users.csv'), `user,hand\n${users.join('\n')}\n`);
    const out = join(place, 'profile-run');
    good(training(known, out, '--epochs', 1));
    const scores = (...more) =>
      good(['recommend', join(out, 'model.pique'), '--history', history, '--json', ...more]);
    assert.notEqual(scores('--profile', 'hand=left'), scores('--profile', 'hand=right'));
    assert.notEqual(scores('--profile', 'hand=left'), scores());
    assert.match(good(['info', join(out, 'model.pique')]), /^profile +hand$/m);
  });

  test('instruction sets agree to 1e-5', () => {
    const list = items('-k', '60');
    const args = ask('--json', '-k', '60');
    const scalar = JSON.parse(good(args, { env: { PIQUE_ISA: 'scalar' } })).items;
    const scores = new Map(scalar.map((item) => [item.id, item.score]));
    for (const { id, score } of list) {
      const difference = Math.abs(score - scores.get(id));
      assert.ok(difference <= 1e-5 * Math.max(1, Math.abs(score)), `${id}: ${difference}`);
    }
  });
});

test('simulate: the same seed gives the same data, and training takes them', () => {
  const catalog = join(data, 'items.csv');
  const simulate = (seed, out) => [
    ...['simulate', '--catalog', catalog, '--users', 50, '--interests', 2],
    ...['--seed', seed, '--columns', 'trade', '--out', join(place, out)],
  ];
  const told = good(simulate(3, 's1'));
  assert.match(told, /s1: items\.csv, interactions\.csv and truth\.csv of 50 simulated viewers/);
  good(simulate(3, 's2'));
  good(simulate(4, 's3'));
  for (const name of ['items.csv', 'interactions.csv', 'truth.csv']) {
    const [one, two, three] = ['s1', 's2', 's3'].map((each) =>
      readFileSync(join(place, each, name)),
    );
    assert.deepEqual(one, two);
    assert.equal(one.equals(three), name === 'items.csv');
  }
  good(training(join(place, 's1'), join(place, 's-run'), '--epochs', 1));
});
