// The page's side of ctr_page.mjs: the same query to Pique and to a peer, in turns; times in milliseconds.
import { readModel } from '../page/model_file.js';
import { makeDien } from './dien_tf.js';

const bytesOf = async (url) => (await fetch(url)).arrayBuffer();
const middle = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

async function pique(name, query) {
  const { load } = await import('../dist/index.js');
  const engine = await load(await bytesOf(`../${name}.pique`), { worker: false });
  const ask = () =>
    engine.rank(query.candidates, { context: query.history, profile: query.profile });
  return async () => new Map((await ask()).items.map(({ id, score }) => [id, score]));
}

/** Both peers take item numbers, which are their places in the list of ids. */
function numbers(query) {
  const at = (id) => query.ids.indexOf(id) + 1;
  return {
    history: query.history.map(at),
    candidates: query.candidates.map(at),
    profile: query.codes,
  };
}

const byId = (query, scores) => new Map(query.candidates.map((id, i) => [id, scores[i]]));

async function onnx(name, query) {
  const ort = await import('../ort/ort.wasm.min.mjs');
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(await bytesOf(`../${name}.onnx`), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
  });
  const feeds = {};
  for (const [key, list] of Object.entries(numbers(query))) {
    feeds[key] = new ort.Tensor('int64', BigInt64Array.from(list.map(BigInt)), [list.length]);
  }
  return async () => byId(query, (await session.run(feeds)).scores.data);
}

async function tfjs(name, query) {
  const { tf } = globalThis;
  tf.wasm.setWasmPaths('../tfjs/');
  tf.wasm.setThreadsCount?.(1);
  await tf.setBackend('wasm');
  await tf.ready();
  const dien = makeDien(tf, await readModel(await bytesOf(`../${name}.pique`)));
  const { history, candidates, profile } = numbers(query);
  return async () => {
    const scores = dien(history, candidates, profile);
    const values = await scores.data();
    scores.dispose();
    return byId(query, values);
  };
}

async function time(run) {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** Medians of `rounds` in turns, and how far the scores lie apart. */
globalThis.compare = async (name, peer, query, rounds) => {
  const own = await pique(name, query);
  const other = await { onnx, tfjs }[peer](name, query);
  const [left, right] = [await own(), await other()];
  let apart = 0;
  for (const [id, score] of left) apart = Math.max(apart, Math.abs(score - right.get(id)));
  const times = { own: [], other: [] };
  for (let i = 0; i < rounds + 5; i++) {
    const [a, b] = [await time(own), await time(other)];
    if (i >= 5) {
      times.own.push(a);
      times.other.push(b);
    }
  }
  return { own: middle(times.own), other: middle(times.other), apart };
};
