/** The engine behind messages: the same in a worker and on the page's own thread. */
import { Engine, type EngineInfo, type EngineQuery } from './engine.ts';
import { PiqueError } from './errors.ts';
import { Intake, inflateMember } from './intake.ts';
import type { Interest, Result } from './types.ts';

/** Every operation, with what goes in and what comes out; all of it can be cloned. */
export interface Operations {
  /** The engine's bytes. */
  start: { in: Uint8Array; out: null };
  /** The next bytes of the model file. */
  write: { in: Uint8Array; out: null };
  /** What is written from here on is the model that ranks. */
  ranker: { in: null; out: null };
  /** There are no more bytes; whether they were the head of a file of blocks. */
  finish: { in: boolean; out: EngineInfo };
  /** A block's gzip member. */
  block: { in: { block: number; bytes: Uint8Array }; out: null };
  /** The blocks that have not come, those first that the query needs. */
  order: { in: EngineQuery; out: number[] };
  recommend: { in: EngineQuery; out: Result };
  rank: { in: EngineQuery; out: Result };
  interests: { in: EngineQuery; out: Interest[] };
  dispose: { in: null; out: null };
}

export type Operation = keyof Operations;

/** Runs one operation after another; the caller waits for each. */
export class Service {
  #engine: Engine | undefined;
  #ranker: Engine | undefined;
  #intake: Intake | undefined;

  async call<O extends Operation>(
    op: O,
    input: Operations[O]['in'],
  ): Promise<Operations[O]['out']> {
    switch (op) {
      case 'start':
        this.#engine = await Engine.start(input as Uint8Array);
        this.#intake = new Intake(this.#engine);
        return null;
      case 'write':
        await this.#incoming().write(input as Uint8Array);
        return null;
      case 'finish': {
        const info = await this.#incoming().finish(input as boolean);
        this.#intake = undefined;
        if (this.#ranker) this.#started().join(this.#ranker);
        return info;
      }
      case 'ranker':
        this.#ranker = this.#started().beside();
        this.#intake = new Intake(this.#ranker);
        return null;
      case 'block': {
        const { block, bytes } = input as Operations['block']['in'];
        const rows = await inflateMember(bytes);
        this.#started().putBlock(block, rows);
        return null;
      }
      case 'order':
        return this.#started().order(input as EngineQuery);
      case 'recommend':
        return this.#started().recommend(input as EngineQuery);
      case 'rank':
        return (this.#ranker ?? this.#started()).rank(input as EngineQuery);
      case 'interests':
        return this.#started().interests(input as EngineQuery);
      case 'dispose':
        this.#ranker?.dispose();
        this.#ranker = undefined;
        this.#engine?.dispose();
        this.#engine = undefined;
        return null;
      default:
        throw new PiqueError('INTERNAL', `No operation "${op}"`);
    }
  }

  #started(): Engine {
    if (!this.#engine) throw new PiqueError('INTERNAL', 'The engine was not started');
    return this.#engine;
  }

  #incoming(): Intake {
    if (!this.#intake) throw new PiqueError('INTERNAL', 'No model is being loaded');
    return this.#intake;
  }
}
