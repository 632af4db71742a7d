/** Loading: the engine first, then the model's bytes through it; one signal ends both. */
import { Blocks, type Order } from './blocks.ts';
import { abortable, PiqueError, throwIfAborted, toPiqueError, withUrl } from './errors.ts';
import { MemoryHistory } from './history.ts';
import { type Host, openHost, type WorkerStarter } from './host.ts';
import { MEMBER_HEADER, memberSize } from './members.ts';
import { LocalRecommender } from './recommender.ts';
import { fetchBytes, type Opened, openSource, Reader, toBytes } from './source.ts';
import type { LoadOptions, ModelInfo, ModelSource, Progress, Recommender } from './types.ts';
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
  throwIfAborted(options.signal);
  const controller = new AbortController();
  const { signal } = controller;
  options.signal?.addEventListener('abort', () => controller.abort(options.signal?.reason));
  let host: Host | undefined;
  try {
    const simd = hasSimd();
    const wasm = wasmSource(entry, options.wasm);
    // The worker takes longest; the files travel and the engine is unpacked while it starts.
    const starting = openHost(options.worker, entry.workers);
    starting.catch(() => {});
    const sources = options.ranker === undefined ? [source] : [source, options.ranker];
    const opening = Promise.all(sources.map((file) => openSource(file, signal)));
    const engine = wasm(simd, signal);
    opening.catch(() => {});
    engine.catch(() => {});
    host = await abortable(starting, signal);
    await abortable(startEngine(host, engine, simd && (() => wasm(false, signal))), signal);
    const files = await abortable(opening, signal);
    const { info, receive } = await receiveAll(host, files, signal, options);
    const rest = receive && { receive, stop: (reason: PiqueError) => controller.abort(reason) };
    return new LocalRecommender(host, info, options.history ?? new MemoryHistory(), rest);
  } catch (error) {
    const reason = toPiqueError(error);
    controller.abort(reason); // ends what still travels
    host?.close();
    throw reason;
  }
}

/** `instead`: where to get a build without SIMD, should the engine not compute right; false: it has none. */
async function startEngine(
  host: Host,
  engine: Promise<Uint8Array>,
  instead: false | (() => Promise<Uint8Array>),
): Promise<void> {
  try {
    await host.call('start', await engine);
  } catch (error) {
    if (!instead || (error as PiqueError).code !== 'WASM_FAILED') throw error;
    await host.call('start', await instead());
  }
}

interface Received {
  info: ModelInfo;
  /** Of a file of blocks: what follows. */
  blocks?: Blocks;
}

/** The model, then the ranker if there is one; progress counts the bytes of both. */
async function receiveAll(
  host: Host,
  files: Opened[],
  signal: AbortSignal,
  { onProgress, partial }: LoadOptions,
): Promise<{ info: ModelInfo; receive?: (order: Order) => Promise<void> }> {
  const sum = files.reduce((bytes, { total }) => bytes + total, 0);
  const total = files.every((file) => file.total > 0) ? sum : 0;
  let loaded = 0;
  const counting = (phase: Progress['phase']) => (bytes: number) => {
    loaded += bytes;
    onProgress?.({ phase, loaded, total: Math.max(total, total && loaded) });
  };
  const count = counting('fetch');
  const received: Received[] = [];
  count(0);
  for (const file of files) {
    const isFirst = received.length === 0;
    const isLast = received.length === files.length - 1;
    const complete = () => isLast && onProgress?.({ phase: 'init', loaded, total: loaded });
    try {
      const { info, blocks } = await receive(host, file, signal, count, complete);
      if (blocks && !isFirst) throw new PiqueError('UNSUPPORTED', 'A ranker has no blocks');
      if (blocks && !partial) await blocks.receive(count);
      received.push({ info, ...(blocks && partial && { blocks }) });
      if (!isLast) await abortable(host.call('ranker', null), signal);
    } catch (error) {
      throw withUrl(error, file.url);
    }
  }
  const [{ info, blocks }, ranker] = received as [Received, Received?];
  onProgress?.({ phase: 'ready', loaded, total: blocks ? total : loaded });
  const receiveRest = async (order: Order) => {
    try {
      await blocks?.receive(counting('blocks'), order);
    } catch (error) {
      throw withUrl(error, files[0]?.url);
    }
  };
  return {
    info: ranker ? { ...info, ranker: ranker.info } : info,
    ...(blocks && { receive: receiveRest }),
  };
}

async function receive(
  host: Host,
  file: Opened,
  signal: AbortSignal,
  count: (bytes: number) => void,
  complete: () => void,
): Promise<Received> {
  const reader = new Reader(file.chunks);
  let download = 0;
  try {
    const start = await abortable(reader.exactly(MEMBER_HEADER), signal);
    const head = memberSize(start);
    reader.unread(start);
    for (;;) {
      throwIfAborted(signal);
      const chunk = await abortable(reader.some(head ? head - download : undefined), signal);
      if (!chunk) break;
      const { length } = chunk;
      await abortable(host.call('write', chunk, [chunk.buffer as ArrayBuffer]), signal);
      download += length;
      count(length);
      if (download === head) break;
    }
    complete();
    const answer = await abortable(host.call('finish', head > 0), signal);
    const { memory, blocks, ...rest } = answer;
    const info = { ...rest, thread: host.thread, size: { download, memory } };
    if (!head) return { info };
    return { info, blocks: new Blocks(host, file, reader, head, blocks, signal) };
  } catch (error) {
    reader.close();
    throw error;
  }
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
