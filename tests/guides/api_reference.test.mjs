/** docs/api says what the comments of web/src say. TypeDoc, which makes it, is installed first where it is missing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const committed = path.join(root, 'docs/api');

const read = (folder) =>
  Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]),
  );

test('the API reference is up to date', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'pique-api-'));
  after(() => rmSync(folder, { recursive: true }));
  const script = path.join(root, 'scripts/api-reference/generate.mjs');
  execFileSync(process.execPath, [script, '--out', folder], { stdio: 'pipe' });
  assert.deepEqual(read(committed), read(folder), 'npm run api');
});

test('the API reference tells what every public name and option is', () => {
  const reference = readFileSync(path.join(committed, 'pique.md'), 'utf8');
  for (const name of ['load', 'openHistory']) assert.ok(reference.includes(`### ${name}()`), name);
  for (const name of ['recommend', 'pages', 'similar', 'rank', 'interests', 'dispose']) {
    assert.ok(reference.includes(`##### ${name}()`), name);
  }
  const untold = [...reference.matchAll(/^\| <a id="[^"]+"><\/a> `(\w+)\??` \| .* \| - \|$/gm)];
  const allowed = ['id', 'name', 'cause', 'message', 'stack'];
  assert.deepEqual(
    untold.map(([, name]) => name).filter((name) => !allowed.includes(name)),
    [],
  );
});
