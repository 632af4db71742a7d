/** Loading: the engine first, then the model's bytes through it; one signal ends both. */
import type { Blocks, Order } from './blocks.ts';
import { abortable, PiqueError, throwIfAborted, toPiqueError, withUrl } from './errors.ts';
import { MemoryHistory, openHistory } from './history.ts';
import { type Host, type Hosts, openHost } from './host.ts';
import { importBlocks, importMore } from './lazy.ts';
import { MEMBER_HEADER, memberSize } from './members.ts';
import { LocalRecommender } from './recommender.ts';
import { type Opened, openSource, Reader } from './source.ts';
import type {
  HistoryStore,
  LoadOptions,
  ModelInfo,
  ModelSource,
  Progress,
  Recommender,
} from './types.ts';
import { type EngineCode, hasSimd, type WasmSource } from './wasm.ts';

/** What differs between the package's entries. */
export interface Entry extends Hosts {
  wasm: WasmSource;
}

export async function loadWith(
  entry: Entry,
  source: ModelSource,
  given?: LoadOptions,
): Promise<Recommender> {
  const options = given ?? {};
  const files: Opened[] = [];
  try {
    return await attempt(entry, source, options, files);
  } catch (error) {
    // What the cache gave was damaged: once more, from the network.
    const { code } = error as PiqueError;
    const isDamage = code === 'MODEL_CORRUPT' || code === 'INTEGRITY';
    const dropped = isDamage && (await Promise.all(files.map((file) => file.drop?.())));
    if (!dropped || !dropped.some(Boolean)) throw error;
    return attempt(entry, source, options, []);
  }
}

/** `opened` is told the files. */
async function attempt(
  entry: Entry,
  source: ModelSource,
  options: LoadOptions,
  opened: Opened[],
): Promise<Recommender> {
  const controller = new AbortController();
  const { signal } = controller;
  let given: AbortSignal | undefined;
  const stop = () => controller.abort(given?.reason);
  let host: Host | undefined;
  try {
    throwIfAborted(options.signal);
    given = options.signal || undefined;
    given?.addEventListener('abort', stop);
    const { integrity, rankerIntegrity } = options;
    const isChecked = integrity !== undefined || rankerIntegrity !== undefined;
    const hashes = isChecked ? (await importMore()).hashesOf(options) : [];
    throwIfAborted(signal);
    const simd = hasSimd();
    const wasm: WasmSource =
      options.wasm === undefined
        ? entry.wasm
        : async () => (await importMore()).givenWasm(options.wasm, signal);
    // The worker takes longest; the files travel and the engine is unpacked while it starts.
    const starting = openHost(options.worker, entry);
    const sources = options.ranker === undefined ? [source] : [source, options.ranker];
    const cached = options.cache !== 'none';
    const opening = Promise.all(
      sources.map((file, i) => openSource(file, { signal, cached, hash: hashes[i] })),
    );
    const engine = wasm(simd, signal);
    const history = openStore(options.history);
    for (const promise of [starting, opening, engine, history]) promise.catch(() => {});
    host = await abortable(starting, signal).catch((error) => {
      starting.then((late) => late.close()).catch(() => {});
      throw error;
    });
    await abortable(startEngine(host, engine, simd && (() => wasm(false, signal))), signal);
    opened.push(...(await abortable(opening, signal)));
    const { info, receive } = await receiveAll(host, opened, signal, options, hashes);
    const rest = receive && { receive, stop: (reason: PiqueError) => controller.abort(reason) };
    const store = await abortable(history, signal);
    if (!rest) given?.removeEventListener('abort', stop);
    return new LocalRecommender(host, info, store, rest);
  } catch (error) {
    const reason = toPiqueError(error);
    controller.abort(reason); // ends what still travels
    given?.removeEventListener('abort', stop);
    host?.close();
    throw reason;
  }
}

async function openStore(history: LoadOptions['history'] = 'memory'): Promise<HistoryStore> {
  if (history === 'indexeddb') return openHistory();
  if (history === 'memory') return new MemoryHistory();
  if (typeof history?.list === 'function') return history;
  throw new PiqueError('ARGUMENT', "history must be 'indexeddb', 'memory' or a store");
}

/** `instead`: where to get a build without SIMD, should the engine not compute right; false: it has none. */
async function startEngine(
  host: Host,
  engine: Promise<EngineCode>,
  instead: false | (() => Promise<EngineCode>),
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
  /** Of a file of blocks that is loaded partially: what follows. */
  blocks?: Blocks;
}

/** What happens to a file on its way. */
interface Way {
  signal: AbortSignal;
  partial: boolean;
  hash: string | undefined;
  isLast: boolean;
  tell(phase: Progress['phase'], bytes?: number): void;
}

/** The model, then the ranker if there is one; progress counts the bytes of both. */
async function receiveAll(
  host: Host,
  files: Opened[],
  signal: AbortSignal,
  { onProgress, partial = false }: LoadOptions,
  hashes: (string | undefined)[],
): Promise<{ info: ModelInfo; receive?: (order: Order) => Promise<void> }> {
  const sum = files.reduce((bytes, file) => bytes + file.total, 0);
  const total = files.every((file) => file.total > 0) ? sum : 0;
  const fromCache = files.every((file) => file.fromCache);
  let loaded = 0;
  const tell = (phase: Progress['phase'], bytes = 0) => {
    loaded += bytes;
    onProgress?.({ phase, loaded, total: Math.max(total, total && loaded), fromCache });
  };
  const received: Received[] = [];
  tell('fetch');
  for (const file of files) {
    const hash = hashes[received.length];
    const isRanker = received.length > 0;
    try {
      const isLast = received.length === files.length - 1;
      const way = { signal, partial: partial && !isRanker, hash, isLast, tell };
      received.push(await receive(host, file, way));
      if (!isLast) await abortable(host.call('ranker', null), signal);
    } catch (error) {
      throw withUrl(error, file.url);
    }
  }
  const [{ info, blocks }, ranker] = received as [Received, Received?];
  onProgress?.({ phase: 'ready', loaded, total: blocks ? total : loaded, fromCache });
  const receiveRest = async (order: Order) => {
    try {
      await blocks?.receive((bytes) => tell('blocks', bytes), order);
    } catch (error) {
      throw withUrl(error, files[0]?.url);
    }
  };
  return {
    info: ranker ? { ...info, ranker: ranker.info } : info,
    ...(blocks && { receive: receiveRest }),
  };
}

/** A file, or the head of one that is loaded partially. A whole one is then kept for the next visit. */
async function receive(host: Host, file: Opened, way: Way): Promise<Received> {
  const { signal, hash, tell } = way;
  const reader = new Reader(file.chunks, hash !== undefined || file.keep !== undefined);
  try {
    const start = await abortable(reader.exactly(MEMBER_HEADER), signal);
    const head = memberSize(start);
    const isPart = head > 0 && way.partial;
    if (isPart) reader.forget();
    reader.unread(start);
    const [download, parts] = await Promise.all([
      pour(host, reader, head, way),
      head && abortable(importBlocks(), signal),
    ]);
    if (!head) await check(reader, way);
    if (way.isLast) tell('init');
    const answer = await abortable(host.call('finish', head > 0), signal);
    const { memory, blocks: index, ...rest } = answer;
    const info = { ...rest, thread: host.thread, size: { download, memory } };
    if (parts) {
      const blocks = new parts.Blocks(host, file, reader, head, index, signal);
      if (isPart) return { info, blocks };
      if (info.task === 'ranking') throw new PiqueError('UNSUPPORTED', 'A ranker has no blocks');
      await blocks.receive((bytes) => tell('fetch', bytes));
      await check(reader, way);
    }
    file.keep?.(reader.file()); // nobody waits for it
    return { info };
  } catch (error) {
    reader.close();
    throw error;
  }
}

/** All bytes, or the first `head` of them, to the engine; how many they are. */
async function pour(host: Host, reader: Reader, head: number, way: Way): Promise<number> {
  let download = 0;
  for (;;) {
    throwIfAborted(way.signal);
    const rest = head ? head - download : undefined;
    const chunk = rest === 0 ? undefined : await abortable(reader.some(rest), way.signal);
    if (!chunk) return download;
    const { length } = chunk;
    await abortable(host.call('write', chunk, [chunk.buffer as ArrayBuffer]), way.signal);
    download += length;
    way.tell('fetch', length);
  }
}

/** That the file is the one that was asked for, before anything is made of it. */
async function check(reader: Reader, { hash, signal, tell }: Way): Promise<void> {
  if (hash === undefined) return;
  tell('verify');
  const { verify } = await importMore();
  await abortable(verify(reader.file(), hash), signal);
}
