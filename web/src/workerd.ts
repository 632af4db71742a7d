/**
 * Pique in Cloudflare Workers and other hosts of workerd, which compile no bytes: the engine is imported as a
 * compiled module and runs on the calling thread.
 *
 * @packageDocumentation
 */
import compiled from 'pique:compiled';
import { openPort } from 'pique:engine';
import { loadWith } from './load.ts';
import type { LoadOptions, ModelSource, Recommender } from './types.ts';

export * from './public.ts';

/** Loads a model as `load` of the main entry does. */
export function load(model: ModelSource, options?: LoadOptions): Promise<Recommender> {
  return loadWith(
    { wasm: async () => compiled, starters: [], openPort: async () => openPort() },
    model,
    options,
  );
}
