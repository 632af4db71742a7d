/** Loading: the engine first, then the model's bytes through it; one signal ends both. */
import type { EngineInfo } from './engine.ts';
import { abortable, PiqueError, throwIfAborted, toPiqueError, withUrl } from './errors.ts';
import { MemoryHistory } from './history.ts';
import { type Host, openHost, type WorkerStarter } from './host.ts';
import { LocalRecommender } from './recommender.ts';
import { fetchBytes, type Opened, openSource, toBytes } from './source.ts';
import type { LoadOptions, ModelInfo, ModelSource, Recommender } from './types.ts';
import { describeBytes, hasSimd, isWasm, type WasmSource } from './wasm.ts';

/** What differs between the package's entries. */
export interface Entry {
  wasm: WasmSource;
  workers: WorkerStarter[];
}

export async function loadWith(
  entry: Entry,
  source: ModelSource,
  options: LoadOptions = {},
): Promise<Recommender> {
  const { signal } = options;
  throwIfAborted(signal);
  const host = await abortable(openHost(options.worker, entry.workers), signal);
  try {
    // The engine starts while the model's first bytes travel.
    const opening = openSource(source, signal);
    opening.catch(() => {});
    await abortable(startEngine(host, wasmSource(entry, options.wasm), signal), signal);
    const opened = await abortable(opening, signal);
    const info = await receive(host, opened, options);
    return new LocalRecommender(host, info, options.history ?? new MemoryHistory());
  } catch (error) {
    host.close();
    throw toPiqueError(error);
  }
}

async function startEngine(host: Host, wasm: WasmSource, signal?: AbortSignal): Promise<void> {
  const simd = hasSimd();
  try {
    await host.call('start', await wasm(simd, signal));
  } catch (error) {
    if (!simd || !(error instanceof PiqueError) || error.code !== 'WASM_FAILED') throw error;
    await host.call('start', await wasm(false, signal));
  }
}

async function receive(host: Host, opened: Opened, options: LoadOptions): Promise<ModelInfo> {
  const { signal, onProgress } = options;
  const { chunks, total, url } = opened;
  let loaded = 0;
  let details: EngineInfo;
  onProgress?.({ phase: 'fetch', loaded, total });
  try {
    for await (const chunk of chunks) {
      throwIfAborted(signal);
      loaded += chunk.length;
      await abortable(host.call('write', chunk, [chunk.buffer as ArrayBuffer]), signal);
      onProgress?.({ phase: 'fetch', loaded, total: Math.max(total, total && loaded) });
    }
    onProgress?.({ phase: 'init', loaded, total: loaded });
    details = await abortable(host.call('finish', null), signal);
  } catch (error) {
    throw withUrl(error, url);
  }
  onProgress?.({ phase: 'ready', loaded, total: loaded });
  const { memory, ...info } = details;
  return { ...info, thread: host.thread, size: { download: loaded, memory } };
}

function wasmSource(entry: Entry, given: LoadOptions['wasm']): WasmSource {
  if (given === undefined) return entry.wasm;
  if (typeof given === 'string' || given instanceof URL) {
    return (_simd, signal) => fetchWasm(String(given), signal);
  }
  return async () => toBytes(given);
}

/**
 * The engine from an address.
 *
 * @throws PiqueError `HTTP`, `ABORTED`, `WASM_NOT_WASM`
 */
export async function fetchWasm(url: string, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = await fetchBytes(url, signal);
  if (isWasm(bytes)) return bytes;
  const message = `Expected WebAssembly at ${url}, got ${describeBytes(bytes)}`;
  throw new PiqueError('WASM_NOT_WASM', message, { url });
}
