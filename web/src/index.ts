/**
 * Pique: recommendations on the visitor's device. This entry carries the engine inside; see
 * `pique/external` for one that fetches it as a file.
 *
 * @packageDocumentation
 */
import { nosimd, simd } from 'pique:core';
import { script } from 'pique:worker';
import { loadWith } from './load.ts';
import type { LoadOptions, ModelSource, Recommender } from './types.ts';
import { fileWorker, textWorker } from './workers.ts';

export * from './public.ts';

/**
 * Loads a model: the engine starts in a worker while the file travels, and the file is inflated
 * straight into the engine's memory. Model files are `.pique` files (gzip) or the plain container.
 *
 * @param model - an address, a Blob (such as a file the visitor chose), bytes, or a stream
 * @returns a recommender that holds the model's memory until `dispose()`
 * @throws PiqueError `HTTP`, `MODEL_CORRUPT`, `MODEL_VERSION`, `CSP_BLOCKED`, `WASM_FAILED`, `OOM`,
 * `ABORTED`, `ARGUMENT`, and `UNSUPPORTED` when model and ranker do not go together
 * @example
 * const pique = await load('/models/films.pique');
 * await pique.history.add({ id: '318', type: 'like' });
 * const { items } = await pique.recommend({ count: 6, explain: true });
 */
export function load(model: ModelSource, options?: LoadOptions): Promise<Recommender> {
  return loadWith(
    {
      wasm: (wanted) => inflate(wanted ? simd : nosimd),
      workers: [fileWorker, textWorker(script)],
    },
    model,
    options,
  );
}

async function inflate(base64: string): Promise<Uint8Array> {
  const packed = decode(base64);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A loop: before anything is optimised, an iterator over 80,000 characters takes five times as long. */
function decode(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
