/**
 * Headers to copy. Names that bear a hash never change their contents, so they may be kept for ever; the
 * worker's own policy is what seals the engine, since a page's does not bind it.
 */

/** The engine's worker needs WebAssembly and nothing else, least of all the network. */
export const SEALED = "default-src 'none'; script-src 'wasm-unsafe-eval'";
const FOR_EVER = 'public, max-age=31536000, immutable';

/** The format that Netlify and Cloudflare Pages read as _headers at the root of a site. */
function pagesHeaders(base, engine, hashed) {
  const rules = hashed.map((file) => [`${base}${file}`, [`Cache-Control: ${FOR_EVER}`]]);
  rules.push([`${base}${engine}/*`, [`Cache-Control: ${FOR_EVER}`]]);
  rules.push([`${base}${engine}/worker.js`, [`Content-Security-Policy: ${SEALED}`]]);
  return rules
    .map(([path, headers]) => `${path}\n${headers.map((line) => `  ${line}\n`).join('')}`)
    .join('');
}

/** Inside a server block. */
function nginx(base, engine) {
  const types = `    types {
        application/json json;
        application/octet-stream pique;
        application/wasm wasm;
        text/javascript js;
    }
`;
  const location = (match, headers) =>
    `location ${match} {\n${types}${headers.map(([name, value]) => `    add_header ${name} "${value}";\n`).join('')}}\n`;
  return [
    location(base, [['Cache-Control', FOR_EVER]]),
    location(`= ${base}pique-manifest.json`, [['Cache-Control', 'no-cache']]),
    location(`= ${base}${engine}/worker.js`, [
      ['Cache-Control', FOR_EVER],
      ['Content-Security-Policy', SEALED],
    ]),
  ].join('');
}

/** For servers whose headers nobody can set. */
function meta() {
  return `<!-- In the head of pages, where the server's headers cannot be set (GitHub Pages). It keeps the page from every
     server but the site's own. A worker that is loaded from an address is bound by its own headers alone, so write
     <pique-list sealed …>, or load(model, { worker: 'sealed' }): then the engine is made of text, under a policy of its
     own that lets it reach no server at all. -->
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'">
`;
}

/** Map of names and texts. `hashed` are the files beside the engine's folder that bear a hash. */
export function headerFiles(base, engine, hashed) {
  return new Map([
    ['headers/_headers', pagesHeaders(base, engine, hashed)],
    ['headers/github-pages.html', meta()],
    ['headers/nginx.conf', nginx(base, engine)],
  ]);
}
