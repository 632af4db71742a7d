import type { Order } from './blocks.ts';
import type { EngineQuery } from './engine.ts';
import { abortable, PiqueError, toPiqueError, typed } from './errors.ts';
import type { FilterCache } from './filter.ts';
import type { Host } from './host.ts';
import { importMore } from './lazy.ts';
import type {
  HistoryStore,
  Interest,
  ItemId,
  ModelInfo,
  Query,
  Recommender,
  Result,
} from './types.ts';

const DEFAULT_COUNT = 10;
const DEFAULT_RETRIEVE = 100;

/** What follows the head of a file of blocks. */
export interface Rest {
  receive(order: Order): Promise<void>;
  stop(reason: PiqueError): void;
}

/** Asks the history store, then the engine. */
export class LocalRecommender implements Recommender {
  readonly info: ModelInfo;
  readonly history: HistoryStore;
  readonly complete: Promise<void>;
  readonly #host: Host;
  readonly #rest: Rest | undefined;
  #filters: FilterCache | undefined;
  #disposed = false;
  /** What was asked last, which tells what is needed first. */
  #asked: Query = {};

  constructor(host: Host, info: ModelInfo, history: HistoryStore, rest?: Rest) {
    this.#host = host;
    this.info = info;
    this.history = history;
    this.#rest = rest;
    this.complete = rest ? rest.receive(() => this.#order()) : Promise.resolve();
    this.complete.catch(() => {}); // a page need not look at it
  }

  async recommend(query?: Query): Promise<Result> {
    return this.#ask(query, (input) => this.#host.call('recommend', input));
  }

  async *pages(query?: Query): AsyncGenerator<Result, void> {
    const given: ItemId[] = [];
    for (;;) {
      const result = await typed(async () => {
        const exclude = { ...query?.exclude, ids: [...(query?.exclude?.ids ?? []), ...given] };
        return this.recommend({ ...query, exclude });
      });
      if (result.items.length === 0) return;
      given.push(...result.items.map(({ id }) => id));
      yield result;
    }
  }

  async similar(id: ItemId, query?: Query): Promise<Result> {
    return this.#ask(query, (input) => {
      checkIds([id], 'similar');
      const excludeSeen = query?.exclude?.seen ?? false;
      return this.#host.call('similar', { id, query: { ...input, excludeSeen } });
    });
  }

  async rank(ids: readonly ItemId[], query?: Query): Promise<Result> {
    return typed(async () => {
      const candidates = checkIds(ids, 'ids');
      const { filter, ...rest } = query ?? {};
      const passes = typeof filter === 'function' ? filter : () => true;
      const fields = typeof filter === 'function' || filter === undefined ? {} : { filter };
      const count = rest.count ?? Math.max(candidates.length, 1);
      return this.#ask({ ...rest, ...fields, count }, (input) => {
        const seen = rest.exclude?.seen ? input.context : [];
        const left = new Set([...input.excludeIds, ...seen]);
        const excludeIds = candidates.filter((id) => !left.has(id) && passes(id));
        return this.#host.call('rank', { ...input, excludeIds });
      });
    });
  }

  async interests(
    query?: Pick<Query, 'context' | 'times' | 'profile' | 'signal'>,
  ): Promise<Interest[]> {
    const shares = await this.#ask(query, (input) => this.#host.call('interests', input));
    return shares ? (await importMore()).describeInterests(shares) : [];
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#rest?.stop(disposed());
    this.#host.close();
  }

  async #ask<T>(given: Query | undefined, call: (input: EngineQuery) => Promise<T>): Promise<T> {
    return typed(async () => {
      this.#refuseDisposed();
      const query = given ?? {};
      const { signal } = query;
      const input = await abortable(this.#complete(query), signal);
      this.#refuseDisposed();
      this.#asked = query;
      return abortable(call(input), signal);
    });
  }

  /** The blocks for the visitor as the last query described them. */
  async #order(): Promise<number[]> {
    const { context, times, profile } = this.#asked;
    return this.#host.call('order', await this.#complete({ context, times, profile } as Query));
  }

  async #filter({ filter, signal }: Query): Promise<Pick<EngineQuery, 'filter' | 'leftOut'>> {
    const { FilterCache } = await importMore();
    const ids = (first: number, count: number) => this.#host.call('ids', { first, count });
    this.#filters ??= new FilterCache(ids, this.info.items);
    return this.#filters.complete(filter, signal);
  }

  #refuseDisposed(): void {
    if (this.#disposed) throw disposed();
  }

  /** The query with everything that was left open, checked. */
  async #complete(query: Query): Promise<EngineQuery> {
    const count = checkCount(query.count ?? DEFAULT_COUNT, 'count');
    const retrieve = checkCount(query.retrieve ?? DEFAULT_RETRIEVE, 'retrieve');
    if (!this.info.ranker && (query.rank || query.retrieve !== undefined)) {
      throw new PiqueError('ARGUMENT', 'rank and retrieve need a ranker: load(model, { ranker })');
    }
    const diversity = query.diversity ?? 0;
    if (!(Number.isFinite(diversity) && diversity >= 0 && diversity <= 1e30)) {
      throw new PiqueError('ARGUMENT', `diversity must be a number from 0, not ${diversity}`);
    }
    const filter = query.filter === undefined ? {} : await this.#filter(query);
    const ids = checkIds(query.exclude?.ids ?? [], 'exclude.ids');
    const own = query.context
      ? { context: checkIds(query.context, 'context'), times: query.times, hidden: [] }
      : await this.#remembered();
    if (query.times) checkTimes(query.times, query.context);
    return {
      count,
      context: own.context,
      times: own.times,
      rank: query.rank ?? true,
      retrieve,
      excludeSeen: query.exclude?.seen ?? true,
      excludeIds: [...ids, ...own.hidden],
      fallback: query.fallback ?? 'popular',
      explain: query.explain ?? false,
      diversity,
      diversityBy: query.diversityBy,
      profile: query.profile ?? {},
      ...filter,
    };
  }

  /** What the visitor hides is neither shown nor counted as an interest. */
  async #remembered(): Promise<Pick<EngineQuery, 'context' | 'times'> & { hidden: string[] }> {
    const events = await this.history.list().catch((error) => {
      const message = `The history store failed: ${toPiqueError(error).message}`;
      throw new PiqueError('INTERNAL', message, { cause: error });
    });
    const hidden = new Set(events.filter((event) => event.type === 'hide').map(({ id }) => id));
    const shown = events.filter(({ id }) => !hidden.has(id));
    const context = shown.map(({ id }) => id);
    const times = shown.map(({ at }) => at);
    const known = times.every(Number.isFinite); // a store of the page's own may have none
    return { context, times: known ? times : undefined, hidden: [...hidden] };
  }
}

const disposed = () => new PiqueError('DISPOSED', 'The recommender was disposed');

function checkCount(count: number, name: string): number {
  if (Number.isInteger(count) && count >= 1 && count <= 0x7fffffff) return count;
  throw new PiqueError('ARGUMENT', `${name} must be a whole number from 1, not ${count}`);
}

function checkTimes(times: readonly number[], { length }: readonly string[] = []): void {
  if (times.length === length && times.every(Number.isFinite)) return;
  const message = `times must hold milliseconds for each of the ${length} ids of context`;
  throw new PiqueError('ARGUMENT', message);
}

function checkIds(ids: readonly string[], name: string): string[] {
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'string')) return [...ids];
  throw new PiqueError('ARGUMENT', `${name} must be an array of texts, the ids of items`);
}
