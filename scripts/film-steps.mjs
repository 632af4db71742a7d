// The steps from film titles to a model that the demo page serves. `npm run demo` and
// `npm run films` take the same ones, so that the page shows what the committed file holds.
//
// The titles are real (npm package vega-datasets); the viewers are simulated.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cli, inRoot, run } from './run.mjs';

/** Everything that decides what models/films.pique is. */
export const recipe = {
  viewers: 4000,
  interests: 4,
  seed: 1,
  threads: 2,
  quant: 'int8',
  // Settings under which MIND's interests come apart on these viewers: many routing rounds and a long
  // history that hardly fades. tests/unit/test_planted.c measures that.
  config: 'models/configs/mind-films.json',
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
  rmSync(out, { recursive: true, force: true });
  const fixed = ['--seed', String(recipe.seed), '--threads', String(recipe.threads)];
  const options = [...fixed, ...more];
  await run(cli, ['train', '--model', 'mind', '--data', data, ...options, '--out', out], { env });
}

/** What `pique eval` finds on the test split, with its baselines. */
export async function evaluate(model, data) {
  const options = ['--split', 'test', '--json'];
  return JSON.parse(await run(cli, ['eval', model, '--data', data, ...options], { capture: true }));
}

export function exportModel(model, out, env = {}) {
  return run(cli, ['export', model, '--quant', recipe.quant, '-o', out], { env });
}
