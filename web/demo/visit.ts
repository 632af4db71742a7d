/** What the visitor likes, and what the model makes of it: asks, and shows the answer everywhere. */
import type { HistoryStore, Interest, Query, Recommendation, Result } from 'pique';
import type { Controls, Wanted } from './controls.ts';
import { announce, byId, CROSS, icon } from './dom.ts';
import { type Catalogue, type Film, mainGenre } from './films.ts';
import { makeInterests } from './interest_list.ts';
import type { InterestMap } from './interest_map.ts';
import type { Forms } from './models.ts';
import { RETRIEVED } from './rank_switch.ts';
import { type Card, makeCard, makeChip } from './shelf.ts';

const SHOWN = 12;

interface Answer {
  result: Result;
  interests: Interest[];
  /** Where a film stands in the order of retrieval, from 1; where a ranker ranked. */
  places: Map<string, number>;
}

export class Visit {
  readonly #forms: Forms;
  readonly #history: HistoryStore;
  readonly #catalogue: Catalogue;
  readonly #map: InterestMap | undefined;
  #controls: Controls | undefined;
  /** Newest last. */
  #liked: string[] = [];
  #round = 0;

  constructor(
    forms: Forms,
    history: HistoryStore,
    catalogue: Catalogue,
    map: InterestMap | undefined,
  ) {
    this.#forms = forms;
    this.#history = history;
    this.#catalogue = catalogue;
    this.#map = map;
  }

  async start(controls: Controls): Promise<void> {
    this.#controls = controls;
    byId('clear').addEventListener('click', () => this.#history.clear());
    byId('example').addEventListener('click', () => this.#example());
    this.#history.subscribe(() => this.refresh());
    await this.refresh();
  }

  likes(id: string): boolean {
    return this.#liked.includes(id);
  }

  /** Likes the film, or takes the like back. */
  async toggle(film: Film): Promise<void> {
    const was = this.likes(film.id);
    if (was) await this.#history.remove(film.id);
    else await this.#history.add({ id: film.id, type: 'like' });
    const paused = !was && this.#history.paused;
    if (paused) announce('Remembering is paused: see “Your data”.');
    else announce(was ? `${film.title} removed.` : `${film.title} added.`);
  }

  /** Asks for recommendations and interests of the present history and shows both. */
  async refresh(): Promise<void> {
    const controls = this.#controls;
    if (!controls) return;
    const round = ++this.#round;
    const events = await this.#history.list();
    const hidden = new Set(events.filter(({ type }) => type === 'hide').map(({ id }) => id));
    const liked = [...new Set(events.map(({ id }) => id))].filter((id) => !hidden.has(id));
    const started = performance.now();
    const answer = await this.#ask(controls.wanted(), liked.length > 0);
    const milliseconds = performance.now() - started;
    if (round !== this.#round) return; // a newer answer is on its way
    this.#liked = liked;
    const { result } = answer;
    keepFocus(() => this.#show(answer));
    controls.show(result.personal);
    controls.showTiming(
      result.personal
        ? `${result.milliseconds.toFixed(1)} ms to compute, ${milliseconds.toFixed(1)} ms in all`
        : '',
    );
  }

  async #ask(wanted: Wanted, known: boolean): Promise<Answer> {
    const { pique } = this.#forms[wanted.form] ?? this.#forms.full;
    const rank = wanted.rank && known;
    const order: Query = rank ? { rank, retrieve: RETRIEVED } : { rank };
    const interests = await pique.interests();
    const strongest = strongestOf(interests, wanted.interests);
    const some = known && strongest.size < interests.filter(({ weight }) => weight > 0).length;
    const query: Query = { ...order, count: some ? RETRIEVED : SHOWN, explain: true };
    if (known && wanted.diversity > 0) {
      query.diversity = wanted.diversity * (await this.#spread(wanted, order));
      query.diversityBy = 'vectors';
    }
    const result = await pique.recommend(query);
    const places = rank ? await this.#placesInRetrieval(wanted) : new Map<string, number>();
    const items = some
      ? result.items.filter(({ interest }) => strongest.has(interest))
      : result.items;
    return { result: { ...result, items: items.slice(0, SHOWN) }, interests, places };
  }

  /** What lies between the best score and the last of those that a diverse list is chosen from. */
  async #spread({ form }: Wanted, order: Query): Promise<number> {
    const { pique } = this.#forms[form] ?? this.#forms.full;
    const { items } = await pique.recommend({ ...order, count: 4 * SHOWN });
    return (items[0]?.score ?? 0) - (items.at(-1)?.score ?? 0);
  }

  /** Where every film stands that the ranker was given, from 1. */
  async #placesInRetrieval({ form }: Wanted): Promise<Map<string, number>> {
    const { pique } = this.#forms[form] ?? this.#forms.full;
    const { items } = await pique.recommend({ count: RETRIEVED, rank: false });
    return new Map(items.map(({ id }, index) => [id, index + 1]));
  }

  /** Two films each of the two genres that the catalogue has most of. */
  async #example(): Promise<void> {
    const shelves = new Map<string, Film[]>();
    for (const film of this.#catalogue.films) {
      const shelf = shelves.get(mainGenre(film)) ?? [];
      shelves.set(mainGenre(film), [...shelf, film]);
    }
    const fullest = [...shelves.values()].sort((a, b) => b.length - a.length).slice(0, 2);
    for (const film of fullest.flatMap((shelf) => shelf.slice(0, 2))) {
      if (!this.likes(film.id)) await this.#history.add({ id: film.id, type: 'like' });
    }
    announce('Four films added as an example.');
  }

  #show({ result, interests, places }: Answer): void {
    this.#showLikes();
    const cards = this.#cards(result.items, places);
    const shown = result.personal ? cards : [];
    const list = makeInterests(interests, shown, this.#catalogue);
    byId('interests').replaceChildren(...list.map(({ element }) => element));
    byId('interests-empty').hidden = list.length > 0;
    for (const { element, number } of list) this.#map?.followInterest(element, number);
    this.#map?.show({
      liked: this.#liked,
      found: shown.map(({ film, interest, because }) => ({ id: film.id, interest, because })),
      interests: list.map(({ number, name, fed }) => ({ number, name, fed })),
    });
    this.#showFilms(cards, result.personal);
  }

  #showLikes(): void {
    const films = this.#liked
      .map((id) => this.#catalogue.byId.get(id))
      .filter((film) => film !== undefined)
      .reverse();
    const chips = films.map((film) => makeChip(film, () => this.toggle(film), icon(CROSS)));
    byId('likes').replaceChildren(...chips);
    byId('paused-note').hidden = !this.#history.paused;
    byId('likes-empty').hidden = films.length > 0;
    byId('example').hidden = films.length > 0;
    byId('clear').hidden = films.length === 0;
  }

  #cards(items: Recommendation[], places: Map<string, number>): Card[] {
    return items.flatMap(({ id, interest, reasons = [] }) => {
      const film = this.#catalogue.byId.get(id);
      if (!film) return [];
      const because = reasons
        .slice(0, 2)
        .map((reason) => this.#catalogue.byId.get(reason.id)?.title)
        .filter((title) => title !== undefined);
      return [{ film, liked: false, interest, retrievedAs: places.get(id), because }];
    });
  }

  #showFilms(cards: Card[], personal: boolean): void {
    const films = byId('films');
    const before = new Set([...films.children].map((child) => (child as HTMLElement).dataset.id));
    films.replaceChildren(
      ...cards.map((card, place) => {
        const element = makeCard(card, (film) => this.toggle(film));
        element.style.setProperty('--place', String(place));
        if (!before.has(card.film.id)) element.classList.add('fresh');
        this.#map?.followFilm(element, card.film.id);
        return element;
      }),
    );
    byId('shelf-title').textContent = personal ? 'Recommended for you' : 'Popular films';
    byId('shelf-hint').hidden = personal;
    const first = cards[0]?.film.title;
    if (personal && first) announce(`${cards.length} recommendations. First: ${first}.`);
  }
}

/** Numbers of the interests that hold most of the history. */
function strongestOf(interests: Interest[], count: number): Set<number> {
  const ranked = interests
    .map(({ weight }, number) => ({ weight, number }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight);
  return new Set(ranked.slice(0, count).map(({ number }) => number));
}

/** Elements are made anew; the keyboard stays on the same place of the same list. */
function keepFocus(change: () => void): void {
  const focused = document.activeElement;
  const list = focused?.closest<HTMLElement>('#films, #likes, #interests');
  const row = focused?.closest('li');
  const index = list && row ? [...list.children].indexOf(row) : -1;
  const onButton = focused instanceof HTMLElement && focused.closest('.you') !== null;
  change();
  if (list && index >= 0) {
    const rows = list.children;
    const next = rows[Math.min(index, rows.length - 1)]?.querySelector('button');
    (next ?? byId('search-input')).focus({ preventScroll: true });
  } else if (onButton && (focused as HTMLElement).hidden) {
    byId('shelf-title').focus({ preventScroll: true });
  }
}
