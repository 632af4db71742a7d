// The files of the project as the structure tests see them: paths from the project's folder, '/'
// between the parts, and their text. Build output and installed packages are no part of it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

const outside = new Set(['.git', 'build', 'dist']);

/** All files below `folder`, sorted. */
export function listFiles(folder, prefix = '') {
  const paths = [];
  for (const entry of readdirSync(join(folder, prefix), { withFileTypes: true })) {
    const path = prefix ? `${prefix}/${entry.name}` : entry.name;
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules' && (prefix !== '' || !outside.has(entry.name))) {
        paths.push(...listFiles(folder, path));
      }
    } else {
      paths.push(path);
    }
  }
  return paths.sort();
}

/** Path and text of all text files (those without a zero byte). */
export function readTree(folder = projectRoot) {
  return listFiles(folder)
    .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }))
    .filter((file) => !file.text.includes('\0'));
}

/** C text with comments, strings and characters blanked out; the lines stay where they are. */
export function stripC(text) {
  const noise = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;
  return text.replace(noise, (match) => match.replace(/[^\n]/g, ' '));
}
