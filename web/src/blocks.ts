/** What follows the head of a file of blocks: by ranges in the order of need, or as the file has it. */
import { abortable, PiqueError, throwIfAborted } from './errors.ts';
import type { Host } from './host.ts';
import type { Block } from './members.ts';
import { openRange } from './ranges.ts';
import type { Opened, Reader } from './source.ts';

/**
 * After each turn the needs are looked at anew. The first one asks for a block, which also tells whether the server gives
 * ranges; each further one for up to AT_ONCE times as many bytes as have come, but not more than TURN_BYTES, by
 * up to AT_ONCE ranges at the same time, as a way there and back can take longer than the bytes.
 */
const TURN_BYTES = 4 << 20;
const AT_ONCE = 4;

/** Which blocks are needed, first ones first; all that have not come are among them. */
export type Order = () => Promise<number[]>;

export class Blocks {
  readonly #host: Host;
  readonly #file: Opened;
  readonly #reader: Reader;
  readonly #head: number;
  readonly #blocks: Block[];
  readonly #absent: Set<number>;
  readonly #signal: AbortSignal;
  #received = 0;
  /** Bytes of the whole file. */
  readonly total: number;

  /** `reader` stands behind the head's `head` bytes. @throws PiqueError `MODEL_CORRUPT` */
  constructor(
    host: Host,
    file: Opened,
    reader: Reader,
    head: number,
    blocks: Block[],
    signal: AbortSignal,
  ) {
    this.#host = host;
    this.#file = file;
    this.#reader = reader;
    this.#head = head;
    this.#blocks = blocks;
    this.#absent = new Set(blocks.keys());
    this.#signal = signal;
    this.total = blocks.reduce((sum, { size }) => sum + size, head);
    if (file.total && file.total !== this.total) {
      const message = `The model file has ${file.total} bytes, its index tells of ${this.total}`;
      throw new PiqueError('MODEL_CORRUPT', message);
    }
  }

  /**
   * All blocks; `count` is told the bytes of each. Without an `order`, or where the server gives no
   * ranges, they come in one pass.
   *
   * @throws PiqueError `HTTP`, `MODEL_CHANGED`, `MODEL_CORRUPT`, `OOM`, and why the signal fired
   */
  async receive(count: (bytes: number) => void, order?: Order): Promise<void> {
    if (!order || !this.#file.ranges) return this.#pass(this.#reader, count);
    this.#reader.close();
    await new Promise((go) => setTimeout(go)); // a page that has just got the recommender asks first
    while (this.#absent.size > 0) {
      const runs = this.#runs(await abortable(order(), this.#signal));
      const readers: Reader[] = [];
      let isOver = false;
      const range = async (run: number[]) => {
        const { reader, whole } = await this.#open(run);
        readers.push(reader);
        if (isOver) return reader.close();
        if (whole) {
          await skip(reader, this.#head);
          return this.#pass(reader, count);
        }
        for (const block of run) await this.#take(reader, block, count);
      };
      try {
        await Promise.all(runs.map(range));
      } finally {
        isOver = true;
        for (const reader of readers) reader.close();
      }
    }
  }

  /** What one turn asks for: the blocks that are needed first; those that follow each other together. */
  #runs(order: number[]): number[][] {
    const runs: number[][] = [];
    const most = Math.min(AT_ONCE * this.#received, TURN_BYTES);
    let bytes = 0;
    for (const block of order) {
      const run = runs.at(-1);
      const follows = run?.at(-1) === block - 1;
      bytes += this.#blocks[block]?.size ?? 0;
      if (run && (bytes > most || (!follows && runs.length === AT_ONCE))) break;
      if (follows) run?.push(block);
      else runs.push([block]);
    }
    return runs;
  }

  /** The range of a run. */
  #open(run: number[]): ReturnType<typeof openRange> {
    const [first, last] = [run[0], run.at(-1)].map((i) => this.#blocks[i as number] as Block);
    const from = this.#head + (first as Block).offset;
    const to = this.#head + (last as Block).offset + (last as Block).size - 1;
    return openRange(this.#file, from, to, this.total, this.#signal);
  }

  async #pass(reader: Reader, count: (bytes: number) => void): Promise<void> {
    try {
      for (const block of this.#blocks.keys()) await this.#take(reader, block, count);
      if (await reader.some()) {
        throw new PiqueError('MODEL_CORRUPT', `The model file is longer than ${this.total} bytes`);
      }
    } finally {
      reader.close();
    }
  }

  async #take(reader: Reader, block: number, count: (bytes: number) => void): Promise<void> {
    const { size } = this.#blocks[block] as Block;
    const bytes = await abortable(reader.exactly(size), this.#signal);
    if (bytes.length < size) {
      const message = `The model file ends early: block ${block} has ${bytes.length} of ${size} bytes`;
      throw new PiqueError('MODEL_CORRUPT', message);
    }
    throwIfAborted(this.#signal);
    if (!this.#absent.has(block)) return;
    const transfer = [bytes.buffer as ArrayBuffer];
    await abortable(this.#host.call('block', { block, bytes }, transfer), this.#signal);
    if (!this.#absent.delete(block)) return;
    this.#received += size;
    count(size);
  }
}

async function skip(reader: Reader, count: number): Promise<void> {
  for (let left = count; left > 0; ) {
    const chunk = await reader.some(left);
    if (!chunk) return;
    left -= chunk.length;
  }
}
