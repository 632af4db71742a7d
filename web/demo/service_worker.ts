/**
 * The site without a network: all of its files are fetched and checked when the worker is installed, and come from that
 * copy from then on. A set is complete or is not used, and only gives way to a newer one that is complete, too.
 */

/** Name and SHA-256 (base64) of each file; written by the build, as is the version. */
declare const SITE_FILES: [name: string, sha256: string][];
declare const SITE_VERSION: string;

interface Extendable extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  readonly request: Request;
  readonly clientId: string;
  respondWith(response: Promise<Response>): void;
}
interface Page {
  readonly type: string;
  postMessage(message: unknown): void;
}
/** The part of a service worker's global scope that is used here. */
interface Scope {
  readonly registration: { readonly scope: string };
  readonly clients: {
    claim(): Promise<void>;
    get(id: string): Promise<Page | undefined>;
    matchAll(options: { type: 'window' }): Promise<Page[]>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: Extendable) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

const scope = globalThis as unknown as Scope;
const base = scope.registration.scope;
/** Several copies of the site may live on one origin. */
const OWN = `pique-demo ${base} `;
const CACHE = OWN + SITE_VERSION;

/** Some hosts answer index.html with a redirection, which no page may be opened from. */
const addressOf = (name: string) => new URL(name === 'index.html' ? './' : name, base).href;
const known = new Set(SITE_FILES.map(([name]) => addressOf(name)));

async function fetchChecked(name: string, sha256: string): Promise<[string, Response]> {
  const response = await fetch(addressOf(name), { cache: 'no-cache' });
  if (!response.ok) throw new Error(`${name} answered ${response.status}`);
  const bytes = await response.clone().arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  if (btoa(String.fromCharCode(...digest)) !== sha256) {
    throw new Error(`${name} is not of version ${SITE_VERSION}`);
  }
  return [addressOf(name), response];
}

async function install(): Promise<void> {
  const files = await Promise.all(SITE_FILES.map(([name, sha256]) => fetchChecked(name, sha256)));
  const cache = await caches.open(CACHE);
  await Promise.all(files.map(([address, response]) => cache.put(address, response)));
}

async function activate(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith(OWN) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await scope.clients.claim();
}

/** The address of a file of the site that is asked for; pages may have a query. */
function fileAsked({ method, url }: Request): string | undefined {
  const { origin, pathname } = new URL(url);
  const address = (origin + pathname).replace(/\/index\.html$/, '/');
  return method === 'GET' && known.has(address) ? address : undefined;
}

async function answer(event: Fetching, address: string | undefined): Promise<Response> {
  const copy = address && (await (await caches.open(CACHE)).match(address));
  event.waitUntil(tell(event, copy ? 'copy' : 'network'));
  return copy || fetch(event.request);
}

/** The page's network panel lists what passes here. */
async function tell(event: Fetching, from: 'copy' | 'network'): Promise<void> {
  const at = Date.now(); // messages may arrive much later
  const asking = await scope.clients.get(event.clientId);
  const pages =
    asking?.type === 'window' ? [asking] : await scope.clients.matchAll({ type: 'window' });
  for (const page of pages) page.postMessage({ type: 'request', url: event.request.url, from, at });
}

scope.addEventListener('install', (event) => event.waitUntil(install()));
scope.addEventListener('activate', (event) => event.waitUntil(activate()));
scope.addEventListener('fetch', (event) =>
  event.respondWith(answer(event, fileAsked(event.request))),
);
scope.addEventListener('message', ({ data }) => {
  if (data === 'take over') scope.skipWaiting();
});
