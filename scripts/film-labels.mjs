// Labelled pairs for the demo's ranker, from the simulated viewers: they never say what they dislike, so a
// film that they watched (label 1) stands against films that they did not (label 0). Half of those are drawn
// among what the retrieving model would have shown them, which is what the ranker will be given, half by
// popularity.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FALSE_PAIRS = 2; // for each true one

/** Whole numbers below a bound, the same in every run. */
function makeDraw(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Every viewer's events, oldest first, as the simulation wrote them: [{ item, time }]. */
export function readViewers(folder) {
  const [, ...lines] = readFileSync(join(folder, 'interactions.csv'), 'utf8').trim().split('\n');
  const viewers = new Map();
  for (const line of lines) {
    const [user, item, time] = line.split(',');
    viewers.set(user, [...(viewers.get(user) ?? []), { item, time }]);
  }
  return viewers;
}

/** A line of items for each viewer, as `pique recommend --batch` takes them. */
export function historyLines(viewers) {
  const lines = [...viewers.values()].map((events) => events.map(({ item }) => item).join(','));
  return `${lines.join('\n')}\n`;
}

/** The data set of labels in `out`, of the viewers in `data`; `shown` has a list of items for each. */
export function writeLabels({ viewers, shown, data, out, seed }) {
  const draw = makeDraw(seed);
  const watched = [...viewers.values()].flatMap((events) => events.map(({ item }) => item));
  const rows = ['user,item,timestamp,label'];
  [...viewers].forEach(([user, events], number) => {
    const own = new Set(events.map(({ item }) => item));
    const others = shown[number].filter((item) => !own.has(item));
    const unwatched = () => {
      for (;;) {
        const from = others.length > 0 && draw(2) ? others : watched;
        const item = from[draw(from.length)];
        if (!own.has(item)) return item;
      }
    };
    for (const { item, time } of events) {
      for (let n = 0; n < FALSE_PAIRS; n++) rows.push(`${user},${unwatched()},${time},0`);
      rows.push(`${user},${item},${time},1`);
    }
  });
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'interactions.csv'), `${rows.join('\n')}\n`);
  copyFileSync(join(data, 'items.csv'), join(out, 'items.csv'));
  const about = readFileSync(join(data, 'about.txt'), 'utf8').trim();
  writeFileSync(join(out, 'about.txt'), `${about} Films watched against films not watched.\n`);
}
