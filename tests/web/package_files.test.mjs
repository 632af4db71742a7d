/** What `npm pack` would publish: the right files, the right sizes, importable by plain Node. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ELEMENT_TYPES } from '../../web/build_elements.mjs';
import { modelBytes, readDist, root } from './web_support.mjs';

const KB = 1024;
const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** The inlined engines are long runs of base64. */
const withoutEngines = (script) => script.replace(/[A-Za-z0-9+/=]{1000,}/g, '');

describe('sizes', () => {
  for (const name of ['core.wasm', 'core-nosimd.wasm']) {
    test(`${name} stays within 60 KB gzip`, () => {
      const size = gzipped(readDist(name));
      assert.ok(size <= 60 * KB, `${size} bytes`);
    });
  }

  /** What every visitor loads: the page's script and the worker's. */
  test('index.js and worker.js stay within 12 KB gzip without the engine', () => {
    const index = withoutEngines(readDist('index.js').toString());
    assert.ok(index.length < readDist('index.js').length - 70 * KB, 'the engine was found');
    const [page, worker] = [gzipped(index), gzipped(readDist('worker.js'))];
    assert.ok(page + worker <= 12 * KB, `${page} + ${worker} bytes`);
  });

  test('index.js carries one engine of WebAssembly and no scripts of it', () => {
    const index = readDist('index.js').toString();
    assert.ok(!withoutEngines(index).includes('emscripten_notify_memory_growth'));
    assert.equal(index.match(/[A-Za-z0-9+/=]{1000,}/g).length, 1);
  });

  /** What some visitors load as well. */
  const LIMITS = {
    'engine.js': 6.5, // no worker from its file
    'core-nosimd.js': 60,
    'blocks.js': 2.5, // files of blocks
    'more.js': 4, // filters, integrity, interests, a history that stays
    'external.js': 7.5,
    'node.js': 7.5,
    'workerd.js': 7.5,
  };
  for (const [name, limit] of Object.entries(LIMITS)) {
    test(`${name} stays within ${limit} KB gzip`, () => {
      const size = gzipped(readDist(name));
      assert.ok(size <= limit * KB, `${size} bytes`);
    });
  }
});

describe('the tarball', () => {
  let folder;
  let files;

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'pique-pack-'));
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const [packed] = JSON.parse(
      execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    files = packed.files.map((file) => file.path).sort();
    const target = path.join(folder, 'node_modules', manifest.name);
    mkdirSync(target, { recursive: true });
    const archive = path.join(folder, packed.filename);
    execFileSync('tar', ['-xzf', archive, '-C', target, '--strip-components=1']);
    writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('holds exactly what is meant to be published', () => {
    assert.deepEqual(
      files,
      [
        'dist/custom-elements.json',
        'dist/element.auto.iife.js',
        'dist/element.js',
        'dist/element.privacy.js',
        'dist/react.js',
        ...ELEMENT_TYPES.map((name) => `dist/${name}.d.ts`),
        'LICENSE',
        'README.md',
        'dist/blocks.js',
        'dist/cli.js',
        'dist/core-nosimd.js',
        'dist/core-nosimd.wasm',
        'dist/core.wasm',
        'dist/engine.js',
        'dist/errors.d.ts',
        'dist/external.d.ts',
        'dist/external.js',
        'dist/history.d.ts',
        'dist/index.d.ts',
        'dist/index.js',
        'dist/more.js',
        'dist/node.js',
        'dist/public.d.ts',
        'dist/types.d.ts',
        'dist/worker.js',
        'dist/workerd.js',
        'models/films.pique',
        'package.json',
      ].sort(),
    );
  });

  test('exports only files that exist, types first, and depends on nothing', () => {
    for (const [name, target] of Object.entries(manifest.exports)) {
      const paths = typeof target === 'string' ? [target] : Object.values(target);
      for (const file of paths) {
        const packed = path.join(folder, 'node_modules', manifest.name, file);
        assert.ok(existsSync(packed), `${name}: ${file}`);
      }
      if (typeof target !== 'string') assert.equal(Object.keys(target)[0], 'types', name);
    }
    assert.equal(manifest.dependencies, undefined);
    assert.deepEqual(manifest.sideEffects, ['./dist/element.auto.iife.js']);
  });

  /** Runs the text in Node, in the folder of the installed package; its output. */
  function run(script, ...flags) {
    writeFileSync(path.join(folder, 'films.pique'), modelBytes());
    writeFileSync(path.join(folder, 'use.js'), script);
    const args = [...flags, 'use.js'];
    return execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).trim();
  }

  test('imports without side effects and works in plain Node', () => {
    const output = run(`
      import { readFile } from 'node:fs/promises';
      const before = Object.keys(globalThis).join();
      const { load } = await import('${manifest.name}');
      const external = await import('${manifest.name}/external');
      const page = await import('./node_modules/${manifest.name}/dist/index.js');
      await import('./node_modules/${manifest.name}/dist/engine.js');
      await import('./node_modules/${manifest.name}/dist/more.js');
      await import('./node_modules/${manifest.name}/dist/blocks.js');
      if (Object.keys(globalThis).join() !== before) throw new Error('import left traces');
      const model = await readFile('films.pique');
      const wasm = await readFile(new URL(import.meta.resolve('${manifest.name}/core.wasm')));
      const ask = async (pique) => JSON.stringify((await pique.recommend({ count: 3 })).items);
      const lists = [
        await ask(await load(model)),
        await ask(await load(new URL('films.pique', import.meta.url))),
        await ask(await page.load(model)),
        await ask(await external.load(model, { wasm })),
      ];
      const missing = await load(new URL('none.pique', import.meta.url)).catch((e) => e.code);
      console.log(new Set(lists).size, JSON.parse(lists[0]).length, missing);
    `);
    assert.equal(output, '1 3 HTTP');
  });

  test('works where only a compiled module is taken, as in workerd', () => {
    // A loader that gives modules as workerd does, and a host that compiles no bytes.
    const hooks = `
      import { readFile } from 'node:fs/promises';
      export async function load(url, context, next) {
        if (!url.endsWith('.wasm')) return next(url, context);
        const bytes = JSON.stringify([...(await readFile(new URL(url)))]);
        const source = 'export default new globalThis.CompiledModule(new Uint8Array(' + bytes + '))';
        return { format: 'module', shortCircuit: true, source };
      }`;
    const register = `
      import { register } from 'node:module';
      register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(hooks))});
      const { instantiate } = WebAssembly;
      globalThis.CompiledModule = WebAssembly.Module;
      WebAssembly.instantiate = (code, imports) => {
        if (!(code instanceof WebAssembly.Module)) throw new Error('no code from bytes');
        return instantiate(code, imports);
      };`;
    writeFileSync(path.join(folder, 'workerd.mjs'), register);
    const output = run(
      `
      import { readFile } from 'node:fs/promises';
      import { load } from '${manifest.name}';
      const pique = await load(await readFile('films.pique'));
      const { items } = await pique.recommend({ count: 3 });
      console.log(items.length, pique.info.thread);
    `,
      ...['--conditions=workerd', '--import', './workerd.mjs'],
    );
    assert.equal(output, '3 main');
  });

  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    test(`types check under ${resolution}`, () => {
      writeFileSync(
        path.join(folder, 'use.ts'),
        `import { load, openHistory, PiqueError } from 'pique';
         import type { HistoryStore, Recommendation, Recommender } from 'pique';
         import { load as other } from 'pique/external';
         import { define, type PiqueList, setStrings } from 'pique/element';
         import { useRecommendations } from 'pique/react';
         const pique: Recommender = await load('/films.pique', { worker: false });
         const items: Recommendation[] = (await pique.recommend({ count: 3, explain: true })).items;
         const store: HistoryStore = await openHistory({ name: 'films' });
         await load('/films.pique', { history: store, cache: 'none', integrity: 'sha256-' });
         for await (const page of pique.pages({ filter: { genre: ['Drama', 'Comedy'] } })) page.items;
         await pique.similar('50', { filter: (id) => id !== '318' });
         // @ts-expect-error a filter names texts
         await pique.recommend({ filter: { year: 1999 } });
         const code: string = new PiqueError('HTTP', 'x').code;
         // @ts-expect-error a count is a number
         await pique.recommend({ count: '3' });
         define();
         setStrings('fr', { label: 'Pour vous' });
         const list = document.querySelector<PiqueList>('pique-list');
         if (list) list.sealed = true;
         const hook: () => readonly Recommendation[] = () =>
           useRecommendations('/films.pique', { count: 3, load: { worker: 'sealed' } }).items;
         // @ts-expect-error another word for a worker
         await load('/films.pique', { worker: 'seal' });
         export { code, hook, items, other };`,
      );
      const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
      const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom'];
      const kind = ['--module', module, '--moduleResolution', resolution, '--types', ''];
      const args = [tsc, ...options, ...kind, 'use.ts', '--ignoreConfig'];
      try {
        execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
      } catch (error) {
        assert.fail(error.stdout);
      }
    });
  }

  test('esbuild bundles it, into one file and into pieces', () => {
    writeFileSync(
      path.join(folder, 'app.js'),
      `import { load } from 'pique'; load('films.pique').then(console.log);`,
    );
    const esbuild = path.join(root, 'node_modules/esbuild/bin/esbuild');
    const args = ['app.js', '--bundle', '--format=esm', '--outfile=out.js', '--log-level=warning'];
    execFileSync(esbuild, args, { cwd: folder });
    assert.ok(existsSync(path.join(folder, 'out.js')));
    const pieces = ['app.js', '--bundle', '--format=esm', '--splitting', '--outdir=pieces'];
    execFileSync(esbuild, [...pieces, '--log-level=warning'], { cwd: folder });
    const page = readFileSync(path.join(folder, 'pieces/app.js'), 'utf8');
    assert.ok(!page.includes('emscripten_notify_memory_growth'), 'the engine is another piece');
  });
});
