import { PiqueError } from './errors.ts';
import type { HistoryEvent, HistoryStore, ItemId } from './types.ts';

/**
 * The visitor's events in memory: gone with the page.
 *
 * @example
 * const history = new MemoryHistory();
 * await history.add({ id: '318', type: 'like' });
 */
export class MemoryHistory implements HistoryStore {
  #events: HistoryEvent[] = [];
  readonly #listeners = new Set<() => void>();

  async add(event: { id: ItemId; type?: HistoryEvent['type']; at?: number }): Promise<void> {
    if (typeof event.id !== 'string' || event.id === '') {
      throw new PiqueError('ARGUMENT', 'An event needs the id of an item, a text');
    }
    const added = { id: event.id, type: event.type ?? 'view', at: event.at ?? Date.now() };
    const after = this.#events.findIndex((other) => other.at > added.at);
    this.#events.splice(after < 0 ? this.#events.length : after, 0, added);
    this.#changed();
  }

  async list(options: { limit?: number } = {}): Promise<HistoryEvent[]> {
    const first = options.limit === undefined ? 0 : this.#events.length - options.limit;
    return this.#events.slice(Math.max(first, 0)).map((event) => ({ ...event }));
  }

  async remove(id: ItemId): Promise<void> {
    this.#events = this.#events.filter((event) => event.id !== id);
    this.#changed();
  }

  async clear(): Promise<void> {
    this.#events = [];
    this.#changed();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
