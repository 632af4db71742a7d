/**
 * `<pique-list>`: recommendations in place of the list that the server rendered.
 *
 * What the server rendered stays in the document and is shown until there is something personal, and for good
 * when anything fails. With a `<template>` child the items stand beside it in the document, so that the page's own
 * styles hold for both; without one they stand in the shadow root, and their parts can be styled.
 */
import type { HistoryEvent, ItemId, Query, Recommendation, Recommender, Result } from 'pique';
import { type Attributes, namesOf, PiqueElement, reflect } from './element_base.ts';
import { adopt, make } from './element_markup.ts';
import { COMMON, LIST } from './element_styles.ts';
import { imports, remembered, type Store } from './engine_import.ts';
import {
  type Catalog,
  type CatalogData,
  type CatalogItem,
  titleOf,
  toCatalog,
} from './item_catalog.ts';
import { ItemRows } from './item_rows.ts';
import type { Fields } from './item_template.ts';
import { identify, type Lease, lease } from './shared_models.ts';

/** Which items may be shown: values of the model's fields, or any test. */
export type Filter = Record<string, string | readonly string[]> | ((id: ItemId) => boolean);

export type ListState = 'fallback' | 'loading' | 'ready' | 'failed';
export type Action = 'view' | 'like' | 'hide';

/** `pique-ready`: the model is there. */
export interface ReadyDetail {
  recommender: Recommender;
}
/** `pique-results`: the element has decided what it shows; `items` is empty where the fallback stays. */
export interface ResultsDetail {
  result: Result;
  items: { recommendation: Recommendation; item: CatalogItem }[];
  personal: boolean;
}
/** `pique-error`: what the server rendered stays. `error` is a PiqueError where the package raised it. */
export interface ErrorDetail {
  error: unknown;
}
/** `pique-select`: the visitor chose an item; `preventDefault()` keeps it out of the history. */
export interface SelectDetail {
  id: ItemId;
  action: Action;
  item: CatalogItem | undefined;
}

const DEFAULT_COUNT = 10;
const ATTRIBUTES: Attributes = {
  text: 'model ranker integrity catalog history loading diversity-by viewing actions layout label',
  number: 'count diversity',
  flag: 'exclude-seen explain sealed',
  ids: 'context',
};

/** All that a list needs to answer. */
interface Ready {
  recommender: Recommender;
  store: Store;
  catalog: Catalog | undefined;
}

interface Found {
  result: Result;
  events: Map<string, HistoryEvent>;
}

/** `<pique-list>`. Each property is an attribute, too; `filter` as text, `items` and `store` not at all. */
export class PiqueList extends PiqueElement {
  /** @hidden */
  static readonly observedAttributes = [...namesOf(ATTRIBUTES), 'filter', 'lang', 'dir'];

  /** Address of the model file. */
  declare model: string;
  /** Address of the file of a model that ranks. */
  declare ranker: string;
  /** SHA-256 of the model file. */
  declare integrity: string;
  /** As many as the list inside has, else 10. */
  declare count: number | undefined;
  /** Leaves out what the visitor has met. */
  declare excludeSeen: boolean;
  declare diversity: number | undefined;
  declare diversityBy: string;
  /** Ids in place of the history. */
  declare context: string[];
  /** Gives reasons. */
  declare explain: boolean;
  /** The engine's worker can reach no server, or the list inside stays. */
  declare sealed: boolean;
  /** Id of the item that the page is about. */
  declare viewing: string;
  /** Buttons of the element's own looks: `like hide`. */
  declare actions: string;
  /** `cards` (default) or `text`. */
  declare layout: string;
  /** What screen readers call the list. */
  declare label: string;

  #ready: Ready | undefined;
  #items: Catalog | undefined;
  #filter: Filter | undefined;
  #query: AbortController | undefined;
  #rows: ItemRows | undefined;
  #viewed = '';
  readonly #frame = make('div', { part: 'frame' });
  readonly #fallback = make('slot');
  readonly #results = make('slot', { name: 'results' });
  readonly #message = make('p', { part: 'message', hidden: '' });
  readonly #status = make('p', { part: 'status', role: 'status', class: 'quiet' });

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    adopt(root, COMMON + LIST);
    this.#frame.append(this.#fallback, this.#results, this.#message);
    root.append(this.#frame, this.#status);
    // Slotted children are below the frame in the path of an event, so that one listener hears them all.
    for (const type of ['click', 'auxclick']) {
      this.#frame.addEventListener(type, (event) => this.#clicked(event as MouseEvent));
    }
  }

  /** The catalogue itself in place of the address of one. */
  get items(): Catalog | undefined {
    return this.#items ?? this.#ready?.catalog;
  }

  set items(data: CatalogData | undefined) {
    this.#items = data && toCatalog(data);
    this.changed(true);
  }

  /** As an attribute `genre=Comedy&genre=Drama`, or JSON; a function only as a property. */
  get filter(): Filter | undefined {
    if (this.#filter) return this.#filter;
    const text = this.getAttribute('filter');
    if (!text) return undefined;
    if (text.trimStart().startsWith('{')) return JSON.parse(text);
    const pairs = new URLSearchParams(text);
    return Object.fromEntries([...pairs.keys()].map((key) => [key, pairs.getAll(key)]));
  }

  set filter(value: Filter | undefined) {
    this.#filter = typeof value === 'function' ? value : undefined;
    if (value && !this.#filter) this.setAttribute('filter', JSON.stringify(value));
    else this.removeAttribute('filter');
    this.changed();
  }

  /** The model that the element shares with others of its page; undefined until `pique-ready`. */
  get recommender(): Recommender | undefined {
    return this.#ready?.recommender;
  }

  /** What is to be seen; the attribute `state` says it to style sheets. */
  get state(): ListState {
    return (this.getAttribute('state') as ListState | null) ?? 'fallback';
  }

  protected override async begin(signal: AbortSignal): Promise<void> {
    this.#setState('fallback');
    await this.parsed(signal);
    if (signal.aborted) return;
    this.#watchPlace(signal);
    if (!this.#fallbackItems) this.#makeRows().reserve(this.#wanted);
    await this.due(signal);
    if (signal.aborted) return;
    this.#setState('loading');
    const [store, catalog] = await Promise.all([
      this.openStore(),
      this.#items ?? this.readCatalog(),
    ]);
    if (signal.aborted) return;
    const held = this.#lease(store);
    signal.addEventListener('abort', held.release);
    const recommender = await held.recommender;
    if (signal.aborted) return;
    this.#ready = { recommender, store, catalog };
    this.emit('pique-ready', { recommender } satisfies ReadyDetail);
    await this.#recordPage(store);
    if (signal.aborted) return;
    signal.addEventListener(
      'abort',
      store.subscribe(() => this.changed()),
    );
    await this.renew();
  }

  #lease(store: Store): Lease {
    const { model, ranker, integrity, sealed } = this;
    if (!model) throw new Error('pique-list has no model: the attribute names the address of one');
    const [address, second] = [model, ranker].map(
      (url) => url && new URL(url, document.baseURI).href,
    );
    const key = JSON.stringify([address, second, integrity, sealed, identify(store)]);
    return lease(key, async (signal) => {
      const { load } = await imports.pique();
      const more = { ...(second && { ranker: second }), ...(integrity && { integrity }) };
      const worker = sealed ? 'sealed' : 'auto';
      return load(address as string, { signal, history: store, worker, ...more });
    });
  }

  /** The visitor's being on an item's own page is a view of it. */
  async #recordPage(store: Store): Promise<void> {
    const { viewing } = this;
    if (!viewing || viewing === this.#viewed) return;
    this.#viewed = viewing;
    await store.add({ id: viewing });
  }

  protected override end(): void {
    this.#query?.abort();
    this.#ready = undefined;
    this.#rows?.container.remove();
    this.#rows = undefined;
    this.#fallback.hidden = this.#results.hidden = false;
    this.#message.hidden = true;
  }

  /** Asks anew; what was asked before no longer matters. Resolves when the answer is shown. */
  refresh(): Promise<void> {
    return this.renew();
  }

  protected override async renew(): Promise<void> {
    const ready = this.#ready;
    if (!ready) return;
    this.#query?.abort();
    const query = new AbortController();
    this.#query = query;
    try {
      const found = await this.#find(ready, query.signal);
      if (!query.signal.aborted) this.#show(found, ready.catalog);
    } catch (error) {
      if (!query.signal.aborted) throw error;
    }
  }

  /** The best items that the catalogue knows: others are asked for until enough are known. */
  async #find({ recommender, store, catalog }: Ready, signal: AbortSignal): Promise<Found> {
    const events = remembered(await store.list());
    const count = this.#wanted;
    const query = this.#queryFor(events, signal);
    for (let asked = count; ; asked *= 2) {
      const result = await recommender.recommend({ ...query, count: asked });
      const known = result.items.filter(({ id }) => !catalog || catalog.has(id));
      if (known.length >= count || result.items.length < asked) {
        return { result: { ...result, items: known.slice(0, count) }, events };
      }
    }
  }

  #queryFor(events: Found['events'], signal: AbortSignal): Query {
    const { context, diversity, diversityBy, filter, viewing } = this;
    const hidden = [...events.values()].filter(({ type }) => type === 'hide').map(({ id }) => id);
    return {
      signal,
      explain: this.explain,
      exclude: { seen: this.excludeSeen, ids: viewing ? [...hidden, viewing] : hidden },
      ...(context.length > 0 && { context }),
      ...(diversity !== undefined && { diversity }),
      ...(diversityBy && { diversityBy }),
      ...(filter && { filter }),
    };
  }

  #show({ result, events }: Found, catalog: Catalog | undefined): void {
    const shown = result.personal || !this.#fallbackItems ? result.items : [];
    const rows = shown.map((item, at) => ({
      id: item.id,
      fields: this.#fields(item, at, events, catalog),
    }));
    const kept = this.#keepPlace();
    if (rows.length > 0) this.#makeRows().show(rows, this.locale);
    this.#swap(rows.length > 0);
    kept();
    this.#setState('ready');
    const items = shown.map((recommendation) => ({
      recommendation,
      item: catalog?.get(recommendation.id) ?? { id: recommendation.id },
    }));
    this.emit('pique-results', {
      result,
      items,
      personal: result.personal,
    } satisfies ResultsDetail);
  }

  #fields(
    item: Recommendation,
    at: number,
    events: Found['events'],
    catalog: Catalog | undefined,
  ): Fields {
    const title = titleOf(catalog, item.id);
    const because = item.reasons?.[0]?.id;
    return {
      ...catalog?.get(item.id),
      id: item.id,
      title,
      rank: at + 1,
      score: item.score,
      probability: item.probability,
      liked: events.get(item.id)?.type === 'like',
      reason:
        because === undefined ? undefined : this.#reason(because, events.get(because), catalog),
      likeLabel: this.say('like', { title }),
      hideLabel: this.say('hide', { title }),
    };
  }

  #reason(id: ItemId, event: HistoryEvent | undefined, catalog: Catalog | undefined): string {
    const keys = {
      like: 'becauseLike',
      buy: 'becauseBuy',
      view: 'becauseView',
      hide: 'becauseView',
    } as const;
    return this.say(keys[event?.type ?? 'view'], { title: titleOf(catalog, id) });
  }

  /** Either what the server rendered or what was found, or words where there is neither. */
  #swap(found: boolean): void {
    this.#fallback.hidden = found;
    this.#frame.dir = this.direction;
    this.#message.hidden = found || Boolean(this.#fallbackItems);
    this.#message.textContent = this.say('nothing');
    const container = this.#rows?.container;
    if (!container) return;
    // A page's own list may be shown by its styles in spite of `hidden`; its slot is not.
    const shown = container.slot ? this.#results : container;
    shown.hidden = !found;
    container.dir = this.direction;
    const named = container.slot && this.#fallbackList?.matches('[aria-label],[aria-labelledby]');
    if (!named) container.setAttribute('aria-label', this.label || this.say('label'));
  }

  /**
   * Holds the height, so that nothing below moves: what is less high leaves room, and what is higher scrolls in
   * itself until it can grow unseen. Returns what to call when the rows are there.
   */
  #keepPlace(): () => void {
    const { height, top, bottom } = this.#frame.getBoundingClientRect();
    const seen = bottom > 0 && top < innerHeight;
    return () => {
      if (height === 0) return;
      const { style, scrollHeight } = this.#frame;
      style.minBlockSize = `${height}px`;
      if (!seen || scrollHeight <= height + 1) return;
      style.maxBlockSize = style.minBlockSize;
      style.overflow = 'auto';
    };
  }

  /** Lets go of the height when the width is another, or the element is below what is seen. */
  #watchPlace(signal: AbortSignal): void {
    const give = () => {
      Object.assign(this.#frame.style, { minBlockSize: '', maxBlockSize: '', overflow: '' });
    };
    let width = this.offsetWidth;
    const sizes = new ResizeObserver(() => {
      if (width !== this.offsetWidth) give();
      width = this.offsetWidth;
    });
    const sight = new IntersectionObserver(([entry]) => {
      if (entry && !entry.isIntersecting && entry.boundingClientRect.top > 0) give();
    });
    sizes.observe(this);
    sight.observe(this);
    signal.addEventListener('abort', () => {
      sizes.disconnect();
      sight.disconnect();
      give();
    });
  }

  #setState(state: ListState): void {
    this.setAttribute('state', state);
  }

  protected override failed(error: unknown): void {
    const kept = this.#keepPlace();
    this.#swap(false);
    kept();
    this.#setState('failed');
    this.emit('pique-error', { error } satisfies ErrorDetail);
  }

  get #template(): HTMLTemplateElement | null {
    return this.querySelector<HTMLTemplateElement>(':scope > template');
  }

  /** The server's list: the first child that is one, or what stands there in its place. */
  get #fallbackList(): Element | null {
    const other = ':not(template,script,style,[slot])';
    return (
      this.querySelector(`:scope > :is(ul,ol)${other}`) ?? this.querySelector(`:scope > ${other}`)
    );
  }

  get #fallbackItems(): number {
    const list = this.#fallbackList;
    return list ? Math.max(list.childElementCount, 1) : 0;
  }

  get #wanted(): number {
    const { count } = this;
    if (count !== undefined && count >= 1) return Math.floor(count);
    return this.#fallbackItems || DEFAULT_COUNT;
  }

  /** Where the items go: a list like the server's, or one in the shadow root. */
  #makeRows(): ItemRows {
    const template = this.#template;
    const made = this.#rows;
    if (made && Boolean(template) === (made.container.parentNode === this)) return made;
    made?.container.remove();
    if (!template) {
      const list = make('ul', { part: 'list', class: 'list', role: 'list' });
      this.#message.before(list);
      this.#rows = new ItemRows(list, () => this.#makeItem());
      return this.#rows;
    }
    const item = template.content.firstElementChild ?? make('li');
    const list =
      this.#fallbackList?.cloneNode(false) ??
      (item.matches('li') ? make('ul') : make('div', { role: 'group' }));
    const container = list as HTMLElement;
    container.removeAttribute('id');
    container.slot = 'results';
    this.append(container);
    this.#rows = new ItemRows(container, () => document.importNode(item, true) as HTMLElement);
    return this.#rows;
  }

  /** The item of the element's own looks, in the same words as a page's template. */
  #makeItem(): HTMLElement {
    const styled = (name: string) => ({ part: name, class: name });
    const link = make('a', { ...styled('link'), 'data-bind-href': 'url' });
    if (this.layout !== 'text') {
      link.append(
        make('img', { ...styled('image'), 'data-bind-src': 'image', alt: '', loading: 'lazy' }),
      );
    }
    link.append(make('span', { ...styled('title'), 'data-bind': 'title', dir: 'auto' }));
    const item = make('li', { part: 'item', class: 'item' }, link);
    if (this.explain) item.append(make('p', { ...styled('reason'), 'data-bind': 'reason' }));
    const buttons = this.actions
      .split(/\s+/)
      .filter((action) => action === 'like' || action === 'hide');
    const signs = { like: '♥', hide: '✕' };
    const made = buttons.map((action) =>
      make(
        'button',
        {
          type: 'button',
          part: action,
          'data-action': action,
          'data-bind-aria-label': `${action}Label`,
          ...(action === 'like' && { 'data-bind-aria-pressed': 'liked' }),
        },
        signs[action as keyof typeof signs],
      ),
    );
    if (made.length > 0) item.append(make('div', styled('actions'), ...made));
    return item;
  }

  #clicked(event: MouseEvent): void {
    if (event.type === 'auxclick' && event.button !== 1) return; // the middle button opens a tab
    const path = event
      .composedPath()
      .filter((node): node is HTMLElement => node instanceof HTMLElement);
    const at = path.findIndex((node) => node.dataset.piqueId);
    const id = path[at]?.dataset.piqueId;
    if (!id) return;
    const inside = path.slice(0, at + 1);
    const action = inside.find((node) => node.dataset.action)?.dataset.action;
    const other = inside.some((node) => node.matches('button,input,select,textarea,label,summary'));
    if (action === 'like' || action === 'hide') this.#select(id, action);
    else if (action === 'view' || (!action && !other)) this.#select(id, 'view');
  }

  #select(id: ItemId, action: Action): void {
    const { items } = this;
    const detail: SelectDetail = { id, action, item: items?.get(id) };
    if (!this.emit('pique-select', detail, true)) return;
    this.#record(id, action, titleOf(items, id)).catch((error) => {
      this.emit('pique-error', { error } satisfies ErrorDetail);
    });
  }

  async #record(id: ItemId, action: Action, title: string): Promise<void> {
    const store = this.#ready?.store ?? (await this.openStore());
    const liked = action === 'like' && remembered(await store.list()).get(id)?.type === 'like';
    if (liked)
      await store.remove(id); // the button takes back what it did
    else await store.add({ id, type: action });
    if (action === 'view') return;
    const told = liked ? 'didUnlike' : action === 'like' ? 'didLike' : 'didHide';
    this.#status.textContent = this.say(told, { title });
  }
}

reflect(PiqueList, ATTRIBUTES);
