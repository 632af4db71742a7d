/** Anything a model can be loaded from, as a stream of chunks. */
import { abortError, PiqueError } from './errors.ts';
import { importMore } from './lazy.ts';
import { isKept, isSame, KEPT_BYTES, type ModelCache, openCache } from './model_cache.ts';
import type { ModelSource } from './types.ts';

export interface Opened {
  chunks: AsyncIterable<Uint8Array>;
  /** Bytes to come, 0 when unknown. */
  total: number;
  /** The address, for messages. */
  url?: string;
  /** Whether the server gives parts of the file, and what tells that it is the same file. */
  ranges?: boolean;
  etag?: string | null;
  modified?: string | null;
  /** The file comes from the browser's cache, not from the network. */
  fromCache?: boolean;
  /** Forgets what is in the cache; false when there is nothing. */
  drop?(): Promise<boolean>;
  /** Puts the whole file there, once it was opened. */
  keep?(file: Blob): Promise<void>;
}

export interface OpenOptions {
  signal?: AbortSignal | undefined;
  /** Whether the browser's cache may be used. */
  cached?: boolean;
  /** SHA-256 that the file must have, in hex. */
  hash?: string | undefined;
}

/** @throws PiqueError `HTTP`, `ABORTED`, `ARGUMENT` */
export async function openSource(source: ModelSource, options: OpenOptions): Promise<Opened> {
  if (typeof source === 'string' || source instanceof URL) {
    return openUrl(String(source), options);
  }
  if (source instanceof ReadableStream) return { chunks: readAll(source), total: 0 };
  return (await importMore()).openGiven(source);
}

/**
 * From the cache where the copy there is known to be right: by its hash, or because the server still has
 * the same file, or because there is no server. Without a hash the server is asked in any case, so at once: to
 * look into the cache for the first time takes a browser as long as a short transfer.
 */
async function openUrl(url: string, { signal, cached, hash }: OpenOptions): Promise<Opened> {
  const ask = () =>
    request(url, signal, cached ? { cache: 'no-cache' } : {}).catch((error: PiqueError) => error);
  const asked = hash ? undefined : ask();
  const cache = cached ? await openCache(url) : undefined;
  const copy = await cache?.find();
  const open = () => openCopy(copy as Response, url, cache as ModelCache);
  if (copy && isKept(copy, hash)) return open();
  const answer = await (asked ?? ask());
  if (answer instanceof PiqueError) {
    const { status = 0 } = answer;
    if (!copy || signal?.aborted || (status > 0 && status < 500)) throw answer;
  } else if (!copy || !isSame(copy, answer)) {
    return openFresh(answer, url, { signal, hash }, cache);
  } else {
    answer.body?.cancel().catch(() => {});
  }
  return open();
}

function openCopy(copy: Response, url: string, cache: ModelCache): Opened {
  return {
    chunks: readBody(copy, url),
    total: Number(copy.headers.get(KEPT_BYTES)),
    url,
    fromCache: true,
    drop: cache.drop,
  };
}

function openFresh(
  response: Response,
  url: string,
  { signal, hash }: OpenOptions,
  cache: ModelCache | undefined,
): Opened {
  // With a content encoding the length is that of other bytes than those we see.
  const encoded = response.headers.has('content-encoding');
  const total = encoded ? 0 : Number(response.headers.get('content-length') ?? 0);
  const { headers } = response;
  return {
    chunks: readBody(response, url, signal),
    total,
    url,
    ranges: total > 0 && /\bbytes\b/.test(headers.get('accept-ranges') ?? ''),
    etag: headers.get('etag'),
    modified: headers.get('last-modified'),
    ...(cache && { keep: (file: Blob) => cache.keep(file, response, hash) }),
  };
}

/** Chunks cut at other places than they came. */
export class Reader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #left = new Uint8Array();
  #copies: Blob[] | undefined;

  /** `copying`: the bytes are wanted once more, see {@link Reader.file}. */
  constructor(chunks: AsyncIterable<Uint8Array>, copying = false) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    if (copying) this.#copies = [];
  }

  /** Of a reader that stands at the end: all that it read, which lives where the browser keeps blobs. */
  file(): Blob {
    return new Blob(this.#copies);
  }

  /** The bytes are not wanted after all. */
  forget(): void {
    this.#copies = undefined;
  }

  /** The next bytes, at most so many, in a buffer that nobody else looks at; undefined at the end. */
  async some(most?: number): Promise<Uint8Array | undefined> {
    let chunk: Uint8Array = this.#left;
    while (chunk.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      chunk = value;
      this.#copies?.push(new Blob([chunk as BlobPart]));
    }
    if (most === undefined || chunk.length <= most) {
      this.#left = new Uint8Array();
      return chunk;
    }
    this.#left = chunk.subarray(most) as Uint8Array<ArrayBuffer>;
    return chunk.slice(0, most);
  }

  /** So many bytes, fewer only at the end. */
  async exactly(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const chunk = await this.some(count - filled);
      if (!chunk) break;
      bytes.set(chunk, filled);
      filled += chunk.length;
    }
    return filled < count ? bytes.slice(0, filled) : bytes;
  }

  /** Gives bytes back that were read. */
  unread(bytes: Uint8Array): void {
    const left = new Uint8Array(bytes.length + this.#left.length);
    left.set(bytes);
    left.set(this.#left, bytes.length);
    this.#left = left;
  }

  /** Ends the transfer, wherever it is. */
  close(): void {
    this.#chunks.return?.().catch(() => {});
  }
}

/** @throws PiqueError `HTTP`, `ABORTED` */
export async function request(
  url: string,
  signal?: AbortSignal,
  init: RequestInit = {},
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, signal ? { ...init, signal } : init);
  } catch (error) {
    throw transferError(url, error, signal);
  }
  if (!response.ok) {
    const { status, statusText } = response;
    const message = `${url} answered ${status} ${statusText}`.trimEnd();
    throw new PiqueError('HTTP', message, { url, status });
  }
  return response;
}

/** Why a transfer failed. */
export function transferError(url: string, error: unknown, signal?: AbortSignal): PiqueError {
  if (signal?.aborted) return abortError(signal);
  const reason = error instanceof Error ? error.message : String(error);
  return new PiqueError('HTTP', `${url} could not be fetched: ${reason}`, {
    url,
    status: 0,
    cause: error,
  });
}

/** What an answer brings; its reader is taken at once. */
export function readBody(
  { body }: Response,
  url: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  return told(readAll((body ?? new Blob([]).stream()) as ReadableStream<Uint8Array>), url, signal);
}

async function* told(chunks: AsyncGenerator<Uint8Array>, url: string, signal?: AbortSignal) {
  try {
    yield* chunks;
  } catch (error) {
    throw transferError(url, error, signal);
  }
}

/**
 * `for await` over a stream is missing in Safari. The reader is taken at once: Node ends the body of a
 * response that nobody reads and nobody holds any more.
 */
export function readAll(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  return drain(stream.getReader());
}

async function* drain(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {}); // of no effect at the end; stops the transfer before it
  }
}
