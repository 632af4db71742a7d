/** The custom elements and the React hook: files of dist/ that import the package from beside them. */
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const sources = fileURLToPath(new URL('src', import.meta.url));

/** Their declarations, in folders of dist/. */
export const ELEMENT_TYPES = [
  ...['element/element', 'element/element_base', 'element/element_strings'],
  ...['element/engine_import', 'element/item_catalog', 'element/pique_list'],
  ...['element/pique_privacy', 'element/privacy_panel', 'element/privacy_strings', 'react/react'],
];

/** What is fetched when it is needed stays a file beside the one that needs it. */
const beside = {
  name: 'beside',
  setup(builder) {
    const file = (name) => ({ path: name, external: true });
    builder.onResolve({ filter: /^pique$/ }, () => file('./index.js'));
    builder.onResolve({ filter: /privacy_panel/ }, ({ kind }) =>
      kind === 'dynamic-import' ? file('./element.privacy.js') : undefined,
    );
  },
};

/** A script without exports; esbuild's own form would bring a require along for what is fetched later. */
const plainScript = { banner: { js: '"use strict";(()=>{' }, footer: { js: '})();' } };

/** `common`: how every script of the package is built. */
export async function buildElements(dist, common) {
  const entries = [
    { file: 'element/element.ts', out: 'element.js' },
    { file: 'element/privacy_panel.ts', out: 'element.privacy.js', charset: 'utf8' },
    { file: 'element/element_auto.ts', out: 'element.auto.iife.js', ...plainScript },
    { file: 'react/react.ts', out: 'react.js', banner: { js: "'use client';" } },
  ];
  for (const { file, out, ...more } of entries) {
    const files = { entryPoints: [path.join(sources, file)], outfile: path.join(dist, out) };
    await build({ ...common, ...files, plugins: [beside], external: ['react'], ...more });
  }
  await copyFile(
    path.join(sources, 'element/custom-elements.json'),
    path.join(dist, 'custom-elements.json'),
  );
}
