/** Bringing the engine up: which build, is it WebAssembly at all, does it compute right. */
import { PiqueError } from './errors.ts';

/** What boundary.c exports; every number is 32 bits: an address, a count or a status. */
export interface Exports {
  memory: WebAssembly.Memory;
  _initialize?(): void;
  pique_js_create(): number;
  pique_js_free(js: number): void;
  pique_js_alloc(js: number, size: number): number;
  pique_js_release(js: number, block: number): void;
  pique_js_out(js: number): number;
  pique_js_error(js: number): number;
  pique_js_isa(js: number): number;
  pique_js_self_test(): number;
  pique_js_model_size(js: number, bytes: number, count: number): number;
  pique_js_model_open(js: number, bytes: number, size: number, filled: number): number;
  pique_js_blocks(js: number): number;
  pique_js_put_block(js: number, block: number, rows: number, size: number): number;
  pique_js_near(js: number): number;
  pique_js_info(js: number): number;
  pique_js_retrieves(js: number): number;
  pique_js_find_item(js: number, id: number, length: number): number;
  pique_js_item_id(js: number, item: number): number;
  pique_js_profile(js: number, values: number, count: number): number;
  pique_js_query(js: number, history: number, exclude: number): number;
  pique_js_times(js: number): number;
  pique_js_filter(js: number): number;
  pique_js_categories(js: number, column: number): number;
  pique_js_similar(js: number, item: number, count: number, flags: number): number;
  pique_js_rank_by(js: number, ranker: number, retrieve: number): void;
  pique_js_recommend(
    js: number,
    count: number,
    flags: number,
    diversity: number,
    category: number,
  ): number;
  pique_js_rank(js: number): number;
  pique_js_interests(js: number): number;
}

/** What belongs to an object in the heap, without its prefix and its first argument. */
export type Bound = {
  [N in keyof Exports as N extends `pique_js_${infer Short}` ? Short : never]: Exports[N] extends (
    js: number,
    ...rest: infer Rest
  ) => infer Result
    ? (...rest: Rest) => Result
    : never;
};

export function bind(wasm: Exports, js: number): Bound {
  const bound = Object.entries(wasm).map(([name, call]) => [
    name.replace('pique_js_', ''),
    (...rest: number[]) => call(js, ...rest),
  ]);
  return Object.fromEntries(bound) as Bound;
}

/** The engine's bytes, or what some hosts compile in advance. */
export type EngineCode = Uint8Array | WebAssembly.Module;

/** Where the engine comes from; asked for the build without SIMD only when it is needed. */
export type WasmSource = (simd: boolean, signal?: AbortSignal) => Promise<EngineCode>;

/** `(module (func (drop (i8x16.popcnt (v128.const 0)))))`: valid only where SIMD128 is. */
const SIMD_MODULE = [
  [0, 97, 115, 109, 1, 0, 0, 0], // magic, version
  [1, 4, 1, 96, 0, 0], // one type: () -> ()
  [3, 2, 1, 0], // one function of it
  [10, 25, 1, 23, 0, 253, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 253, 98, 26, 11],
];

/**
 * Does this browser take SIMD modules? Some do and compute wrongly, and some have no WebAssembly at all (iOS in
 * Lockdown Mode): see {@link instantiate}.
 */
export function hasSimd(): boolean {
  return !!globalThis.WebAssembly?.validate(new Uint8Array(SIMD_MODULE.flat()));
}

export function isWasm(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
}

/**
 * Compiles and starts the engine and asks it for known answers.
 *
 * @throws PiqueError `WASM_NOT_WASM`, `CSP_BLOCKED`, `OOM`, `WASM_FAILED`
 */
export async function instantiate(code: EngineCode): Promise<Exports> {
  if (code instanceof Uint8Array && !isWasm(code)) {
    throw new PiqueError('WASM_NOT_WASM', `Expected WebAssembly, got ${describeBytes(code)}`);
  }
  try {
    const imports = { env: { emscripten_notify_memory_growth() {} } };
    const instance =
      code instanceof Uint8Array
        ? (await WebAssembly.instantiate(code as BufferSource, imports)).instance
        : await WebAssembly.instantiate(code, imports);
    const exports = instance.exports as unknown as Exports;
    exports._initialize?.();
    if (exports.pique_js_self_test() === 1) return exports;
  } catch (error) {
    throw wasmError(error);
  }
  throw new PiqueError('WASM_FAILED', 'This browser computes wrong results');
}

function wasmError(error: unknown): PiqueError {
  const message = error instanceof Error ? error.message : String(error);
  if (/content security policy|unsafe-eval|\bCSP\b/i.test(message)) {
    const advice = "add 'wasm-unsafe-eval' to script-src";
    return new PiqueError('CSP_BLOCKED', `The page's policy forbids WebAssembly: ${advice}`, {
      cause: error,
    });
  }
  const code = error instanceof RangeError ? 'OOM' : 'WASM_FAILED';
  return new PiqueError(code, `The engine did not start: ${message}`, { cause: error });
}

/** A few words about bytes that are not what was expected. */
export function describeBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'nothing';
  const start = new TextDecoder().decode(bytes.subarray(0, 64)).trimStart();
  if (/^<(!doctype|html|head|\?xml|!--)/i.test(start)) return 'an HTML page';
  const hex = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0'));
  return `bytes that begin with ${hex.join(' ')}`;
}
