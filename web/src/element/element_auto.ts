/**
 * The elements for a plain `<script src>`: defined when it runs; the rest is fetched from beside it. `Pique.setStrings` is there
 * for pages with words of their own.
 */
import { define, setStrings } from './element.ts';
import { imports } from './engine_import.ts';

const address = (document.currentScript as HTMLScriptElement | null)?.src;
// In a script of another origin a relative import has no base, so the addresses are made here.
if (address) {
  imports.pique = () => import(new URL('./index.js', address).href);
  imports.panel = () => import(new URL('./element.privacy.js', address).href);
}
define();
Object.assign(globalThis, { Pique: { setStrings } });
