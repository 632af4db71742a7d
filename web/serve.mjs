/**
 * A static file server for development and tests.
 *
 *   node web/serve.mjs [FOLDER] [--port N] [--host NAME]
 *
 * Port 0 takes a free one; the address is printed on stdout.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { SEALED } from './src/site/headers.mjs';

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.pique': 'application/octet-stream',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** The file that the path of a request means, or undefined when it leaves the folder. */
export function resolveFile(folder, urlPath) {
  let decoded;
  try {
    decoded = decodeURIComponent(urlPath);
  } catch {
    return undefined;
  }
  if (decoded.includes('\0') || decoded.includes('\\')) return undefined;
  const file = path.join(folder, decoded);
  const inside = path.relative(folder, file);
  if (inside.startsWith('..') || path.isAbsolute(inside)) return undefined;
  return decoded.endsWith('/') ? path.join(file, 'index.html') : file;
}

/** The bytes that a Range header asks for: [first, last]; undefined: all; null: none of them are there. */
export function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (!match[1] && !match[2])) return undefined; // several ranges: all of the file
  const [first, last] = match[1]
    ? [Number(match[1]), match[2] ? Number(match[2]) : size - 1]
    : [Math.max(size - Number(match[2]), 0), size - 1];
  if (last < first) return undefined;
  return first < size ? [first, Math.min(last, size - 1)] : null;
}

async function answer(folder, request, response) {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const file = resolveFile(folder, pathname);
  const found = file && (await stat(file).catch(() => undefined));
  if (!found?.isFile()) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found\n');
    return;
  }
  const headers = {
    'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
    'content-length': found.size,
    'cache-control': 'no-cache',
    'accept-ranges': 'bytes',
    etag: `"${found.size.toString(36)}-${Math.round(found.mtimeMs).toString(36)}"`,
    'x-content-type-options': 'nosniff',
  };
  if (path.basename(file) === 'worker.js') headers['content-security-policy'] = SEALED;
  const { range, 'if-range': ifRange } = request.headers;
  const wanted = !ifRange || ifRange === headers.etag;
  const part = wanted && request.method === 'GET' ? parseRange(range, found.size) : undefined;
  if (part === null) {
    response.writeHead(416, { 'content-range': `bytes */${found.size}` }).end();
    return;
  }
  if (part) {
    headers['content-length'] = part[1] - part[0] + 1;
    headers['content-range'] = `bytes ${part[0]}-${part[1]}/${found.size}`;
  }
  response.writeHead(part ? 206 : 200, headers);
  if (request.method === 'HEAD') response.end();
  else createReadStream(file, part ? { start: part[0], end: part[1] } : {}).pipe(response);
}

/** Resolves to the listening server. */
export function serve(folder, port = 0, host = 'localhost') {
  const server = createServer((request, response) => {
    answer(path.resolve(folder), request, response).catch(() => response.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      port: { type: 'string', default: '8080' },
      host: { type: 'string', default: 'localhost' },
    },
  });
  try {
    const server = await serve(positionals[0] ?? 'build/site', Number(values.port), values.host);
    console.log(`http://${values.host}:${server.address().port}/`);
  } catch (error) {
    console.error(`serve: ${error.message}`);
    process.exitCode = 1;
  }
}
