// Does the demo's ranker order the films better than retrieval does? Every viewer's last event is kept from both
// models; what counts is how often it stands among the first of the 100 films retrieved, before and after ranking.
//
//   npm run demo -- --no-serve && node tests/bench/cascade_films.mjs
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readViewers } from '../../scripts/film-labels.mjs';
import { filmPaths, makeLabels, recipe, trainRankerOnViewers } from '../../scripts/film-steps.mjs';
import { cli, inRoot, run } from '../../scripts/run.mjs';

const demo = filmPaths(inRoot('build', 'demo')); // MIND never learns from a viewer's last two events
const folder = inRoot('build', 'cascade');
const paths = { ...filmPaths(folder), viewers: demo.viewers, exported: demo.exported };
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const viewers = readViewers(paths.viewers);
const targets = [...viewers.values()].map((events) => events.at(-1).item);
const earlier = new Map([...viewers].map(([user, events]) => [user, events.slice(0, -1)]));
await makeLabels(paths, {}, earlier);
await trainRankerOnViewers(paths.labels, paths.rankerRun);

/** The place of each target in the viewer's list, -1 when it is not there. */
async function places(...more) {
  const histories = join(folder, 'histories.txt'); // of makeLabels
  const options = ['--batch', histories, '--exclude-seen', '-k', String(recipe.shown), ...more];
  const output = await run(cli, ['recommend', paths.exported, ...options], { capture: true });
  const lists = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).items);
  return lists.map((items, viewer) => items.findIndex(({ id }) => id === targets[viewer]));
}

for (const [name, found] of [
  ['retrieved', await places()],
  ['ranked', await places('--ranker', paths.rankerTrained)],
]) {
  const recall = (k) => found.filter((place) => place >= 0 && place < k).length / found.length;
  const shown = [5, 12, 20, 50, 100].map((k) => `recall@${k} ${recall(k).toFixed(4)}`);
  console.log(`${name.padEnd(10)} ${shown.join('  ')}`);
}
