// mmrec the whole way on invented films: people like the pictures whose topic is that of titles they liked.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bad, folder, good, pique, randomNumbers } from './cli_harness.mjs';
import { sideTensors, writeTensors } from './side_files.mjs';

const place = folder(after);
const data = join(place, 'ratings');
const side = join(place, 'side.safetensors');
const run = join(place, 'run');
const model = join(run, 'model.pique');
const FILMS = 60;
const TOPICS = 3;

const ids = Array.from({ length: FILMS }, (_, n) => `film-${n}`);
const topic = (n) => n % TOPICS;
const oneHot = (n) => Array.from({ length: TOPICS }, (_, i) => (i === n ? 1 : 0));
/** Every fifth film has no title, film 7 no picture, film 10 neither. */
const tokens = ids.map((_, n) => (n % 5 === 0 ? [] : [oneHot(topic(n)), oneHot(0)]));
const regions = ids.map((_, n) => (n === 7 || n === 10 ? [] : [oneHot(topic(n))]));
const boxes = regions.map((list) => list.map(() => [0, 0, 1, 1, 1]));
const whole = () => sideTensors(ids, { tokens, regions, boxes });

function writeRatings() {
  const random = randomNumbers(5);
  const rows = ['user,item,timestamp,rating'];
  for (let person = 0; person < 120; person++) {
    for (let n = 0; n < 20; n++) {
      const film = Math.floor(random() * FILMS);
      const stars = topic(film) === topic(person) ? 5 : 2;
      rows.push(`person-${person},film-${film},${1000 + n},${stars}`);
    }
  }
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'interactions.csv'), `${rows.join('\n')}\n`);
}

const training = (out, ...more) => [
  ...['train', '--model', 'mmrec', '--data', data, '--out', out, '--threads', 1],
  ...['--set', 'dim=8', '--set', 'out=8', '--set', 'batch=256', '--set', 'lr=0.01', ...more],
];
const evaluate = (file) => JSON.parse(good(['eval', file, '--data', data, '--json']));
const scores = (file, history) =>
  JSON.parse(good(['rank', file, '--json', '--history', history, '--candidates', ids.join()]))
    .items;

before(() => {
  writeRatings();
  writeTensors(side, whole());
});

describe('mmrec', () => {
  let told;
  before(() => {
    told = pique(training(run, '--side', side, '--epochs', 12)).stderr;
  });

  test('learns from what films say and show, and tells what they lack', () => {
    assert.match(told, /side\.safetensors: 12 items have no tokens/);
    assert.match(told, /side\.safetensors: 2 items have no regions/);
    const { auc, popularity } = evaluate(model);
    assert.ok(auc > 0.9, `auc ${auc}`);
    assert.ok(popularity.auc < 0.75, `popularity ${popularity.auc}`);
    assert.equal(JSON.parse(readFileSync(join(run, 'config.json'), 'utf8')).side, side);
  });

  test('the file serves without the side file, whatever a film lacks', () => {
    const liked = scores(model, 'film-4,film-1');
    assert.equal(liked.length, FILMS);
    const nothing = liked.find(({ id }) => id === 'film-10');
    assert.ok(Number.isFinite(nothing.score));
    const small = join(place, 'small.pique');
    good(['export', model, '--quant', 'int8', '-o', small]);
    assert.equal(scores(small, 'film-4').length, FILMS);
  });

  test('with epochs = 0 the weights of a run meet another side file', () => {
    const again = (file, out) => {
      good(training(join(place, out), '--side', file, '--init', run, '--set', 'epochs=0'));
      return evaluate(join(place, out, 'model.pique')).auc;
    };
    assert.ok(again(side, 'again') > 0.9);
    const dealt = join(place, 'dealt.safetensors');
    // Neither the own topic nor one that stands for it.
    const deal = (list) => list.map((_, n) => list[(Math.floor(n / 3) + 20 * (n % 3)) % FILMS]);
    const rows = { tokens: deal(tokens), regions: deal(regions), boxes: deal(boxes) };
    writeTensors(dealt, sideTensors(ids, rows));
    assert.ok(again(dealt, 'dealt') < 0.7);
    bad(training(run, '--side', side, '--set', 'epochs=0'), 2, /epochs = 0 .* --init/);
  });

  test('a run does not go on with another side file of the same name', () => {
    const [file, out] = [join(place, 'own.safetensors'), join(place, 'own')];
    writeTensors(file, whole());
    good(training(out, '--side', file, '--epochs', 1));
    good(training(out, '--side', file, '--epochs', 1, '--resume'));
    writeTensors(file, sideTensors(ids, { tokens: [...tokens].reverse(), regions, boxes }));
    bad(training(out, '--side', file, '--epochs', 1, '--resume'), 2, /side_crc32 was/);
  });

  test('entries that the data do not have are counted, films that the file lacks have zeros', () => {
    const some = join(place, 'some.safetensors');
    const names = ids.map((id, n) => (n < 3 ? `other-${n}` : id));
    writeTensors(some, sideTensors(names, { tokens, regions }));
    const out = join(place, 'some');
    const { stderr } = pique(training(out, '--side', some, '--epochs', 1, '--set', 'offset=0'));
    assert.match(stderr, /some\.safetensors: 3 items of the data are not in it/);
    assert.match(stderr, /some\.safetensors: 3 items are none of the data's/);
    const lacking = scores(join(out, 'model.pique'), 'film-4').find(({ id }) => id === 'film-2');
    assert.equal(lacking.score, 0); // without an offset
  });
});

describe('side files that are refused', () => {
  const refuse = (tensors, code, message) => {
    const file = join(place, 'broken.safetensors');
    writeTensors(file, tensors);
    bad(training(join(place, 'never'), '--side', file), code, message);
  };
  const without = (name) => {
    const tensors = whole();
    delete tensors[name];
    return tensors;
  };

  test('none, where one is needed; one, where none is', () => {
    bad(training(join(place, 'never')), 2, /mmrec needs a side file \(--side\) with "tokens"/);
    const other = ['train', '--model', 'pool', '--data', data, '--out', join(place, 'never')];
    bad([...other, '--side', side], 2, /pool takes no rows of items/);
    bad(training(join(place, 'never'), '--side', join(place, 'no')), 1, /no: No such file/);
  });

  test('tensors that are missing or do not fit', () => {
    refuse(without('regions'), 1, /broken\.safetensors: tensor "regions" is missing/);
    const narrow = boxes.map((list) => list.map((box) => box.slice(1)));
    refuse(
      sideTensors(ids, { tokens, regions, boxes: narrow }),
      1,
      /broken\.safetensors: tensor "boxes" has rows of width 4, not 5/,
    );
    const fewer = boxes.map((list, n) => (n === 20 ? [] : list));
    refuse(
      sideTensors(ids, { tokens, regions, boxes: fewer }),
      1,
      /broken\.safetensors: tensor "boxes" has 0 rows of entry 20, for which "regions" has 1/,
    );
    const strangers = ids.map((id) => `x${id}`);
    refuse(
      sideTensors(strangers, { tokens, regions }),
      1,
      /broken\.safetensors: none of its 60 ids/,
    );
    const twice = ids.map((id, n) => (n === 1 ? ids[0] : id));
    refuse(sideTensors(twice, { tokens, regions }), 1, /broken\.safetensors/);
    const endless = tokens.map((list, n) => (n === 1 ? [[Number.NaN, 0, 0]] : list));
    refuse(sideTensors(ids, { tokens: endless, regions }), 1, /tensor "tokens".*(finite|NaN)/);
  });
});
