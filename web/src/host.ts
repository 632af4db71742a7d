/** Where the engine runs: in a worker or on this thread. Both answer the same operations. */
import { PiqueError } from './errors.ts';
import { type Answer, isHello, type Request } from './protocol.ts';
import type { Operation, Operations } from './service.ts';
import type { LoadOptions } from './types.ts';

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

/** Starts a worker. */
export type WorkerStarter = () => Worker | Promise<Worker>;

/** A worker that does not say hello within this time is taken for blocked. */
const HELLO_MILLISECONDS = 10_000;

/** What an entry of the package has to offer. */
export interface Hosts {
  /** Workers to try, in this order; without one the engine runs here. */
  starters: WorkerStarter[];
  /** A worker without a network whatever the server's headers. */
  sealed?: WorkerStarter;
  openPort: () => Promise<Port>;
}

/**
 * The first worker that comes up, else this thread. A worker that the caller made must come up, and so must one
 * that is to be sealed.
 *
 * @throws PiqueError `ARGUMENT`, `UNSUPPORTED`, and what `openPort` throws
 */
export async function openHost(choice: LoadOptions['worker'], hosts: Hosts): Promise<Host> {
  const isSealed = choice === 'sealed';
  if (isSealed || typeof choice === 'function') {
    try {
      return await startWorker(isSealed ? (hosts.sealed as WorkerStarter) : choice);
    } catch (cause) {
      const message = `The ${isSealed ? 'sealed' : 'given'} worker did not start`;
      throw new PiqueError(isSealed ? 'UNSUPPORTED' : 'ARGUMENT', message, { cause });
    }
  }
  if (choice !== false && typeof Worker === 'function') {
    for (const starter of hosts.starters) {
      try {
        return await startWorker(starter);
      } catch {
        // A policy, a missing file, another origin: the next one.
      }
    }
  }
  return new PortHost(await hosts.openPort(), 'main');
}

/** What a worker and the engine on this thread have in common. */
export type Port = Pick<Worker, 'postMessage' | 'terminate'> & {
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
};

interface Waiting {
  resolve(output: Operations[Operation]['out']): void;
  reject(error: PiqueError): void;
}

class PortHost implements Host {
  readonly thread: Host['thread'];
  readonly #port: Port;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(port: Port, thread: Host['thread']) {
    this.#port = port;
    this.thread = thread;
    port.onmessage = (event: MessageEvent<Answer>) => this.#settle(event.data);
    port.onerror = (event) => this.#fail(new PiqueError('INTERNAL', workerFailure(event)));
  }

  call<O extends Operation>(
    op: O,
    input: Operations[O]['in'],
    transfer: ArrayBuffer[] = [],
  ): Promise<Operations[O]['out']> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const request: Request = { id, op, input };
      this.#port.postMessage(request, transfer); // throws when something cannot be cloned
      this.#waiting.set(id, { resolve, reject });
    });
  }

  close(): void {
    this.#port.terminate();
    this.#port.onmessage = null;
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

async function startWorker(starter: WorkerStarter): Promise<Host> {
  const worker = await starter();
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
      resolve(new PortHost(worker, 'worker'));
    };
  });
}

function workerFailure(event: ErrorEvent): string {
  return `The worker failed: ${event.message || 'its script did not load'}`;
}
