// MovieLens (ml-latest and later) as a folder of the format `csv` whose films have three columns: genres, the words of the
// title without its year, and the tags that people gave, in lower case. Ratings of films that
// movies.csv does not have are left out.
//
//   node tests/bench/films_csv.mjs ML_FOLDER OUT
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [from, to] = process.argv.slice(2);
if (!from || !to) throw new Error('usage: films_csv.mjs ML_FOLDER OUT');

/** Rows of a file of comma-separated values, quotes resolved, without the header. */
function rows(name) {
  const text = readFileSync(join(from, name), 'utf8');
  return text
    .split(/\r?\n/)
    .slice(1)
    .filter(Boolean)
    .map((line) =>
      [...line.matchAll(/("((?:[^"]|"")*)"|[^,]*)(,|$)/g)]
        .slice(0, -1)
        .map((cell) => (cell[2] ?? cell[1]).replaceAll('""', '"')),
    );
}

const quote = (text) => `"${text.replaceAll('"', '""')}"`;
const tags = new Map();
for (const [, film, tag] of rows('tags.csv')) {
  if (!tags.has(film)) tags.set(film, new Set());
  tags.get(film).add(tag.trim().toLowerCase().replaceAll('|', ' '));
}

const movies = rows('movies.csv');
const known = new Set(movies.map(([film]) => film));
mkdirSync(to, { recursive: true });
const films = movies.map(([film, title, genres]) =>
  [
    film,
    quote(genres === '(no genres listed)' ? '' : genres),
    quote(title.replace(/\s*\(\d{4}(?:[-–]\d{0,4})?\)\s*$/, '')),
    quote([...(tags.get(film) ?? [])].join('|')),
  ].join(','),
);
const events = rows('ratings.csv')
  .filter(([, film]) => known.has(film))
  .map(([user, film, rating, time]) => `${user},${film},${time},${rating}`);
writeFileSync(
  join(to, 'interactions.csv'),
  ['user,item,timestamp,rating', ...events, ''].join('\n'),
);
writeFileSync(join(to, 'items.csv'), ['item,genres,name,tags', ...films, ''].join('\n'));
const schema = {
  items: {
    genres: { type: 'multi', separator: '|' },
    name: { type: 'text', buckets: 8192 },
    tags: { type: 'multi', separator: '|' },
  },
};
writeFileSync(join(to, 'schema.json'), JSON.stringify(schema));
