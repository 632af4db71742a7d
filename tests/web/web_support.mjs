/** What the tests of the package share: where its parts are, a worker for Node, small servers. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker as Thread } from 'node:worker_threads';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const dist = process.env.PIQUE_DIST ?? path.join(root, 'dist');
export const build = process.env.PIQUE_BUILD ?? path.join(root, 'build');
const models = process.env.PIQUE_MODELS ?? path.join(root, 'models');

/** A part that was not built fails the run: nothing here is skipped. */
function required(file, how) {
  if (!existsSync(file)) throw new Error(`${file} is missing: ${how}`);
  return file;
}

export function readDist(name) {
  return readFileSync(required(path.join(dist, name), 'node web/build.mjs'));
}

export const modelBytes = () =>
  new Uint8Array(readFileSync(required(path.join(models, 'films.pique'), 'npm run films')));

export const importDist = (name) =>
  import(new URL(`file://${required(path.join(dist, name), 'node web/build.mjs')}`));

/** Expects a PiqueError of that code; returns it. */
export async function failsWith(code, promise, part) {
  const error = await promise.then(
    () => assert.fail(`expected ${code}, but it succeeded`),
    (reason) => reason,
  );
  assert.equal(error.name, 'PiqueError', `${error}`);
  assert.equal(error.code, code, error.message);
  if (part) assert.match(error.message, part);
  return error;
}

/** The bytes with one bit changed. */
export function flipped(bytes, at) {
  const copy = bytes.slice();
  copy[at] ^= 0x10;
  return copy;
}

/** Starts a server that answers with `answer(request, response)`; resolves to its address. */
export async function withServer(answer, use) {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, 'localhost', resolve));
  try {
    return await use(`http://localhost:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const BOOT = `
  const { parentPort, workerData } = require('node:worker_threads');
  globalThis.postMessage = (data, transfer) => parentPort.postMessage(data, transfer);
  globalThis.addEventListener = (type, listener) =>
    parentPort.on(type, (data) => listener({ data }));
  import(workerData);
`;

/** The package's worker script in a thread of Node's, with the face of a browser's Worker. */
export class NodeWorker {
  static ended = 0;
  onmessage = null;
  onerror = null;
  #thread;

  constructor(script = `file://${path.join(dist, 'worker.js')}`) {
    this.#thread = new Thread(BOOT, { eval: true, workerData: script });
    this.#thread.on('message', (data) => this.onmessage?.({ data }));
    this.#thread.on('error', (error) =>
      this.onerror?.({ message: error.message, preventDefault() {} }),
    );
  }

  postMessage(data, transfer) {
    this.#thread.postMessage(data, transfer);
  }

  addEventListener() {}

  terminate() {
    NodeWorker.ended++;
    this.#thread.terminate();
  }
}

/** The memories of engines that start until `restore`, and how often they grew. */
export function watchHeaps() {
  const { instantiate } = WebAssembly;
  const { grow } = WebAssembly.Memory.prototype;
  const seen = {
    memories: [],
    growths: 0,
    restore() {
      WebAssembly.instantiate = instantiate;
      WebAssembly.Memory.prototype.grow = grow;
    },
  };
  WebAssembly.Memory.prototype.grow = function (pages) {
    if (seen.memories.includes(this)) seen.growths++;
    return grow.call(this, pages);
  };
  WebAssembly.instantiate = async (bytes, imports) => {
    const ours = imports?.env && 'emscripten_notify_memory_growth' in imports.env;
    if (ours) imports.env.emscripten_notify_memory_growth = () => seen.growths++;
    const result = await instantiate(bytes, imports);
    if (ours) seen.memories.push(result.instance.exports.memory);
    return result;
  };
  return seen;
}
