/** What went wrong, in plain words and with the code that a developer looks up. */
import { PiqueError } from 'pique';
import { byId, make } from './dom.ts';

const ADVICE: Partial<Record<string, [title: string, advice: string]>> = {
  HTTP: ['The model could not be fetched', 'Check the address and the connection, then try again.'],
  MODEL_CORRUPT: [
    'The model file is damaged',
    'It was cut short, changed on the way, or is another kind of file. Nothing of it was used.',
  ],
  MODEL_VERSION: [
    'This page is too old for the model',
    'The file was made by another version of Pique. Export it again, or update the page.',
  ],
  UNSUPPORTED: [
    'These models do not go together',
    'One file must be a model that retrieves, the other one that ranks, of the same catalogue.',
  ],
  CSP_BLOCKED: [
    'The page’s security policy forbids WebAssembly',
    'The site’s owner can allow it with script-src ‘wasm-unsafe-eval’.',
  ],
  OOM: ['Not enough memory', 'Close some tabs and try again.'],
  WASM_FAILED: ['This browser cannot run the engine', 'Another or newer browser can.'],
};

export function showFailure(error: unknown): void {
  const code = error instanceof PiqueError ? error.code : 'PAGE';
  const [title, advice] = ADVICE[code] ?? ['Something went wrong', 'Try again.'];
  const message = error instanceof Error ? error.message : String(error);
  const again = make('button', { type: 'button', class: 'primary' }, 'Try again');
  again.addEventListener('click', () => location.reload());
  const panel = byId('failure');
  panel.replaceChildren(
    make('h2', {}, title),
    make('p', {}, advice),
    make(
      'p',
      { class: 'failure-detail' },
      make('code', { class: 'failure-code' }, code),
      make('span', {}, message),
    ),
    again,
  );
  document.body.dataset.state = 'failed';
  byId('loading').hidden = true;
  byId('content').hidden = true;
  panel.hidden = false;
}
