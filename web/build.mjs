/**
 * Builds the npm package's dist/, or, with --site, the demo site from that dist/.
 *
 *   node web/build.mjs [--build DIR] [--dist DIR]
 *   node web/build.mjs --site DIR [--model F.pique [--ranker F.pique]] [--catalog F.json] [--dist DIR]
 *
 * Without --model the site has the films and their ranker; with it, the ranker that is given, or none.
 * Without --catalog the site's films.json is made from the installed vega-datasets.
 * --build (default build) holds wasm/pique.wasm and wasm-nosimd/pique.wasm, as the CMake presets
 * leave them.
 */
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { readFilms, toJson } from '../scripts/films.mjs';
import { buildElements, ELEMENT_TYPES } from './build_elements.mjs';

const web = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(web);

const { values: options } = parseArgs({
  options: {
    build: { type: 'string', default: path.join(root, 'build') },
    dist: { type: 'string', default: path.join(root, 'dist') },
    site: { type: 'string' },
    model: { type: 'string' },
    ranker: { type: 'string' },
    catalog: { type: 'string' },
  },
});

const common = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
};

/** Modules whose text is made here: { 'pique:name': source }. */
function made(modules) {
  return {
    name: 'made',
    setup(builder) {
      builder.onResolve({ filter: /^pique:/ }, (args) => ({ path: args.path, namespace: 'made' }));
      builder.onLoad({ filter: /.*/, namespace: 'made' }, (args) => ({
        contents: modules[args.path],
      }));
    },
  };
}

async function readWasm(preset) {
  const file = path.join(options.build, preset, 'pique.wasm');
  try {
    return await readFile(file);
  } catch {
    throw new Error(
      `${file} is missing: cmake --preset ${preset} && cmake --build --preset ${preset}`,
    );
  }
}

async function bundleText(entry) {
  const result = await build({ ...common, entryPoints: [entry], write: false });
  return result.outputFiles[0].text;
}

async function buildPackage() {
  const dist = options.dist;
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  const simd = await readWasm('wasm');
  const nosimd = await readWasm('wasm-nosimd');
  await writeFile(path.join(dist, 'core.wasm'), simd);
  await writeFile(path.join(dist, 'core-nosimd.wasm'), nosimd);

  const script = await bundleText(path.join(web, 'src/worker.ts'));
  await writeFile(path.join(dist, 'worker.js'), script);
  const base64 = (bytes) => JSON.stringify(gzipSync(bytes, { level: 9 }).toString('base64'));
  const modules = {
    'pique:core': `export const simd = ${base64(simd)}; export const nosimd = ${base64(nosimd)};`,
    'pique:worker': `export const script = ${JSON.stringify(script)};`,
  };
  await build({
    ...common,
    entryPoints: [path.join(web, 'src/index.ts'), path.join(web, 'src/external.ts')],
    outdir: dist,
    plugins: [made(modules)],
  });
  await buildElements(dist, common);
  await buildProgram(dist);
  await buildTypes(dist);
}

/** `npx pique`. */
async function buildProgram(dist) {
  const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  await build({
    ...common,
    entryPoints: [path.join(web, 'src/site/cli.mjs')],
    outfile: path.join(dist, 'cli.js'),
    platform: 'node',
    target: 'node18',
    banner: { js: '#!/usr/bin/env node' },
    define: { PIQUE_VERSION: JSON.stringify(version) },
  });
}

/** The declarations that the entries refer to; the rest of the sources is nobody's business. */
const PUBLIC_TYPES = [
  'index',
  'external',
  'public',
  'errors',
  'history',
  'types',
  ...ELEMENT_TYPES,
];

async function buildTypes(dist) {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json');
  const tsc = path.join(path.dirname(manifest), 'bin/tsc');
  const project = path.join(web, 'tsconfig.types.json');
  execFileSync(process.execPath, [tsc, '-p', project, '--outDir', dist], { stdio: 'inherit' });
  const superfluous = (await readdir(dist, { recursive: true }))
    .filter((name) => name.endsWith('.d.ts'))
    .filter((name) => !PUBLIC_TYPES.includes(name.slice(0, -'.d.ts'.length)));
  await Promise.all(superfluous.map((name) => rm(path.join(dist, name))));
}

/** What is not built; a page without a ranker does not look for one. */
async function copyPage(site, ranker) {
  for (const name of ['demo.css', 'icon.svg']) {
    await copyFile(path.join(web, 'demo', name), path.join(site, name));
  }
  const html = await readFile(path.join(web, 'demo/index.html'), 'utf8');
  const meta = /^.*<meta name="pique-ranker".*\n/m;
  await writeFile(path.join(site, 'index.html'), ranker ? html : html.replace(meta, ''));
  if (ranker) await copyFile(ranker, path.join(site, 'films-ranker.pique'));
}

async function buildSite(site) {
  await mkdir(site, { recursive: true });
  const model = options.model ?? path.join(root, 'models/films.pique');
  const own = options.model ? undefined : path.join(root, 'models/films-ranker.pique');
  await copyPage(site, options.ranker ?? own);
  await copyFile(path.join(options.dist, 'worker.js'), path.join(site, 'worker.js'));
  await copyFile(path.join(options.dist, 'index.js'), path.join(site, 'pique.js'));
  await build({
    ...common,
    entryPoints: [path.join(web, 'demo/demo.ts')],
    outfile: path.join(site, 'demo.js'),
    plugins: [
      {
        name: 'package',
        setup(builder) {
          builder.onResolve({ filter: /^pique$/ }, () => ({ path: './pique.js', external: true }));
        },
      },
    ],
  });
  await copyFile(model, path.join(site, 'films.pique'));
  const catalog = path.join(site, 'films.json');
  if (options.catalog) await copyFile(options.catalog, catalog);
  else await writeFile(catalog, toJson(readFilms()));
}

if (options.site) await buildSite(options.site);
else await buildPackage();
