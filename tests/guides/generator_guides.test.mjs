/**
 * The guides for site generators, followed on six posts. Eleventy is installed into this folder first; Hugo is a system
 * package, without which its guide is skipped. (Astro is 158 MB: its guide is followed by hand.)
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { follow, makeFolder, readGuide, visit } from './guide_steps.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

const POSTS = {
  bread: [
    'Sourdough "bread", plain',
    'baking',
    'Flour, water and *yeast*: let the dough rest a night.',
  ],
  rye: ['Rye loaves', 'baking', 'A dough of rye flour needs a hot oven, and rest.'],
  rolls: ['Breakfast rolls', 'baking', 'Yeast dough, shaped small, in a hot oven.'],
  fjord: ['Sailing the fjord', 'sailing', 'Wind and sails: the boat leaves the harbour.'],
  knots: ['Knots for a boat', 'sailing', 'The crew ties the sails in the harbour.'],
  race: ['A boat race', 'sailing', 'Wind, crew and sails off the fjord.'],
};

function write(folder, name, text) {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function writePosts(folder, place, head) {
  for (const [name, [title, tag, text]] of Object.entries(POSTS)) {
    write(folder, `${place}/${name}.md`, `---\ntitle: '${title}'\n${head(tag)}\n---\n\n${text}\n`);
  }
}

/** Does the guide's steps and looks at a page of what was built. */
async function check(folder, guide, built) {
  follow(folder, readGuide(guide).steps);
  const table = readFileSync(path.join(folder, built, 'posts.csv'), 'utf8');
  assert.ok(table.includes('"Sourdough ""bread"", plain"'), table);
  assert.ok(existsSync(path.join(folder, built, '_headers')));
  const [related] = await visit(path.join(folder, built), ['/posts/knots/']);
  assert.equal(related.length, 4);
  assert.deepEqual(related.slice(0, 2).sort(), ['/posts/fjord/', '/posts/race/']);
}

test('the guide for Eleventy', async () => {
  const folder = makeFolder(after);
  const modules = path.join(here, 'node_modules');
  if (!existsSync(path.join(modules, '@11ty/eleventy'))) {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: here });
  }
  symlinkSync(path.join(modules, '@11ty'), path.join(folder, 'node_modules/@11ty'));
  const program = path.join(folder, 'node_modules/.bin/eleventy');
  symlinkSync(path.join(modules, '@11ty/eleventy/cmd.cjs'), program);
  writePosts(folder, 'posts', (tag) => `tags: [post, ${tag}]\nlayout: post.njk`);
  await check(folder, 'eleventy.md', '_site');
});

const hugo = spawnSync('hugo', ['version']).status === 0;

test('the guide for Hugo', { skip: !hugo && 'hugo is not installed' }, async () => {
  const folder = makeFolder(after);
  writePosts(folder, 'content/posts', (tag) => `tags: [${tag}]\ndate: 2024-01-01`);
  const body = '<!doctype html><html lang="en"><title>{{ .Title }}</title>{{ .Content }}';
  write(folder, 'layouts/_default/single.html', `${body}{{ partial "related.html" . }}</html>`);
  write(folder, 'layouts/_default/list.html', `${body}</html>`);
  write(folder, 'layouts/index.html', `${body}</html>`);
  await check(folder, 'hugo.md', 'public');
});
