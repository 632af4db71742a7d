/** The worker's script. It talks to nobody but the page: it fetches nothing. */
import { toPlainError } from './errors.ts';
import type { Answer, Hello, Request } from './protocol.ts';
import { Service } from './service.ts';

const service = new Service();
let last: Promise<void> = Promise.resolve();

function post(message: Answer | Hello): void {
  postMessage(message);
}

async function answer({ id, op, input }: Request): Promise<void> {
  try {
    post({ id, output: await service.call(op, input) });
  } catch (error) {
    post({ id, error: toPlainError(error) });
  }
}

addEventListener('message', (event: MessageEvent<Request>) => {
  last = last.then(() => answer(event.data));
});
post({ hello: 'pique' });
