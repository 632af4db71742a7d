// Typed columns the whole way: people like things by their age, which is a number.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bad, folder, good, pique } from './cli_harness.mjs';

const place = folder(after);
const data = join(place, 'data');
const PEOPLE = 480;
const EACH = 3; // so few that the history tells little
const THINGS = 30;
const age = (person) => 20 + (person % 60); // the median is 49
const likes = (years, thing) => years > 50 === thing % 2 > 0;

function write(name, rows) {
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, name), `${rows.join('\n')}\n`);
}

const train = (out, ...more) =>
  pique([
    ...['train', '--model', 'din', '--data', data, '--out', out, '--threads', 1, '--epochs', 6],
    ...['--set', 'batch=64', '--set', 'lr=0.01', ...more],
  ]);
const numbers = (count) => Array.from({ length: count }, (_, n) => n);
const things = numbers(THINGS).map((n) => `t${n}`);
const rank = (file, profile) => {
  const asked = ['--history', '', '--candidates', things.join()];
  const known = profile === undefined ? [] : ['--profile', profile];
  return JSON.parse(good(['rank', file, ...asked, '--json', ...known])).items;
};

before(() => {
  const events = numbers(PEOPLE * EACH).map((i) => {
    const [person, n] = [Math.floor(i / EACH), i % EACH];
    const thing = (person * 7 + n * 11) % THINGS;
    return `p${person},t${thing},${n},${likes(age(person), thing) ? 1 : 0}`;
  });
  write('interactions.csv', ['user,item,timestamp,label', ...events]);
  write('items.csv', [
    'item,year,kind,about',
    ...numbers(THINGS).map((n) => `t${n},${1960 + n},k${n % 2},the story of thing number ${n}`),
  ]);
  write('users.csv', [
    'user,age,town',
    ...numbers(PEOPLE).map((n) => `p${n},${age(n)},town-${n % 4}`),
  ]);
});

describe('typed columns', () => {
  const run = join(place, 'run');
  const model = join(run, 'model.pique');

  test('are inferred, trained on and told', () => {
    const { code, stderr } = train(run);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /items: column "year" is taken for numbers/);
    assert.match(stderr, /items: column "about" is taken for text/);
    assert.match(stderr, /users: column "age" is taken for numbers/);
    const { auc } = JSON.parse(good(['eval', model, '--data', data, '--json']));
    assert.ok(auc > 0.9, `auc ${auc}`);
  });

  test('raw values: the age decides, also one that training never saw', () => {
    for (const [given, parity] of [
      ['age=25', 0],
      ['age=25.5,town=town-1', 0],
      ['age=1e2', 1],
    ]) {
      const best = rank(model, given).slice(0, 10);
      const fitting = best.filter(({ id }) => Number(id.slice(1)) % 2 === parity);
      assert.ok(fitting.length >= 9, `${given}: ${best.map(({ id }) => id)}`);
    }
  });

  test('what is missing is the median; an unknown category is UNKNOWN', () => {
    assert.deepEqual(rank(model), rank(model, 'age=49'));
    assert.deepEqual(rank(model, 'age='), rank(model, 'age=49'));
    assert.deepEqual(rank(model, 'town=nowhere'), rank(model, 'town=elsewhere'));
    assert.notDeepEqual(rank(model, 'town=nowhere'), rank(model));
  });

  test('a number may count as its quantile', () => {
    const schema = join(place, 'quantile.json');
    const number = { type: 'number', as: 'quantile' };
    writeFileSync(schema, JSON.stringify({ items: { year: number }, users: { age: number } }));
    const out = join(place, 'quantile');
    const { code, stderr } = train(out, '--schema', schema, '--epochs', 20);
    assert.equal(code, 0, stderr);
    const file = join(out, 'model.pique');
    const { auc } = JSON.parse(good(['eval', file, '--data', data, '--schema', schema, '--json']));
    assert.ok(auc > 0.9, `auc ${auc}`);
    assert.deepEqual(rank(file), rank(file, 'age=49'));
    assert.deepEqual(rank(file, 'age=-5'), rank(file, 'age=20')); // the least has the quantile 0
    const scoreOf = (age) => rank(file, `age=${age}`).find(({ id }) => id === 't1').score;
    assert.ok(scoreOf(30) < scoreOf(75)); // the odd things are for the old
  });

  test('a text where a number belongs is wrong usage', () => {
    const asked = ['--history', '', '--candidates', 't1', '--profile', 'town=town-1,age=old'];
    bad(['rank', model, ...asked], 2, /profile field "age" takes a number, not "old"/);
  });

  test('a missing number may count as the mean or a constant', () => {
    const schema = join(place, 'filled.json');
    for (const [missing, as, years] of [
      ['mean', 'quantile', 49.5], // of 20 to 79
      ['mean', 'buckets', 49.5],
      [70.5, 'quantile', 70.5],
      [70.5, 'buckets', 70.5],
    ]) {
      const number = { type: 'number', as, missing };
      writeFileSync(schema, JSON.stringify({ users: { age: number } }));
      const out = join(place, `filled-${missing}-${as}`);
      const { code, stderr } = train(out, '--schema', schema, '--epochs', 2);
      assert.equal(code, 0, stderr);
      const file = join(out, 'model.pique');
      assert.deepEqual(rank(file), rank(file, `age=${years}`), `${missing} ${as}`);
      assert.notDeepEqual(rank(file), rank(file, 'age=30'));
    }
    writeFileSync(schema, '{"users": {"age": {"type": "number", "missing": "mode"}}}');
    const { stderr } = train(join(place, 'no'), '--schema', schema);
    assert.match(
      stderr,
      /users\."age": "missing" is "mode", neither median, mean, own nor a number/,
    );
  });

  test('a missing number with a code of its own is learnt', () => {
    const own = join(place, 'own-data');
    const schema = join(place, 'own.json');
    const events = numbers(PEOPLE * EACH).map((i) => {
      const [person, n] = [Math.floor(i / EACH), i % EACH];
      const thing = (person * 7 + n * 11 + Math.floor(person / 7)) % THINGS;
      return `p${person},t${thing},${n},${person % 2 === thing % 2 ? 1 : 0}`;
    });
    mkdirSync(own);
    const put = (name, rows) => writeFileSync(join(own, name), `${rows.join('\n')}\n`);
    put('interactions.csv', ['user,item,timestamp,label', ...events]);
    const known = numbers(PEOPLE / 2).map((n) => `p${2 * n},${age(2 * n)}`); // the even ones
    put('users.csv', ['user,age', ...known]);
    writeFileSync(schema, JSON.stringify({ users: { age: { type: 'number', missing: 'own' } } }));
    const out = join(place, 'own');
    const { code, stderr } = train(out, '--data', own, '--schema', schema, '--set', 'eval_every=1');
    assert.equal(code, 0, stderr);
    const file = join(out, 'model.pique');
    for (const [profile, parity] of [
      ['age=', 1],
      ['age=40', 0],
    ]) {
      const best = rank(file, profile).slice(0, 10);
      const fitting = best.filter(({ id }) => Number(id.slice(1)) % 2 === parity);
      assert.ok(fitting.length >= 9, `${profile}: ${best.map(({ id }) => id)}`);
    }
  });

  test('several values and text of users decide', () => {
    const several = join(place, 'several-data');
    const schema = join(place, 'several.json');
    mkdirSync(several);
    const put = (name, rows) => writeFileSync(join(several, name), `${rows.join('\n')}\n`);
    // Odd things are for those who have odd values among theirs, or say so.
    const odd = (person) => person % 2;
    const events = numbers(PEOPLE * EACH).map((i) => {
      const [person, n] = [Math.floor(i / EACH), i % EACH];
      const thing = (person * 7 + n * 11 + Math.floor(person / THINGS)) % THINGS;
      return `p${person},t${thing},${n},${odd(person) === thing % 2 ? 1 : 0}`;
    });
    put('interactions.csv', ['user,item,timestamp,label', ...events]);
    put('items.csv', ['item,kind', ...numbers(THINGS).map((n) => `t${n},k${n % 2}`)]);
    const words = (person) => ['even', 'odd'][odd(person)];
    put('users.csv', [
      'user,tags,path,about',
      ...numbers(PEOPLE).map((n) => {
        const [tag, x, y] = [words(n), `x${n % 5}`, `y${n % 3}`];
        const turn = [`${x};${tag};${y}`, `${tag};${y}`][n % 3 ? 1 : 0];
        return `p${n},${turn},${y}|${x}|${tag},"I like ${tag} things, ${x}"`;
      }),
    ]);
    const columns = {
      tags: { type: 'multi', separator: ';' },
      path: { type: 'sequence', max_values: 2 },
      about: { type: 'text', buckets: 256 },
    };
    const gold = { even: 0, odd: 1 };
    for (const [column, values] of [
      ['tags', (tag) => `tags=x1;${tag},tags=y2`],
      ['path', (tag) => `path=even|odd|x1|${tag}`],
      ['about', (tag) => `about=Things (${tag.toUpperCase()}) like I`],
    ]) {
      const rest = Object.keys(columns).filter((name) => name !== column);
      const users = { [column]: columns[column] };
      for (const name of rest) users[name] = 'skip';
      writeFileSync(schema, JSON.stringify({ users }));
      const out = join(place, `several-${column}`);
      const more = ['--data', several, '--schema', schema, '--epochs', 20];
      more.push('--model', 'fm', '--set', 'history=0');
      const { code, stderr } = train(out, ...more);
      assert.equal(code, 0, stderr);
      const file = join(out, 'model.pique');
      // The separator comes with the model, so evaluation needs no schema.
      const { auc } = JSON.parse(good(['eval', file, '--data', several, '--json']));
      assert.ok(auc > 0.9, `${column}: auc ${auc}`);
      for (const tag of Object.keys(gold)) {
        const best = rank(file, values(tag)).slice(0, 10);
        const fitting = best.filter(({ id }) => Number(id.slice(1)) % 2 === gold[tag]);
        assert.ok(fitting.length >= 9, `${values(tag)}: ${best.map(({ id }) => id)}`);
      }
    }
    const tags = join(place, 'several-tags', 'model.pique');
    assert.deepEqual(rank(tags, 'tags=odd;x1;odd'), rank(tags, 'tags=x1;odd'));
    assert.deepEqual(rank(tags, 'tags=never'), rank(tags, 'tags=seen'));
    assert.deepEqual(rank(tags, 'tags=;'), rank(tags));
  });

  test('several values where one belongs are wrong usage', () => {
    const asked = ['--history', '', '--candidates', 't1', '--profile', 'town=a,town=b'];
    bad(['rank', model, ...asked], 2, /profile field "town" takes one value, not several/);
  });

  test('--schema says otherwise', () => {
    const schema = join(place, 'other.json');
    const say = (columns) => writeFileSync(schema, JSON.stringify(columns));
    say({ items: { about: 'skip', year: 'category' }, users: { age: 'category', town: 'skip' } });
    const other = join(place, 'other');
    const { code, stderr } = train(other, '--schema', schema, '--epochs', 1);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /taken for/);
    const file = join(other, 'model.pique');
    assert.deepEqual(JSON.parse(good(['info', file, '--json'])).profile, ['age']);
    assert.deepEqual(rank(file, 'age=old'), rank(file, 'age=25.5'));
    say({ users: { height: 'number' } });
    assert.match(train(other, '--schema', schema).stderr, /users\."height": .* no such column/);
    assert.match(train(other, '--schema', join(place, 'none.json')).stderr, /none\.json/);
    say({ users: { age: { type: 'number', bins: 4 } } });
    assert.match(train(other, '--schema', schema).stderr, /users\."age": unknown key "bins"/);
  });

  test('a model of numbers refuses data of text by name', () => {
    const schema = join(place, 'text.json');
    const users = numbers(PEOPLE).map((n) => `p${n},age ${age(n)},town-1`);
    write('users.csv', ['user,age,town', ...users]);
    writeFileSync(schema, '{}');
    bad(['eval', model, '--data', data], 1, /profile field "age" takes a number, not "age \d+"/);
    writeFileSync(schema, JSON.stringify({ users: { age: 'number' } }));
    const loose = pique(['eval', model, '--data', data, '--schema', schema, '--json']);
    assert.match(loose.stderr, /users\.csv:2: "age 20" in column "age" is not a finite number/);
    assert.match(loose.stderr, /480 bad rows left out/);
    bad(
      ['eval', model, '--data', data, '--schema', schema, '--strict'],
      1,
      /users\.csv:2: "age 20" in column "age"/,
    );
  });

  test('a column of one number, and formats without columns', () => {
    write('users.csv', ['user,age', ...numbers(PEOPLE).map((n) => `p${n},7`)]);
    const schema = join(place, 'one.json');
    writeFileSync(schema, JSON.stringify({ users: { age: 'number' } }));
    const one = join(place, 'one');
    assert.equal(train(one, '--schema', schema, '--epochs', 1).code, 0);
    assert.deepEqual(rank(join(one, 'model.pique'), 'age=3'), rank(join(one, 'model.pique')));
    const lines = join(place, 'lines.txt');
    writeFileSync(lines, 'u a b c\nv b c d\n');
    bad(
      ['train', '--model', 'mind', '--data', lines, '--out', join(place, 'no'), '--schema', schema],
      2,
      /"sequences" has no columns for a schema/,
    );
  });
});
