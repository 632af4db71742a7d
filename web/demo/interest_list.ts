/** The visitor's interests, each with the films that feed it and those that it found: the map in words. */
import type { Interest } from 'pique';
import { make } from './dom.ts';
import { type Catalogue, type Film, mainGenre } from './films.ts';
import { type Card, interestClass } from './shelf.ts';

const SHOWN_FILMS = 4;

export interface Fed {
  film: Film;
  share: number;
  /** How much of the film's part in all interests is in this one, 0..1. */
  own: number;
}

export interface ListedInterest {
  element: HTMLLIElement;
  number: number;
  name: string;
  fed: Fed[];
}

/** The strongest first; `cards`: the films that are recommended. */
export function makeInterests(
  interests: Interest[],
  cards: Card[],
  catalogue: Catalogue,
): ListedInterest[] {
  const totals = new Map<string, number>();
  for (const { because, shares } of interests) {
    because.forEach((id, i) => {
      totals.set(id, (totals.get(id) ?? 0) + (shares[i] ?? 0));
    });
  }
  const fedBy = ({ because, shares }: Interest): Fed[] =>
    because.flatMap((id, i) => {
      const film = catalogue.byId.get(id);
      const share = shares[i] ?? 0;
      return film ? [{ film, share, own: share / (totals.get(id) ?? 1) }] : [];
    });
  return interests
    .map((interest, number) => ({ interest, number, fed: fedBy(interest) }))
    .filter(({ fed }) => fed.length > 0)
    .sort((a, b) => b.interest.weight - a.interest.weight)
    .map(({ interest, number, fed }) => {
      const found = cards.filter((card) => card.interest === number).map(({ film }) => film.title);
      const name = interestName(fed);
      return {
        element: makeInterest(interest.weight, number, name, fed, found),
        number,
        name,
        fed,
      };
    });
}

function makeInterest(
  weight: number,
  number: number,
  name: string,
  fed: Fed[],
  found: string[],
): HTMLLIElement {
  const percent = Math.round(100 * weight);
  const rows = fed
    .slice(0, SHOWN_FILMS)
    .map(({ film, share }) =>
      make(
        'li',
        { style: `--share: ${share.toFixed(3)}` },
        make('span', { class: 'fed-title' }, film.title),
        make('span', { class: 'fed-share' }, `${Math.round(100 * share)}%`),
      ),
    );
  const show = make(
    'button',
    { type: 'button', class: 'interest-show', 'aria-pressed': 'false' },
    name,
    make('span', { class: 'visually-hidden' }, ', alone on the map'),
  );
  return make(
    'li',
    { class: `interest${interestClass(number)}`, style: `--weight: ${weight.toFixed(3)}` },
    make(
      'div',
      { class: 'interest-head' },
      make('h3', {}, show),
      make('span', { class: 'interest-weight' }, `${percent}% of your films`),
    ),
    make('div', { class: 'meter', 'aria-hidden': 'true' }),
    make('ul', { class: 'fed', 'aria-label': 'Films that feed this interest' }, ...rows),
    make(
      'p',
      { class: 'found' },
      found.length > 0 ? `Found: ${found.join(', ')}` : 'Found none of the films on the shelf',
    ),
  );
}

/** The genres that set it apart from the other interests: the model itself knows no names. */
function interestName(fed: Fed[]): string {
  const genres = new Map<string, number>();
  for (const { film, share, own } of fed) {
    const genre = mainGenre(film);
    genres.set(genre, (genres.get(genre) ?? 0) + share * own);
  }
  const ranked = [...genres].sort((a, b) => b[1] - a[1]);
  const strongest = ranked[0]?.[1] ?? 0;
  const named = ranked.filter(([, value]) => value > strongest / 2).slice(0, 2);
  return named.map(([genre]) => genre).join(' & ');
}
