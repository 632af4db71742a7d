/** Anything a model can be loaded from, as a stream of chunks. */
import { abortError, PiqueError } from './errors.ts';
import type { ModelSource } from './types.ts';

export interface Opened {
  chunks: AsyncIterable<Uint8Array>;
  /** Bytes to come, 0 when unknown. */
  total: number;
  /** The address, for messages. */
  url?: string;
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
  return { chunks: readUrl(readAll(body), url, signal), total, url };
}

async function request(url: string, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, signal ? { signal } : {});
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
