/** The visitor's films, in memory or on the device as the visitor chooses, behind one store for all who ask. */
import { type HistoryEvent, type HistoryStore, MemoryHistory, openHistory } from 'pique';

const NAME = 'pique-demo';
/** Says that the visitor chose to be remembered; the only thing beside the history itself. */
const FLAG = 'pique-demo-remember';

const flag = {
  read: () => {
    try {
      return localStorage.getItem(FLAG) !== null;
    } catch {
      return false; // storage is refused
    }
  },
  write: (on: boolean) => {
    try {
      if (on) localStorage.setItem(FLAG, 'yes');
      else localStorage.removeItem(FLAG);
    } catch {
      // Then the next visit begins anew.
    }
  },
};

export class KeptHistory implements HistoryStore {
  #store: HistoryStore = new MemoryHistory();
  #end: () => void;
  readonly #listeners = new Set<() => void>();

  private constructor() {
    this.#end = this.#store.subscribe(() => this.#tell());
  }

  /** As the visitor chose on an earlier visit; forgetting unless they chose otherwise. */
  static async open(): Promise<KeptHistory> {
    const history = new KeptHistory();
    if (flag.read()) await history.remember(true);
    return history;
  }

  /** Moves all events to the device or away from it; resolves to whether they are on the device now. */
  async remember(on: boolean): Promise<boolean> {
    if (on === this.persistent) return on;
    const from = this.#store;
    const to = on ? await openHistory({ name: NAME }) : new MemoryHistory();
    if (on && !to.persistent) return false; // the browser keeps nothing
    await to.import(await from.export());
    if (!on) {
      to.pause(from.paused);
      this.#end(); // the emptying is no change that anybody should see
      from.pause(false);
      await from.clear();
    }
    this.#end();
    this.#store = to;
    this.#end = to.subscribe(() => this.#tell());
    flag.write(on);
    this.#tell();
    return on;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  add(event: { id: string; type?: HistoryEvent['type']; at?: number }): Promise<void> {
    return this.#store.add(event);
  }

  list(options?: { limit?: number }): Promise<HistoryEvent[]> {
    return this.#store.list(options);
  }

  remove(id: string): Promise<void> {
    return this.#store.remove(id);
  }

  clear(): Promise<void> {
    return this.#store.clear();
  }

  export(): Promise<Blob> {
    return this.#store.export();
  }

  import(file: Blob): Promise<number> {
    return this.#store.import(file);
  }

  pause(on: boolean): void {
    this.#store.pause(on);
  }

  get paused(): boolean {
    return this.#store.paused;
  }

  get persistent(): boolean {
    return this.#store.persistent;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
