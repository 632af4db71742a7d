/** Model bytes on their way into the heap: gzip or plain, told apart by the first two bytes. */
import type { Engine, EngineInfo } from './engine.ts';
import { PiqueError, toPiqueError } from './errors.ts';
import { describeBytes } from './wasm.ts';

export class Intake {
  readonly #engine: Engine;
  #head: Uint8Array = new Uint8Array(0);
  #started = false;
  #gzip: WritableStreamDefaultWriter<Uint8Array> | undefined;
  /** Settles when the last inflated byte was written, or anything failed. */
  #drained: Promise<void> | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @throws PiqueError `MODEL_CORRUPT`, `MODEL_VERSION`, `OOM` */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#started) return this.#pass(chunk);
    this.#head = join(this.#head, chunk);
    if (this.#head.length >= 2) await this.#start();
  }

  /** `head`: the bytes were the head of a file of blocks. @throws PiqueError as {@link write} */
  async finish(head: boolean): Promise<EngineInfo> {
    if (!this.#started) await this.#start();
    if (this.#gzip) {
      // The drain holds the reason when closing fails.
      this.#gzip.close().catch(() => {});
      await this.#drained;
    }
    return this.#engine.finish(head);
  }

  async #start(): Promise<void> {
    this.#started = true;
    const head = this.#head;
    this.#head = new Uint8Array(0);
    const what = describeBytes(head);
    if (what === 'an HTML page' || what === 'nothing') {
      throw new PiqueError('MODEL_CORRUPT', `Expected a model file, got ${what}`);
    }
    if (head[0] === 0x1f && head[1] === 0x8b) {
      const stream = new DecompressionStream('gzip');
      this.#gzip = stream.writable.getWriter() as WritableStreamDefaultWriter<Uint8Array>;
      this.#drained = this.#drain(stream.readable as ReadableStream<Uint8Array>);
      this.#drained.catch(() => {}); // whoever writes next is told
    }
    return this.#pass(head);
  }

  async #pass(chunk: Uint8Array): Promise<void> {
    if (!this.#gzip) {
      this.#engine.write(chunk);
      return;
    }
    // The drain knows the reason of a failure; it settles before the end only by failing.
    const written = this.#gzip.write(chunk).catch(() => this.#drained);
    await Promise.race([written, this.#drained]);
  }

  async #drain(inflated: ReadableStream<Uint8Array>): Promise<void> {
    const reader = inflated.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        this.#engine.write(value);
      }
    } catch (error) {
      reader.cancel().catch(() => {});
      throw damaged(error);
    }
  }
}

function damaged(error: unknown): PiqueError {
  if (error instanceof PiqueError) return error;
  const reason = toPiqueError(error).message;
  const message = `The gzip data is damaged or cut short: ${reason}`;
  return new PiqueError('MODEL_CORRUPT', message, { cause: error });
}

/** A gzip member, whole. @throws PiqueError `MODEL_CORRUPT` */
export async function inflateMember(bytes: Uint8Array): Promise<Uint8Array> {
  try {
    const stream = new Blob([bytes as BlobPart]).stream();
    const inflated = stream.pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(inflated).arrayBuffer());
  } catch (error) {
    throw damaged(error);
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
