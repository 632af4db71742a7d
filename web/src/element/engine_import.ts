/** What is fetched when an element first needs it, and not with the element's own script. */
import type { HistoryEvent, HistoryStore, MemoryHistory } from 'pique';

/** A store that may be able to do more than the least that the package asks of one. */
export type Store = HistoryStore & {
  export?(): Promise<Blob>;
  import?(file: Blob): Promise<number>;
  pause?(on: boolean): void;
  readonly paused?: boolean;
  readonly persistent?: boolean;
};

type Package = Pick<typeof import('pique'), 'load'> & {
  MemoryHistory: new () => MemoryHistory;
  openHistory?(): Promise<Store>;
};

/** A script that is no module has to spell out the addresses, and puts its own functions here. */
export const imports = {
  pique: (): Promise<Package> => import('pique'),
  panel: (): Promise<typeof import('./privacy_panel.ts')> => import('./privacy_panel.ts'),
};

const stores = new Map<string, Promise<Store>>();

async function open(kind: string): Promise<Store> {
  const { MemoryHistory, openHistory } = await imports.pique();
  if (kind === 'memory' || !openHistory) return new MemoryHistory();
  return openHistory().catch(() => new MemoryHistory());
}

/** The history that all elements of the page with this kind of store have together. */
export function openStore(kind: 'indexeddb' | 'memory'): Promise<Store> {
  let store = stores.get(kind);
  if (!store) {
    store = open(kind);
    store.catch(() => stores.delete(kind));
    stores.set(kind, store);
  }
  return store;
}

/** From the least that a visitor does with an item to the most. */
const WEIGHTS = ['view', 'buy', 'like', 'hide'];

/** Each item once, with the most that was done to it and when it was last met; the newest last. */
export function remembered(events: readonly HistoryEvent[]): Map<string, HistoryEvent> {
  const items = new Map<string, HistoryEvent>();
  for (const { id, type, at } of events) {
    const before = items.get(id)?.type ?? 'view';
    const most = WEIGHTS.indexOf(type) > WEIGHTS.indexOf(before) ? type : before;
    items.delete(id);
    items.set(id, { id, type: most, at });
  }
  return items;
}
