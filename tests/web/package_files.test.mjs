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

  test('the scripts stay within 12 KB gzip without the engine', () => {
    const index = withoutEngines(readDist('index.js').toString());
    assert.ok(index.length < readDist('index.js').length - 20 * KB, 'the engines were found');
    for (const script of [index, readDist('external.js'), readDist('worker.js')]) {
      assert.ok(gzipped(script) <= 12 * KB, `${gzipped(script)} bytes`);
    }
  });
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
        'dist/cli.js',
        'dist/core-nosimd.wasm',
        'dist/core.wasm',
        'dist/errors.d.ts',
        'dist/external.d.ts',
        'dist/external.js',
        'dist/history.d.ts',
        'dist/index.d.ts',
        'dist/index.js',
        'dist/public.d.ts',
        'dist/types.d.ts',
        'dist/worker.js',
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

  test('imports without side effects and works in plain Node', () => {
    writeFileSync(path.join(folder, 'films.pique'), modelBytes());
    const script = `
      import { readFile } from 'node:fs/promises';
      const before = Object.keys(globalThis).join();
      const { load } = await import('${manifest.name}');
      const external = await import('${manifest.name}/external');
      if (Object.keys(globalThis).join() !== before) throw new Error('import left traces');
      const model = await readFile('films.pique');
      const wasm = await readFile(new URL(import.meta.resolve('${manifest.name}/core.wasm')));
      const one = await (await load(model)).recommend({ count: 3 });
      const two = await (await external.load(model, { wasm })).recommend({ count: 3 });
      console.log(JSON.stringify(one.items) === JSON.stringify(two.items) && one.items.length);
    `;
    writeFileSync(path.join(folder, 'use.js'), script);
    const output = execFileSync(process.execPath, ['use.js'], { cwd: folder, encoding: 'utf8' });
    assert.equal(output.trim(), '3');
  });

  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    test(`types check under ${resolution}`, () => {
      writeFileSync(
        path.join(folder, 'use.ts'),
        `import { load, PiqueError, type Recommendation, type Recommender } from 'pique';
         import { load as other } from 'pique/external';
         const pique: Recommender = await load('/films.pique', { worker: false });
         const items: Recommendation[] = (await pique.recommend({ count: 3, explain: true })).items;
         const code: string = new PiqueError('HTTP', 'x').code;
         // @ts-expect-error a count is a number
         await pique.recommend({ count: '3' });
         export { code, items, other };`,
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

  test('esbuild bundles it', () => {
    writeFileSync(
      path.join(folder, 'app.js'),
      `import { load } from 'pique'; load('films.pique').then(console.log);`,
    );
    const esbuild = path.join(root, 'node_modules/esbuild/bin/esbuild');
    const args = ['app.js', '--bundle', '--format=esm', '--outfile=out.js', '--log-level=warning'];
    execFileSync(esbuild, args, { cwd: folder });
    assert.ok(existsSync(path.join(folder, 'out.js')));
  });
});
