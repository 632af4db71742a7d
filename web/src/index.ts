/**
 * Pique: recommendations on the visitor's device. This entry carries the engine inside; see
 * `pique/external` for one that fetches it as a file.
 *
 * @packageDocumentation
 * @module pique
 */
import { base64 } from 'pique:simd';
import { importNosimd, openPort } from './lazy.ts';
import { loadWith } from './load.ts';
import type { LoadOptions, ModelSource, Recommender } from './types.ts';
import { sealed, starters } from './workers.ts';

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
  return loadWith({ wasm, starters, sealed, openPort }, model, options);
}

async function wasm(simd: boolean): Promise<Uint8Array> {
  return inflate(simd ? base64 : (await importNosimd()).base64);
}

async function inflate(base64: string): Promise<Uint8Array> {
  const stream = new Blob([decode(base64)]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Newer browsers have it; a function called for every byte would hold up the page for ten milliseconds. */
function decode(base64: string): Uint8Array<ArrayBuffer> {
  const own = Uint8Array as { fromBase64?(text: string): Uint8Array<ArrayBuffer> };
  if (own.fromBase64) return own.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
