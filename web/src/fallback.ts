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
export const startFromText = (): Worker => startText(`(${server})().listen()`, globalThis);

/** Of the frame that the sealed worker belongs to, which inherits it; the page's own policy holds as well. */
const SEAL = "default-src 'none'; script-src 'wasm-unsafe-eval'; worker-src blob:";

/**
 * A worker from the engine's text has the policy of the document that made it: here one of its own, in a hidden
 * frame, so that the page keeps its network. Before it says hello the worker tries an address that every other
 * policy but a `connect-src` of the page's lets pass, and that no server hears of.
 */
export async function startSealed(): Promise<Worker> {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.srcdoc = `<meta http-equiv="Content-Security-Policy" content="${SEAL}">`;
  const loading = new Promise((resolve) => frame.addEventListener('load', resolve));
  document.documentElement.append(frame);
  try {
    await loading;
    const text = `fetch('data:,').then(()=>postMessage('open'),(${server})().listen)`;
    const worker = startText(text, frame.contentWindow as unknown as typeof globalThis);
    const end = worker.terminate.bind(worker);
    worker.terminate = () => {
      end();
      frame.remove();
    };
    return worker;
  } catch (error) {
    frame.remove();
    throw error;
  }
}

/** The worker's policy is that of the window which made its Blob and itself. */
function startText(text: string, { Blob, URL, Worker }: typeof globalThis): Worker {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  const worker = new Worker(url, { type: 'module', name: 'pique' });
  worker.addEventListener('message', () => URL.revokeObjectURL(url), { once: true });
  return worker;
}
