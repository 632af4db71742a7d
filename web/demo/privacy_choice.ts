/** The choice between forgetting and remembering, and the panel that shows what is remembered. */
import { define, type PiquePrivacy } from 'pique/element';
import { announce, byId } from './dom.ts';
import type { KeptHistory } from './kept_history.ts';

/** Longest wait for the panel before the page is sealed. */
const PATIENCE = 5000;

/** Resolves when the panel is open: its parts are fetched then. */
export async function openPrivacy(history: KeptHistory): Promise<void> {
  choose(history);
  define();
  const panel = document.createElement('pique-privacy') as PiquePrivacy;
  panel.loading = 'eager';
  panel.catalog = 'films.json';
  panel.store = history;
  byId('privacy-panel').replaceChildren(panel);
  const ends = performance.now() + PATIENCE;
  while (!panel.shadowRoot?.querySelector('[part="frame"]') && performance.now() < ends) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  history.subscribe(() => show(history));
}

function choose(history: KeptHistory): void {
  show(history);
  for (const input of document.querySelectorAll<HTMLInputElement>('input[name="keep"]')) {
    input.addEventListener('change', async () => {
      const wanted = input.value === 'device';
      const kept = await history.remember(wanted).catch(() => history.persistent);
      show(history);
      if (wanted && !kept) byId('keep-note').textContent = 'This browser keeps nothing for pages.';
      else announce(kept ? 'Your films stay on this device.' : 'Your films go with the page.');
    });
  }
}

function show(history: KeptHistory): void {
  const value = history.persistent ? 'device' : 'page';
  for (const input of document.querySelectorAll<HTMLInputElement>('input[name="keep"]')) {
    input.checked = input.value === value;
  }
  byId('keep-note').textContent = history.persistent
    ? 'Kept in this browser’s IndexedDB, until you delete it here.'
    : 'Nothing of yours is stored: close or reload the page and it has forgotten you.';
}
