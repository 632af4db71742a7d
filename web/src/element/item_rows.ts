/** The items that a list shows: rows that stay the same elements for as long as their item is shown. */
import { type Fields, fill } from './item_template.ts';

export interface Row {
  id: string;
  fields: Fields;
}

const CONTROLS = 'a[href],button,input,[tabindex]';

export class ItemRows {
  readonly container: HTMLElement;
  readonly #make: () => HTMLElement;
  #rows = new Map<string, HTMLElement>();

  constructor(container: HTMLElement, make: () => HTMLElement) {
    this.container = container;
    this.#make = make;
  }

  /** Keeps the place of so many items. */
  reserve(count: number): void {
    const rows = Array.from({ length: count }, () => this.#make());
    for (const row of rows) fill(row, undefined, '');
    this.container.inert = true;
    this.container.replaceChildren(...rows);
  }

  show(items: readonly Row[], locale: string): void {
    const before = this.#rows;
    this.#rows = new Map();
    for (const { id, fields } of items) {
      const row = before.get(id) ?? this.#make();
      row.dataset.piqueId = id;
      fill(row, fields, locale);
      this.#rows.set(id, row);
    }
    this.container.inert = false;
    this.#place([...this.#rows.values()]);
  }

  /** Puts the rows in order. Focus stays on the row that has it; where that row goes, on its place. */
  #place(rows: HTMLElement[]): void {
    const { activeElement } = this.container.getRootNode() as Document | ShadowRoot;
    const old = [...this.container.children];
    const held = old.findIndex((row) => row.contains(activeElement));
    const pivot = rows.indexOf(old[held] as HTMLElement);
    if (pivot >= 0) {
      // To move an element is to blur it, so the others move.
      for (const row of old) if (!rows.includes(row as HTMLElement)) row.remove();
      rows[pivot]?.before(...rows.slice(0, pivot));
      rows[pivot]?.after(...rows.slice(pivot + 1));
      return;
    }
    const which = held < 0 ? 0 : controls(old[held]).indexOf(activeElement as HTMLElement);
    this.container.replaceChildren(...rows);
    if (held < 0) return;
    const next = controls(rows[Math.min(held, rows.length - 1)]);
    (next[which] ?? next[0])?.focus({ preventScroll: true });
  }
}

const controls = (row: Element | undefined): HTMLElement[] =>
  row
    ? [row, ...row.querySelectorAll('*')].filter((found): found is HTMLElement =>
        found.matches(CONTROLS),
      )
    : [];
