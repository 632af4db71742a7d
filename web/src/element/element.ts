/**
 * The custom elements `<pique-list>` and `<pique-privacy>`. Importing this does nothing; `define()` does.
 *
 * @packageDocumentation
 * @module pique/element
 */
import { PiqueList } from './pique_list.ts';
import { PiquePrivacy } from './pique_privacy.ts';

export type { StringKey, Strings } from './element_strings.ts';
export { setStrings } from './element_strings.ts';
export type { Store } from './engine_import.ts';
export type { Catalog, CatalogData, CatalogItem } from './item_catalog.ts';
export type {
  Action,
  ErrorDetail,
  Filter,
  ListState,
  ReadyDetail,
  ResultsDetail,
  SelectDetail,
} from './pique_list.ts';
export type { ChangeDetail } from './pique_privacy.ts';
export { PiqueList, PiquePrivacy };

import type { ErrorDetail, ReadyDetail, ResultsDetail, SelectDetail } from './pique_list.ts';
import type { ChangeDetail } from './pique_privacy.ts';

/**
 * Defines the elements, unless somebody did before; where there are none, such as on a server, it does nothing.
 *
 * @example
 * import { define } from 'pique/element';
 * define();
 */
export function define(
  registry: CustomElementRegistry | undefined = globalThis.customElements,
): void {
  for (const [name, owner] of [
    ['pique-list', PiqueList],
    ['pique-privacy', PiquePrivacy],
  ] as const) {
    if (registry && !registry.get(name)) registry.define(name, owner);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'pique-list': PiqueList;
    'pique-privacy': PiquePrivacy;
  }
  interface HTMLElementEventMap {
    'pique-ready': CustomEvent<ReadyDetail>;
    'pique-results': CustomEvent<ResultsDetail>;
    'pique-error': CustomEvent<ErrorDetail>;
    'pique-select': CustomEvent<SelectDetail>;
    'pique-change': CustomEvent<ChangeDetail>;
  }
}
