// The page's catalogue from data sets of each layout; all titles here are invented.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hasRatings, makeCatalog, splitTitle } from '../../scripts/data-catalog.mjs';

const folder = mkdtempSync(join(tmpdir(), 'pique-catalog-'));
after(() => rmSync(folder, { recursive: true }));

function dataset(name, files) {
  mkdirSync(join(folder, name));
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(join(folder, name, file), text, 'latin1');
  }
  return join(folder, name);
}

test('titles lose their year and get their article back', () => {
  assert.deepEqual(splitTitle('Quiet Tram, The (1987)'), { title: 'The Quiet Tram', year: 1987 });
  assert.deepEqual(splitTitle('Lanterns (Les lampes) (2001)'), {
    title: 'Lanterns (Les lampes)',
    year: 2001,
  });
  assert.deepEqual(splitTitle('Nine Rivers (2010–2014) '), { title: 'Nine Rivers', year: 2010 });
  assert.deepEqual(splitTitle('Untitled'), { title: 'Untitled', year: null });
});

test('a MovieLens folder: most rated first, unrated left out', () => {
  const data = dataset('csv', {
    'movies.csv':
      'movieId,title,genres\n1,"Tram, The (1987)",Drama|War\n2,Moth (1999),(no genres listed)\n3,Never (2000),Drama\n',
    'ratings.csv': 'userId,movieId,rating,timestamp\n1,1,4,10\n1,2,4,11\n2,2,3,12\n',
  });
  assert.deepEqual(makeCatalog(data), [
    { id: '2', title: 'Moth', year: 1999, genre: null, director: null },
    { id: '1', title: 'The Tram', year: 1987, genre: 'Drama|War', director: null },
  ]);
});

test('the older layout is Latin-1', () => {
  const data = dataset('dat', {
    'movies.dat': '7::Caf\u00e9 (1990)::Comedy\n',
    'ratings.dat': '1::7::5::100\n',
  });
  assert.deepEqual(makeCatalog(data), [
    { id: '7', title: 'Caf\u00e9', year: 1990, genre: 'Comedy', director: null },
  ]);
});

test('a folder of CSV tables, with and without items.csv', () => {
  const interactions = 'user,item,timestamp\nu,b,1\nu,a,2\nv,a,3\n';
  const bare = dataset('bare', { 'interactions.csv': interactions });
  assert.deepEqual(
    makeCatalog(bare).map((item) => item.title),
    ['a', 'b'],
  );
  const full = dataset('full', {
    'interactions.csv': interactions,
    'items.csv': 'item,title,genre,director,year\na,Moth,Drama,R. Ash,1999\n',
  });
  assert.deepEqual(makeCatalog(full), [
    { id: 'a', title: 'Moth', year: 1999, genre: 'Drama', director: 'R. Ash' },
  ]);
});

test('a file of sequences has ids for titles', () => {
  const data = dataset('lines', { 'log.txt': 'u1 x y\nu2 y\n' });
  assert.deepEqual(
    makeCatalog(join(data, 'log.txt')).map((item) => item.id),
    ['y', 'x'],
  );
});

test('anything else is refused with what was looked for', () => {
  assert.throws(() => makeCatalog(dataset('empty', {})), /neither movies\.csv and ratings\.csv/);
});

test('a ranker can learn from ratings and labels alone', () => {
  const rows = (...names) => ({
    'interactions.csv': `${['user', 'item', ...names].join()}\nu,a,1\n`,
  });
  assert.equal(hasRatings(dataset('timed', rows('timestamp'))), false);
  assert.equal(hasRatings(dataset('rated', rows('rating'))), true);
  assert.equal(hasRatings(dataset('labelled', rows('label'))), true);
  assert.equal(
    hasRatings(dataset('only-ratings', { 'ratings.csv': 'userId,movieId,rating\n' })),
    true,
  );
  const lines = dataset('one-file', { 'all.txt': 'u a b\n' });
  assert.equal(hasRatings(join(lines, 'all.txt')), false);
});
