// Every engine with the same face: `start(task)` resolves to `ask(visitor)`, which resolves to
// `{ items, milliseconds }`: the numbers of the best items for the visitor of that number, best first, and what the
// engine itself counts, where it does.
//
// The task: `count` items of `width`, their `rows` (a Float32Array), `top`, `site`, the address that files are below,
// and of each visitor the history (ids, in `histories`) and the interests (K rows, in `interests`). Pique is asked
// with the history, as a page asks it; every other engine is given the interests. A matrix product is written in either of two ways: the table as rows, as it is stored, or
// transposed beforehand; which is faster is the engine's affair.

const idNumber = (id) => Number(id.slice(1)); // ids are i0, i1 and so on

/** Pique from a model file: user network, scan, ids; through the worker and back unless `worker` is false. */
export const pique = (quant, { worker = 'auto' } = {}) =>
  async function start({ count, histories, top, site }) {
    const { load } = await import('../dist/index.js');
    const engine = await load(`${site}models/${quant}-${count}.pique`, { worker });
    return async (visitor) => {
      const query = { context: histories[visitor], count: top, exclude: { seen: false } };
      const { items, milliseconds } = await engine.recommend(query);
      return { items: items.map(({ id }) => idNumber(id)), milliseconds };
    };
  };

/** onnxruntime-web, wasm, one thread: MatMul, ReduceMax, TopK over a table of rows or of columns. */
export const onnxruntime =
  (form) =>
  async ({ count, interests, width, site }) => {
    const file = `${site}models/scan-${form}-${count}.onnx`;
    const graph = fetch(file).then((answer) => answer.arrayBuffer());
    const ort = await import('../ort/ort.wasm.bundle.min.mjs');
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = `${site}ort/`;
    const session = await ort.InferenceSession.create(await graph, {
      executionProviders: ['wasm'],
      graphOptimizationLevel: 'all',
    });
    const all = interests.map((rows) => Float32Array.from(rows.flat()));
    return async (visitor) => {
      const shape = [interests[visitor].length, width];
      const feeds = { interests: new ort.Tensor('float32', all[visitor], shape) };
      const { items } = await session.run(feeds);
      return { items: Array.from(items.data, Number) };
    };
  };

const scripts = new Map();

/** Once for a page. */
function loadScript(src) {
  if (!scripts.has(src)) scripts.set(src, addScript(src));
  return scripts.get(src);
}

function addScript(src) {
  const script = Object.assign(document.createElement('script'), { src });
  return new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${src} did not load`));
    document.head.append(script);
  });
}

/** TensorFlow.js, wasm, one thread: matMul, max, topk over a table of rows or of columns. */
export const tfjs = (form) => async (task) => {
  const { count, width, interests, top, site } = task; // not the rows, which the page may drop afterwards
  await loadScript(`${site}tfjs/tf-core.min.js`);
  await loadScript(`${site}tfjs/tf-backend-wasm.min.js`);
  const { tf } = globalThis;
  tf.wasm.setWasmPaths(`${site}tfjs/`);
  tf.wasm.setThreadsCount(1);
  await tf.setBackend('wasm');
  await tf.ready();
  const table = tf.tidy(() => {
    const stored = tf.tensor2d(task.rows, [count, width]);
    return form === 'rows' ? stored : tf.transpose(stored);
  });
  const best = {
    rows: (queries) => tf.max(tf.matMul(table, queries, false, true), 1),
    columns: (queries) => tf.max(tf.matMul(queries, table), 0),
  }[form];
  return async (visitor) => {
    const found = tf.tidy(() => tf.topk(best(tf.tensor2d(interests[visitor])), top).indices);
    const items = Array.from(await found.data());
    found.dispose();
    return { items };
  };
};

/** hnswlib-wasm: one graph by inner product, asked once for each interest; the best of all answers. */
export async function hnswIndex({ count, width, rows, site }) {
  const { loadHnswlib } = await import(`${site}hnsw/hnswlib.js`);
  const lib = await loadHnswlib();
  lib.EmscriptenFileSystemManager.setDebugLogs?.(false);
  const index = new lib.HierarchicalNSW('ip', width, '');
  index.initIndex(count, 16, 200, 100);
  for (let i = 0; i < count; i++) {
    index.addPoint(rows.slice(i * width, (i + 1) * width), i, false);
  }
  return index;
}

export const hnswlib =
  (index, breadth) =>
  async ({ interests, top }) => {
    const queries = interests.map((rows) => rows.map((row) => Float32Array.from(row)));
    return async (visitor) => {
      index.setEfSearch(breadth);
      const best = new Map();
      for (const query of queries[visitor]) {
        const { neighbors, distances } = index.searchKnn(query, top, undefined);
        for (const [place, item] of neighbors.entries()) {
          best.set(item, Math.min(distances[place], best.get(item) ?? Number.POSITIVE_INFINITY));
        }
      }
      const sorted = [...best].sort((a, b) => a[1] - b[1]).slice(0, top);
      return { items: sorted.map(([item]) => item) };
    };
  };

/** Loops over a Float32Array with a sorted list of the best, as one would write them. */
export async function javascript({ count, width, rows, interests, top }) {
  const all = interests.map((each) => each.map((row) => Float32Array.from(row)));
  return async (visitor) => {
    const vectors = all[visitor];
    const items = [];
    const scores = [];
    for (let i = 0; i < count; i++) {
      let best = Number.NEGATIVE_INFINITY;
      const at = i * width;
      for (const vector of vectors) {
        let sum = 0;
        for (let j = 0; j < width; j++) sum += vector[j] * rows[at + j];
        if (sum > best) best = sum;
      }
      if (items.length === top && best <= scores[top - 1]) continue;
      let place = Math.min(items.length, top - 1);
      for (; place > 0 && scores[place - 1] < best; place--) {
        scores[place] = scores[place - 1];
        items[place] = items[place - 1];
      }
      scores[place] = best;
      items[place] = i;
    }
    return { items };
  };
}
