// npm run demo: from a fresh machine to recommendations in a browser.
//
//   npm run demo                        films with simulated viewers
//   npm run demo -- --data DIR          real ratings (MovieLens, or items.csv + interactions.csv)
//   npm run demo -- --port N            another port than 8080
//   npm run demo -- --no-serve          stop when the site stands in build/site
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  evaluate,
  evaluateRanker,
  exportModel,
  filmPaths,
  makeFilms,
  makeLabels,
  recipe,
  train,
  trainOnViewers,
  trainRanker,
  trainRankerOnViewers,
} from './film-steps.mjs';
import { buildPackage, buildPreset, buildSite, CommandError, inRoot, run } from './run.mjs';

const usage = 'usage: npm run demo [-- --data DIR] [--port N] [--no-serve]';

function readOptions() {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      port: { type: 'string', default: '8080' },
      'no-serve': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.data !== undefined && !existsSync(values.data)) {
    throw new Error(`--data: ${values.data} does not exist`);
  }
  if (!/^\d{1,5}$/.test(values.port)) {
    throw new Error(`--port: '${values.port}' is not a port`);
  }
  return values;
}

/** Prints the model beside the baselines, a line each. */
function showMetrics(result) {
  const keys = Object.keys(result.popularity).filter((key) => /^(recall|ndcg)@|^mrr$/.test(key));
  const row = (name, cells) =>
    console.log(name.padEnd(12) + cells.map((c) => c.padStart(10)).join(''));
  console.log(`\nTest split, ${result.users} viewers, ranking the whole catalogue:`);
  row('', keys);
  for (const [name, metrics] of [
    ['MIND', result],
    ['item-kNN', result.item_knn],
    ['popularity', result.popularity],
  ]) {
    row(
      name,
      keys.map((key) => metrics[key].toFixed(4)),
    );
  }
  console.log('');
}

/** Trains, measures and exports the model that ranks; false where the data have nothing to learn it from. */
async function makeRanker(options, data, paths, step) {
  const { hasRatings } = await import('./data-catalog.mjs');
  const name = recipe.ranker.toUpperCase();
  if (options.data === undefined) {
    step('Label what the viewers watched, and what they did not');
    await makeLabels(paths);
    step(`Train ${name}, which ranks`);
    await trainRankerOnViewers(paths.labels, paths.rankerRun);
  } else if (hasRatings(data)) {
    step(`Train ${name}, which ranks`);
    await trainRanker(data, paths.rankerRun);
  } else {
    console.log('There are no ratings or labels, so nothing ranks what MIND retrieves.');
    return false;
  }
  const labels = options.data === undefined ? paths.labels : data;
  const { auc, pairs, popularity } = await evaluateRanker(paths.rankerTrained, labels);
  const figures = `AUC ${auc.toFixed(4)} (popularity ${popularity.auc.toFixed(4)})`;
  console.log(`\nTest split, ${pairs} labelled pairs: ${figures}`);
  await exportModel(paths.rankerTrained, paths.ranker);
  return true;
}

async function demo(options) {
  const step = (text) => console.log(`\n== ${text}`);
  step('Install what is missing');
  await run('bash', ['scripts/setup.sh', 'demo']);
  step('Build the command line');
  await buildPreset('native', { target: 'pique_cli' });

  const paths = filmPaths(inRoot('build', 'demo'));
  let data = paths.viewers;
  if (options.data === undefined) {
    step('Make the data: real film titles, simulated viewers');
    await makeFilms(paths);
  } else {
    step(`Read the catalogue of ${options.data}`);
    data = resolve(options.data);
    const { writeCatalog } = await import('./data-catalog.mjs'); // its packages came with the setup
    await writeCatalog(data, paths.catalog);
  }
  step('Train MIND, which retrieves');
  await (options.data === undefined ? trainOnViewers : train)(data, paths.run);
  showMetrics(await evaluate(paths.trained, data));
  step('Export with int8 item vectors');
  await exportModel(paths.trained, paths.exported);
  const ranks = await makeRanker(options, data, paths, step);
  step('Build the WebAssembly modules, the package and the site');
  const folder = inRoot('build', 'site');
  await buildPackage();
  await buildSite(folder, paths.exported, paths.catalog, ranks ? paths.ranker : undefined);
  if (options['no-serve']) {
    console.log('The site stands in build/site; any static web server will do.');
  } else {
    step('Serve the site (Ctrl-C ends it)');
    await run('node', ['web/serve.mjs', 'build/site', '--port', options.port]);
  }
}

let options;
try {
  options = readOptions();
} catch (error) {
  console.error(`demo: ${error.message}\n${usage}`);
  process.exit(2);
}
if (options.help) {
  console.log(usage);
} else {
  await demo(options).catch((error) => {
    if (!(error instanceof CommandError)) {
      throw error;
    }
    console.error(`demo: ${error.message}`);
    process.exitCode = 1;
  });
}
