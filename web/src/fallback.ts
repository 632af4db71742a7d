/** Where no worker starts from its file: the engine here, or a worker from the engine's own text. */
import { server } from 'pique:server';
import type { Port } from './host.ts';
import type { Request } from './protocol.ts';

/** The engine on this thread, with the face of a worker. */
export function openPort(): Port {
  const { Server } = server();
  const engine = new Server();
  const port: Port = {
    onmessage: null,
    onerror: null,
    async postMessage(request: Request) {
      const data = await engine.answer(request);
      port.onmessage?.({ data } as MessageEvent);
    },
    terminate() {
      engine.answer({ id: 0, op: 'dispose', input: null });
    },
  };
  return port;
}

/**
 * Works from another origin and where a bundler lost the worker's file. (Where a bundler's compiler made the
 * function lean on others, the worker does not come up, and the engine runs here.)
 */
export function startFromText(): Worker {
  const blob = new Blob([`(${server})().listen()`], { type: 'text/javascript' });
  const url = URL.createObjectURL(blob);
  const worker = new Worker(url, { type: 'module', name: 'pique' });
  worker.addEventListener('message', () => URL.revokeObjectURL(url), { once: true });
  return worker;
}
