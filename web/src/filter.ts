/** Filters on their way to the engine: fields as they are, functions as a bit for every item. */
import { makeBits, setBit } from './bits.ts';
import type { EngineQuery } from './engine.ts';
import { PiqueError, throwIfAborted } from './errors.ts';
import type { Filter, ItemId } from './types.ts';

/** Ids that come from the engine at once: between two pieces the page is free. */
const PIECE = 512;

type Ids = (first: number, count: number) => Promise<ItemId[]>;
type Predicate = (id: ItemId) => boolean;

export class FilterCache {
  readonly #ids: Ids;
  readonly #items: number;
  /** A function's answers live as long as the function. */
  readonly #bits = new WeakMap<Predicate, Uint8Array>();

  constructor(ids: Ids, items: number) {
    this.#ids = ids;
    this.#items = items;
  }

  /** @throws PiqueError `ARGUMENT` */
  async complete(
    filter: Filter | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Pick<EngineQuery, 'filter' | 'leftOut'>> {
    if (typeof filter === 'function') return { leftOut: await this.#leftOut(filter, signal) };
    if (typeof filter !== 'object' || filter === null) {
      throw new PiqueError('ARGUMENT', 'filter must be an object of fields or a function of ids');
    }
    const lists = Object.entries(filter).map(([field, values]) => {
      const list = typeof values === 'string' ? [values] : values;
      if (!Array.isArray(list) || list.some((value) => typeof value !== 'string')) {
        throw new PiqueError('ARGUMENT', `filter.${field} must be a text or an array of texts`);
      }
      return [field, [...list]];
    });
    return { filter: Object.fromEntries(lists) };
  }

  async #leftOut(passes: Predicate, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const known = this.#bits.get(passes);
    if (known) return known;
    const bits = makeBits(this.#items);
    for (let first = 1; first <= this.#items; first += PIECE) {
      throwIfAborted(signal);
      (await this.#ids(first, PIECE)).forEach((id, i) => {
        if (!passes(id)) setBit(bits, first + i);
      });
    }
    this.#bits.set(passes, bits);
    return bits;
  }
}
