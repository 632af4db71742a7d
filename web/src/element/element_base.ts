/** What both elements share: attributes as properties, language, events, and when to begin. */

import { directionOf, putIn, type StringKey, type Strings, textOf } from './element_strings.ts';
import { openStore, type Store } from './engine_import.ts';
import { type Catalog, fetchCatalog } from './item_catalog.ts';

/** How an attribute reads as a property. */
type Kind = 'text' | 'number' | 'flag' | 'ids';

/** Servers have no elements; there the classes are names and nothing else. */
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

const readers: Record<Kind, (value: string | null) => unknown> = {
  text: (value) => value ?? '',
  number: (value) => (value ? Number(value) : undefined),
  flag: (value) => value !== null,
  ids: (value) =>
    (value ?? '')
      .split(',')
      .map((id) => id.trim())
      .filter(Boolean),
};

const toProperty = (attribute: string): string =>
  attribute.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The names of attributes, by how they read. */
export type Attributes = Partial<Record<Kind, string>>;

export const namesOf = (attributes: Attributes): string[] =>
  Object.values(attributes).join(' ').split(' ');

/** Gives the class a property for each attribute, which it reflects. */
export function reflect(owner: typeof PiqueElement, attributes: Attributes): void {
  for (const [kind, names] of Object.entries(attributes) as [Kind, string][]) {
    for (const name of names.split(' ')) reflectOne(owner.prototype, name, kind);
  }
}

function reflectOne(prototype: Element, name: string, kind: Kind): void {
  Object.defineProperty(prototype, toProperty(name), {
    configurable: true,
    enumerable: true,
    get(this: Element) {
      return readers[kind](this.getAttribute(name));
    },
    set(this: Element, value: unknown) {
      if (kind === 'flag') this.toggleAttribute(name, Boolean(value));
      else if (value === undefined || value === null || value === '') this.removeAttribute(name);
      else this.setAttribute(name, String(value));
    },
  });
}

/** Whether the parser has gone on to what comes after. */
function isFollowed(node: Node): boolean {
  const { nextSibling, parentNode } = node;
  return Boolean(nextSibling) || (parentNode !== null && isFollowed(parentNode));
}

function idle(): Promise<void> {
  return new Promise((resolve) => {
    if ('requestIdleCallback' in globalThis)
      requestIdleCallback(() => resolve(), { timeout: 2000 });
    else setTimeout(resolve, 1); // WebKit
  });
}

/** Resolves when the element is on the screen, or nearly; never when the signal fires before. */
function visible(element: Element, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) end(resolve);
      },
      { rootMargin: '50%' },
    );
    const end = (then?: () => void) => {
      observer.disconnect();
      then?.();
    };
    observer.observe(element);
    signal.addEventListener('abort', () => end());
  });
}

/** Attributes that change more than the answer. */
const FRESH = /^(model|ranker|integrity|catalog|history|explain|sealed|actions|layout)$/;

export abstract class PiqueElement extends Base {
  /** `indexeddb` (default) or `memory`. */
  declare history: string;
  /** Address of a JSON file of items. */
  declare catalog: string;
  /** `visible` (default), `idle` or `eager`. */
  declare loading: string;

  #life: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #again = false;
  #language: MutationObserver | undefined;
  #strings: Partial<Strings> = {};
  #store: Store | undefined;

  /** Words of this element alone, in place of those of its language. */
  get strings(): Partial<Strings> {
    return this.#strings;
  }

  set strings(strings: Partial<Strings>) {
    this.#strings = strings;
    this.changed();
  }

  /** A history of the page's own, in place of what `history` names. */
  get store(): Store | undefined {
    return this.#store;
  }

  set store(store: Store | undefined) {
    this.#store = store;
    this.changed(true);
  }

  /** From here until disconnected; all that waits or listens ends with the signal. */
  protected abstract begin(signal: AbortSignal): Promise<void>;
  /** Takes back what was shown. */
  protected abstract end(): void;
  /** Shows anew what has changed. */
  protected abstract renew(): Promise<void>;
  protected abstract failed(error: unknown): void;

  /** @hidden */
  connectedCallback(): void {
    this.#upgrade();
    this.#language = new MutationObserver(() => this.changed());
    this.#language.observe(document.documentElement, { attributeFilter: ['lang', 'dir'] });
    this.#start();
  }

  /** @hidden */
  disconnectedCallback(): void {
    this.#language?.disconnect();
    this.#stop();
  }

  /** @hidden */
  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before !== after) this.changed(FRESH.test(name));
  }

  /** Several changes at once are one; `again`: begin anew. */
  protected changed(again = false): void {
    if (!this.#life) return;
    this.#again ||= again;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#again) {
        this.#stop();
        this.#start();
      } else {
        this.#guard(this.renew());
      }
    }, 20);
  }

  #start(): void {
    this.#again = false;
    this.#life = new AbortController();
    this.#guard(this.begin(this.#life.signal));
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#life) this.end();
    this.#life?.abort();
    this.#life = undefined;
  }

  #guard(work: Promise<void>): void {
    const life = this.#life;
    work.catch((error) => {
      if (life === this.#life && life) this.failed(error);
    });
  }

  /** Properties that were set before the class was there hide its own. */
  #upgrade(): void {
    for (const name of Object.keys(this)) {
      if (!(name in Object.getPrototypeOf(this))) continue;
      const own = this as unknown as Record<string, unknown>;
      const value = own[name];
      delete own[name];
      own[name] = value;
    }
  }

  /** Resolves when there is something to do, by `loading`, and the browser has time. */
  protected async due(signal: AbortSignal): Promise<void> {
    if (this.loading === 'eager') return;
    if (this.loading !== 'idle') await visible(this, signal);
    await idle();
  }

  /** Resolves when the children of an element that the parser makes are there, before they are painted. */
  protected parsed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (document.readyState === 'loading' && !isFollowed(this)) return;
        end();
        resolve();
      };
      const observer = new MutationObserver(look);
      const end = () => {
        observer.disconnect();
        document.removeEventListener('readystatechange', look);
      };
      observer.observe(document, { childList: true, subtree: true });
      document.addEventListener('readystatechange', look);
      signal.addEventListener('abort', end);
      look();
    });
  }

  protected openStore(): Promise<Store> {
    if (this.#store) return Promise.resolve(this.#store);
    return openStore(this.history === 'memory' ? 'memory' : 'indexeddb');
  }

  protected async readCatalog(): Promise<Catalog | undefined> {
    return this.catalog ? fetchCatalog(this.catalog) : undefined;
  }

  /** The language of the nearest `lang`, also across shadow roots. */
  protected get language(): string {
    let node: Node | null = this;
    while (node) {
      const found: HTMLElement | null =
        node instanceof Element ? node.closest<HTMLElement>('[lang]') : null;
      if (found?.lang) return found.lang;
      const root = node.getRootNode();
      node = root instanceof ShadowRoot ? root.host : null;
    }
    return 'en';
  }

  /** A language that Intl knows; pages write all sorts of things. */
  protected get locale(): string {
    try {
      return Intl.getCanonicalLocales(this.language)[0] ?? 'en';
    } catch {
      return 'en';
    }
  }

  protected say(key: StringKey, values: Record<string, string> = {}): string {
    const text = this.strings[key] ?? textOf(key, this.language);
    if (this.direction === 'ltr') return putIn(text, values);
    // A title in another script must not turn the words around it.
    const apart = Object.entries(values).map(([name, value]) => [name, `\u2068${value}\u2069`]);
    return putIn(text, Object.fromEntries(apart));
  }

  /** The element's own `dir`, or that of its words. */
  protected get direction(): string {
    return this.dir || directionOf(this.language);
  }

  /** false when somebody prevented it. */
  protected emit(type: string, detail: object, cancelable = false): boolean {
    return this.dispatchEvent(
      new CustomEvent(type, { detail, cancelable, bubbles: true, composed: true }),
    );
  }
}
