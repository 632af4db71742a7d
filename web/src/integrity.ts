/** SHA-256 of what was downloaded, as `integrity` names it. */
import { PiqueError } from './errors.ts';
import type { LoadOptions } from './types.ts';

/**
 * The hashes of model and ranker in hex digits, where they were given.
 *
 * @throws PiqueError `ARGUMENT`, and `UNSUPPORTED` where the page cannot hash
 */
export function hashesOf(options: LoadOptions): (string | undefined)[] {
  if (options.partial) {
    const message = 'partial and integrity do not go together: a hash is that of a whole file';
    throw new PiqueError('ARGUMENT', message);
  }
  const given = [options.integrity, options.rankerIntegrity];
  return given.map((text) => (text === undefined ? text : parse(text)));
}

/** `sha256-BASE64`, as for subresource integrity, or 64 hex digits. */
function parse(text: unknown): string {
  const given = String(text);
  const hex = /^[0-9a-f]{64}$/i.test(given) ? given.toLowerCase() : fromBase64(given);
  if (!hex) {
    const message = `integrity must be sha256-BASE64 or 64 hex digits, not "${given}"`;
    throw new PiqueError('ARGUMENT', message);
  }
  if (!globalThis.crypto?.subtle) {
    const message = 'integrity needs crypto.subtle, which pages of https and localhost have';
    throw new PiqueError('UNSUPPORTED', message);
  }
  return hex;
}

function fromBase64(given: string): string | undefined {
  const base64 = /^sha256-([A-Za-z0-9+/]{43}=)$/.exec(given)?.[1];
  return base64 && toHex(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
}

/** @throws PiqueError `INTEGRITY` */
export async function verify(file: Blob, hash: string): Promise<void> {
  const found = toHex(
    new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer())),
  );
  if (found === hash) return;
  const message = `The model file has the SHA-256 ${found}, not the ${hash} of integrity`;
  throw new PiqueError('INTEGRITY', message);
}

const toHex = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
