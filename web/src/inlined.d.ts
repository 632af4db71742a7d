/** Modules that build.mjs makes. */

declare module 'pique:core' {
  /** Base64 of the gzipped engine, with SIMD and without. */
  export const simd: string;
  export const nosimd: string;
}

declare module 'pique:worker' {
  /** The text of worker.js. */
  export const script: string;
}
