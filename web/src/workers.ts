/** Starting the package's worker. */
import type { WorkerStarter } from './host.ts';

/** From the file beside this one: bundlers know this form and copy the file. */
export const fileWorker: WorkerStarter = () =>
  new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'pique' });

/** From the script's text: works from another origin and where a bundler lost the file. */
export function textWorker(script: string): WorkerStarter {
  return () => {
    const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
    const worker = new Worker(url, { type: 'module', name: 'pique' });
    worker.addEventListener('message', () => URL.revokeObjectURL(url), { once: true });
    return worker;
  };
}
