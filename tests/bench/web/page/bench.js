// The page's side of compare.mjs. Times are milliseconds of performance.now().
import * as engines from './engines.js';
import { interestsOf, readModel } from './model_file.js';

const WARM = 3;

/** The task of {@link engines}: rows and interests come from the file with float rows that Pique loads, too. */
async function makeTask({ count, width, histories, top, site }) {
  const bytes = await (await fetch(`${site}models/f32-${count}.pique`)).arrayBuffer();
  const model = await readModel(bytes);
  const rows = model.tensors['item.weight'].values.slice(width, (count + 1) * width);
  const numbers = (history) => history.map((id) => Number(id.slice(1)) + 1);
  const interests = histories.map((history) => interestsOf(model, numbers(history)));
  return { count, width, histories, top, site, rows, interests };
}

const starterOf = (kind, value, index) =>
  ({
    Pique: () => engines.pique(value),
    onnxruntime: () => engines.onnxruntime(value),
    tfjs: () => engines.tfjs(value),
    hnswlib: () => engines.hnswlib(index, Number(value)),
    javascript: () => engines.javascript,
  })[kind]();

/** The engines that are asked for, by the names of their rows; those of `hnswlib N` share one index. */
async function startAll(names, task) {
  const started = [];
  const seconds = {};
  let index;
  for (const name of names) {
    const [kind, value] = name.split(' ');
    const before = performance.now();
    const shared = kind === 'hnswlib' && index !== undefined;
    if (kind === 'hnswlib') index ??= await engines.hnswIndex(task);
    const start = starterOf(kind, value, index);
    started.push({ name, ask: await start(task), times: [], own: [] });
    if (!shared) seconds[name] = (performance.now() - before) / 1000;
  }
  return { started, seconds };
}

/** The first visitor's query, `rounds` times of each. */
async function askInTurns(started, rounds) {
  for (let round = 0; round < rounds + WARM; round++) {
    for (const engine of started) {
      const start = performance.now();
      const { milliseconds } = await engine.ask(0);
      const spent = performance.now() - start;
      if (round < WARM) continue;
      engine.times.push(spent);
      if (milliseconds !== undefined) engine.own.push(milliseconds);
    }
  }
}

/** All the engines on one catalogue, in turns. */
globalThis.scan = async (given, names, rounds) => {
  const task = await makeTask(given);
  const { started, seconds } = await startAll(names, task);
  await askInTurns(started, rounds);
  const lists = new Map();
  for (const { name, ask } of started) {
    lists.set(name, []);
    for (const visitor of given.histories.keys()) {
      lists.get(name).push((await ask(visitor)).items);
    }
  }
  return started.map(({ name, times, own }) => ({
    name,
    lists: lists.get(name),
    times,
    own,
    seconds_to_start: seconds[name],
  }));
};

/** Pique alone on catalogues of several sizes, in turns. */
globalThis.sizes = async (tasks, quant, rounds) => {
  const started = [];
  for (const task of tasks) {
    const ask = await engines.pique(quant)(task);
    started.push({ count: task.count, ask, times: [], own: [] });
  }
  await askInTurns(started, rounds);
  return started.map(({ count, times, own }) => ({ count, times, own }));
};

/** What one engine alone keeps after an answer; Pique on this thread, whose memory the page can see. */
globalThis.heap = async (given, name) => {
  const [kind, value] = name.split(' ');
  const task = kind === 'Pique' ? given : await makeTask(given);
  const index = kind === 'hnswlib' ? await engines.hnswIndex(task) : undefined;
  const start =
    kind === 'Pique' ? engines.pique(value, { worker: false }) : starterOf(kind, value, index);
  globalThis.ask = await start(task); // held, so that nothing of it is freed
  await globalThis.ask(0);
  task.rows = undefined;
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    globalThis.gc?.();
  }
  return { wasm: globalThis.wasmBytes(), js: performance.memory?.usedJSHeapSize || undefined };
};
