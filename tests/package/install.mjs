/** Installs the bundlers that tests/package tries the package with, once for each state of the lock file. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const lock = readFileSync(path.join(here, 'package-lock.json'));
const stamp = path.join(here, 'node_modules/.pique-lock.json');

if (!existsSync(stamp) || !lock.equals(readFileSync(stamp))) {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync('npm', args, { cwd: here, stdio: 'inherit' });
  writeFileSync(stamp, lock);
}
