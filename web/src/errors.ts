/** Every promise of this package rejects with a {@link PiqueError}, whose `code` says what happened. */

/**
 * | code | what happened |
 * |---|---|
 * | `ARGUMENT` | a call was wrong: an option, an id, a count |
 * | `HTTP` | the model, or a file of the engine, could not be fetched; `status` is 0 when no answer came |
 * | `INTEGRITY` | the bytes that came are not those whose `integrity` was given |
 * | `MODEL_CORRUPT` | the bytes are not a whole, valid model file |
 * | `MODEL_CHANGED` | the file became another one while its blocks were being fetched; load it anew |
 * | `MODEL_VERSION` | a valid file of a version or kind that this build does not read |
 * | `UNSUPPORTED` | the model cannot do what was asked: one that only ranks does not recommend, and one that retrieves is no ranker; or this page cannot: `integrity` needs a secure origin (https, localhost), a sealed worker a policy that allows it |
 * | `WASM_NOT_WASM` | something else was served where the engine was expected |
 * | `WASM_FAILED` | this browser computes wrong results, or cannot run the engine |
 * | `CSP_BLOCKED` | the page's content security policy forbids WebAssembly |
 * | `OOM` | memory is short |
 * | `ABORTED` | the caller's signal fired |
 * | `DISPOSED` | the recommender was used after `dispose()` |
 * | `INTERNAL` | a defect of this package |
 */
export type PiqueErrorCode =
  | 'ARGUMENT'
  | 'HTTP'
  | 'INTEGRITY'
  | 'MODEL_CORRUPT'
  | 'MODEL_CHANGED'
  | 'MODEL_VERSION'
  | 'UNSUPPORTED'
  | 'WASM_NOT_WASM'
  | 'WASM_FAILED'
  | 'CSP_BLOCKED'
  | 'OOM'
  | 'ABORTED'
  | 'DISPOSED'
  | 'INTERNAL';

export interface PiqueErrorDetail {
  /** The address concerned. */
  url?: string | undefined;
  /** The tensor of the model file concerned. */
  tensor?: string | undefined;
  /** The HTTP status, 0 when no answer came. */
  status?: number | undefined;
  cause?: unknown;
}

/**
 * An error with a stable `code`.
 *
 * @example
 * try {
 *   await load('/models/films.pique');
 * } catch (error) {
 *   if (error instanceof PiqueError && error.code === 'HTTP') console.warn(error.url, error.status);
 * }
 */
export class PiqueError extends Error {
  override readonly name = 'PiqueError';
  /** What happened. */
  readonly code: PiqueErrorCode;
  /** The address concerned. */
  declare readonly url?: string;
  /** The tensor of the model file concerned. */
  declare readonly tensor?: string;
  /** The HTTP status, 0 when no answer came. */
  declare readonly status?: number;

  constructor(code: PiqueErrorCode, message: string, detail: PiqueErrorDetail = {}) {
    const { cause, url, tensor, status } = detail;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    for (const [name, value] of Object.entries({ url, tensor, status })) {
      if (value !== undefined) Object.assign(this, { [name]: value });
    }
  }
}

/** What crosses `postMessage` in place of a PiqueError.
 * @internal */
export interface PlainError {
  code: PiqueErrorCode;
  message: string;
  tensor?: string | undefined;
}

/** Also of those that another file of the package made, with a class of its own.
 * @internal */
export function isPiqueError(error: unknown): error is PiqueError {
  return (error as Error | undefined)?.name === 'PiqueError';
}

/** @internal */
export function toPiqueError(error: unknown): PiqueError {
  if (error instanceof PiqueError) return error;
  if (isPiqueError(error)) return new PiqueError(error.code, error.message, error);
  const message = error instanceof Error ? error.message : String(error);
  return new PiqueError('INTERNAL', message, { cause: error });
}

/** The outcome; what is thrown on the way and is no PiqueError lies in what the caller gave.
 * @internal */
export async function typed<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isPiqueError(error)) throw toPiqueError(error);
    const message = `What was given cannot be used: ${toPiqueError(error).message}`;
    throw new PiqueError('ARGUMENT', message, { cause: error });
  }
}

/** @internal */
export function toPlainError(error: unknown): PlainError {
  const { code, message, tensor } = toPiqueError(error);
  return { code, message, tensor };
}

/** The same error with the address of what was being loaded.
 * @internal */
export function withUrl(error: unknown, url: string | undefined): PiqueError {
  const known = toPiqueError(error);
  if (url === undefined || known.url !== undefined) return known;
  const { code, message, tensor, status, cause } = known;
  return new PiqueError(code, `${message} (${url})`, { url, tensor, status, cause });
}

/** @internal */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal && typeof signal.addEventListener !== 'function') {
    throw new PiqueError('ARGUMENT', 'signal must be an AbortSignal');
  }
  if (signal?.aborted) throw abortError(signal);
}

/** @internal */
export function abortError(signal: AbortSignal): PiqueError {
  if (isPiqueError(signal.reason)) return signal.reason; // we ended it ourselves
  return new PiqueError('ABORTED', 'The caller aborted the operation', { cause: signal.reason });
}

/** The promise's outcome, or ABORTED as soon as the signal fires.
 * @internal */
export async function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!signal) return promise;
  promise.catch(() => {}); // nobody waits for it when the signal has fired
  throwIfAborted(signal);
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(abortError(signal));
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
  }
}
