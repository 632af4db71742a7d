/** Modules that build.mjs makes. */

/** Base64 of the gzipped engine, with SIMD: part of index.js. */
declare module 'pique:simd' {
  export const base64: string;
}

/** The same without SIMD: core-nosimd.js, imported where it is needed. */
declare module 'pique:nosimd' {
  export const base64: string;
}

/** engine.js. */
declare module 'pique:engine' {
  export const openPort: typeof import('./fallback.ts').openPort;
  export const startSealed: typeof import('./fallback.ts').startSealed;
  export const startFromText: typeof import('./fallback.ts').startFromText;
}

/** blocks.js. */
declare module 'pique:blocks' {
  export const Blocks: typeof import('./blocks.ts').Blocks;
}

/** more.js. */
declare module 'pique:more' {
  export const FilterCache: typeof import('./more.ts').FilterCache;
  export const describeInterests: typeof import('./more.ts').describeInterests;
  export const openStore: typeof import('./more.ts').openStore;
  export const parseFile: typeof import('./more.ts').parseFile;
  export const toFile: typeof import('./more.ts').toFile;
  export const hashesOf: typeof import('./more.ts').hashesOf;
  export const verify: typeof import('./more.ts').verify;
  export const givenWasm: typeof import('./more.ts').givenWasm;
  export const openGiven: typeof import('./more.ts').openGiven;
  export const surplus: typeof import('./more.ts').surplus;
}

/** In engine.js: server.ts as one function that leans on nothing outside, so that its text is a program. */
declare module 'pique:server' {
  export const server: () => typeof import('./server.ts');
}

/** core.wasm as runtimes that compile no bytes take it. */
declare module 'pique:compiled' {
  const module: WebAssembly.Module;
  export default module;
}
