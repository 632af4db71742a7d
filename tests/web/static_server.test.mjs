/** The static server: types, missing files, and no way out of its folder. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { resolveFile, serve } from '../../web/serve.mjs';

let folder;
let server;
let base;

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'pique-serve-'));
  const site = path.join(folder, 'site');
  mkdirSync(path.join(site, 'sub'), { recursive: true });
  writeFileSync(path.join(folder, 'secret.txt'), 'secret');
  writeFileSync(path.join(site, 'index.html'), '<p>home');
  writeFileSync(path.join(site, 'a b.js'), '1');
  writeFileSync(path.join(site, 'worker.js'), '1');
  writeFileSync(path.join(site, 'core.wasm'), 'x');
  writeFileSync(path.join(site, 'sub/index.html'), '<p>sub');
  server = await serve(site);
  base = `http://localhost:${server.address().port}`;
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** fetch() would tidy the path up. */
function rawGet(rawPath) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: 'localhost', port: server.address().port, path: rawPath });
    sent.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('serves files with their types', async () => {
  for (const [file, type] of [
    ['/', 'text/html; charset=utf-8'],
    ['/a%20b.js?v=1', 'text/javascript; charset=utf-8'],
    ['/core.wasm', 'application/wasm'],
    ['/sub/', 'text/html; charset=utf-8'],
  ]) {
    const response = await fetch(base + file);
    assert.equal(response.status, 200, file);
    assert.equal(response.headers.get('content-type'), type);
    await response.text();
  }
});

test('seals the worker', async () => {
  const sealed = await fetch(`${base}/worker.js`);
  assert.match(sealed.headers.get('content-security-policy'), /default-src 'none'/);
  const open = await fetch(`${base}/`);
  assert.equal(open.headers.get('content-security-policy'), null);
});

test('answers ranges of bytes', async () => {
  const part = async (range, more = {}) => {
    const response = await fetch(`${base}/sub/`, { headers: { range, ...more } });
    return [response.status, response.headers.get('content-range'), await response.text()];
  };
  const whole = await fetch(`${base}/sub/`);
  assert.equal(whole.headers.get('accept-ranges'), 'bytes');
  const etag = whole.headers.get('etag');
  assert.match(etag, /^"[^"]+"$/);
  assert.equal(await whole.text(), '<p>sub');
  assert.deepEqual(await part('bytes=1-3'), [206, 'bytes 1-3/6', 'p>s']);
  assert.deepEqual(await part('bytes=4-99'), [206, 'bytes 4-5/6', 'ub']);
  assert.deepEqual(await part('bytes=4-'), [206, 'bytes 4-5/6', 'ub']);
  assert.deepEqual(await part('bytes=-2'), [206, 'bytes 4-5/6', 'ub']);
  assert.deepEqual(await part('bytes=6-7'), [416, 'bytes */6', '']);
  for (const odd of ['bytes=3-1', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=-']) {
    assert.deepEqual(await part(odd), [200, null, '<p>sub'], odd);
  }
  assert.deepEqual(await part('bytes=1-3', { 'if-range': etag }), [206, 'bytes 1-3/6', 'p>s']);
  assert.deepEqual(await part('bytes=1-3', { 'if-range': '"x"' }), [200, null, '<p>sub']);
});

test('answers 404 and 405', async () => {
  assert.equal((await fetch(`${base}/none`)).status, 404);
  assert.equal((await fetch(`${base}/sub`)).status, 404);
  assert.equal((await fetch(`${base}/`, { method: 'POST' })).status, 405);
  assert.equal((await fetch(`${base}/`, { method: 'HEAD' })).status, 200);
});

test('never leaves its folder', async () => {
  for (const rawPath of [
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/sub/..%2f..%2fsecret.txt',
    '/..%5csecret.txt',
    '/%00',
    '/%',
  ]) {
    assert.equal(await rawGet(rawPath), 404, rawPath);
  }
  assert.equal(resolveFile('/srv/site', '/../site-other/x'), undefined);
  assert.equal(resolveFile('/srv/site', '/a/../../etc/passwd'), undefined);
});
