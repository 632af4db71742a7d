/** The engine as an object: synchronous calls over the exports, the model written into its heap. */
import { hasBit, makeBits, setBit } from './bits.ts';
import { PiqueError, type PiqueErrorCode } from './errors.ts';
import type { Block } from './members.ts';
import type { ModelInfo, Recommendation, Result } from './types.ts';
import { type Bound, bind, type EngineCode, type Exports, instantiate } from './wasm.ts';

/** A query after the history store was asked: only what crosses to the worker. */
export interface EngineQuery {
  count: number;
  context: string[];
  /** When each of them was seen, in milliseconds; undefined: not known. */
  times: number[] | undefined;
  excludeSeen: boolean;
  /** Whether the ranker, where there is one, orders what is retrieved, and how many items it is given. */
  rank: boolean;
  retrieve: number;
  /** Items to leave out; the candidates of {@link Engine.rank}. */
  excludeIds: string[];
  fallback: 'popular' | 'none';
  explain: boolean;
  diversity: number;
  diversityBy: string | undefined;
  profile: Record<string, string | number | readonly (string | number)[]>;
  /** Values that an item must have in columns of categories. */
  filter?: Record<string, string[]> | undefined;
  /** Further items to leave out: bit item % 8 of byte item / 8. */
  leftOut?: Uint8Array | undefined;
}

export type EngineInfo = Omit<ModelInfo, 'thread' | 'size'> & { memory: number; blocks: Block[] };

/** What each interest has of the items that the model looked at: shares [live, ids]. */
export interface Shares {
  ids: string[];
  live: number;
  shares: Float32Array;
}

/** Of a file when it is opened, of a call afterwards. */
const UNSUPPORTED = -5;
/** The statuses of pique.h; others are defects. */
const STATUS_CODES: Record<number, PiqueErrorCode> = {
  [-1]: 'OOM',
  [-2]: 'ARGUMENT',
  [-3]: 'MODEL_CORRUPT',
  [-4]: 'MODEL_VERSION',
  [UNSUPPORTED]: 'MODEL_VERSION',
  [-8]: 'MODEL_CORRUPT',
};

/** Stands for an item that the model does not know. */
const UNKNOWN_ITEM = 0xffffffff;
/** Of a row of pique_js_profile. */
const VALUE_BYTES = 12;
const EXCLUDE_SEEN = 1;
const EXPLAIN = 2;
/** Words of a row of pique_js_recommend's list. */
const ROW = { words: 10, item: 0, score: 1, interest: 2, reasonCount: 3, reasons: 4, shares: 7 };
/** Texts up to this many bytes go through a block that is kept. */
const SHORT_TEXT = 256;
/** The head of a model is looked for in pieces of so many bytes, which live beside the model for a moment. */
const HEAD_BYTES = 1 << 14;
const PAGE_BYTES = 1 << 16;
/** A third more words than ids: see base/strings.c. */
const PLACE_BYTES = (4 * 4) / 3;
/** Words of pique_block. */
const BLOCK = { words: 5, first: 0, rows: 1, offset: 2, size: 3 };
/** In the place of a column: by the items' vectors. */
const BY_VECTORS = 0xffffffff;
/** So many blocks near the visitor's interests come before the rest of the file. */
const NEAR_BLOCKS = 8;

/** In the header of a model file; its metadata have neither. */
interface Tensor {
  dtype?: string;
  shape?: number[];
}

export class Engine {
  readonly #wasm: Exports;
  /** The engine's object in the heap, and its functions. */
  readonly #at: number;
  readonly #js: Bound;
  readonly #out: number;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  /** The kept block, a view of it that a growth of the memory empties. */
  #textAt = 0;
  #text = new Uint8Array();
  /** The model while it arrives: first its head, then, once the size is known, all of it. */
  #block = 0;
  #capacity = 0;
  #filled = 0;
  #total = 0;
  /** Of the open model. */
  #info: EngineInfo | undefined;
  /** Of a file of which the head came alone, the blocks, and which of them have not come. */
  #blocks: Block[] = [];
  readonly #absent = new Set<number>();
  /** Whether a history tells something only when the rows of its items are there. */
  #historyNeedsRows = true;
  #ranker: Engine | undefined;
  readonly #items = new Map<string, number>();
  /** Profile fields of the other model of a cascade, which a query may name as well. */
  #foreignFields: string[] = [];

  /** @throws PiqueError as {@link instantiate} */
  static async start(wasm: EngineCode): Promise<Engine> {
    return new Engine(await instantiate(wasm));
  }

  private constructor(wasm: Exports) {
    this.#wasm = wasm;
    this.#at = wasm.pique_js_create();
    if (!this.#at) throw new PiqueError('OOM', 'No memory for the engine');
    this.#js = bind(wasm, this.#at);
    this.#out = this.#js.out();
  }

  /**
   * An engine for the model that ranks what this one retrieves, in the same memory.
   *
   * @throws PiqueError `UNSUPPORTED` when this model does not retrieve, `OOM`
   */
  beside(): Engine {
    if (!this.#js.retrieves()) {
      const message = `${this.#info?.model} is a ranking model and cannot retrieve for a ranker`;
      throw new PiqueError('UNSUPPORTED', message);
    }
    return new Engine(this.#wasm);
  }

  /**
   * From here on `ranker`, which was made by {@link beside} and has its model, ranks.
   *
   * @throws PiqueError `UNSUPPORTED` when it does not
   */
  join(ranker: Engine): void {
    const info = ranker.#info;
    if (info?.task !== 'ranking') {
      throw new PiqueError('UNSUPPORTED', `${info?.model} retrieves and cannot be the ranker`);
    }
    this.#ranker = ranker;
    this.#foreignFields = info.profile;
    ranker.#foreignFields = this.#info?.profile ?? [];
  }

  /**
   * The next bytes of the (inflated) model. They are copied once, to where the model will live: the
   * head tells the size, so there is one allocation and no growing.
   *
   * @throws PiqueError `MODEL_CORRUPT`, `MODEL_VERSION`, `OOM`
   */
  write(chunk: Uint8Array): void {
    let rest = chunk;
    while (!this.#total && rest.length > 0) {
      const piece = rest.subarray(0, HEAD_BYTES);
      rest = rest.subarray(piece.length);
      this.#reserve(this.#filled + piece.length);
      this.#copy(piece);
      this.#check(this.#js.model_size(this.#block, this.#filled));
      [this.#total] = this.#results();
      if (this.#total) {
        this.#growFor(this.#total);
        this.#reserve(this.#total);
      }
    }
    if (this.#total) this.#expect(this.#filled + rest.length);
    this.#copy(rest);
  }

  /**
   * All bytes were written, or those of the head of a file of blocks: opens the model.
   *
   * @throws PiqueError `MODEL_CORRUPT`, `MODEL_VERSION`, `OOM`
   */
  finish(head: boolean): EngineInfo {
    if (!this.#total || (!head && this.#filled < this.#total)) {
      const of = this.#total ? ` of ${this.#total}` : '';
      const message = `The model file ends early: ${this.#filled}${of} bytes`;
      throw new PiqueError('MODEL_CORRUPT', message);
    }
    const block = this.#block;
    this.#block = 0;
    const [total, filled] = [this.#total, this.#filled];
    this.#check(this.#js.model_open(block, total, filled));
    if (filled < total) this.#readBlocks();
    this.#info = this.#describe();
    return this.#info;
  }

  /**
   * The rows of a block are there.
   *
   * @throws PiqueError `MODEL_CORRUPT`, `OOM`
   */
  putBlock(block: number, rows: Uint8Array): void {
    const at = this.#allocate(rows.length);
    try {
      new Uint8Array(this.#heap, at).set(rows);
      this.#check(this.#js.put_block(block, at, rows.length));
      this.#absent.delete(block);
    } finally {
      this.#js.release(at);
    }
  }

  /**
   * The blocks that have not come: those of the visitor's newest items, of popular items, of items near
   * the visitor's interests, then the rest.
   */
  order(query: EngineQuery): number[] {
    const looked = query.context.slice(-Number(this.#info?.details.history));
    const own = this.#historyNeedsRows ? looked.map((id) => this.#blockOf(this.#find(id))) : [];
    const near = this.#begin(this.#without(query)) ? this.#nearBlocks() : [];
    const all = new Set([...own, 0, ...near, ...this.#absent]);
    return [...all].filter((block) => this.#absent.has(block));
  }

  recommend(query: EngineQuery): Result {
    const started = performance.now();
    const ranker = query.rank && this.#coverage() > 0 ? this.#ranker : undefined;
    const ranked = ranker
      ? ranker.#begin({ ...query, excludeIds: [], filter: undefined, leftOut: undefined })
      : false;
    const known = this.#begin(this.#without(query));
    const personal = known || ranked;
    let items: Recommendation[];
    let left: { unknown?: number } = {};
    if (personal || (ranker && query.fallback === 'popular')) {
      // Of a person who is unknown to it, the model retrieves what is popular.
      if (!known) this.#begin({ ...query, context: [], times: undefined });
      if (ranker) this.#js.rank_by(ranker.#at, query.retrieve);
      const flags = (query.excludeSeen ? EXCLUDE_SEEN : 0) | (query.explain ? EXPLAIN : 0);
      const { count, diversity } = query;
      const category = diversity ? this.#category(query.diversityBy) : 0;
      this.#check(this.#js.recommend(count, flags, diversity, category));
      if (ranker) left = { unknown: this.#results()[2] };
      items = this.#readList(query.explain, known, ranker !== undefined);
    } else {
      items = query.fallback === 'popular' ? this.#popular(query) : [];
    }
    const coverage = this.#coverage();
    return { items, personal, ...left, coverage, milliseconds: performance.now() - started };
  }

  /** The candidates (`excludeIds`) that the model knows, best first, equal ones in their order. */
  rank(query: EngineQuery): Result {
    const started = performance.now();
    const numbers = query.excludeIds.map((id) => {
      const item = this.#find(id);
      return this.#has(item) ? item : 0;
    });
    const ids = query.excludeIds.filter((_, i) => numbers[i] !== 0);
    const personal = this.#begin(this.#without(query), numbers);
    this.#check(this.#js.rank());
    const scores = new Float32Array(this.#heap, this.#results()[0], ids.length);
    const ranks = this.#info?.task === 'ranking'; // else scores are no log-odds
    const items = ids.map((id, i): Recommendation => {
      const score = scores[i] as number;
      return { id, score, interest: -1, ...(ranks ? chance(score) : {}) };
    });
    items.sort((a, b) => b.score - a.score);
    const milliseconds = performance.now() - started;
    const coverage = this.#coverage();
    return { items: items.slice(0, query.count), personal, coverage, milliseconds };
  }

  /** @throws PiqueError `ARGUMENT`, `UNSUPPORTED`, `OOM` */
  similar(id: string, query: EngineQuery): Result {
    const started = performance.now();
    const item = this.#find(id);
    if (!item) throw new PiqueError('ARGUMENT', `The model does not know the item "${id}"`);
    let items: Recommendation[] = [];
    if (this.#has(item)) {
      this.#begin(query);
      const flags = query.excludeSeen ? EXCLUDE_SEEN : 0;
      this.#check(this.#js.similar(item, query.count, flags));
      items = this.#readList(false, false, false);
    }
    const coverage = this.#coverage();
    return { items, personal: false, coverage, milliseconds: performance.now() - started };
  }

  ids(first: number, count: number): string[] {
    const length = Math.min(count, this.#count() + 1 - first);
    return Array.from({ length }, (_, i) => this.#itemId(first + i));
  }

  /** The query with those of its candidates (`excludeIds`) that the filter lets through. */
  filterCandidates(query: EngineQuery): EngineQuery {
    const leftOut = query.filter && this.#leftOut(query);
    if (!leftOut) return query;
    const excludeIds = query.excludeIds.filter((id) => !hasBit(leftOut, this.#find(id)));
    return { ...query, excludeIds, filter: undefined };
  }

  /** null when the query tells the model nothing. */
  interests(query: EngineQuery): Shares | null {
    const { context } = this.#without(query);
    if (!this.#begin(this.#without(query))) return null;
    this.#check(this.#js.interests());
    const [, sharesAt, live, first] = this.#results();
    const ids = context.slice(first); // what the model looked at
    return { ids, live, shares: new Float32Array(this.#heap, sharesAt, live * ids.length).slice() };
  }

  /** Gives everything back; the object is of no use afterwards. */
  dispose(): void {
    if (this.#block) this.#js.release(this.#block);
    this.#block = 0;
    if (this.#textAt) this.#js.release(this.#textAt);
    this.#textAt = 0;
    this.#js.free();
  }

  #readBlocks(): void {
    const at = this.#js.blocks();
    const [count, known] = this.#results();
    this.#historyNeedsRows = known === 0;
    const words = new Uint32Array(this.#heap, at, count * BLOCK.words);
    this.#blocks = Array.from({ length: count }, (_, block) => {
      const word = (place: number) => words[block * BLOCK.words + place] as number;
      this.#absent.add(block);
      const [first, rows] = [word(BLOCK.first), word(BLOCK.rows)];
      return { first, rows, offset: word(BLOCK.offset), size: word(BLOCK.size) };
    });
  }

  /** Those nearest the interests of the query that was begun, best first. */
  #nearBlocks(): number[] {
    this.#check(this.#js.near());
    const buffer = this.#heap;
    const scores = new Float32Array(buffer, this.#results()[0], this.#blocks.length);
    const near = [...this.#absent].sort((a, b) => (scores[b] as number) - (scores[a] as number));
    return near.slice(0, NEAR_BLOCKS);
  }

  #blockOf(item: number): number {
    return this.#blocks.findIndex(({ first, rows }) => item < first + rows);
  }

  /** Whether the item's row is there. */
  #has(item: number): boolean {
    return this.#absent.size === 0 || !this.#absent.has(this.#blockOf(item));
  }

  /** The part of the rows that are there. */
  #coverage(): number {
    if (String(this.#info?.details.quant).includes('+')) return 1; // the head has codes of all items
    const all = this.#blocks.reduce((sum, { rows }) => sum + rows, 0);
    let gone = 0;
    for (const block of this.#absent) gone += (this.#blocks[block] as Block).rows;
    return gone ? 1 - gone / all : 1;
  }

  /** The query without the behaviours whose rows are not there. */
  #without(query: EngineQuery): EngineQuery {
    if (this.#absent.size === 0 || !this.#historyNeedsRows) return query;
    const there = query.context.map((id) => this.#has(this.#find(id)));
    const context = query.context.filter((_, i) => there[i]);
    return { ...query, context, times: query.times?.filter((_, i) => there[i]) };
  }

  /** Writes the query into the heap; false when it tells the model nothing. */
  #begin(query: EngineQuery, excluded = query.excludeIds.map((id) => this.#find(id))): boolean {
    const history = query.context.map((id) => this.#find(id));
    const exclude = excluded.filter((item) => item !== 0);
    const described = this.#setProfile(query.profile);
    const at = this.#js.query(history.length, exclude.length);
    if (!at) throw new PiqueError('OOM', 'No memory for the query');
    const numbers = [...history.map((item) => item || UNKNOWN_ITEM), ...exclude];
    new Uint32Array(this.#heap, at, numbers.length).set(numbers);
    if (query.times) this.#writeTimes(query.times);
    if (query.filter || query.leftOut) this.#writeFilter(query);
    return described || history.some((item) => item !== 0);
  }

  /** Of the query that was begun, in seconds. */
  #writeTimes(times: number[]): void {
    const at = this.#js.times();
    if (!at) throw new PiqueError('OOM', 'No memory for the query');
    const seconds = times.map((time) => time / 1000);
    new Float64Array(this.#heap, at, times.length).set(seconds);
  }

  #writeFilter(query: EngineQuery): void {
    const leftOut = this.#leftOut(query);
    const at = this.#js.filter();
    if (!at) throw new PiqueError('OOM', 'No memory for the query');
    new Uint8Array(this.#heap, at, leftOut.length).set(leftOut);
  }

  /** A bit for every item that the filter leaves out, and for what is no item. */
  #leftOut(query: EngineQuery): Uint8Array {
    const count = this.#count();
    const bits = query.leftOut?.slice() ?? makeBits(count);
    setBit(bits, 0);
    for (const [name, values] of Object.entries(query.filter ?? {})) {
      const column = this.#column(name);
      const terms = this.#info?.terms[name];
      if (!terms) {
        const message = `The file does not carry the values of "${name}"; export it anew to filter by it`;
        throw new PiqueError('UNSUPPORTED', message);
      }
      const wanted = new Set(values.map((value) => terms.indexOf(value) + 1).filter(Boolean));
      const at = this.#js.categories(column);
      const [each] = this.#results();
      const codes = new Uint8Array(this.#heap, at, (count + 1) * each);
      for (let item = 1; item <= count; item++) {
        let left = each;
        while (left && !wanted.has(codes[item * each + left - 1] as number)) left--;
        if (!left) setBit(bits, item);
      }
    }
    return bits;
  }

  /** Gives the engine the raw values of the profile; whether one of them tells it something. */
  #setProfile(profile: EngineQuery['profile']): boolean {
    const names = this.#info?.profile ?? [];
    const all = [...names, ...this.#foreignFields];
    const values: [Uint8Array, number][] = [];
    let size = 1;
    for (const [name, given] of Object.entries(profile)) {
      if (!all.includes(name)) {
        const known = all.join(', ') || 'none';
        throw new PiqueError('ARGUMENT', `No profile field "${name}"; this model has: ${known}`);
      }
      // Empty texts are no values, but with them any array is several, where one belongs too.
      for (const value of Array.isArray(given) ? ['', '', ...given] : [String(given ?? '')]) {
        if (typeof value !== 'string' && typeof value !== 'number') {
          throw new PiqueError('ARGUMENT', `Profile field "${name}" takes no ${value}`);
        }
        const bytes = this.#encoder.encode(value as string); // which makes texts of numbers
        size += bytes.length + VALUE_BYTES;
        values.push([bytes, names.indexOf(name)]); // not one of this model's: no value of its
      }
    }
    const at = this.#allocate(size);
    let end = at + values.length * VALUE_BYTES;
    values.forEach(([bytes, field], i) => {
      new Uint32Array(this.#heap, at + i * VALUE_BYTES).set([end, bytes.length, field]);
      new Uint8Array(this.#heap, end).set(bytes);
      end += bytes.length;
    });
    const status = this.#js.profile(at, values.length);
    this.#js.release(at);
    this.#check(status);
    return this.#results()[0] > 0;
  }

  /** What a list is made diverse by: the number of a column of categories, the first unless named. */
  #category(name: string | undefined): number {
    const categories = this.#info?.categories ?? [];
    const byVectors = name === undefined ? categories.length === 0 : name === 'vectors';
    if (byVectors && !categories.includes('vectors')) return BY_VECTORS;
    return name === undefined ? 0 : this.#column(name);
  }

  get #heap(): ArrayBuffer {
    return this.#wasm.memory.buffer as ArrayBuffer;
  }

  #count(): number {
    return this.#info?.items ?? 0;
  }

  #column(name: string): number {
    const categories = this.#info?.categories ?? [];
    const column = categories.indexOf(name);
    if (column < 0) {
      const known = categories.join(', ') || 'none';
      throw new PiqueError('ARGUMENT', `No categories "${name}"; this model has: ${known}`);
    }
    return column;
  }

  /** The model numbers its items by falling popularity. */
  #popular(query: EngineQuery): Recommendation[] {
    // The visitor's own items are among them while their rows have not come.
    const excluded = new Set([...query.excludeIds, ...(query.excludeSeen ? query.context : [])]);
    const leftOut = this.#leftOut(query);
    const items: Recommendation[] = [];
    const count = this.#count();
    for (let item = 1; item <= count && items.length < query.count; item++) {
      if (hasBit(leftOut, item)) continue;
      const id = this.#itemId(item);
      if (!excluded.has(id)) items.push({ id, score: 0, interest: -1 });
    }
    return items;
  }

  /** `known`: the interests tell something; `ranked`: the scores are log-odds. */
  #readList(explain: boolean, known: boolean, ranked: boolean): Recommendation[] {
    const [at, length] = this.#results();
    const words = new Uint32Array(this.#heap, at, length * ROW.words).slice();
    const floats = new Float32Array(words.buffer);
    return Array.from({ length }, (_, row) => {
      const start = row * ROW.words;
      const word = (place: number) => words[start + place] as number;
      const score = floats[start + ROW.score] as number;
      const item: Recommendation = {
        id: this.#itemId(word(ROW.item)),
        score,
        interest: known ? word(ROW.interest) : -1,
        ...(ranked ? chance(score) : {}),
      };
      if (explain) {
        const reasons = new Map<string, number>(); // an item may stand in the history twice
        for (let i = 0; i < word(ROW.reasonCount); i++) {
          const id = this.#itemId(word(ROW.reasons + i));
          const share = floats[start + ROW.shares + i] as number;
          reasons.set(id, (reasons.get(id) ?? 0) + share);
        }
        item.reasons = [...reasons].map(([id, share]) => ({ id, share }));
      }
      return item;
    });
  }

  #describe(): EngineInfo {
    const details = JSON.parse(this.#readText(this.#js.info()));
    const { model, task, items, interests, width, profile, categories, terms = {} } = details;
    return {
      ...{ model, task, items, interests, width, profile, categories, terms },
      isa: this.#readTerminated(this.#js.isa()),
      memory: this.#total,
      blocks: this.#blocks,
      details,
    };
  }

  /** The item's number, 0 when the model does not know it; what was found is kept. */
  #find(id: string): number {
    let item = this.#items.get(id);
    if (!item) {
      item = this.#withText(id, (at, length) => this.#js.find_item(at, length));
      if (item) this.#items.set(id, item);
    }
    return item;
  }

  #itemId(item: number): string {
    return this.#readText(this.#js.item_id(item));
  }

  #withText<T>(text: string, use: (at: number, length: number) => T): T {
    if (text.length * 3 <= SHORT_TEXT) {
      const { written } = this.#encoder.encodeInto(text, this.#shortText());
      return use(this.#textAt, written);
    }
    const bytes = this.#encoder.encode(text);
    const at = this.#allocate(bytes.length);
    new Uint8Array(this.#heap, at, bytes.length).set(bytes);
    try {
      return use(at, bytes.length);
    } finally {
      this.#js.release(at);
    }
  }

  #shortText(): Uint8Array<ArrayBuffer> {
    if (this.#text.length === 0) {
      this.#textAt ||= this.#allocate(SHORT_TEXT);
      this.#text = new Uint8Array(this.#heap, this.#textAt, SHORT_TEXT);
    }
    return this.#text;
  }

  /** The text at an address whose length the last call left in out[0]. */
  #readText(at: number): string {
    const [length] = this.#results();
    return this.#decoder.decode(new Uint8Array(this.#heap, at, length));
  }

  #readTerminated(at: number): string {
    const bytes = new Uint8Array(this.#heap, at);
    return this.#decoder.decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  /** The words that the last call left behind. */
  #results(): [number, number, number, number] {
    const words = new Uint32Array(this.#heap, this.#out, 4);
    return [...words] as [number, number, number, number];
  }

  #allocate(size: number): number {
    const block = this.#js.alloc(size);
    if (!block) throw new PiqueError('OOM', `No memory for ${size} bytes`);
    return block >>> 0;
  }

  /**
   * The memory grows once, for the model and for what opening it makes: floats of its halves, and places
   * for its ids.
   */
  #growFor(total: number): void {
    const buffer = this.#heap;
    const length = new DataView(buffer).getUint32(this.#block, true);
    const text = this.#decoder.decode(new Uint8Array(buffer, this.#block + 8, length));
    let bytes = total;
    for (const [name, { dtype, shape }] of Object.entries<Tensor>(JSON.parse(text))) {
      const count = shape?.reduce((product, extent) => product * extent, 1) ?? 0;
      if (name === 'item.ids.offsets') bytes += count * PLACE_BYTES;
      else if (dtype === 'F16' && name !== 'item.weight') bytes += count * 4;
    }
    try {
      this.#wasm.memory.grow(Math.ceil(bytes / PAGE_BYTES));
    } catch {
      // The allocation tells.
    }
  }

  /** Room for `size` bytes of the model, keeping what has come. */
  #reserve(size: number): void {
    if (size <= this.#capacity && size !== this.#total) return;
    const capacity = this.#total ? size : Math.max(size, 2 * this.#capacity);
    const block = this.#allocate(capacity);
    if (this.#block) {
      const heap = new Uint8Array(this.#heap);
      heap.copyWithin(block, this.#block, this.#block + this.#filled);
      this.#js.release(this.#block);
    }
    this.#block = block;
    this.#capacity = capacity;
  }

  #copy(chunk: Uint8Array): void {
    new Uint8Array(this.#heap, this.#block + this.#filled).set(chunk);
    this.#filled += chunk.length;
  }

  #expect(bytes: number): void {
    if (bytes > this.#total) {
      const message = `The model file is longer than the ${this.#total} bytes that its head states`;
      throw new PiqueError('MODEL_CORRUPT', message);
    }
  }

  #check(status: number): void {
    if (status === 0) return;
    const message = this.#readTerminated(this.#js.error());
    const tensor = /tensors? "([^"]+)"/.exec(message)?.[1];
    const code = status === UNSUPPORTED && this.#info ? 'UNSUPPORTED' : STATUS_CODES[status];
    throw new PiqueError(code ?? 'INTERNAL', message || `status ${status}`, { tensor });
  }
}

const chance = (logOdds: number) => ({ probability: 1 / (1 + Math.exp(-logOdds)) });
