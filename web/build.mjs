/**
 * Builds the npm package's dist/, or, with --site, the demo site from that dist/.
 *
 *   node web/build.mjs [--build DIR] [--dist DIR]
 *   node web/build.mjs --site DIR [--model F.pique [--ranker F.pique]] [--catalog F.json] [--dist DIR]
 *
 * Without --model the site has the films and their ranker; with it, the ranker that is given, or none.
 * Without --catalog the site's films.json is made from the installed vega-datasets.
 * --build (default build) holds wasm/pique.wasm, wasm-nosimd/pique.wasm and, for the site's compact file,
 * native/pique, as the CMake presets leave them.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { buildElements, ELEMENT_TYPES } from './build_elements.mjs';
import { buildSite } from './build_site.mjs';

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

/** Files of the package that index.js imports when they are needed. */
const LAZY = {
  'pique:engine': './engine.js',
  'pique:nosimd': './core-nosimd.js',
  'pique:blocks': './blocks.js',
  'pique:more': './more.js',
  'pique:compiled': './core.wasm',
};

/** Modules that stand beside the bundle, and those whose text is made here: { 'pique:name': source }. */
function made(modules) {
  return {
    name: 'made',
    setup(builder) {
      builder.onResolve({ filter: /^pique:/ }, ({ path }) =>
        path in modules
          ? { path, namespace: 'made' }
          : { path: LAZY[path], external: true, sideEffects: false },
      );
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

/** The engine as one function that leans on nothing outside: its text is a program, too. */
async function serverModule() {
  const entryPoints = [path.join(web, 'src/server.ts')];
  const result = await build({ ...common, entryPoints, format: 'cjs', write: false });
  const text = result.outputFiles[0].text.trim();
  return `export const server=()=>{const module={exports:{}};${text}\nreturn module.exports};\n`;
}

async function buildPackage() {
  const dist = options.dist;
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  const simd = await readWasm('wasm');
  const nosimd = await readWasm('wasm-nosimd');
  await writeFile(path.join(dist, 'core.wasm'), simd);
  await writeFile(path.join(dist, 'core-nosimd.wasm'), nosimd);

  const base64 = (bytes) =>
    `export const base64=${JSON.stringify(gzipSync(bytes, { level: 9 }).toString('base64'))};\n`;
  await writeFile(path.join(dist, 'core-nosimd.js'), base64(nosimd));
  const source = (name) => path.join(web, 'src', `${name}.ts`);
  await build({
    ...common,
    entryPoints: [
      ...[...ENTRIES, 'worker', 'blocks', 'more'].map((name) => ({ in: source(name), out: name })),
      { in: source('fallback'), out: 'engine' },
    ],
    external: ['node:*'],
    outdir: dist,
    plugins: [made({ 'pique:simd': base64(simd), 'pique:server': await serverModule() })],
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

const ENTRIES = ['index', 'external', 'node', 'workerd'];
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

if (options.site) await buildSite(options, common);
else await buildPackage();
