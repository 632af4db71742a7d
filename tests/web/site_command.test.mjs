/** `pique site`: what it writes, that the same input gives the same bytes, what it removes, what it refuses. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { dist, modelBytes, root } from './web_support.mjs';

const place = mkdtempSync(path.join(tmpdir(), 'pique-site-'));
after(() => rmSync(place, { recursive: true, force: true }));

const model = path.join(place, 'my films.pique');
const ranker = path.join(root, 'models/films-ranker.pique');
const out = path.join(place, 'public', 'pique');
const catalog = path.join(place, 'films.json');
const program = path.join(dist, 'cli.js');

function site(args, { env } = {}) {
  const { PIQUE_DIST: _, ...rest } = process.env;
  const options = { encoding: 'utf8', env: { ...rest, ...env }, cwd: place };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [program, 'site', ...args],
    options,
  );
  return { code: status, stdout, stderr };
}

function good(...args) {
  const { code, stdout, stderr } = site(args);
  assert.equal(code, 0, stderr);
  return stdout;
}

function refused(code, message, ...args) {
  const result = site(args);
  assert.equal(result.code, code, result.stderr);
  assert.match(result.stderr, message);
  assert.equal(result.stdout, '');
}

const manifestOf = (folder = out) =>
  JSON.parse(readFileSync(path.join(folder, 'pique-manifest.json'), 'utf8'));
const filesOf = (folder) =>
  readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(path.join(folder, name)).isFile())
    .map((name) => name.replaceAll(path.sep, '/'))
    .sort();
const sha256 = (file, encoding) => createHash('sha256').update(readFileSync(file)).digest(encoding);

before(() => {
  writeFileSync(model, modelBytes());
  writeFileSync(catalog, '[{"id":"1","title":"One","url":"/one"}]');
});
beforeEach(() => rmSync(path.join(place, 'public'), { recursive: true, force: true }));

describe('pique site', () => {
  test('writes what the manifest names, with sizes and hashes that are right', () => {
    good(model, '--ranker', ranker, '--catalog', catalog, '--out', out);
    const manifest = manifestOf();
    const names = manifest.files.map(({ file }) => file);
    assert.deepEqual([...names, 'pique-manifest.json'].sort(), filesOf(out));
    for (const { file, bytes, integrity } of manifest.files) {
      assert.equal(statSync(path.join(out, file)).size, bytes, file);
      assert.equal(integrity, `sha256-${sha256(path.join(out, file), 'base64')}`, file);
    }
    const hash = (file) => sha256(file, 'hex').slice(0, 10);
    assert.equal(manifest.model.file, `my-films.${hash(model)}.pique`);
    assert.equal(manifest.ranker.file, `films-ranker.${hash(ranker)}.pique`);
    assert.equal(manifest.catalog.url, `/pique/films.${hash(catalog)}.json`);
    assert.equal(manifest.model.task, 'retrieval');
    assert.equal(manifest.format, 1);
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    assert.equal(manifest.version, version);
  });

  test('prints the lines to paste, and they name files that are there', () => {
    const text = good(model, '--catalog', catalog, '--out', out, '--base', '/blog/pique/');
    const lines = text.split('\n').filter((line) => line.startsWith('<'));
    assert.equal(lines.length, 2);
    const addresses = [...lines.join('').matchAll(/(?:src|model|catalog)="([^"]+)"/g)];
    assert.equal(addresses.length, 3);
    assert.ok(lines[1].includes(` integrity="${manifestOf().model.integrity}"`), lines[1]);
    for (const [, address] of addresses) {
      assert.ok(address.startsWith('/blog/pique/'), address);
      assert.ok(existsSync(path.join(out, address.slice('/blog/pique/'.length))), address);
    }
  });

  test('what the engine’s scripts name stands beside them, and the copy recommends', async () => {
    good(model, '--out', out);
    const manifest = manifestOf();
    const folder = path.join(out, path.posix.dirname(manifest.element.slice('/pique/'.length)));
    const names = readdirSync(folder);
    for (const name of names.filter((each) => each.endsWith('.js'))) {
      const text = readFileSync(path.join(folder, name), 'utf8');
      for (const [, next] of text.matchAll(/(?:import\(|from ?|URL\()["'`]\.\/([\w.-]+)["'`]/g)) {
        assert.ok(names.includes(next) || !existsSync(path.join(dist, next)), `${name}: ${next}`);
      }
    }
    assert.ok(names.includes('worker.js') && names.includes('index.js'));
    assert.ok(!names.includes('cli.js') && !names.some((name) => name.endsWith('.d.ts')));
    const { load } = await import(pathToFileURL(path.join(folder, 'index.js')).href);
    const bytes = readFileSync(path.join(out, manifest.model.file));
    const recommender = await load(bytes, { worker: false });
    assert.equal((await recommender.recommend({ count: 3 })).items.length, 3);
    await recommender.dispose();
  });

  test('the same input gives the same bytes', () => {
    const other = path.join(place, 'public', 'other');
    good(model, '--catalog', catalog, '--out', out);
    good(model, '--catalog', catalog, '--out', other);
    assert.deepEqual(filesOf(out), filesOf(other));
    for (const name of filesOf(out)) {
      assert.ok(
        readFileSync(path.join(out, name)).equals(readFileSync(path.join(other, name))),
        name,
      );
    }
  });

  test('removes hashed files of the run before, and nothing that the manifest does not name', () => {
    good(model, '--catalog', catalog, '--out', out);
    const old = manifestOf().catalog.file;
    writeFileSync(path.join(out, 'own.0123456789.json'), '{}');
    writeFileSync(path.join(place, 'public', 'outside.txt'), 'mine');
    const manifest = manifestOf();
    manifest.files.push({ file: '../outside.txt' }, { file: 'headers/../../outside.txt' });
    manifest.files.push({ file: path.join(place, 'public', 'outside.txt') });
    manifest.files.push({ file: 'engine-0000000000/index.js' });
    mkdirSync(path.join(out, 'engine-0000000000'));
    writeFileSync(path.join(out, 'engine-0000000000/index.js'), '');
    writeFileSync(path.join(out, 'pique-manifest.json'), JSON.stringify(manifest));
    const changed = path.join(place, 'changed.json');
    writeFileSync(changed, '[]');
    good(model, '--catalog', changed, '--out', out);
    assert.ok(!existsSync(path.join(out, old)));
    assert.ok(!existsSync(path.join(out, 'engine-0000000000')));
    assert.ok(existsSync(path.join(out, 'own.0123456789.json')));
    assert.ok(existsSync(path.join(place, 'public', 'outside.txt')));
    assert.ok(existsSync(path.join(out, manifestOf().catalog.file)));
  });

  test('headers name the files, and seal the worker', () => {
    good(model, '--out', out);
    const { model: described, element } = manifestOf();
    const engine = path.posix.dirname(element);
    const read = (name) => readFileSync(path.join(out, 'headers', name), 'utf8');
    const sealed = "default-src 'none'; script-src 'wasm-unsafe-eval'";
    const rules = read('_headers');
    assert.ok(rules.includes(`${engine}/worker.js\n  Content-Security-Policy: ${sealed}\n`), rules);
    assert.ok(
      rules.includes(`${described.url}\n  Cache-Control: public, max-age=31536000, immutable`),
    );
    const nginx = read('nginx.conf');
    assert.ok(nginx.includes(`location = ${engine}/worker.js {`), nginx);
    assert.ok(nginx.includes(`add_header Content-Security-Policy "${sealed}";`), nginx);
    assert.match(read('github-pages.html'), /<meta http-equiv="Content-Security-Policy" content="/);
  });

  test('bad input', () => {
    const text = path.join(place, 'text.pique');
    writeFileSync(text, 'no model');
    refused(1, /none\.pique: no such file/, 'none.pique', '--out', out);
    refused(1, /text\.pique: .+/, text, '--out', out);
    refused(1, /films-ranker\.pique: .*--ranker/, ranker, '--out', out);
    refused(1, /my films\.pique: .*cannot be the ranker/, model, '--ranker', model, '--out', out);
    refused(1, /text\.pique: no JSON/, model, '--catalog', text, '--out', out);
    refused(2, /FILE\.pique is missing/, '--out', out);
    refused(2, /FILE\.pique is missing, or there are several/, model, model, '--out', out);
    refused(2, /--out DIR is missing/, model);
    refused(2, /--base: "pique"/, model, '--out', out, '--base', 'pique');
    refused(2, /--nonsense/, model, '--out', out, '--nonsense');
    refused(
      1,
      /element\.auto\.iife\.js is missing: .*--dist or PIQUE_DIST/,
      model,
      '--out',
      out,
      '--dist',
      place,
    );
    assert.ok(!existsSync(out), 'nothing is written before all is checked');
  });

  test('folders that cannot be written to', () => {
    refused(
      1,
      /films\.json.*(?:no folder|stands there)/,
      model,
      '--out',
      path.join(catalog, 'sub'),
    );
    mkdirSync(out, { recursive: true });
    writeFileSync(path.join(out, 'pique-manifest.json'), '{"name":"My app"}');
    refused(1, /not a manifest of this version/, model, '--out', out);
    assert.deepEqual(filesOf(out), ['pique-manifest.json']);
    rmSync(path.join(out, 'pique-manifest.json'));
    if (process.getuid?.() === 0) return; // root writes everywhere
    chmodSync(out, 0o500);
    refused(1, /permission denied/, model, '--out', out);
    chmodSync(out, 0o700);
  });

  test('help, and commands of the native program', () => {
    const run = (...args) => spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
    assert.match(run('--help').stdout, /^usage: pique site FILE\.pique/);
    assert.equal(run('site', '--help').stdout, run().stdout);
    const { status, stderr } = run('train');
    assert.equal(status, 2);
    assert.match(stderr, /the native program has the others/);
  });

  test('the native program starts it, and says where it looked when it is not there', () => {
    const native = path.join(root, 'build/native/pique');
    const run = (args, env) =>
      spawnSync(native, ['site', ...args], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, ...env },
      });
    const started = run([model, '--out', out, '--dist', dist]);
    assert.equal(started.status, 0, started.stderr);
    assert.ok(existsSync(path.join(out, manifestOf().model.file)));
    assert.equal(run(['--help'], { PIQUE_DIST: dist }).stdout, good('--help'));
    assert.equal(run([model], { PIQUE_DIST: dist }).status, 2);
    assert.match(run([model, `--dist=${place}`]).stderr, /is not the npm package's dist\//);
    const alone = path.join(place, 'alone');
    cpSync(native, path.join(alone, 'pique'), { recursive: true });
    const lost = spawnSync(path.join(alone, 'pique'), ['site', model], {
      encoding: 'utf8',
      env: {},
    });
    assert.equal(lost.status, 1);
    assert.match(lost.stderr, /name it by --dist or PIQUE_DIST, or run `npx pique site`/);
    const without = run(['x', '--dist', dist], { PATH: place });
    assert.match(without.stderr, /it takes Node\.js 18 or newer/);
  });

  test('an installed program finds the package that was installed with it', () => {
    const prefix = path.join(place, 'prefix');
    execFileSync('cmake', ['--install', path.join(root, 'build/native'), '--prefix', prefix]);
    const args = ['site', model, '--out', out];
    const env = { PATH: process.env.PATH };
    const { status, stderr } = spawnSync(path.join(prefix, 'bin/pique'), args, {
      encoding: 'utf8',
      env,
    });
    assert.equal(status, 0, stderr);
    assert.ok(existsSync(path.join(out, manifestOf().element.slice('/pique/'.length))));
  });

  test('the package offers it as a program', () => {
    const { bin } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    assert.deepEqual(bin, { pique: './dist/cli.js' });
    assert.match(readFileSync(program, 'utf8'), /^#!\/usr\/bin\/env node\n/);
    execFileSync(process.execPath, ['--check', program]);
  });
});
