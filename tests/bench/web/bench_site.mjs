// The site that the benchmarks load: Pique's and its peers' files and the pages, on one local server that compresses
// all of them alike and counts what it sends.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { inRoot } from '../../../scripts/run.mjs';
import { serve } from '../../../web/serve.mjs';
import { openLink } from './link.mjs';

export const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.join(here, 'node_modules');

/** Stored compressed, and served so; models of Pique's are compressed already. */
const COMPRESSED = new Set(['.js', '.mjs', '.wasm', '.onnx']);
/** What the peers' pages ask for. */
const PEERS = [
  ['onnxruntime-web/dist', /^ort(\.wasm\.(bundle\.)?min|-wasm-simd-threaded)\.(mjs|wasm)$/, 'ort'],
  ['@tensorflow/tfjs-core/dist', /^tf-core\.min\.js$/, 'tfjs'],
  [
    '@tensorflow/tfjs-backend-wasm/dist',
    /^tf(-backend-wasm\.min\.js|js-backend-wasm.*\.wasm)$/,
    'tfjs',
  ],
  ['hnswlib-wasm/dist', /^hnswlib.*\.(js|wasm)$/, 'hnsw'],
];

export const version = (name) =>
  JSON.parse(readFileSync(path.join(modules, name, 'package.json'), 'utf8')).version;

export function writeSiteFile(folder, name, bytes) {
  const packed = COMPRESSED.has(path.extname(name)) ? gzipSync(bytes, { level: 9 }) : bytes;
  writeFileSync(path.join(folder, name), packed);
}

function copyFolder(from, to, wanted = /./) {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from).filter((each) => wanted.test(each))) {
    writeSiteFile(to, name, readFileSync(path.join(from, name)));
  }
}

/** A folder with dist, pages and the peers. */
export function makeSite(folder) {
  copyFolder(inRoot('dist'), path.join(folder, 'dist'), /\.(js|wasm)$/);
  copyFolder(path.join(here, 'page'), path.join(folder, 'page'), /\.(html|js)$/);
  copyFolder(path.join(here, 'ctr'), path.join(folder, 'ctr'), /\.(html|js)$/);
  for (const [from, wanted, to] of PEERS) {
    copyFolder(path.join(modules, from), path.join(folder, to), wanted);
  }
}

/**
 * Serves the folder, by a link (link.mjs) or without. Pages are isolated from other origins, which gives them precise
 * clocks; `takeSent()` tells the bytes of all bodies since it was last asked.
 */
export async function openBenchSite(folder, link) {
  const server = await serve(folder);
  const entrance = link ? await openLink(server.address().port, link) : server;
  let sent = 0;
  server.prependListener('request', (request, response) => {
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    const { pathname } = new URL(request.url, 'http://localhost');
    if (COMPRESSED.has(path.extname(pathname))) response.setHeader('content-encoding', 'gzip');
    response.on('finish', () => {
      sent += Number(response.getHeader('content-length') ?? 0);
    });
  });
  return {
    url: `http://localhost:${entrance.address().port}/`,
    takeSent() {
      const bytes = sent;
      sent = 0;
      return bytes;
    },
    close() {
      server.closeAllConnections();
      server.close();
      entrance.close();
    },
  };
}
