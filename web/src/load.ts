/** Loading: the engine first, then the model's bytes through it; one signal ends both. */
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
    // The engine starts while the first bytes of the files travel.
    const sources = options.ranker === undefined ? [source] : [source, options.ranker];
    const opening = Promise.all(sources.map((file) => openSource(file, signal)));
    opening.catch(() => {});
    await abortable(startEngine(host, wasmSource(entry, options.wasm), signal), signal);
    const info = await receiveAll(host, await abortable(opening, signal), options);
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

/** The model, then the ranker if there is one; progress counts the bytes of both. */
async function receiveAll(
  host: Host,
  files: Opened[],
  { signal, onProgress }: LoadOptions,
): Promise<ModelInfo> {
  const sum = files.reduce((bytes, { total }) => bytes + total, 0);
  const total = files.every((file) => file.total > 0) ? sum : 0;
  let loaded = 0;
  const count = (bytes: number) => {
    loaded += bytes;
    onProgress?.({ phase: 'fetch', loaded, total: Math.max(total, total && loaded) });
  };
  const infos: ModelInfo[] = [];
  count(0);
  for (const file of files) {
    const last = infos.length === files.length - 1;
    const complete = () => last && onProgress?.({ phase: 'init', loaded, total: loaded });
    try {
      infos.push(await receive(host, file, signal, count, complete));
      if (!last) await abortable(host.call('ranker', null), signal);
    } catch (error) {
      throw withUrl(error, file.url);
    }
  }
  onProgress?.({ phase: 'ready', loaded, total: loaded });
  const [info, ranker] = infos as [ModelInfo, ModelInfo?];
  return ranker ? { ...info, ranker } : info;
}

async function receive(
  host: Host,
  { chunks }: Opened,
  signal: AbortSignal | undefined,
  count: (bytes: number) => void,
  complete: () => void,
): Promise<ModelInfo> {
  let download = 0;
  for await (const chunk of chunks) {
    throwIfAborted(signal);
    const { length } = chunk;
    await abortable(host.call('write', chunk, [chunk.buffer as ArrayBuffer]), signal);
    download += length;
    count(length);
  }
  complete();
  const { memory, ...info } = await abortable(host.call('finish', null), signal);
  return { ...info, thread: host.thread, size: { download, memory } };
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
