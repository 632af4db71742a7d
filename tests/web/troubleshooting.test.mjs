/** What docs/troubleshooting.md quotes is what the package says. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { root } from './web_support.mjs';

const guide = readFileSync(path.join(root, 'docs/troubleshooting.md'), 'utf8').replace(/\s+/g, ' ');

/** The sources, with dots where something is put into a text. */
function readSources() {
  const folder = path.join(root, 'web/src');
  const texts = readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(path.join(folder, name), 'utf8'));
  return texts.join('\n').replace(/\$\{[^{}]*\}/g, '…');
}

test('every message that is quoted is one of the package', () => {
  const sources = readSources();
  // Texts between backticks that read like a sentence.
  const quoted = [...guide.matchAll(/`((?:[A-Z][a-z]+|…|integrity) [^`]*)`/g)];
  const messages = quoted.map(([, message]) => message);
  assert.ok(messages.length >= 20, messages.join('\n'));
  for (const message of messages) assert.ok(sources.includes(message), message);
});

test('every code of the package is explained', () => {
  const errors = readFileSync(path.join(root, 'web/src/errors.ts'), 'utf8');
  const union = /export type PiqueErrorCode =([^;]*);/.exec(errors)[1];
  const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code);
  assert.ok(codes.length >= 14);
  for (const code of codes) assert.ok(guide.includes(`\`${code}\``), code);
});
