/** The public types of the package. */

/** An item's id as the training data spelled it. */
export type ItemId = string;

/** How far loading has come. */
export interface Progress {
  /**
   * `verify`: with `integrity`, the file's hash is made. `blocks`, after `ready`: another block of a model that
   * is loaded `partial`ly is there.
   */
  phase: 'fetch' | 'verify' | 'init' | 'ready' | 'blocks';
  /** Bytes of the (compressed) model file received so far, and of the ranker's. */
  loaded: number;
  /** Bytes to come in all; 0 when the server did not say. */
  total: number;
  /** All of it comes from the browser's cache. */
  fromCache: boolean;
}

/** What {@link load} takes a model from. */
export type ModelSource = string | URL | Blob | BufferSource | ReadableStream<Uint8Array>;

/** How {@link load} loads. */
export interface LoadOptions {
  /** Ends loading with an `ABORTED` error; the engine's memory is given back. */
  signal?: AbortSignal;
  /** Is told how far loading has come, a few times and with every piece of the file. */
  onProgress?(progress: Progress): void;
  /**
   * `'auto'` (default): a module worker where there is one, else this thread. `false`: this thread.
   * `'sealed'`: a worker that cannot reach any server, also where nobody can set the headers of the worker's file:
   * it is made of text in a hidden frame with a policy of its own, and tries the seal before it starts. Where that is
   * not to be had, loading rejects with `UNSUPPORTED`.
   * A function: the worker to use, for bundlers and policies that need it spelled out; the
   * package exports its file as `pique/worker`.
   */
  worker?: 'auto' | 'sealed' | false | (() => Worker);
  /** The engine: an address, or its bytes. By default what the package brings along. */
  wasm?: string | URL | BufferSource;
  /**
   * A model that ranks what the first one retrieves, from a file of its own. The two may come from different
   * trainings: items are joined by their ids. The engine and its worker are the same.
   */
  ranker?: ModelSource;
  /**
   * Of a file of blocks (`pique export --blocks`): load as soon as its head is there; the blocks of item
   * rows follow, those of the visitor's history and of what is near it first where the server gives
   * ranges of bytes. Until {@link Recommender.complete}, {@link Result.coverage} tells how much is there.
   * Other files load as always.
   */
  partial?: boolean;
  /**
   * `'auto'` (default): model files from http(s) addresses are kept in the browser's Cache API (`pique-v1`), so
   * that they travel once and the page works offline. On the next visit the server is asked whether it still has
   * the same file (ETag, else Last-Modified and Content-Length); with `integrity`, a file of that hash is taken
   * unasked. Only files that were loaded to the end and opened are kept, a damaged one is fetched again, and
   * where the browser keeps nothing everything works without. Files of blocks that are loaded `partial`ly are
   * not kept. `'none'`: neither read nor written.
   */
  cache?: 'auto' | 'none';
  /**
   * SHA-256 of the model file as it is served, `sha256-BASE64` as for subresource integrity or 64 hex digits
   * (`sha256sum FILE`). Checked before anything is scored or kept; another file rejects with `INTEGRITY`. Needs
   * a secure origin, and does not go together with `partial`.
   */
  integrity?: string;
  /** The same of the ranker's file. */
  rankerIntegrity?: string;
  /**
   * Where the visitor's events live: `'memory'` (default), forgotten with the page; `'indexeddb'`, on the
   * device, as `openHistory()` opens it; or a store of your own.
   */
  history?: 'indexeddb' | 'memory' | HistoryStore;
}

/** Something the visitor did. */
export interface HistoryEvent {
  id: ItemId;
  /** `hide` keeps the item out of every list; the others tell what the visitor is interested in. */
  type: 'view' | 'like' | 'hide' | 'buy';
  /** Milliseconds since 1970. */
  at: number;
}

/** The visitor's events. Equal times stand in the order of their ids. */
export interface HistoryStore {
  /**
   * Adds an event; type `'view'` and the present time unless given. An item that is hidden is neither
   * recommended nor counted as an interest, whatever else is known of it, until it is removed: later events, and
   * those of an imported file, do not bring it back. The newest 10,000 events are kept, hidden items longest.
   */
  add(event: { id: ItemId; type?: HistoryEvent['type']; at?: number }): Promise<void>;
  /** Oldest first; `limit` keeps the newest so many. */
  list(options?: { limit?: number }): Promise<HistoryEvent[]>;
  /** Removes every event of that item, also that it is hidden. */
  remove(id: ItemId): Promise<void>;
  /** Removes everything, hidden items too. */
  clear(): Promise<void>;
  /** All events as a JSON file that {@link HistoryStore.import} takes. */
  export(): Promise<Blob>;
  /**
   * Adds the events of an exported file to those that are there; how many were new. A file that is damaged in
   * any place adds nothing and rejects with `ARGUMENT`.
   */
  import(file: Blob): Promise<number>;
  /** While paused, `add` remembers nothing, no hidden item either. A store that lasts remembers this. */
  pause(on: boolean): void;
  /** Whether it is paused. */
  readonly paused: boolean;
  /** Whether the events outlive the page. */
  readonly persistent: boolean;
  /** Calls `listener` after every change, of other tabs too, until the returned function is called. */
  subscribe(listener: () => void): () => void;
}

/**
 * Which items may be found. By fields: those of {@link ModelInfo.categories}, each with the value or values
 * that an item may have in it ({@link ModelInfo.terms}; of an item with several the file carries the first). By
 * ids: a function that is asked once for every id of the catalogue; keep it, and its answers are kept.
 */
export type Filter = Record<string, string | readonly string[]> | ((id: ItemId) => boolean);

/** What {@link Recommender.recommend} and its like are asked. */
export interface Query {
  /** How many recommendations, 10 unless given. */
  count?: number;
  /** The visitor's items, oldest first, in place of the history store. */
  context?: ItemId[];
  /**
   * When each item of `context` was seen, in milliseconds since 1970. Models that look at times take a
   * `context` without them for one session; of the history store they know them.
   */
  times?: number[];
  /** `seen` (default true) leaves out the visitor's own items; `ids` leaves out others. */
  exclude?: { seen?: boolean; ids?: ItemId[] };
  /** Leaves out all other items. */
  filter?: Filter;
  /**
   * Without any item that the model knows: the most popular of the items that `filter` and `exclude` leave
   * (default), or nothing.
   */
  fallback?: 'popular' | 'none';
  /**
   * With a ranker: whether it orders what is retrieved (default), or retrieval alone decides. The reasons are
   * those of retrieval either way.
   */
  rank?: boolean;
  /** How many items are retrieved for the ranker, 100 unless given; never fewer than `count`. */
  retrieve?: number;
  /** Give reasons with each recommendation. */
  explain?: boolean;
  /**
   * A list that does not say the same thing ten times: how much an item's score falls for every item of its
   * category that stands above it in the list, in units of the scores; 0 (default): by score alone. Chosen from
   * the best 4 `count` items.
   */
  diversity?: number;
  /**
   * The categories of `diversity`, one of {@link ModelInfo.categories}; the first unless given. `'vectors'`, or
   * a model without categories: the score falls by `diversity` times the largest cosine (if above 0) of the
   * item's vector and that of an item above it, which is maximal marginal relevance (MMR).
   */
  diversityBy?: string;
  /**
   * What is known about the visitor, by the names in {@link ModelInfo.profile}: raw values, which the model
   * encodes. What is left out (or `''`) is not known; of fields that are numbers the model then takes what
   * training filled in, and a text that is no number rejects with `ARGUMENT`. A field that takes several values may
   * have an array, a sequence with the newest last; elsewhere an array rejects with `ARGUMENT`. A vector takes an array
   * of as many numbers as it has.
   */
  profile?: Record<string, string | number | readonly (string | number)[]>;
  /** Ends the call with an `ABORTED` error. */
  signal?: AbortSignal;
}

/** An item of the visitor's that speaks for a recommendation. */
export interface Reason {
  id: ItemId;
  /** Its share of the interest that won, 0..1. */
  share: number;
}

/** An item of a list. */
export interface Recommendation {
  id: ItemId;
  /**
   * The best inner product of an interest and the item, or, where a model ranked, the log-odds of a like;
   * comparable within one result only.
   */
  score: number;
  /**
   * Number of the interest that won, as in {@link Recommender.interests}; -1 for popular items and in
   * {@link Recommender.rank}.
   */
  interest: number;
  /** Chance of a like, 0..1: where a model ranked. */
  probability?: number;
  /** The strongest reason first; only with `explain`. */
  reasons?: Reason[];
}

/** What a call answers. */
export interface Result {
  /** The best first. */
  items: Recommendation[];
  /** false when the popular items stand in for a visitor without a history, and of similar items. */
  personal: boolean;
  /** Where a ranker ranked: how many retrieved items it does not know; they are left out. */
  unknown?: number;
  /**
   * The part of the catalogue that was looked at, 0..1: 1 but for a model that is loaded `partial`ly. Items
   * whose rows have not come are not found, and in a history tell the model nothing.
   */
  coverage: number;
  /** Milliseconds that the engine computed. */
  milliseconds: number;
}

/** One of the visitor's interests. */
export interface Interest {
  /** Its part of the visitor's history, 0..1; all together 1. */
  weight: number;
  /** The visitor's items that make up most of it, strongest first. */
  because: ItemId[];
  /** The share of each of them, 0..1. */
  shares: number[];
}

/** What a loaded model is. */
export interface ModelInfo {
  /** The system, such as `mind`. */
  model: string;
  /** What it was made for: `retrieval` finds items in the catalogue, `ranking` orders given ones. */
  task: 'retrieval' | 'ranking';
  /** Number of items in the catalogue. */
  items: number;
  /** Most interests a visitor can have. */
  interests: number;
  /** Width of an interest vector. */
  width: number;
  /** Names of the profile fields, often none. */
  profile: string[];
  /** Columns of item categories that a list can be diversified by, often none. */
  categories: string[];
  /** The values of each of them that items have, for filters; none in files that do not carry them. */
  terms: Record<string, string[]>;
  /** Instruction set of the engine: `v128` or `scalar`. */
  isa: string;
  /** Where the engine runs. */
  thread: 'worker' | 'main';
  /** Bytes that were received, and bytes of the model in memory. */
  size: { download: number; memory: number };
  /** The model that ranks what this one retrieves, where one was loaded. */
  ranker?: ModelInfo;
  /** All that the file says about itself: configuration, quantisation, metrics, card. */
  details: Record<string, unknown>;
}

/** A loaded model together with the visitor's history. */
export interface Recommender {
  /** What the model is. */
  readonly info: ModelInfo;
  /** The visitor's events: the store that `load` was given or made. */
  readonly history: HistoryStore;
  /**
   * Resolves when all of the model is there: at once, unless it is loaded `partial`ly. When a block does not
   * come it rejects with a PiqueError (`HTTP`, `MODEL_CHANGED`, `MODEL_CORRUPT`, `ABORTED`, `DISPOSED`, `OOM`),
   * and the recommender goes on with those it has.
   */
  readonly complete: Promise<void>;
  /**
   * The best items for the visitor, best first.
   *
   * @throws PiqueError `ARGUMENT`, `ABORTED`, `DISPOSED`, `OOM`
   * @example
   * const { items } = await pique.recommend({ count: 6, explain: true });
   */
  recommend(query?: Query): Promise<Result>;
  /**
   * The list of {@link Recommender.recommend} page by page, `count` items each, until there are no more: no item
   * comes twice, whatever the visitor does meanwhile. `diversity` works within a page.
   *
   * @throws PiqueError as for {@link Recommender.recommend}
   * @example
   * for await (const { items } of pique.pages({ count: 20 })) show(items);
   */
  pages(query?: Query): AsyncIterable<Result>;
  /**
   * The items nearest to one, whoever the visitor is: `score` is the cosine of their vectors. Of the query, `count`,
   * `filter`, `exclude` and `signal` are looked at; hidden items are left out, the visitor's own
   * (`exclude.seen`) only when true.
   *
   * @throws PiqueError `ARGUMENT` when the model does not know the item, `UNSUPPORTED` of ranking models, and as
   * for {@link Recommender.recommend}
   * @example
   * const { items } = await pique.similar('50', { count: 6 });
   */
  similar(id: ItemId, query?: Query): Promise<Result>;
  /**
   * The given items in the order of their scores for the visitor, best first; items that the model does not
   * know or that the visitor hides are left out. A ranker, where there is one, gives the scores. `count`: all
   * unless given. `exclude.seen`: only when true.
   *
   * @throws PiqueError as for {@link Recommender.recommend}
   * @example
   * const { items } = await pique.rank(['50', '181', '258']);
   */
  rank(ids: readonly ItemId[], query?: Query): Promise<Result>;
  /**
   * What the visitor is interested in, numbered as in {@link Recommendation.interest}; empty without
   * a history.
   *
   * @throws PiqueError as for {@link Recommender.recommend}
   */
  interests(query?: Pick<Query, 'context' | 'times' | 'profile' | 'signal'>): Promise<Interest[]>;
  /** Gives the memory back and ends the worker. Calls under way reject with `DISPOSED`. */
  dispose(): Promise<void>;
}
