/** The files that the page was built with, or those of its address. All of them are loaded before the seal. */
import { type HistoryStore, load, type ModelInfo, type Progress, type Recommender } from 'pique';
import type { FileForm, FormFacts } from './controls.ts';
import { byId, make } from './dom.ts';
import { showBytes } from './network_panel.ts';

export interface LoadedForm extends FormFacts {
  pique: Recommender;
}
export type Forms = { full: LoadedForm } & Record<FileForm, LoadedForm | undefined>;

const number = new Intl.NumberFormat('en');
const parameters = new URLSearchParams(location.search);

/** The address of a file that the site may have. */
export const builtWith = (name: string) =>
  document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content;

async function loadForm(
  model: string,
  ranker: string | undefined,
  history: HistoryStore,
  onProgress: (progress: Progress) => void,
): Promise<LoadedForm> {
  const started = performance.now();
  // The service worker keeps all files of the site, as one set; a second copy of some would be in the way.
  const options = { cache: 'none', history, onProgress } as const;
  const pique = await load(model, { ...options, ...(ranker ? { ranker } : {}) });
  return { pique, bytes: pique.info.size.download, opened: performance.now() - started };
}

export async function loadFull(history: HistoryStore): Promise<LoadedForm> {
  const model = parameters.get('model');
  const ranker = parameters.get('ranker') ?? (model ? undefined : builtWith('pique-ranker'));
  return loadForm(model ?? 'films.pique', ranker, history, showProgress);
}

/** The same model with its rows as codes; undefined where the site has none. */
export async function loadCompact(history: HistoryStore): Promise<LoadedForm | undefined> {
  const model = parameters.has('model') ? undefined : builtWith('pique-compact');
  if (!model) return undefined;
  const ranker = parameters.get('ranker') ?? builtWith('pique-ranker');
  return loadForm(model, ranker, history, () => {}).catch(() => undefined);
}

function showProgress({ phase, loaded, total }: Progress): void {
  const bar = byId<HTMLProgressElement>('loading-bar');
  if (total > 0) {
    bar.max = total;
    bar.value = loaded;
  }
  const amount = total > 0 ? `${showBytes(loaded)} of ${showBytes(total)}` : showBytes(loaded);
  byId('loading-text').textContent =
    phase === 'fetch' ? `Loading the model: ${amount}` : 'Opening the model…';
}

export function showFacts(info: ModelInfo): void {
  const where = info.thread === 'worker' ? 'in a worker' : 'in the page';
  const simd = info.isa === 'scalar' ? 'without SIMD' : 'with SIMD';
  const downloaded = info.size.download + (info.ranker?.size.download ?? 0);
  byId('fact-size').textContent = showBytes(downloaded);
  byId('fact-items').textContent = number.format(info.items);
  byId('fact-interests').textContent = String(info.interests);
  byId('fact-runs').textContent = `${where}, ${simd}`;
  byId('fact-width').textContent = String(info.width);
}

/** Whether the engine's worker has a policy of its own is up to the host, which answers with it. */
export async function showWorkerSeal(info: ModelInfo): Promise<void> {
  const answer = info.thread === 'worker' ? await fetch('worker.js').catch(() => undefined) : null;
  const policy = answer?.headers.get('content-security-policy') ?? '';
  byId('fact-seal').textContent = /default-src 'none'/.test(policy)
    ? ', sealed by a policy of its own'
    : ', without code for a network';
}

/** What the file says about its own origin. */
export function showProvenance(info: ModelInfo): void {
  const { data, card, metrics } = info.details;
  const ranker = info.ranker?.details ?? {};
  const text = (value: unknown) =>
    typeof value === 'string' ? value : value ? JSON.stringify(value, null, 1) : '';
  const origin = `${text(data)} ${text(card)}`;
  byId('provenance').textContent = /simulat/i.test(origin)
    ? 'Real titles, from the vega-datasets package. The viewers that the model learned from are simulated.'
    : `Learned from: ${text(data) || 'data that the file does not name'}`;
  const parts: [string, string][] = [
    ['Data', text(data)],
    ['Card', text(card)],
    ['Measured', text(metrics)],
    ['The ranker', text(ranker.card)],
    ['The ranker, measured', text(ranker.metrics)],
  ];
  byId('about-text').replaceChildren(
    ...parts
      .filter(([, value]) => value !== '')
      .flatMap(([name, value]) => [make('h3', {}, name), make('p', { class: 'pre' }, value)]),
  );
  byId('about').hidden = false;
}
