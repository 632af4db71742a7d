/** The part of the package's dist/ that a page asks for: the entries, and what they name in turn. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from './failure.mjs';

/** The script that defines the elements; `element.js` is the same for pages that import it. */
export const ELEMENT = 'element.auto.iife.js';

const ENTRIES = [ELEMENT, 'element.js', 'index.js', 'worker.js'];

/** Names of files beside a script, as its imports and addresses write them. */
const NEIGHBOUR = /["'`]\.\/([\w.-]+\.(?:js|wasm))["'`]/g;

/** Map of names and bytes, in the order of the names. */
export async function engineFiles(dist) {
  for (const name of ENTRIES) {
    if (!existsSync(path.join(dist, name))) {
      throw new Failure(
        `${path.join(dist, name)} is missing: name the npm package's dist/ by --dist or PIQUE_DIST`,
      );
    }
  }
  const files = new Map();
  const names = [...ENTRIES];
  for (const name of names) {
    if (files.has(name)) continue;
    const bytes = await readFile(path.join(dist, name));
    files.set(name, bytes);
    if (!name.endsWith('.js')) continue;
    for (const [, next] of bytes.toString('utf8').matchAll(NEIGHBOUR)) {
      if (existsSync(path.join(dist, next))) names.push(next);
    }
  }
  return new Map([...files].sort(([one], [other]) => (one < other ? -1 : 1)));
}
