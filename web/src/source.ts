/** Anything a model can be loaded from, as a stream of chunks. */
import { abortError, PiqueError } from './errors.ts';
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
}

/** One piece of bytes that are already here. */
const PIECE_BYTES = 256 * 1024;

/** @throws PiqueError `HTTP`, `ABORTED`, `ARGUMENT` */
export async function openSource(source: ModelSource, signal?: AbortSignal): Promise<Opened> {
  if (typeof source === 'string' || source instanceof URL) {
    return openUrl(String(source), signal);
  }
  if (source instanceof Blob) {
    const stream = source.stream() as ReadableStream<Uint8Array>;
    return { chunks: readAll(stream), total: source.size };
  }
  if (source instanceof ReadableStream) return { chunks: readAll(source), total: 0 };
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    const bytes = toBytes(source);
    return { chunks: cut(bytes), total: bytes.length };
  }
  throw new PiqueError('ARGUMENT', 'A model is loaded from an address, a Blob, bytes or a stream');
}

export function toBytes(source: BufferSource): Uint8Array {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  return new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength);
}

/** @throws PiqueError `HTTP`, `ABORTED` */
export async function fetchBytes(url: string, signal?: AbortSignal): Promise<Uint8Array> {
  const response = await request(url, signal);
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw transferError(url, error, signal);
  }
}

async function openUrl(url: string, signal?: AbortSignal): Promise<Opened> {
  const response = await request(url, signal);
  // With a content encoding the length is that of other bytes than those we see.
  const encoded = response.headers.has('content-encoding');
  const total = encoded ? 0 : Number(response.headers.get('content-length') ?? 0);
  const body = (response.body ?? new Blob([]).stream()) as ReadableStream<Uint8Array>;
  const { headers } = response;
  return {
    chunks: readUrl(readAll(body), url, signal),
    total,
    url,
    ranges: total > 0 && /\bbytes\b/.test(headers.get('accept-ranges') ?? ''),
    etag: headers.get('etag'),
    modified: headers.get('last-modified'),
  };
}

/**
 * Bytes `from` to `to` (included) of a file of `total`; `whole` when the server sends all of it instead.
 *
 * @throws PiqueError `HTTP`, `MODEL_CHANGED` when it is not the file that was opened, `ABORTED`
 */
export async function openRange(
  file: Opened,
  from: number,
  to: number,
  total: number,
  signal: AbortSignal,
): Promise<{ reader: Reader; whole: boolean }> {
  const url = file.url as string;
  const response = await request(url, signal, { range: `bytes=${from}-${to}` });
  const { headers, status } = response;
  const body = (response.body ?? new Blob([]).stream()) as ReadableStream<Uint8Array>;
  const reader = new Reader(readUrl(readAll(body), url, signal));
  const whole = status !== 206;
  const part = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  const size = whole ? headers.get('content-length') : part?.[3];
  const same = (now: string | null, then: string | null | undefined) =>
    !now || !then || now === then;
  try {
    if (
      !same(headers.get('etag'), file.etag) ||
      !same(headers.get('last-modified'), file.modified) ||
      (size && size !== '*' && Number(size) !== total)
    ) {
      const message = `${url} changed while it was being loaded`;
      throw new PiqueError('MODEL_CHANGED', message, { url, status });
    }
    if (!whole && (Number(part?.[1]) !== from || Number(part?.[2]) !== to)) {
      const message = `${url} answered other bytes than the asked ${from} to ${to}`;
      throw new PiqueError('HTTP', message, { url, status });
    }
  } catch (error) {
    reader.close();
    throw error;
  }
  return { reader, whole };
}

/** Chunks cut at other places than they came. */
export class Reader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #left = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes, at most so many, in a buffer that nobody else looks at; undefined at the end. */
  async some(most = Number.POSITIVE_INFINITY): Promise<Uint8Array | undefined> {
    let chunk: Uint8Array = this.#left;
    while (chunk.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      chunk = value;
    }
    if (chunk.length <= most) {
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

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const chunk = await this.some(left);
      if (!chunk) return;
      left -= chunk.length;
    }
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

async function request(
  url: string,
  signal?: AbortSignal,
  headers: Record<string, string> = {},
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, signal ? { signal, headers } : { headers });
  } catch (error) {
    throw transferError(url, error, signal);
  }
  if (response.status === 416) {
    throw new PiqueError('MODEL_CHANGED', `${url} has become shorter`, { url, status: 416 });
  }
  if (!response.ok) {
    const { status, statusText } = response;
    const message = `${url} answered ${status} ${statusText}`.trimEnd();
    throw new PiqueError('HTTP', message, { url, status });
  }
  return response;
}

function transferError(url: string, error: unknown, signal?: AbortSignal): PiqueError {
  if (signal?.aborted) return abortError(signal);
  const reason = error instanceof Error ? error.message : String(error);
  return new PiqueError('HTTP', `${url} could not be fetched: ${reason}`, {
    url,
    status: 0,
    cause: error,
  });
}

async function* readUrl(chunks: AsyncIterable<Uint8Array>, url: string, signal?: AbortSignal) {
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
function readAll(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
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

/** Copies, so that the caller's bytes stay the caller's when a chunk moves to the worker. */
async function* cut(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    yield bytes.slice(at, at + PIECE_BYTES);
  }
}
