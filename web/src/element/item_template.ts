/**
 * Fills the markup of an item with its fields: `data-bind="title"` sets the text, `data-bind-href="url"` an
 * attribute, `data-if="image"` shows an element only where the field is there, and `data-format` (`number`,
 * `percent`, `date`) writes a value as the language does. Fields are data: they become text or harmless
 * attributes, never markup, style or script.
 */

export type Fields = Readonly<Record<string, unknown>>;

const ATTRIBUTES =
  /^(href|src|alt|title|lang|dir|class|datetime|width|height|value|aria-.+|data-.+)$/;
const CODE = 'script,style,iframe,object,embed,link,base,meta';

function harmless(name: string, value: string): boolean {
  if (name !== 'href' && name !== 'src') return true;
  try {
    const { protocol } = new URL(value, document.baseURI);
    return /^https?:$/.test(protocol) || (name === 'src' && /^(data|blob):$/.test(protocol));
  } catch {
    return false;
  }
}

function toText(value: unknown, format: string | undefined, locale: string): string {
  if (value === undefined || value === null) return '';
  if (format === 'date') {
    const date = new Date(value as string);
    return Number.isNaN(date.valueOf()) ? '' : date.toLocaleDateString(locale);
  }
  if (format)
    return Number(value).toLocaleString(locale, format === 'percent' ? { style: format } : {});
  return String(value);
}

/** A field that is not there takes the attribute away. */
function setAttribute(element: Element, name: string, value: unknown): void {
  const text = toText(value, undefined, '');
  if (value !== undefined && value !== null && harmless(name, text))
    element.setAttribute(name, text);
  else element.removeAttribute(name);
}

function fillElement(element: HTMLElement, fields: Fields | undefined, locale: string): void {
  if (element.matches(CODE)) return;
  const { bind, format } = element.dataset;
  // Without fields the markup keeps the place of an item that is to come.
  if (bind !== undefined)
    element.textContent = fields ? toText(fields[bind], format, locale) : '\u00a0';
  if (!fields) return;
  if (element.dataset.if !== undefined) element.hidden = !fields[element.dataset.if];
  for (const { name, value } of [...element.attributes]) {
    const target = name.startsWith('data-bind-') ? name.slice('data-bind-'.length) : '';
    if (ATTRIBUTES.test(target)) setAttribute(element, target, fields[value]);
  }
}

/** Fills `root` and all below it; again with other fields as often as you like. */
export function fill(root: HTMLElement, fields: Fields | undefined, locale: string): void {
  for (const element of [root, ...root.querySelectorAll<HTMLElement>('*')]) {
    fillElement(element, fields, locale);
  }
}
