/** What a page knows about its items: titles, addresses, pictures, by id. */

/** An item's fields; `id` always, and by custom `title`, `url` and `image`. */
export interface CatalogItem {
  readonly id: string;
  readonly [field: string]: unknown;
}

export type Catalog = ReadonlyMap<string, CatalogItem>;

/** What a catalogue may be written as: a list of items, or an object of items (or titles) by id. */
export type CatalogData = readonly object[] | Readonly<Record<string, object | string>>;

export function toCatalog(data: unknown): Catalog {
  if (typeof data !== 'object' || data === null) throw new Error('neither a list nor an object');
  const pairs: [unknown, unknown][] = Array.isArray(data)
    ? data.map((item) => [item?.id, item])
    : Object.entries(data);
  const catalog = new Map<string, CatalogItem>();
  for (const [key, item] of pairs) {
    if (key === undefined || key === null) continue; // what has no id cannot be recommended
    const id = String(key);
    const known = (item as CatalogItem).id === id; // copies of many items would cost the page time
    const fields = typeof item === 'string' ? { title: item } : (item as object);
    catalog.set(id, known ? (item as CatalogItem) : { ...fields, id });
  }
  return catalog;
}

const fetched = new Map<string, Promise<Catalog>>();

async function read(url: string): Promise<Catalog> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return toCatalog(await response.json());
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause;
    throw new Error(`The catalogue ${url} could not be read: ${reason}`, { cause });
  }
}

/** The catalogue at that address, fetched once for the page. */
export function fetchCatalog(address: string): Promise<Catalog> {
  const { href } = new URL(address, document.baseURI);
  let catalog = fetched.get(href);
  if (!catalog) {
    catalog = read(href);
    catalog.catch(() => fetched.delete(href));
    fetched.set(href, catalog);
  }
  return catalog;
}

export function titleOf(catalog: Catalog | undefined, id: string): string {
  const title = catalog?.get(id)?.title;
  return typeof title === 'string' && title ? title : id;
}
