/**
 * The history in IndexedDB. One record an event, whose key is the event itself: tabs that add the same one
 * agree without asking each other. What other tabs change they tell over a BroadcastChannel.
 */
import type { MemoryHistory } from './history.ts';
import type { HistoryEvent } from './types.ts';

export interface DiskChange {
  put?: HistoryEvent[];
  drop?: HistoryEvent[];
  /** All events of that item go. */
  id?: string;
  clear?: true;
  paused?: boolean;
}

export interface Disk {
  read(): Promise<{ events: HistoryEvent[]; paused: boolean }>;
  write(change: DiskChange): Promise<void>;
}

const VERSION = 1;
const EVENTS = 'events';
const SETTINGS = 'settings';
const PAUSED = 'paused';
const BY_ID = 'id';
/** A database that does not open by then is taken for refused. */
const OPEN_MILLISECONDS = 3000;

const opened = new Map<string, Promise<MemoryHistory>>();

/** One store for each name, whoever opens it; in memory where there is no disk. */
export function openStore(name: string, make: () => MemoryHistory): Promise<MemoryHistory> {
  const known = opened.get(name) ?? openNew(name, make());
  opened.set(name, known);
  return known;
}

async function openNew(name: string, history: MemoryHistory): Promise<MemoryHistory> {
  const lost = () => {
    opened.delete(name); // who opens it anew finds what is there then
    history.attach(undefined);
  };
  const disk = await openDisk(name, () => history.reload(), lost).catch(() => undefined);
  await history.attach(disk);
  return history;
}

/** `changed`: another tab wrote. `lost`: the browser or a newer page took the database away. */
async function openDisk(name: string, changed: () => void, lost: () => void): Promise<Disk> {
  const database = await open(name);
  const channel =
    typeof BroadcastChannel === 'function' ? new BroadcastChannel(`pique-history-${name}`) : null;
  if (channel) channel.onmessage = changed;
  const end = () => {
    database.close();
    channel?.close();
    lost();
  };
  database.onversionchange = end; // a newer page waits for us to let go
  database.onclose = end;
  return {
    async read() {
      const transaction = database.transaction([EVENTS, SETTINGS]);
      const events = result<HistoryEvent[]>(transaction.objectStore(EVENTS).getAll());
      const paused = result<boolean>(transaction.objectStore(SETTINGS).get(PAUSED));
      return { events: await events, paused: (await paused) === true };
    },
    async write(change) {
      try {
        await write(database, change);
      } catch (error) {
        end();
        throw error;
      }
      channel?.postMessage(null);
    },
  };
}

function open(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(`pique-history-${name}`, VERSION);
    let late = false;
    const fail = () => {
      late = true;
      reject(request.error ?? new Error('blocked'));
    };
    const timer = setTimeout(fail, OPEN_MILLISECONDS);
    request.onupgradeneeded = () => {
      const events = request.result.createObjectStore(EVENTS, { keyPath: ['at', 'id', 'type'] });
      events.createIndex(BY_ID, 'id');
      request.result.createObjectStore(SETTINGS);
    };
    request.onblocked = fail;
    request.onerror = fail;
    request.onsuccess = () => {
      clearTimeout(timer);
      if (late) request.result.close();
      else resolve(request.result);
    };
  });
}

async function write(database: IDBDatabase, change: DiskChange): Promise<void> {
  const transaction = database.transaction([EVENTS, SETTINGS], 'readwrite');
  const done = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
  });
  done.catch(() => {});
  const events = transaction.objectStore(EVENTS);
  if (change.clear) events.clear();
  for (const event of change.put ?? []) events.put(event);
  for (const { at, id, type } of change.drop ?? []) events.delete([at, id, type]);
  if (change.paused !== undefined) transaction.objectStore(SETTINGS).put(change.paused, PAUSED);
  if (change.id !== undefined) {
    const keys = await result(events.index(BY_ID).getAllKeys(change.id));
    for (const key of keys) events.delete(key);
  }
  await done;
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
