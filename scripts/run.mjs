// Running other programs from the scripts: one place for echo, failure and folders.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A path inside the project. */
export const inRoot = (...parts) => join(root, ...parts);

/** The command line that the native preset builds. */
export const cli = inRoot('build', 'native', 'pique');

export class CommandError extends Error {}

/**
 * Runs a program in the project's folder with the terminal of this one, and waits.
 * `capture` returns what it writes to stdout instead of showing it.
 */
export function run(program, args, { capture = false, env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'],
    });
    const chunks = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => reject(new CommandError(`${program}: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) {
        resolve(Buffer.concat(chunks).toString());
      } else {
        const how = signal ? `was ended by ${signal}` : `failed with exit code ${code}`;
        reject(new CommandError(`${program} ${args.join(' ')} ${how}`));
      }
    });
  });
}

/**
 * Configures and builds a CMake preset; `tests` says whether the C tests are part of it. A folder that has them
 * keeps them: programs left behind by an older build would pass for tests of this one.
 */
export async function buildPreset(preset, { tests = false, target } = {}) {
  const fresh = !existsSync(inRoot('build', preset, 'CMakeCache.txt'));
  const choice = tests ? ['-DPIQUE_TESTS=ON'] : fresh ? ['-DPIQUE_TESTS=OFF'] : [];
  await run('cmake', ['--preset', preset, ...choice], { capture: true });
  const args = ['--build', inRoot('build', preset), '--parallel', '2'];
  await run('cmake', target ? [...args, '--target', target] : args);
}

/** Both WebAssembly modules, then the npm package's files in dist/. */
export async function buildPackage() {
  await buildPreset('wasm');
  await buildPreset('wasm-nosimd');
  await run('node', ['web/build.mjs']);
}

/** The demo site, from dist/, a model and its catalogue, and a ranker if there is one. */
export function buildSite(folder, model, catalog, ranker) {
  const options = ['--site', folder, '--model', model, '--catalog', catalog];
  if (ranker) options.push('--ranker', ranker);
  return run('node', ['web/build.mjs', ...options]);
}
