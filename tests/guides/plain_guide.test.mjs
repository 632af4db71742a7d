/** The guide for a hand-written site, followed word for word, ends with related posts and suggestions in a browser. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { follow, makeFolder, readGuide, visit } from './guide_steps.mjs';

test('the guide for plain sites', async () => {
  const { markdown, steps } = readGuide('plain.md');
  const folder = makeFolder(after);
  const printed = follow(folder, steps);

  const [script, list] = printed.split('\n').filter((line) => line.startsWith('<'));
  const block = /^```html\n([\s\S]*?)^```/m.exec(markdown)[1];
  const addresses = /model="[^"]+" integrity="[^"]+" catalog="[^"]+"/.exec(list)[0];
  const pasted = block.replace('model="…" integrity="…" catalog="…"', addresses);
  assert.notEqual(pasted, block);
  const page = (body) => `<!doctype html><html lang="en"><title>t</title>${script}${body}</html>`;
  writeFileSync(path.join(folder, 'bread.html'), page(pasted));
  writeFileSync(path.join(folder, 'index.html'), page(list));

  const [related, suggested] = await visit(folder, ['/bread.html', '/index.html']);
  assert.equal(related.length, 4);
  assert.deepEqual(related.slice(0, 2).sort(), ['/rolls.html', '/rye.html']);
  assert.deepEqual(suggested.slice(0, 2).sort(), ['/rolls.html', '/rye.html']);
  assert.ok(!suggested.includes('/bread.html'), 'what was read is left out');

  const headers = readFileSync(path.join(folder, 'pique/headers/_headers'), 'utf8');
  assert.ok(headers.includes(/model="([^"]+)"/.exec(list)[1]));
});

test('every guide writes the manifest where its templates look for it', () => {
  for (const [name, look] of [
    ['hugo.md', /(\S+)\/pique-manifest\.json" \| transform/],
    ['eleventy.md', /manifest = '(\S+)\/pique-manifest\.json'/],
    ['astro.md', /glob\('(?:\.\.\/)+(\S+)\/pique-manifest\.json'/],
  ]) {
    const { markdown, steps } = readGuide(name);
    const commands = steps.flatMap((step) => step.commands ?? []);
    const site = commands.find((line) => line.startsWith('npx pique site'));
    const out = / --out (\S+)/.exec(site)[1];
    const place = look.exec(markdown)[1].replace(/^.*"/, '');
    assert.equal(place, out, name);
    assert.ok(
      commands.some((line) => line.startsWith(`cp ${out}/headers/_headers `)),
      name,
    );
  }
});
