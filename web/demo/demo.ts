/** The demo page: pick films, see what the model makes of them. Everything happens on this device. */
import {
  type Interest,
  load,
  type ModelInfo,
  type Progress,
  type Recommender,
  type Result,
} from 'pique';
import { announce, byId, CROSS, icon, make } from './dom.ts';
import { showFailure } from './failure.ts';
import { type Catalogue, type Film, fetchFilms, mainGenre, makeCatalogue } from './films.ts';
import { makeInterests } from './interest_list.ts';
import { makeRankSwitch, type RankSwitch, RETRIEVED } from './rank_switch.ts';
import { makeSearchBox } from './search_box.ts';
import { type Card, makeCard, makeChip } from './shelf.ts';

const SHOWN = 12;

const parameters = new URLSearchParams(location.search);
const number = new Intl.NumberFormat('en');

class Page {
  readonly #pique: Recommender;
  readonly #catalogue: Catalogue;
  readonly #switch: RankSwitch;
  /** Newest last. */
  #liked: string[] = [];
  #round = 0;

  constructor(pique: Recommender, catalogue: Catalogue) {
    this.#pique = pique;
    this.#catalogue = catalogue;
    this.#switch = makeRankSwitch(pique.info, () => this.refresh());
  }

  async start(): Promise<void> {
    const likes = (id: string) => this.#liked.includes(id);
    const search = makeSearchBox(this.#catalogue, likes, (film) => this.toggle(film));
    byId('clear').addEventListener('click', () => this.#pique.history.clear());
    byId('example').addEventListener('click', () => this.#example());
    this.#pique.history.subscribe(() => this.refresh());
    await this.refresh();
    search.enable();
  }

  /** Likes the film, or takes the like back. */
  async toggle(film: Film): Promise<void> {
    const { history } = this.#pique;
    const was = this.#liked.includes(film.id);
    if (was) await history.remove(film.id);
    else await history.add({ id: film.id, type: 'like' });
    announce(was ? `${film.title} removed.` : `${film.title} added.`);
  }

  /** Asks for recommendations and interests of the present history and shows both. */
  async refresh(): Promise<void> {
    const round = ++this.#round;
    const events = await this.#pique.history.list();
    const started = performance.now();
    const ranked = this.#switch.wanted() && events.length > 0;
    const order = ranked ? { rank: true, retrieve: RETRIEVED } : { rank: false };
    const result = await this.#pique.recommend({ count: SHOWN, explain: true, ...order });
    const milliseconds = performance.now() - started;
    const places = ranked ? await this.#placesInRetrieval() : new Map<string, number>();
    const interests = await this.#pique.interests();
    if (round !== this.#round) return; // a newer answer is on its way
    this.#liked = events.map(({ id }) => id);
    keepFocus(() => {
      this.#showLikes();
      this.#showInterests(interests);
      this.#showFilms(result, places);
      this.#switch.show(result.personal);
    });
    showTiming(result, milliseconds);
  }

  /** Where every film stands that the ranker was given, from 1. */
  async #placesInRetrieval(): Promise<Map<string, number>> {
    const { items } = await this.#pique.recommend({ count: RETRIEVED, rank: false });
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
      if (!this.#liked.includes(film.id)) {
        await this.#pique.history.add({ id: film.id, type: 'like' });
      }
    }
    announce('Four films added as an example.');
  }

  #showLikes(): void {
    const films = this.#liked
      .map((id) => this.#catalogue.byId.get(id))
      .filter((film) => film !== undefined)
      .reverse();
    const chips = films.map((film) => makeChip(film, () => this.toggle(film), icon(CROSS)));
    byId('likes').replaceChildren(...chips);
    byId('likes-empty').hidden = films.length > 0;
    byId('example').hidden = films.length > 0;
    byId('clear').hidden = films.length === 0;
  }

  #showInterests(interests: Interest[]): void {
    const shown = makeInterests(interests, this.#catalogue);
    const list = byId('interests');
    list.replaceChildren(...shown);
    byId('interests-section').hidden = shown.length === 0;
    // A strip that scrolls must be within reach of the keyboard.
    if (list.scrollWidth > list.clientWidth) list.tabIndex = 0;
    else list.removeAttribute('tabindex');
  }

  #showFilms(result: Result, places: Map<string, number>): void {
    const cards = result.items
      .map((item) => ({ item, film: this.#catalogue.byId.get(item.id) }))
      .filter((entry) => entry.film !== undefined)
      .map(({ item, film }) => ({
        film: film as Film,
        liked: false,
        interest: item.interest,
        retrievedAs: places.get(item.id),
        because: (item.reasons ?? [])
          .slice(0, 2)
          .map(({ id }) => this.#catalogue.byId.get(id)?.title)
          .filter((title) => title !== undefined),
      }));
    const films = byId('films');
    const before = new Set([...films.children].map((child) => (child as HTMLElement).dataset.id));
    films.replaceChildren(
      ...cards.map((card: Card, place) => {
        const element = makeCard(card, (film) => this.toggle(film));
        element.style.setProperty('--place', String(place));
        if (!before.has(card.film.id)) element.classList.add('fresh');
        return element;
      }),
    );
    byId('shelf-title').textContent = result.personal ? 'Recommended for you' : 'Popular films';
    byId('shelf-hint').hidden = result.personal;
    const first = cards[0]?.film.title;
    if (result.personal && first) announce(`${cards.length} recommendations. First: ${first}.`);
  }
}

/** Elements are made anew; the keyboard stays on the same place of the same list. */
function keepFocus(change: () => void): void {
  const focused = document.activeElement;
  const list = focused?.closest<HTMLElement>('#films, #likes');
  const row = focused?.closest('li');
  const index = list && row ? [...list.children].indexOf(row) : -1;
  const onButton = focused instanceof HTMLElement && focused.closest('aside') !== null;
  change();
  if (list && index >= 0) {
    const rows = list.children;
    const next = rows[Math.min(index, rows.length - 1)]?.querySelector('button');
    (next ?? byId('search-input')).focus({ preventScroll: true });
  } else if (onButton && (focused as HTMLElement).hidden) {
    byId('shelf-title').focus({ preventScroll: true });
  }
}

function showTiming(result: Result, milliseconds: number): void {
  const engine = result.milliseconds.toFixed(1);
  const text = `${engine} ms to compute, ${milliseconds.toFixed(1)} ms in all`;
  byId('timing').textContent = result.personal ? text : '';
}

function showProgress({ phase, loaded, total }: Progress): void {
  const bar = byId<HTMLProgressElement>('loading-bar');
  if (total > 0) {
    bar.max = total;
    bar.value = loaded;
  }
  const amount = total > 0 ? `${bytes(loaded)} of ${bytes(total)}` : bytes(loaded);
  byId('loading-text').textContent =
    phase === 'fetch' ? `Loading the model: ${amount}` : 'Opening the model…';
}

function bytes(count: number): string {
  return count < 1e6 ? `${Math.round(count / 1000)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

function showFacts(info: ModelInfo): void {
  const where = info.thread === 'worker' ? 'in a worker' : 'in the page';
  const simd = info.isa === 'scalar' ? 'without SIMD' : 'with SIMD';
  const downloaded = info.size.download + (info.ranker?.size.download ?? 0);
  const facts: [name: string, value: string, id: string][] = [
    [info.ranker ? 'Models' : 'Model', `${bytes(downloaded)}, once`, 'fact-size'],
    ['Catalogue', `${number.format(info.items)} films`, 'fact-items'],
    ['Interests', `up to ${info.interests}, ${info.width} numbers each`, 'fact-interests'],
    ['Runs', `${where}, ${simd}`, 'fact-runs'],
    ['Requests since it loaded', '0', 'fact-requests'],
  ];
  byId('facts').replaceChildren(
    ...facts.map(([name, value, id]) =>
      make('div', {}, make('dt', {}, name), make('dd', { id }, value)),
    ),
  );
  byId('facts').hidden = false;
}

/** What the file says about its own origin. */
function showProvenance(info: ModelInfo): void {
  const { data, card, metrics } = info.details;
  const ranker = info.ranker?.details ?? {};
  const text = (value: unknown) =>
    typeof value === 'string' ? value : value ? JSON.stringify(value, null, 1) : '';
  const origin = `${text(data)} ${text(card)}`;
  byId('provenance').textContent = /simulat/i.test(origin)
    ? 'Real titles, from the vega-datasets package. The viewers that the model learned from are simulated.'
    : `Learned from: ${text(data) || 'data that the file does not name'}`;
  const parts: [string, string][] = [
    ['Data', text(data)],
    ['Card', text(card)],
    ['Measured', text(metrics)],
    ['The ranker', text(ranker.card)],
    ['The ranker, measured', text(ranker.metrics)],
  ];
  byId('about-text').replaceChildren(
    ...parts
      .filter(([, value]) => value !== '')
      .flatMap(([name, value]) => [make('h3', {}, name), make('p', { class: 'pre' }, value)]),
  );
  byId('about').hidden = false;
}

/** From here on the page may open no connection, and counts whatever it asks for all the same. */
function seal(): void {
  const policy = { 'http-equiv': 'Content-Security-Policy', content: "connect-src 'none'" };
  document.head.append(make('meta', policy));
  let requests = 0;
  new PerformanceObserver((entries) => {
    requests += entries.getEntries().length;
    byId('fact-requests').textContent = String(requests);
  }).observe({ type: 'resource' });
}

/** The films that the model knows, in its order of popularity. */
async function matchTitles(pique: Recommender, films: Film[]): Promise<Catalogue> {
  const byId = new Map(films.map((film) => [film.id, film]));
  const query = { context: [], count: pique.info.items, rank: false };
  const { items } = await pique.recommend(query);
  return makeCatalogue(items.map(({ id }) => byId.get(id)).filter((film) => film !== undefined));
}

/** The files that the page was built with, or those of its address. */
async function loadModels(): Promise<Recommender> {
  const built = document.querySelector<HTMLMetaElement>('meta[name="pique-ranker"]')?.content;
  const model = parameters.get('model');
  const ranker = parameters.get('ranker') ?? (model ? undefined : built);
  return load(model ?? 'films.pique', {
    onProgress: showProgress,
    ...(ranker ? { ranker } : {}),
  });
}

async function main(): Promise<void> {
  const [pique, films] = await Promise.all([loadModels(), fetchFilms('films.json')]);
  seal();
  showFacts(pique.info);
  showProvenance(pique.info);
  await new Page(pique, await matchTitles(pique, films)).start();
  byId('loading').hidden = true;
  byId('content').hidden = false;
  document.body.dataset.state = 'ready';
}

main().catch(showFailure);
