/** Every request of the page: those that brought it, and those since it is sealed, of which there should be none. */
import { byId, make } from './dom.ts';

/** Nothing may be fetched, connected to, shown as a picture or started from here on; styles are already here. */
const SEAL = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'";

interface Listed {
  url: string;
  note: string;
}

export class NetworkPanel {
  readonly #before: PerformanceResourceTiming[] = [];
  readonly #since: Listed[] = [];
  #sealedAt = Number.POSITIVE_INFINITY;
  #blocked = 0;

  /** From the very first request on. */
  watch(): void {
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as PerformanceResourceTiming[]) {
        if (entry.startTime < this.#sealedAt) this.#before.push(entry);
        else this.#since.push({ url: entry.name, note: 'seen by the page' });
      }
      this.#show();
    }).observe({ type: 'resource', buffered: true });
    navigator.serviceWorker?.addEventListener('message', ({ data }) => {
      const sealed = performance.timeOrigin + this.#sealedAt;
      if (data?.type !== 'request' || data.at <= sealed) return;
      const place = data.from === 'copy' ? 'answered from the copy' : 'to the network';
      this.#since.push({ url: String(data.url), note: `seen by the service worker, ${place}` });
      this.#show();
    });
    document.addEventListener('securitypolicyviolation', ({ blockedURI }) => {
      this.#blocked++;
      byId('network-tried').textContent =
        `Refused: ${shorten(blockedURI)}. The browser stopped it before anything was sent.`;
      this.#show();
    });
    byId('network-try').addEventListener('click', () => this.#try());
  }

  /** A policy can be added to a page, and can not be taken away again. */
  seal(): void {
    const attributes = { 'http-equiv': 'Content-Security-Policy', content: SEAL };
    document.head.append(make('meta', attributes));
    this.#sealedAt = performance.now();
    byId<HTMLButtonElement>('network-try').disabled = false;
    this.#show();
  }

  /** What a dishonest page would do. */
  #try(): void {
    byId('network-tried').textContent = '';
    const body = JSON.stringify({ likes: [] });
    fetch('collect', { method: 'POST', body }).then(
      () => {
        byId('network-tried').textContent = 'It was sent: this page is not sealed.';
      },
      () => {}, // the violation is told by its own event
    );
  }

  #show(): void {
    for (const id of ['fact-requests', 'network-count']) {
      byId(id).textContent = Number.isFinite(this.#sealedAt) ? String(this.#since.length) : '–';
    }
    byId('network-blocked').textContent = String(this.#blocked);
    byId('network-since').replaceChildren(
      ...this.#since.map(({ url, note }) => row(shorten(url), note)),
    );
    byId('network-none').hidden = this.#since.length > 0;
    const sorted = [...this.#before].sort((a, b) => a.startTime - b.startTime);
    byId('network-before').replaceChildren(
      ...sorted.map((entry) => row(shorten(entry.name), sizeOf(entry))),
    );
    byId('network-before-count').textContent = `${sorted.length} files`;
  }
}

function row(name: string, note: string): HTMLLIElement {
  return make('li', {}, make('code', {}, name), make('span', {}, note));
}

function sizeOf({ encodedBodySize, transferSize }: PerformanceResourceTiming): string {
  const size = encodedBodySize > 0 ? showBytes(encodedBodySize) : '';
  return transferSize === 0 && size ? `${size}, from the device` : size;
}

function shorten(url: string): string {
  const here = new URL('./', location.href).href;
  return url.startsWith(here) ? url.slice(here.length) || 'the page' : url.slice(0, 80);
}

export function showBytes(count: number): string {
  if (count < 1000) return `${count} bytes`;
  return count < 1e6 ? `${Math.round(count / 1000)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}
