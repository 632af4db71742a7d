// The steps from film titles to the two models that the demo page serves: one retrieves, one ranks.
// `npm run demo` and `npm run films` take the same ones, so that the page shows what the committed files hold.
//
// The titles are real (npm package vega-datasets); the viewers are simulated.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyLines, readViewers, writeLabels } from './film-labels.mjs';
import { cli, inRoot, run } from './run.mjs';

/** Everything that decides what models/films.pique and models/films-ranker.pique are. */
export const recipe = {
  viewers: 4000,
  interests: 4,
  seed: 1,
  threads: 2,
  quant: 'int8',
  // Settings under which MIND's interests come apart on these viewers: many routing rounds and a long
  // history that hardly fades. tests/unit/test_planted.c measures that.
  config: 'models/configs/mind-films.json',
  ranker: 'din',
  rankerConfig: 'models/configs/din-films.json',
  rankerEpochs: '4', // on data of one's own
  shown: 100, // films retrieved for a viewer, among which the ranker's false pairs are drawn
};

/** Folders and files of one run below `folder`. */
export function filmPaths(folder) {
  return {
    folder,
    items: join(folder, 'items.csv'),
    catalog: join(folder, 'films.json'),
    viewers: join(folder, 'simulated-viewers'),
    run: join(folder, 'run'),
    trained: join(folder, 'run', 'model.pique'),
    exported: join(folder, 'films.pique'),
    card: join(folder, 'films.txt'),
    labels: join(folder, 'labels'),
    rankerRun: join(folder, 'ranker-run'),
    rankerTrained: join(folder, 'ranker-run', 'model.pique'),
    ranker: join(folder, 'films-ranker.pique'),
    rankerCard: join(folder, 'films-ranker.txt'),
  };
}

/** Writes the catalogue, for training and for the page, and the viewers. */
export async function makeFilms(paths) {
  rmSync(paths.folder, { recursive: true, force: true });
  mkdirSync(paths.folder, { recursive: true });
  await run('node', ['scripts/films.mjs', '--out', paths.folder]);
  await run(cli, [
    ...['simulate', '--catalog', paths.items, '--users', String(recipe.viewers)],
    ...['--interests', String(recipe.interests), '--seed', String(recipe.seed)],
    ...['--popularity', 'popularity', '--out', paths.viewers],
  ]);
}

/** Trains MIND on the simulated viewers in `data` into the folder `out`. */
export function trainOnViewers(data, out, env = {}) {
  return train(data, out, env, ['--config', inRoot(recipe.config)]);
}

/** Trains MIND on `data` into the folder `out`, with its defaults but for `more`. */
export async function train(data, out, env = {}, more = []) {
  await trainModel('mind', data, out, env, more);
}

/** Writes the labelled pairs that the ranker learns from; the exported retrieving model must be there. */
export async function makeLabels(paths, env = {}, viewers = readViewers(paths.viewers)) {
  const histories = join(paths.folder, 'histories.txt');
  writeFileSync(histories, historyLines(viewers));
  const options = ['--batch', histories, '--exclude-seen', '-k', String(recipe.shown)];
  const output = await run(cli, ['recommend', paths.exported, ...options], { capture: true, env });
  const shown = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).items.map(({ id }) => id));
  const { seed } = recipe;
  writeLabels({ viewers, shown, data: paths.viewers, out: paths.labels, seed });
}

/** Trains the ranker on the labels of the simulated viewers in `data` into the folder `out`. */
export function trainRankerOnViewers(data, out, env = {}) {
  return trainRanker(data, out, env, ['--config', inRoot(recipe.rankerConfig)]);
}

/** Trains the ranker on the labelled pairs in `data`, with its defaults but for `more`. */
export function trainRanker(data, out, env = {}, more = ['--epochs', recipe.rankerEpochs]) {
  return trainModel(recipe.ranker, data, out, env, ['--set', 'split=random', ...more]);
}

async function trainModel(model, data, out, env, more) {
  rmSync(out, { recursive: true, force: true });
  const fixed = ['--seed', String(recipe.seed), '--threads', String(recipe.threads)];
  const options = [...fixed, ...more];
  await run(cli, ['train', '--model', model, '--data', data, ...options, '--out', out], { env });
}

/** What `pique eval` finds on the test split, with its baselines. */
export async function evaluate(model, data, more = []) {
  const options = ['--split', 'test', '--json', ...more];
  return JSON.parse(await run(cli, ['eval', model, '--data', data, ...options], { capture: true }));
}

export function evaluateRanker(model, data) {
  return evaluate(model, data, ['--set', 'split=random']);
}

export function exportModel(model, out, env = {}) {
  return run(cli, ['export', model, '--quant', recipe.quant, '-o', out], { env });
}
