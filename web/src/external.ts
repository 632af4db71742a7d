/**
 * Pique with the engine as files of their own: `core.wasm` and `core-nosimd.wasm` beside this script,
 * or the address given as `wasm`.
 *
 * @packageDocumentation
 * @module pique/external
 */
import { openPort } from './lazy.ts';
import { loadWith } from './load.ts';
import type { LoadOptions, ModelSource, Recommender } from './types.ts';
import { fetchWasm } from './wasm_file.ts';
import { sealed, starters } from './workers.ts';

export * from './public.ts';

/**
 * Loads a model as `load` of the main entry does; in addition it may fail with `WASM_NOT_WASM` when
 * something else is served in the engine's place.
 *
 * @example
 * const pique = await load('/models/films.pique', { wasm: '/assets/core.wasm' });
 */
export function load(model: ModelSource, options?: LoadOptions): Promise<Recommender> {
  return loadWith(
    {
      wasm: (simd, signal) =>
        fetchWasm(
          String(
            simd
              ? new URL('./core.wasm', import.meta.url)
              : new URL('./core-nosimd.wasm', import.meta.url),
          ),
          signal,
        ),
      starters,
      sealed,
      openPort,
    },
    model,
    options,
  );
}
