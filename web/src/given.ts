/** What a page has already: a model as a file or as bytes, the engine from elsewhere. */
import { PiqueError } from './errors.ts';
import { type Opened, readAll } from './source.ts';
import type { LoadOptions, ModelSource } from './types.ts';
import { fetchWasm } from './wasm_file.ts';

/** One piece of bytes that are already here. */
const PIECE_BYTES = 256 * 1024;

/** @throws PiqueError `ARGUMENT` */
export function openGiven(source: ModelSource): Opened {
  if (source instanceof Blob) {
    const stream = source.stream() as ReadableStream<Uint8Array>;
    return { chunks: readAll(stream), total: source.size };
  }
  const bytes = toBytes(source);
  if (bytes) return { chunks: cut(bytes), total: bytes.length };
  throw new PiqueError('ARGUMENT', 'A model is loaded from an address, a Blob, bytes or a stream');
}

/** @throws PiqueError `ARGUMENT`, and as {@link fetchWasm} */
export async function givenWasm(
  source: LoadOptions['wasm'],
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (typeof source === 'string' || source instanceof URL) return fetchWasm(String(source), signal);
  const bytes = toBytes(source);
  if (bytes) return bytes;
  throw new PiqueError('ARGUMENT', 'wasm is an address or bytes');
}

function toBytes(source: unknown): Uint8Array | undefined {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (!ArrayBuffer.isView(source)) return undefined;
  return new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength);
}

/** Copies, so that the caller's bytes stay the caller's when a chunk moves to the worker. */
async function* cut(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    yield bytes.slice(at, at + PIECE_BYTES);
  }
}
