/** Servers that log who comes, and the headers that `pique site` writes, read as the servers they are for read them. */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { resolveFile } from '../../web/serve.mjs';

const literally = (text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');

/** Netlify and Cloudflare Pages: every rule whose path matches adds its headers; `*` is any text. */
export function readPagesHeaders(text) {
  const rules = [];
  for (const line of text.split('\n').filter(Boolean)) {
    if (/^\s/.test(line)) {
      const [, name, value] = /^\s+([\w-]+): (.+)$/.exec(line);
      rules.at(-1).headers.push([name, value]);
    } else {
      const pattern = new RegExp(`^${line.split('*').map(literally).join('.*')}$`);
      rules.push({ pattern, headers: [] });
    }
  }
  return (pathname) =>
    rules.filter(({ pattern }) => pattern.test(pathname)).flatMap(({ headers }) => headers);
}

/** nginx: an exact location before a prefix, of prefixes the longest; that one's headers and types alone. */
export function readNginx(text) {
  const locations = [...text.matchAll(/^location (= )?(\S+) \{\n([\s\S]*?)^\}$/gm)].map(
    ([, exact, match, body]) => ({
      exact: Boolean(exact),
      match,
      headers: [...body.matchAll(/add_header ([\w-]+) "([^"]*)";/g)].map(([, ...pair]) => pair),
      types: new Map(
        [...body.matchAll(/^\s+(\w+\/[\w-]+) (\w+);$/gm)].map(([, type, end]) => [end, type]),
      ),
    }),
  );
  return (pathname) => {
    const found =
      locations.find(({ exact, match }) => exact && pathname === match) ??
      locations
        .filter(({ exact, match }) => !exact && pathname.startsWith(match))
        .sort((one, other) => other.match.length - one.match.length)[0];
    if (!found) return [];
    const type = found.types.get(path.extname(pathname).slice(1)) ?? 'application/octet-stream';
    return [...found.headers, ['Content-Type', type]];
  };
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** What an attempt would get, so that one that comes through succeeds. */
function answerLeak(pathname, response) {
  response.setHeader('access-control-allow-origin', '*');
  if (pathname.endsWith('/EventSource')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: x\n\n');
  } else if (pathname.endsWith('/wasm')) {
    response.writeHead(200, { 'content-type': 'application/wasm' });
    response.end(Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]));
  } else {
    const script = 'globalThis.postMessage?.("here");';
    response.writeHead(200, { 'content-type': 'text/javascript' }).end(script);
  }
}

function acceptSocket(request, socket) {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
}

/**
 * A server that logs every request, every WebSocket, and every datagram to its port. `pages` are texts by path,
 * before the files of `folder`; `headersOf` gives the headers of a path; `edit` changes a file on its way. What a
 * page posts to /report is not logged: `reported` resolves to it.
 */
export async function serveLogged({
  folder,
  pages = {},
  headersOf = () => [],
  edit = (_, bytes) => bytes,
} = {}) {
  const log = [];
  let tell;
  const reported = new Promise((resolve) => {
    tell = resolve;
  });
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    if (pathname === '/report')
      return json(request)
        .then(tell, tell)
        .then(() => response.end());
    log.push(`${request.method} ${pathname}`);
    if (pathname.startsWith('/leak/')) return answerLeak(pathname, response);
    const file = folder && resolveFile(folder, pathname);
    const isFile = file && statSync(file, { throwIfNoEntry: false })?.isFile();
    if (!(pathname in pages) && !isFile) return response.writeHead(404).end();
    const type = TYPES[path.extname(pathname) || '.html'];
    response.setHeader('Content-Type', type ?? 'application/octet-stream');
    for (const [name, value] of headersOf(pathname)) response.setHeader(name, value);
    response.end(pages[pathname] ?? edit(pathname, readFileSync(file)));
  });
  const sockets = new Set();
  let connections = 0;
  server.on('connection', () => connections++);
  server.on('upgrade', (request, socket) => {
    log.push(`WebSocket ${request.url}`);
    sockets.add(socket);
    socket.on('error', () => {});
    acceptSocket(request, socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  const datagrams = createSocket('udp4');
  datagrams.on('message', () => log.push('datagram'));
  await new Promise((resolve) => datagrams.bind(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    log,
    reported,
    connections: () => connections,
    close() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      datagrams.close();
    },
  };
}
