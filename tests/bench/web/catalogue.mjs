// The catalogues that everything is measured on: model files of any size for the same small user network, and the
// same rows in the forms that the peers take.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { cli } from '../../../scripts/run.mjs';

export const WIDTH = 64;
export const INTERESTS = 4;
export const HISTORY = 20;
const VISITORS = 20;

/** With the vector width of WebAssembly, whose results are those of the page to the last bit. */
const run = (...args) =>
  execFileSync(process.env.PIQUE_CLI ?? cli, args.map(String), {
    encoding: 'utf8',
    stdio: 'pipe',
    env: { ...process.env, PIQUE_ISA: 'v128' },
  });

/** Numbers of the standard normal distribution, the same in every run. */
function normal(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Trains ComiRec (self-attention, 32 hidden units) for an epoch on invented walks over 2000 items. */
function trainSmall(folder) {
  const walk = (n) => Array.from({ length: 30 }, (_, i) => (n * 211 + i * i * 7 + i * 13) % 2000);
  const lines = Array.from({ length: 400 }, (_, n) => `u${n} i${walk(n).join(' i')}\n`);
  writeFileSync(path.join(folder, 'walks.txt'), lines.join(''));
  const out = path.join(folder, 'small');
  const settings = [`dim=${WIDTH}`, `interests=${INTERESTS}`, `history=${HISTORY}`, 'hidden=32'];
  const given = ['--data', path.join(folder, 'walks.txt'), '--out', out, '--epochs', 1];
  run('train', '--model', 'comirec', ...given, ...settings.flatMap((each) => ['--set', each]));
  return path.join(out, 'model.pique');
}

/** Metadata and tensors ({ dtype, shape, data }) of a model file. */
function readContainer(file) {
  const bytes = gunzipSync(readFileSync(file));
  const size = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: about, ...entries } = JSON.parse(bytes.subarray(8, 8 + size));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: place }] of Object.entries(entries)) {
    tensors[name] = {
      dtype,
      shape,
      data: bytes.subarray(8 + size + place[0], 8 + size + place[1]),
    };
  }
  return { about, tensors };
}

function writeContainer(file, about, tensors) {
  const header = { __metadata__: about };
  let end = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [end, end + data.length] };
    end += data.length;
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil((text.length + 8) / 64) * 64 - 8));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(file, Buffer.concat([size, json, ...Object.values(tensors).map((t) => t.data)]));
}

/**
 * Rows with structure, as training leaves it: groups of a hundred items around centres, which lie around fifty
 * themes; later columns spread less. Row 0 (PAD) is zero, the last (UNKNOWN) too.
 */
function inventRows(count) {
  const next = normal(7);
  const spread = Array.from({ length: WIDTH }, (_, j) => 0.25 / Math.sqrt(1 + j / 8));
  const draw = (around, part) => spread.map((s, j) => (around ? around[j] : 0) + part * s * next());
  const themes = Array.from({ length: 50 }, () => draw(null, 1));
  const rows = new Float32Array((count + 2) * WIDTH);
  let centre;
  for (let i = 0; i < count; i++) {
    if (i % 100 === 0) centre = draw(themes[(i / 100) % themes.length], 0.8);
    const at = (i + 1) * WIDTH;
    for (let j = 0; j < WIDTH; j++) rows[at + j] = centre[j] + 0.6 * spread[j] * next();
  }
  return rows;
}

const bytesOf = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** Ids `i0`, `i1` and so on, as the file holds them. */
function inventIds(count) {
  const ids = Array.from({ length: count }, (_, i) => `i${i}`);
  const offsets = new Uint32Array(count + 1);
  for (let i = 0; i < count; i++) offsets[i + 1] = offsets[i] + ids[i].length;
  return {
    'item.ids.offsets': { dtype: 'U32', shape: [count + 1], data: bytesOf(offsets) },
    'item.ids': { dtype: 'U8', shape: [offsets[count]], data: Buffer.from(ids.join('')) },
  };
}

/** Weights of the attention so large that each interest looks at a few behaviours, as after a long training. */
function sharpen(tensors) {
  const next = normal(11);
  const fill = (name, scale) => {
    const { dtype, shape, data } = tensors[name];
    const values = Float32Array.from({ length: data.length / 4 }, () => scale * next());
    return { dtype, shape, data: bytesOf(values) };
  };
  return { 'attention.w1': fill('attention.w1', 0.6), 'attention.w2': fill('attention.w2', 1.2) };
}

/** Behaviours of four groups in turns. */
function inventHistory(count, visitor) {
  return Array.from({ length: HISTORY }, (_, n) => {
    const group = (visitor * 37 + (n % 4) * Math.floor(count / 400) + 11) % (count / 100);
    return `i${group * 100 + ((Math.floor(n / 4) * 7 + visitor) % 100)}`;
  });
}

export class Catalogues {
  #folder;
  #small;

  constructor(folder) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    this.#small = readContainer(trainSmall(folder));
  }

  /** The file of `count` items as `pique` wrote it but for its item rows and attention weights, and those rows. */
  make(count) {
    const file = path.join(this.#folder, `f32-${count}.raw.pique`);
    const rows = inventRows(count);
    const { about, tensors } = this.#small;
    const shape = [count + 2, WIDTH];
    writeContainer(file, about, {
      ...tensors,
      ...sharpen(tensors),
      'item.weight': { dtype: 'F32', shape, data: bytesOf(rows) },
      ...inventIds(count),
    });
    const histories = Array.from({ length: VISITORS }, (_, visitor) =>
      inventHistory(count, visitor),
    );
    return { count, file, histories, rows: rows.subarray(WIDTH, (count + 1) * WIDTH) };
  }

  /**
   * `pique export` with a kind of item rows: the bytes of the file, and before compression, and the lists that the
   * command line recommends from it. Where this build does not have the kind: what the program said.
   */
  export({ file, histories }, quant, out, top, ...options) {
    try {
      run('export', file, '--quant', quant, ...options, '-o', out);
    } catch (error) {
      return { missing: String(error.stderr).trim() };
    }
    const batch = path.join(this.#folder, 'histories.txt');
    writeFileSync(batch, histories.map((history) => `${history.join(',')}\n`).join(''));
    const lines = run('recommend', out, '--batch', batch, '-k', top).trim().split('\n');
    const bytes = readFileSync(out);
    return {
      file: bytes.length,
      unpacked: gunzipSync(bytes).length,
      lists: lines.map((line) => JSON.parse(line).items.map(({ id }) => Number(id.slice(1)))),
    };
  }
}
