/** Starting the package's worker. */
import type { WorkerStarter } from './host.ts';
import { importEngine } from './lazy.ts';

/** From the file beside this one: bundlers know this form and copy the file. */
const fileWorker: WorkerStarter = () =>
  new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'pique' });

/** In the order of preference. */
export const starters: WorkerStarter[] = [
  fileWorker,
  async () => (await importEngine()).startFromText(),
];

export const sealed: WorkerStarter = async () => (await importEngine()).startSealed();
