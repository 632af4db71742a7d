/**
 * Model files in the browser's Cache API, so that a page works offline and a known file need not travel again.
 * Everything here gives way silently: where storage is refused (no secure origin, private mode, no room),
 * there is no cache.
 */

/** The name tells the layout of an entry: the file's bytes, its validators, and the two below. */
const CACHE = 'pique-v1';
/** Sites name files by their contents; old ones make room. */
const MOST_FILES = 8;
/** SHA-256 of the bytes, in hex; of files that were loaded with `integrity`. */
const KEPT_HASH = 'x-pique-sha256';
/** How many there are; content-length tells of other ones where the server compresses. */
export const KEPT_BYTES = 'x-pique-bytes';
/** What tells whether the server still has the file; '' where it said nothing. */
const KEPT_HEADERS = ['etag', 'last-modified', 'content-length'];

export interface ModelCache {
  find(): Promise<Response | undefined>;
  /** Only of a file that was opened. `from`: the answer that brought it. */
  keep(file: Blob, from: Response, hash: string | undefined): Promise<void>;
  drop(): Promise<boolean>;
}

/** undefined: not an address that can be kept, or no storage. */
export async function openCache(url: string): Promise<ModelCache | undefined> {
  try {
    const { href, protocol } = new URL(url, globalThis.location?.href);
    if (!/^https?:$/.test(protocol)) return undefined;
    const cache = await caches.open(CACHE);
    return {
      find: () => cache.match(href).catch(() => undefined),
      drop: () => cache.delete(href).catch(() => false),
      keep: (file, from, hash) => keep(cache, href, file, from.headers, hash).catch(() => {}),
    };
  } catch {
    return undefined;
  }
}

async function keep(
  cache: Cache,
  url: string,
  file: Blob,
  from: Headers,
  hash: string | undefined,
): Promise<void> {
  const headers = new Headers({ [KEPT_BYTES]: String(file.size) });
  if (hash) headers.set(KEPT_HASH, hash);
  for (const name of KEPT_HEADERS) headers.set(name, from.get(name) ?? '');
  await cache.put(url, new Response(file, { headers }));
  const kept = await cache.keys(); // oldest first
  await Promise.all(kept.slice(0, -MOST_FILES).map((key) => cache.delete(key)));
}

/** Whether a kept file is known to be the one with that hash. */
export function isKept(copy: Response, hash: string | undefined): boolean {
  return copy.headers.get(KEPT_HASH) === hash; // null where nothing was kept, which no hash is
}

/** Whether the server still has the file that was kept. */
export function isSame(copy: Response, now: Response): boolean {
  const same = (name: string) => {
    const value = copy.headers.get(name);
    return value && value === now.headers.get(name);
  };
  const tags = copy.headers.get('etag') && now.headers.get('etag');
  return Boolean(tags ? same('etag') : same('last-modified') && same('content-length'));
}
