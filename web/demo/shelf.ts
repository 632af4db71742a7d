/** Film cards with posters that are drawn from genre and title, for want of pictures. */
import { HEART, icon, make } from './dom.ts';
import { type Film, mainGenre } from './films.ts';

export interface Card {
  film: Film;
  liked: boolean;
  /** Number of the interest that won, -1 for none. */
  interest: number;
  /** Its place before the ranker, from 1. */
  retrievedAs?: number | undefined;
  /** Titles that speak for the film. */
  because: string[];
}

/** Base hue of well-known genres; others get one from their name. */
const HUES: Record<string, number> = {
  Action: 12,
  Adventure: 32,
  Animation: 190,
  'Black Comedy': 300,
  Children: 175,
  Comedy: 42,
  'Concert/Performance': 285,
  Crime: 350,
  Documentary: 205,
  Drama: 222,
  Fantasy: 262,
  Horror: 345,
  Musical: 318,
  Mystery: 248,
  'Romantic Comedy': 336,
  Romance: 336,
  'Sci-Fi': 194,
  'Thriller/Suspense': 168,
  Thriller: 168,
  War: 90,
  Western: 24,
};

/** The base hue of a genre. */
export function genreHue(genre: string): number {
  return HUES[genre] ?? hash(genre) % 360;
}

/** The number of interest colours in styles/palette.css. */
const INTEREST_COLOURS = 6;

export function interestClass(interest: number): string {
  return interest < 0 ? '' : ` tone-${interest % INTEREST_COLOURS}`;
}

function hash(text: string): number {
  let value = 2166136261;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 16777619);
  return value >>> 0;
}

/** Hue and composition of a poster as custom properties. */
export function posterStyle(film: Film): string {
  const genre = mainGenre(film);
  const seed = hash(film.title);
  const hue = genreHue(genre) + (seed % 29) - 14;
  const place = (shift: number, range: number) => (seed >>> shift) % range;
  return [
    `--hue: ${hue}`,
    `--turn: ${120 + place(4, 90)}deg`,
    `--x: ${15 + place(8, 70)}%`,
    `--y: ${10 + place(12, 50)}%`,
    `--size: ${26 + place(16, 24)}%`,
    `--slope: ${place(20, 180)}deg`,
  ].join('; ');
}

export function makeCard(card: Card, toggle: (film: Film) => void): HTMLLIElement {
  const { film, liked, interest, because, retrievedAs } = card;
  const heart = make(
    'button',
    {
      type: 'button',
      class: 'heart',
      'aria-pressed': String(liked),
      'aria-label': `Like ${film.title}`,
    },
    icon(HEART),
  );
  heart.addEventListener('click', () => toggle(film));
  const year = film.year ? make('span', { class: 'poster-year' }, String(film.year)) : null;
  const poster = make(
    'div',
    { class: 'poster', style: posterStyle(film) },
    film.genre ? make('span', { class: 'poster-genre' }, mainGenre(film)) : null,
    make('h3', { class: 'poster-title' }, film.title),
    year,
    heart,
  );
  const director = film.director ? make('p', { class: 'director' }, film.director) : null;
  return make(
    'li',
    { class: `film${interestClass(interest)}`, 'data-id': film.id },
    poster,
    make(
      'div',
      { class: 'caption' },
      because.length ? makeReason(because) : director,
      retrievedAs ? make('p', { class: 'moved' }, `No. ${retrievedAs} in retrieval`) : null,
    ),
  );
}

function makeReason(titles: string[]): HTMLParagraphElement {
  const parts: (Node | string)[] = [];
  titles.forEach((title, index) => {
    if (index > 0) parts.push(index === titles.length - 1 ? ' and ' : ', ');
    parts.push(make('cite', {}, title));
  });
  return make('p', { class: 'reason' }, 'Because you liked ', ...parts);
}

/** The same film as a chip in a list; the button takes it out. */
export function makeChip(
  film: Film,
  act: (film: Film) => void,
  sign: SVGSVGElement,
): HTMLLIElement {
  const remove = make(
    'button',
    { type: 'button', class: 'remove', 'aria-label': `Remove ${film.title}` },
    sign,
  );
  remove.addEventListener('click', () => act(film));
  const swatch = make('span', { class: 'swatch', style: posterStyle(film), 'aria-hidden': 'true' });
  const title = make('span', { class: 'chip-title' }, film.title);
  return make('li', { class: 'chip', 'data-id': film.id }, swatch, title, remove);
}
