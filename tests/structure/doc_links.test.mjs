// Links between the project's own documents: the file is there, and so is the heading.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { projectRoot, readTree } from './tree.mjs';

const withoutCode = (text) => text.replace(/^```[\s\S]*?^```/gm, '');

/** Names that links of a text may end in, as GitHub makes them of headings; the second of a name has -1. */
function anchorsOf(text) {
  const seen = new Map();
  const names = new Set([...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id));
  for (const [, heading] of withoutCode(text).matchAll(/^#+ (.+)$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const name = plain.replace(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-');
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    names.add(times ? `${name}-${times}` : name);
  }
  return names;
}

/** Links of all documents that lead nowhere, as "path: link". */
function brokenLinks(documents) {
  const anchors = new Map(documents.map(({ path, text }) => [path, anchorsOf(text)]));
  const problems = [];
  for (const { path, text } of documents) {
    for (const [, link] of withoutCode(text).matchAll(/\]\(([^()\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file, anchor] = link.split('#');
      const target = file ? posix.join(posix.dirname(path), file) : path;
      const isThere = existsSync(join(projectRoot, target)) || anchors.has(target);
      const known = anchors.get(target);
      if (!isThere || (anchor && known && !known.has(anchor))) problems.push(`${path}: ${link}`);
    }
  }
  return problems;
}

test('no link of the documents leads nowhere', () => {
  const documents = readTree().filter(({ path }) => path.endsWith('.md'));
  assert.ok(documents.some(({ path }) => path === 'docs/api/pique.md'));
  assert.deepEqual(brokenLinks(documents), []);
});

test('a missing file and a missing heading are found', () => {
  const documents = [
    { path: 'made-up/a.md', text: '# One\n[b](b.md#two) [c](c.md) [d](#one) [e](b.md#three)\n' },
    { path: 'made-up/b.md', text: '## Two\n```\n## Three\n```\n' },
  ];
  assert.deepEqual(brokenLinks(documents), ['made-up/a.md: c.md', 'made-up/a.md: b.md#three']);
});
