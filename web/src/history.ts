/** The visitor's events: one piece of rules, in memory, and where it is wanted also on the device's disk. */
import { PiqueError, typed } from './errors.ts';
import { checkEvent } from './event.ts';
import type { Disk, DiskChange } from './history_disk.ts';
import { importMore } from './lazy.ts';
import type { HistoryEvent, HistoryStore, ItemId } from './types.ts';

/** The newest events that are kept; what is hidden stays longest. */
const MOST_EVENTS = 10_000;
/** Milliseconds by which quick events may run ahead of the clock. */
const AHEAD = 60_000;

/**
 * The visitor's events in memory: gone with the page.
 *
 * @example
 * const history = new MemoryHistory();
 * await history.add({ id: '318', type: 'like' });
 */
export class MemoryHistory implements HistoryStore {
  /** By time, then by id and type: the same order in memory and on the disk. */
  #events: HistoryEvent[] = [];
  #paused = false;
  /** undefined: there is none, or none any more. */
  #disk: Disk | undefined;
  /** Changes wait for each other, so that what another tab changed is never read half. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #listeners = new Set<() => void>();

  get persistent(): boolean {
    return this.#disk !== undefined;
  }

  get paused(): boolean {
    return this.#paused;
  }

  add(event: { id: ItemId; type?: HistoryEvent['type']; at?: number }): Promise<void> {
    return this.#next(async () => {
      const added = checkEvent(
        { id: event?.id, type: event?.type ?? 'view', at: event?.at ?? this.#now() },
        'An event',
      );
      if (!this.#paused) await this.#put([added]);
    });
  }

  list(options: { limit?: number } = {}): Promise<HistoryEvent[]> {
    return this.#next(async () => {
      const limit = options?.limit ?? this.#events.length;
      if (!(limit >= 0)) throw new PiqueError('ARGUMENT', 'limit must be a number from 0');
      const first = Math.max(this.#events.length - Math.floor(limit), 0);
      return this.#events.slice(first).map((event) => ({ ...event }));
    });
  }

  remove(id: ItemId): Promise<void> {
    return this.#next(async () => {
      if (typeof id !== 'string')
        throw new PiqueError('ARGUMENT', 'remove takes the id of an item');
      this.#events = this.#events.filter((event) => event.id !== id);
      return this.#changed({ id });
    });
  }

  clear(): Promise<void> {
    return this.#next(() => {
      this.#events = [];
      return this.#changed({ clear: true });
    });
  }

  async export(): Promise<Blob> {
    const { toFile } = await importMore();
    return toFile(await this.list());
  }

  import(file: Blob): Promise<number> {
    return this.#next(async () => {
      const { parseFile } = await importMore();
      return this.#put(await parseFile(file));
    });
  }

  pause(on: boolean): void {
    const paused = Boolean(on);
    this.#paused = paused; // at once, whatever waits
    this.#next(() => {
      this.#paused = paused;
      return this.#changed({ paused });
    });
  }

  subscribe(listener: () => void): () => void {
    if (typeof listener !== 'function') {
      throw new PiqueError('ARGUMENT', 'subscribe takes a function');
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * From here on everything is kept on the disk as well; undefined: no more.
   * @internal
   */
  async attach(disk: Disk | undefined): Promise<void> {
    this.#disk = disk;
    await this.reload();
  }

  /**
   * Another tab changed what is on the disk.
   * @internal
   */
  reload(): Promise<void> {
    return this.#next(() => this.#read());
  }

  async #read(): Promise<void> {
    const found = await this.#disk?.read().catch(() => undefined);
    if (!found) return;
    this.#events = found.events;
    this.#paused = found.paused;
    this.#tell();
  }

  /** Events of one millisecond stay in their order. */
  #now(): number {
    const [now, last] = [Date.now(), this.#events.at(-1)?.at ?? 0];
    return last >= now && last < now + AHEAD ? last + 1 : now;
  }

  /** How many are new. */
  async #put(events: HistoryEvent[]): Promise<number> {
    const put = events.filter((event) => this.#insert(event));
    let drop: HistoryEvent[] = [];
    if (this.#events.length > MOST_EVENTS) {
      drop = (await importMore()).surplus(this.#events, MOST_EVENTS);
      const gone = new Set(drop);
      this.#events = this.#events.filter((event) => !gone.has(event));
    }
    if (put.length > 0) await this.#changed({ put, drop });
    return put.length;
  }

  /** false: it is there already. */
  #insert(event: HistoryEvent): boolean {
    let at = this.#events.length;
    let order = -1;
    while (at > 0 && order < 0) {
      order = byTime(event, this.#events[at - 1] as HistoryEvent);
      if (order < 0) at--;
    }
    if (order !== 0) this.#events.splice(at, 0, event);
    return order !== 0;
  }

  async #changed(change: DiskChange): Promise<void> {
    await this.#disk?.write(change).catch(() => {
      this.#disk = undefined; // no room, or taken away: the page goes on in memory
    });
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        globalThis.reportError?.(error); // the listener's defect is none of the store's
      }
    }
  }

  #next<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => typed(change));
    this.#last = done.catch(() => {});
    return done;
  }
}

/**
 * The history of this site on the visitor's device: in IndexedDB, shared by its tabs and pages. Where the
 * browser keeps nothing (private mode, storage turned off or taken away) it lives in memory, and
 * `persistent` is false: a cold start, no error.
 *
 * @example
 * const history = await openHistory();
 * const pique = await load('/models/films.pique', { history });
 */
export async function openHistory(options: { name?: string } = {}): Promise<HistoryStore> {
  return typed(async () => {
    const name = String(options?.name ?? 'pique');
    return (await importMore()).openStore(name, () => new MemoryHistory());
  });
}

function byTime(a: HistoryEvent, b: HistoryEvent): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  return a.type < b.type ? -1 : Number(a.type > b.type);
}
