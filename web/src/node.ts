/**
 * Pique in Node (Deno, Bun): the engine runs on the calling thread, its bytes come from the package's files.
 *
 * @packageDocumentation
 */
import { readFile } from 'node:fs/promises';
import { openPort } from 'pique:engine';
import { PiqueError, typed } from './errors.ts';
import { loadWith } from './load.ts';
import type { LoadOptions, ModelSource, Recommender } from './types.ts';

export * from './public.ts';

/**
 * Loads a model as `load` of the main entry does. A `file:` URL is read from the disk.
 *
 * @example
 * const pique = await load(new URL('./films.pique', import.meta.url));
 */
export async function load(model: ModelSource, options?: LoadOptions): Promise<Recommender> {
  return typed(async () => {
    const ranker = options?.ranker;
    return loadWith(
      { wasm, starters: [], openPort: async () => openPort() },
      read(model),
      ranker === undefined ? options : { ...options, ranker: read(ranker) },
    );
  });
}

function read(source: ModelSource): ModelSource {
  if (!(source instanceof URL) || source.protocol !== 'file:') return source;
  return new ReadableStream({
    async start(controller) {
      try {
        controller.enqueue(new Uint8Array(await readFile(source)));
        controller.close();
      } catch (error) {
        const message = `${source} could not be read: ${(error as Error).message}`;
        controller.error(new PiqueError('HTTP', message, { url: String(source), status: 0 }));
      }
    },
  });
}

const wasm = async (simd: boolean) =>
  new Uint8Array(
    await readFile(
      simd
        ? new URL('./core.wasm', import.meta.url)
        : new URL('./core-nosimd.wasm', import.meta.url),
    ),
  );
