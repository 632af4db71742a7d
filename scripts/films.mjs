#!/usr/bin/env node
// films.mjs — the film catalogue of the demo, from the movies table of the npm package vega-datasets.
//
//   node scripts/films.mjs --out OUT
//
// OUT/items.csv   item,title,genre,director,creative_type,decade,popularity, the last being IMDB votes:
//                 the input of `pique simulate`
// OUT/films.json  [{id, title, year, genre, director}] for the page
//
// The table has traps: titles that are numbers, one that is null, two-digit years read as 20xx
// ("Dec 15 2039" is 1939; the newest real film is of 2011), "Name, The", and titles whose accents
// were read as MacRoman when they were Windows-1252 ("LÈon").

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const NEWEST_YEAR = 2012;
const COLUMNS = ['item', 'title', 'genre', 'director', 'creative_type', 'decade', 'popularity'];

// package.json is not among the package's exports, so its data folder is found beside the module.
const MODULE = fileURLToPath(import.meta.resolve('vega-datasets'));

// The byte that each character above ASCII stands for in MacRoman.
const MAC_BYTES = (() => {
  const decoder = new TextDecoder('macintosh');
  const bytes = new Map();
  for (let byte = 0x80; byte <= 0xff; byte++) {
    bytes.set(decoder.decode(Uint8Array.of(byte)), byte);
  }
  return bytes;
})();

/** Undoes the wrong decoding; a title that cannot have come about that way stays as it is. */
export function repairAccents(title) {
  const bytes = [];
  for (const character of title) {
    const byte = character < '\x80' ? character.charCodeAt(0) : MAC_BYTES.get(character);
    if (byte === undefined) {
      return title;
    }
    bytes.push(byte);
  }
  return new TextDecoder('windows-1252').decode(Uint8Array.from(bytes));
}

/** The year of "Jun 12 1998" and the like, null when there is none. */
export function releaseYear(date) {
  const match = /(?:^|\D)(\d{4}|\d{2})\s*$/.exec(String(date ?? ''));
  if (!match) {
    return null;
  }
  const year = match[1].length === 2 ? 1900 + Number(match[1]) : Number(match[1]);
  return year > NEWEST_YEAR ? year - 100 : year;
}

/** Spaces, accents, a trailing article, and a year in brackets that only repeats the release's. */
export function cleanTitle(title, year) {
  if (title === null || title === undefined) {
    return '';
  }
  let text = repairAccents(String(title)).replace(/\s+/g, ' ').trim();
  if (year !== null && text.endsWith(` (${year})`)) {
    text = text.slice(0, -` (${year})`.length);
  }
  return text.replace(/^(.+), (The|A|An)$/, '$2 $1');
}

function slug(title, year) {
  const plain = title
    .normalize('NFKD')
    .replace(/[\u0300-\u036f'’]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return [plain || 'film', year].filter((part) => part !== null).join('-');
}

function category(value) {
  return typeof value === 'string' ? value.replace(/\|/g, '/').trim() : '';
}

/** Rows of the table as films; equal slugs get -2, -3 … in the order of the table. */
export function makeFilms(rows) {
  const used = new Map();
  const films = [];
  for (const row of rows) {
    const year = releaseYear(row['Release Date']);
    const title = cleanTitle(row.Title, year);
    if (!title) {
      continue;
    }
    const base = slug(title, year);
    const count = (used.get(base) ?? 0) + 1;
    used.set(base, count);
    const votes = Number(row['IMDB Votes']);
    films.push({
      item: count === 1 ? base : `${base}-${count}`,
      title,
      genre: category(row['Major Genre']),
      director: category(row.Director),
      creative_type: category(row['Creative Type']),
      decade: year === null ? '' : `${Math.floor(year / 10)}0s`,
      year,
      popularity: Number.isFinite(votes) && votes > 0 ? votes : 0,
    });
  }
  return films;
}

function csvField(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

export function toCsv(films) {
  const lines = films.map((film) => COLUMNS.map((name) => csvField(film[name])).join(','));
  return `${[COLUMNS.join(','), ...lines].join('\n')}\n`;
}

export function toJson(films) {
  const entries = films.map(({ item, title, year, genre, director }) =>
    JSON.stringify({ id: item, title, year, genre, director }),
  );
  return `[\n${entries.join(',\n')}\n]\n`;
}

/** The films of the installed vega-datasets. */
export function readFilms() {
  const table = join(dirname(MODULE), '..', 'data', 'movies.json');
  return makeFilms(JSON.parse(readFileSync(table, 'utf8')));
}

function main() {
  const { values } = parseArgs({ options: { out: { type: 'string' } } });
  if (!values.out) {
    console.error('usage: node scripts/films.mjs --out OUT');
    return 2;
  }
  const films = readFilms();
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, 'items.csv'), toCsv(films));
  writeFileSync(join(values.out, 'films.json'), toJson(films));
  console.error(`${films.length} films in ${values.out}`);
  return 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = main();
}
