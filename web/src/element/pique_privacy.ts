/**
 * `<pique-privacy>`: what this device remembers, in plain words, with everything that a visitor may do about it:
 * pause, save to a file, read from one, delete one or all. The panel itself is fetched when it is needed; until
 * then, and for good when that fails, what stands in the element is shown.
 */
import { PiqueElement, reflect } from './element_base.ts';
import { adopt, make } from './element_markup.ts';
import { addBuiltIn } from './element_strings.ts';
import { COMMON } from './element_styles.ts';
import { imports } from './engine_import.ts';
import { type Catalog, fetchCatalog } from './item_catalog.ts';
import type { Panel } from './privacy_panel.ts';

/** `pique-change`: the visitor did something here, and it is done. */
export interface ChangeDetail {
  action: 'remove' | 'clear' | 'pause' | 'resume' | 'export' | 'import';
}

/** `<pique-privacy>`. */
export class PiquePrivacy extends PiqueElement {
  /** @hidden */
  static readonly observedAttributes = ['catalog', 'history', 'lang', 'dir'];

  readonly #slot = make('slot');
  #panel: Panel | undefined;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    adopt(root, COMMON);
    root.append(this.#slot);
  }

  protected override async begin(signal: AbortSignal): Promise<void> {
    await this.parsed(signal);
    await this.due(signal);
    if (signal.aborted) return;
    const [{ Panel, panelStrings }, store, catalog] = await Promise.all([
      imports.panel(),
      this.openStore(),
      this.readCatalog(),
    ]);
    if (signal.aborted) return;
    addBuiltIn(panelStrings);
    this.#panel = new Panel(store, catalog, {
      say: (key, values) => this.say(key, values),
      locale: () => this.locale,
      direction: () => this.direction,
      done: (action) => this.emit('pique-change', { action } satisfies ChangeDetail),
    });
    await this.#panel.renew();
    if (signal.aborted) return;
    this.#panel.open(this.shadowRoot as ShadowRoot);
    this.#slot.hidden = true;
    signal.addEventListener(
      'abort',
      store.subscribe(() => this.changed()),
    );
  }

  /** Without a catalogue of its own, the one of the page's first list; titles are not worth a failure. */
  protected override async readCatalog(): Promise<Catalog | undefined> {
    const address =
      this.catalog || document.querySelector('pique-list[catalog]')?.getAttribute('catalog');
    return address ? fetchCatalog(address).catch(() => undefined) : undefined;
  }

  protected override async renew(): Promise<void> {
    await this.#panel?.renew();
  }

  protected override end(): void {
    this.#panel?.close();
    this.#panel = undefined;
    this.#slot.hidden = false;
  }

  protected override failed(error: unknown): void {
    this.emit('pique-error', { error });
  }
}

reflect(PiquePrivacy, { text: 'catalog history loading' });
