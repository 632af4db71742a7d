/** The engine behind messages: the same in a worker and on the page's own thread. */
import { Engine, type EngineInfo, type EngineQuery, type Shares } from './engine.ts';
import { Intake, inflateMember } from './intake.ts';
import type { Result } from './types.ts';
import type { EngineCode } from './wasm.ts';

/** Every operation, with what goes in and what comes out; all of it can be cloned. */
export interface Operations {
  /** The engine itself. */
  start: { in: EngineCode; out: null };
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
  /** The ids of items from number `first` on, at most `count`. */
  ids: { in: { first: number; count: number }; out: string[] };
  recommend: { in: EngineQuery; out: Result };
  similar: { in: { id: string; query: EngineQuery }; out: Result };
  rank: { in: EngineQuery; out: Result };
  interests: { in: EngineQuery; out: Shares | null };
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
    const engine = this.#engine as Engine;
    const intake = this.#intake as Intake;
    switch (op) {
      case 'start':
        this.#engine = await Engine.start(input as EngineCode);
        this.#intake = new Intake(this.#engine);
        return null;
      case 'write':
        await intake.write(input as Uint8Array);
        return null;
      case 'finish': {
        const info = await intake.finish(input as boolean);
        this.#intake = undefined;
        if (this.#ranker) engine.join(this.#ranker);
        return info;
      }
      case 'ranker':
        this.#ranker = engine.beside();
        this.#intake = new Intake(this.#ranker);
        return null;
      case 'block': {
        const { block, bytes } = input as Operations['block']['in'];
        engine.putBlock(block, await inflateMember(bytes));
        return null;
      }
      case 'order':
      case 'recommend':
      case 'interests':
        return engine[op as 'order' | 'recommend' | 'interests'](input as EngineQuery);
      case 'rank':
        return (this.#ranker ?? engine).rank(engine.filterCandidates(input as EngineQuery));
      case 'ids': {
        const { first, count } = input as Operations['ids']['in'];
        return engine.ids(first, count);
      }
      case 'similar': {
        const { id, query } = input as Operations['similar']['in'];
        return engine.similar(id, query);
      }
      default: // dispose
        this.#ranker?.dispose();
        engine?.dispose();
        this.#ranker = this.#engine = this.#intake = undefined;
        return null;
    }
  }
}
