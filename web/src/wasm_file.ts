/** The engine as a file of its own. */
import { PiqueError } from './errors.ts';
import { request, transferError } from './source.ts';
import { describeBytes, isWasm } from './wasm.ts';

/**
 * The engine from an address.
 *
 * @throws PiqueError `HTTP`, `ABORTED`, `WASM_NOT_WASM`
 */
export async function fetchWasm(url: string, signal?: AbortSignal): Promise<Uint8Array> {
  const response = await request(url, signal);
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw transferError(url, error, signal);
  }
  if (isWasm(bytes)) return bytes;
  const message = `Expected WebAssembly at ${url}, got ${describeBytes(bytes)}`;
  throw new PiqueError('WASM_NOT_WASM', message, { url });
}
