import type { Order } from './blocks.ts';
import type { EngineQuery } from './engine.ts';
import { abortable, PiqueError } from './errors.ts';
import type { Host } from './host.ts';
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

  async recommend(query: Query = {}): Promise<Result> {
    return this.#ask('recommend', query);
  }

  async rank(ids: readonly ItemId[], query: Query = {}): Promise<Result> {
    const candidates = checkIds(ids, 'ids');
    const whole = { ...query, count: query.count ?? Math.max(candidates.length, 1) };
    return this.#ask('rank', whole, (input) => {
      const seen = query.exclude?.seen ? input.context : [];
      const left = new Set([...input.excludeIds, ...seen]);
      return { ...input, excludeIds: candidates.filter((id) => !left.has(id)) };
    });
  }

  async interests(
    query: Pick<Query, 'context' | 'times' | 'profile' | 'signal'> = {},
  ): Promise<Interest[]> {
    return this.#ask('interests', query);
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#rest?.stop(disposed());
    this.#host.close();
  }

  async #ask<O extends 'recommend' | 'rank' | 'interests'>(
    op: O,
    query: Query,
    turn = (input: EngineQuery) => input,
  ) {
    this.#refuseDisposed();
    const input = await abortable(this.#complete(query), query.signal);
    this.#refuseDisposed();
    this.#asked = query;
    return abortable(this.#host.call(op, turn(input)), query.signal);
  }

  /** The blocks for the visitor as the last query described them. */
  async #order(): Promise<number[]> {
    const { context, times, profile } = this.#asked;
    const query: Query = { ...(context && { context, times }), ...(profile && { profile }) };
    return this.#host.call('order', await this.#complete(query));
  }

  #refuseDisposed(): void {
    if (this.#disposed) throw disposed();
  }

  /** The query with everything that was left open, checked. */
  async #complete(query: Query): Promise<EngineQuery> {
    const count = query.count ?? DEFAULT_COUNT;
    if (!Number.isInteger(count) || count < 1 || count > 0x7fffffff) {
      throw new PiqueError('ARGUMENT', `count must be a whole number from 1, not ${count}`);
    }
    const retrieve = query.retrieve ?? DEFAULT_RETRIEVE;
    if (!Number.isInteger(retrieve) || retrieve < 1 || retrieve > 0x7fffffff) {
      throw new PiqueError('ARGUMENT', `retrieve must be a whole number from 1, not ${retrieve}`);
    }
    if (!this.info.ranker && (query.rank || query.retrieve !== undefined)) {
      throw new PiqueError('ARGUMENT', 'rank and retrieve need a ranker: load(model, { ranker })');
    }
    const diversity = query.diversity ?? 0;
    if (!(diversity >= 0 && diversity <= 1e30)) {
      throw new PiqueError('ARGUMENT', `diversity must be a number from 0, not ${diversity}`);
    }
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
    };
  }

  /** What the visitor hides is neither shown nor counted as an interest. */
  async #remembered(): Promise<Pick<EngineQuery, 'context' | 'times'> & { hidden: string[] }> {
    const events = await this.history.list();
    const hidden = new Set(events.filter((event) => event.type === 'hide').map(({ id }) => id));
    const shown = events.filter(({ id }) => !hidden.has(id));
    const context = shown.map(({ id }) => id);
    const times = shown.map(({ at }) => at);
    const known = times.every(Number.isFinite); // a store of the page's own may have none
    return { context, times: known ? times : undefined, hidden: [...hidden] };
  }
}

const disposed = () => new PiqueError('DISPOSED', 'The recommender was disposed');

function checkTimes(times: readonly number[], context: readonly string[] = []): void {
  if (times.length !== context.length) {
    const message = `times must hold one number for each of the ${context.length} ids of context`;
    throw new PiqueError('ARGUMENT', `${message}, not ${times.length}`);
  }
  const wrong = times.findIndex((time) => !Number.isFinite(time));
  if (wrong >= 0) {
    throw new PiqueError('ARGUMENT', `times[${wrong}] must be a number of milliseconds`);
  }
}

function checkIds(ids: readonly string[], name: string): string[] {
  const wrong = ids.findIndex((id) => typeof id !== 'string');
  if (wrong >= 0) {
    throw new PiqueError('ARGUMENT', `${name}[${wrong}] must be a text, the id of an item`);
  }
  return [...ids];
}
