/** The demo site: the page, the package's files, a model in two forms, the map, and the service worker over all. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { makeMap } from '../scripts/film-map.mjs';
import { readFilms, toJson } from '../scripts/films.mjs';

const demo = fileURLToPath(new URL('demo', import.meta.url));
const models = fileURLToPath(new URL('../models', import.meta.url));

/** What the page loads of the package; the rest of it stays away. */
const PACKAGE_FILES = [
  ...['index.js', 'worker.js', 'engine.js', 'core-nosimd.js', 'blocks.js', 'more.js'],
  ...['element.js', 'element.privacy.js'],
];
/** What stands in every site beside it. */
const PAGE_FILES = ['index.html', 'icon.svg', 'demo.js', 'demo.css', 'films.pique', 'films.json'];
/** How the second form of the model keeps its item rows. */
const COMPACT = 'pq16';

/** The page's own script imports the package from beside it, as a page without a bundler does. */
const beside = {
  name: 'package',
  setup(builder) {
    const names = { pique: './index.js', 'pique/element': './element.js' };
    builder.onResolve({ filter: /^pique(\/element)?$/ }, ({ path }) => ({
      path: names[path],
      external: true,
    }));
  },
};

/** A page without one of the files does not look for it. */
async function writePage(site, absent) {
  let html = await readFile(path.join(demo, 'index.html'), 'utf8');
  for (const name of absent)
    html = html.replace(new RegExp(`^.*<meta name="${name}".*\n`, 'm'), '');
  await writeFile(path.join(site, 'index.html'), html);
  await copyFile(path.join(demo, 'icon.svg'), path.join(site, 'icon.svg'));
}

/** The model with its rows as codes; false where the command line is not built or cannot make them. */
async function writeCompact(cli, model, out) {
  if (!(await stat(cli).catch(() => undefined))) {
    console.warn(`${cli} is missing, so the site has no compact file to switch to`);
    return false;
  }
  try {
    execFileSync(cli, ['export', model, '--quant', COMPACT, '-o', out], { stdio: 'pipe' });
    return true;
  } catch (error) {
    console.warn(`the site has no compact file to switch to: ${error.stderr}`);
    return false;
  }
}

/** Writes the service worker with the list of the site's files and what they hold. */
async function writeServiceWorker(site, names, common) {
  const files = await Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(path.join(site, name));
      return [name, createHash('sha256').update(bytes).digest('base64')];
    }),
  );
  const version = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 12);
  await build({
    ...common,
    format: 'iife',
    entryPoints: [path.join(demo, 'service_worker.ts')],
    outfile: path.join(site, 'sw.js'),
    define: { SITE_FILES: JSON.stringify(files), SITE_VERSION: JSON.stringify(version) },
  });
}

/** `options`: those of build.mjs; `common`: how every script is built. */
export async function buildSite(options, common) {
  const { site, dist } = options;
  await mkdir(site, { recursive: true });
  const model = options.model ?? path.join(models, 'films.pique');
  const ranker =
    options.ranker ?? (options.model ? undefined : path.join(models, 'films-ranker.pique'));
  const to = (name) => path.join(site, name);

  for (const name of PACKAGE_FILES) await copyFile(path.join(dist, name), to(name));
  for (const name of ['demo.ts', 'demo.css']) {
    const entryPoints = [path.join(demo, name)];
    const outfile = to(name.replace('.ts', '.js'));
    await build({ ...common, entryPoints, outfile, plugins: [beside] });
  }
  await copyFile(model, to('films.pique'));
  if (ranker) await copyFile(ranker, to('films-ranker.pique'));
  if (options.catalog) await copyFile(options.catalog, to('films.json'));
  else await writeFile(to('films.json'), toJson(readFilms()));

  const cli = path.join(options.build, 'native/pique');
  const compact = await writeCompact(cli, model, to('films-compact.pique'));
  const map = makeMap(await readFile(model), JSON.parse(await readFile(to('films.json'), 'utf8')));
  if (map) await writeFile(to('films-map.json'), map);
  const choices = [
    ['pique-ranker', 'films-ranker.pique', ranker],
    ['pique-compact', 'films-compact.pique', compact],
    ['pique-map', 'films-map.json', map],
  ];
  const present = choices.filter(([, , there]) => there).map(([, file]) => file);
  const absent = choices.filter(([, , there]) => !there).map(([name]) => name);
  await writePage(site, absent);
  await writeServiceWorker(site, [...PACKAGE_FILES, ...PAGE_FILES, ...present].sort(), common);
}
