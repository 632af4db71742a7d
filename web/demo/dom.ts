/** Making and finding elements. */

type Child = Node | string | null | undefined;

/** An element with attributes and children; `class` and `aria-…` as in HTML. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no #${id}`);
  return element as T;
}

const SVG = 'http://www.w3.org/2000/svg';

/** A line drawing on a 24 x 24 grid, for eyes only. */
export function icon(path: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(SVG, 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}

export const HEART =
  'M12 20.5S3.5 15.4 3.5 9.4A4.7 4.7 0 0 1 12 6.6a4.7 4.7 0 0 1 8.5 2.8c0 6-8.5 11.1-8.5 11.1Z';
export const CROSS = 'M6.5 6.5l11 11m0-11l-11 11';

/** Says a sentence to screen readers. */
export function announce(text: string): void {
  byId('announcer').textContent = text;
}
