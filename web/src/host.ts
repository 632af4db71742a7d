/** Where the engine runs: in a worker or on this thread. Both answer the same operations. */
import { PiqueError, toPiqueError } from './errors.ts';
import { type Answer, isHello, type Request } from './protocol.ts';
import { type Operation, type Operations, Service } from './service.ts';

export interface Host {
  readonly thread: 'worker' | 'main';
  /** The bytes among `transfer` move to the worker and are gone here. */
  call<O extends Operation>(
    op: O,
    input: Operations[O]['in'],
    transfer?: ArrayBuffer[],
  ): Promise<Operations[O]['out']>;
  /** Ends the host; calls under way reject with DISPOSED. */
  close(): void;
}

/** Which worker to start, in the order of preference. */
export type WorkerStarter = () => Worker;

/** A worker that does not say hello within this time is taken for blocked. */
const HELLO_MILLISECONDS = 10_000;

/**
 * The first worker that comes up, else this thread. A worker that the caller made must come up.
 */
export async function openHost(
  choice: 'auto' | false | WorkerStarter | undefined,
  starters: WorkerStarter[],
): Promise<Host> {
  if (typeof choice === 'function') {
    try {
      return await startWorker(choice);
    } catch (error) {
      throw new PiqueError('ARGUMENT', 'The given worker did not start', { cause: error });
    }
  }
  if (choice !== false && typeof Worker === 'function') {
    for (const starter of starters) {
      try {
        return await startWorker(starter);
      } catch {
        // A policy, a missing file, another origin: the next one.
      }
    }
  }
  return new LocalHost();
}

class LocalHost implements Host {
  readonly thread = 'main';
  readonly #service = new Service();

  async call<O extends Operation>(
    op: O,
    input: Operations[O]['in'],
  ): Promise<Operations[O]['out']> {
    try {
      return await this.#service.call(op, input);
    } catch (error) {
      throw toPiqueError(error);
    }
  }

  close(): void {
    this.#service.call('dispose', null).catch(() => {});
  }
}

interface Waiting {
  resolve(output: Operations[Operation]['out']): void;
  reject(error: PiqueError): void;
}

class WorkerHost implements Host {
  readonly thread = 'worker';
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<Answer>) => this.#settle(event.data);
    worker.onerror = (event) => this.#fail(new PiqueError('INTERNAL', workerFailure(event)));
  }

  call<O extends Operation>(
    op: O,
    input: Operations[O]['in'],
    transfer: ArrayBuffer[] = [],
  ): Promise<Operations[O]['out']> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const request: Request = { id, op, input };
      this.#worker.postMessage(request, transfer);
    });
  }

  close(): void {
    this.#worker.terminate();
    this.#fail(new PiqueError('DISPOSED', 'The recommender was disposed'));
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('error' in answer) {
      const { code, message, tensor } = answer.error;
      waiting?.reject(new PiqueError(code, message, { tensor }));
    } else {
      waiting?.resolve(answer.output);
    }
  }

  #fail(error: PiqueError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function startWorker(starter: WorkerStarter): Promise<WorkerHost> {
  const worker = starter();
  return new Promise((resolve, reject) => {
    const give = (reason: string) => {
      worker.terminate();
      clearTimeout(timer);
      reject(new Error(reason));
    };
    const timer = setTimeout(() => give('no answer'), HELLO_MILLISECONDS);
    worker.onerror = (event) => {
      event.preventDefault();
      give(workerFailure(event));
    };
    worker.onmessage = (event) => {
      if (!isHello(event.data)) return give('another worker');
      clearTimeout(timer);
      resolve(new WorkerHost(worker));
    };
  });
}

function workerFailure(event: ErrorEvent): string {
  return `The worker failed: ${event.message || 'its script did not load'}`;
}
