/** Whether the page works without a network, and the change to a newer version of it. */
import { byId } from './dom.ts';

/** Longest wait for the copy before the page is sealed without one. */
const PATIENCE = 20_000;

/** Resolves when the site's files are on the device, or will not be; the page may be sealed then. */
export async function keepOffline(): Promise<boolean> {
  const kept = await register().catch(() => false);
  const note = byId('offline-note');
  note.dataset.kept = String(kept);
  note.textContent = kept ? 'Available offline' : 'Needs the network';
  return kept;
}

async function register(): Promise<boolean> {
  if (!('serviceWorker' in navigator)) return false;
  const registration = await navigator.serviceWorker.register('sw.js', { updateViaCache: 'none' });
  if (registration.active) {
    offerUpdates(registration);
    return true;
  }
  const coming = registration.installing ?? registration.waiting;
  return coming ? settled(coming) : false;
}

function settled(worker: ServiceWorker): Promise<boolean> {
  return new Promise((resolve) => {
    const look = () => {
      if (worker.state === 'activated') resolve(true);
      else if (worker.state === 'redundant') resolve(false);
    };
    worker.addEventListener('statechange', look);
    setTimeout(resolve, PATIENCE, false);
    look();
  });
}

/** A newer version is complete on the device: it takes over when the visitor says so, or on a later visit. */
function offerUpdates(registration: ServiceWorkerRegistration): void {
  const offer = (worker: ServiceWorker) => {
    const button = byId('update');
    button.hidden = false;
    button.addEventListener('click', () => {
      navigator.serviceWorker.addEventListener('controllerchange', () => location.reload());
      worker.postMessage('take over');
    });
  };
  if (registration.waiting) offer(registration.waiting);
  registration.addEventListener('updatefound', () => {
    const worker = registration.installing;
    worker?.addEventListener('statechange', () => {
      if (worker.state === 'installed') offer(worker);
    });
  });
}
