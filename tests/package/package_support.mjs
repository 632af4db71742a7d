/** The package as it would be published, unpacked where the applications of tests/package find it. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from '../../web/serve.mjs';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../..');
const work = path.join(here, 'unpacked');
const model = path.join(root, 'models/films.pique');

/** The folder of the unpacked package, made anew. */
export function unpackPackage() {
  rmSync(work, { recursive: true, force: true });
  const target = path.join(work, 'node_modules/pique');
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', packPackage(work), '-C', target, '--strip-components=1']);
  return target;
}

/** Packs it into that folder; the file. */
export function packPackage(folder) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const [{ filename }] = JSON.parse(
    execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  return path.join(folder, filename);
}

/** A copy of an application of tests/package/apps, with the model among what it serves as it is. */
export function copyApp(name, copy = name) {
  const folder = path.join(work, copy);
  cpSync(path.join(here, 'apps', name), folder, { recursive: true });
  mkdirSync(path.join(folder, 'public'), { recursive: true });
  cpSync(model, path.join(folder, 'public/films.pique'));
  return folder;
}

/** Serves a folder of built files, with the model and a page if it has none. */
export async function serveBuilt(folder) {
  const add = (from, name) => {
    if (!existsSync(path.join(folder, name))) cpSync(from, path.join(folder, name));
  };
  add(model, 'films.pique');
  add(path.join(here, 'apps/bundled/index.html'), 'index.html');
  const server = await serve(folder);
  return {
    url: `http://localhost:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
