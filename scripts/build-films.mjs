// npm run films: rebuilds models/films.pique, models/films-ranker.pique and their cards (.txt), byte for byte.
//
//   node scripts/build-films.mjs           write them
//   node scripts/build-films.mjs --check   build, and compare with what is there
//
// The kernels are fixed to 128 bits, which every x86-64 and ARM machine has: the order of sums, and
// with it the last bit of a weight, depends on the width.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  exportModel,
  filmPaths,
  makeFilms,
  makeLabels,
  trainOnViewers,
  trainRankerOnViewers,
} from './film-steps.mjs';
import { buildPreset, cli, inRoot, run } from './run.mjs';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const fixed = { PIQUE_ISA: 'v128' };
const paths = filmPaths(inRoot('build', 'films'));
const results = [
  [paths.exported, inRoot('models', 'films.pique')],
  [paths.card, inRoot('models', 'films.txt')],
  [paths.ranker, inRoot('models', 'films-ranker.pique')],
  [paths.rankerCard, inRoot('models', 'films-ranker.txt')],
];

if (!values.check) {
  await run('bash', ['scripts/setup.sh', 'demo']);
  await buildPreset('native', { target: 'pique_cli' });
}
await makeFilms(paths);
await trainOnViewers(paths.viewers, paths.run, fixed);
await exportModel(paths.trained, paths.exported, fixed);
await makeLabels(paths, fixed);
await trainRankerOnViewers(paths.labels, paths.rankerRun, fixed);
await exportModel(paths.rankerTrained, paths.ranker, fixed);
await writeCard(paths.exported, paths.card);
await writeCard(paths.ranker, paths.rankerCard);

async function writeCard(model, out) {
  // The path is the first line and differs from machine to machine.
  const card = await run(cli, ['info', model], { capture: true });
  writeFileSync(out, card.slice(card.indexOf('\n') + 1));
}

for (const [built, kept] of results) {
  if (!values.check) {
    copyFileSync(built, kept);
    console.log(`wrote ${kept}`);
  } else if (!readFileSync(built).equals(readFileSync(kept))) {
    console.error(`${kept} differs from ${built}; npm run films writes it anew`);
    process.exitCode = 1;
  }
}
