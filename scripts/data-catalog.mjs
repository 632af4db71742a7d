// The demo page's catalogue from a data set of ratings: what a person sees of an item, most rated
// items first. For `npm run demo -- --data DIR`; `pique` itself never reads titles.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { csvParse } from 'd3-dsv';

/** "Title, The (1995)" in its parts; MovieLens moves leading articles behind a comma. */
export function splitTitle(text) {
  const [, name, year] = /^(.*?)\s*(?:\((\d{4})[^()]*\))?\s*$/s.exec(text);
  const moved = /^(.*), (The|A|An|Le|La|Les|Der|Die|Das|El|Il)$/.exec(name);
  return { title: moved ? `${moved[2]} ${moved[1]}` : name, year: year ? Number(year) : null };
}

const readCsv = (path) => csvParse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''));

/** Rows of the `a::b::c` files of older MovieLens sets, which are Latin-1. */
function readDoubleColons(path, names) {
  const lines = readFileSync(path, 'latin1').split(/\r?\n/).filter(Boolean);
  return lines.map((line) => {
    const cells = line.split('::');
    return Object.fromEntries(names.map((name, index) => [name, cells[index]]));
  });
}

const fromMovie = (movie) => ({
  id: movie.movieId,
  ...splitTitle(movie.title),
  genre: /^\(no genres/.test(movie.genres) ? null : movie.genres,
  director: null,
});

const fromItem = (item) => ({
  id: item.item,
  title: item.title || item.item,
  year: Number(item.year) || null,
  genre: item.genre || item.genres || item.category || null,
  director: item.director || null,
});

/** Items and the item of each event, by the layout of the data. */
function readItems(data) {
  const has = (name) => existsSync(join(data, name));
  if (statSync(data).isFile()) {
    const lines = readFileSync(data, 'utf8').split(/\r?\n/);
    const seen = lines.flatMap((line) => line.trim().split(/\s+/).slice(1));
    return { items: [...new Set(seen)].map((id) => fromItem({ item: id })), seen };
  }
  if (has('movies.csv') && has('ratings.csv')) {
    return {
      items: readCsv(join(data, 'movies.csv')).map(fromMovie),
      seen: readCsv(join(data, 'ratings.csv')).map((row) => row.movieId),
    };
  }
  if (has('movies.dat') && has('ratings.dat')) {
    const movies = readDoubleColons(join(data, 'movies.dat'), ['movieId', 'title', 'genres']);
    const ratings = readDoubleColons(join(data, 'ratings.dat'), ['userId', 'movieId']);
    return { items: movies.map(fromMovie), seen: ratings.map((row) => row.movieId) };
  }
  if (has('interactions.csv')) {
    const seen = readCsv(join(data, 'interactions.csv')).map((row) => row.item);
    const items = has('items.csv')
      ? readCsv(join(data, 'items.csv'))
      : [...new Set(seen)].map((item) => ({ item }));
    return { items: items.map(fromItem), seen };
  }
  throw new Error(
    `${data}: neither movies.csv and ratings.csv, nor movies.dat and ratings.dat, nor interactions.csv`,
  );
}

/** Everything that has at least one event, the most frequent first. */
export function makeCatalog(data) {
  const { items, seen } = readItems(data);
  const counts = new Map();
  for (const id of seen) {
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return items
    .filter((item) => counts.has(item.id))
    .sort((a, b) => counts.get(b.id) - counts.get(a.id));
}

/** Whether the data say what people like, so that a model that ranks can learn from them. */
export function hasRatings(data) {
  if (statSync(data).isFile()) return false;
  const has = (name) => existsSync(join(data, name));
  if (has('ratings.csv') || has('ratings.dat')) return true;
  const { columns } = readCsv(join(data, 'interactions.csv'));
  return columns.includes('rating') || columns.includes('label');
}

export function writeCatalog(data, out) {
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, JSON.stringify(makeCatalog(data)));
}
