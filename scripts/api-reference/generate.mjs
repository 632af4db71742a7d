/**
 * Writes docs/api from the comments of web/src (TSDoc), by TypeDoc.
 *
 *   node scripts/api-reference/generate.mjs [--out DIR]
 *
 * TypeDoc is installed into this folder first. It reads the sources by the programming interface of TypeScript 6;
 * version 7, which checks and declares the package, has none.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: { out: { type: 'string', default: path.join(here, '../../docs/api') } },
});
const out = path.resolve(values.out);
const typedoc = path.join(here, 'node_modules/typedoc/bin/typedoc');

if (!existsSync(typedoc)) {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync('npm', args, { cwd: here, stdio: 'inherit' });
}
execFileSync(process.execPath, [typedoc, '--logLevel', 'Warn', '--out', out], {
  cwd: here,
  stdio: 'inherit',
});

for (const name of readdirSync(out)) {
  const file = path.join(out, name);
  const text = readFileSync(file, 'utf8')
    .replace(/[ \t]+$/gm, '')
    .trimEnd();
  writeFileSync(
    file,
    `<!-- npm run api writes this file from the comments of web/src. -->\n\n${text}\n`,
  );
}
