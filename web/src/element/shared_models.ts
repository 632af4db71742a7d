/** One model in memory for all who ask for the same one, for as long as somebody uses it. */
import type { Recommender } from 'pique';

export interface Lease {
  readonly recommender: Promise<Recommender>;
  /** The last one who releases has the model disposed of, unless somebody takes it within the same task. */
  release(): void;
}

interface Entry {
  users: number;
  readonly controller: AbortController;
  readonly recommender: Promise<Recommender>;
}

const entries = new Map<string, Entry>();
const numbers = new WeakMap<object, number>();
let lastNumber = 0;

/** A text that tells objects apart, for keys. */
export function identify(value: object): string {
  const number = numbers.get(value) ?? ++lastNumber;
  numbers.set(value, number);
  return `#${number}`;
}

function end(key: string, entry: Entry): void {
  if (entry.users > 0) return;
  if (entries.get(key) === entry) entries.delete(key);
  entry.controller.abort();
  entry.recommender.then(
    (recommender) => recommender.dispose(),
    () => {},
  );
}

/** The model of that key; `start` loads it where it is not there yet. */
export function lease(key: string, start: (signal: AbortSignal) => Promise<Recommender>): Lease {
  let entry = entries.get(key);
  if (!entry) {
    const controller = new AbortController();
    entry = { users: 0, controller, recommender: start(controller.signal) };
    entries.set(key, entry);
    const failed = entry;
    entry.recommender.catch(() => {
      if (entries.get(key) === failed) entries.delete(key); // the next one may be luckier
    });
  }
  const held = entry;
  let released = false;
  held.users++;
  return {
    recommender: held.recommender,
    release() {
      if (released) return;
      released = true;
      held.users--;
      // An element that moves leaves and comes back within one task, and so does an effect that runs twice.
      setTimeout(end, 0, key, held);
    },
  };
}
