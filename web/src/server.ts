/** The engine's end of the conversation: in a worker, or beside the page on its own thread. */
import { toPlainError } from './errors.ts';
import type { Answer, Hello, Request } from './protocol.ts';
import { Service } from './service.ts';

/** Answers requests, one after the other. */
export class Server {
  readonly #service = new Service();
  #last: Promise<unknown> = Promise.resolve();

  answer(request: Request): Promise<Answer> {
    const answer = this.#last.then(() => this.#answer(request));
    this.#last = answer;
    return answer;
  }

  async #answer({ id, op, input }: Request): Promise<Answer> {
    try {
      return { id, output: await this.#service.call(op, input) };
    } catch (error) {
      return { id, error: toPlainError(error) };
    }
  }
}

/** Makes the worker that this runs in serve the page. It talks to nobody else: it fetches nothing. */
export function listen(): void {
  const server = new Server();
  const post = (message: Answer | Hello) => postMessage(message);
  addEventListener('message', async (event: MessageEvent<Request>) => {
    post(await server.answer(event.data));
  });
  post({ hello: 'pique' });
}
