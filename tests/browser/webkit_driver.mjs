/** WebKitGTK's MiniBrowser by WebDriver, on a screen of its own (Xvfb). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TIMEOUT = 60_000;

/** Debian keeps the program among its libraries, below a folder named by the processor. */
function findMiniBrowser() {
  if (process.env.MINIBROWSER) return process.env.MINIBROWSER;
  const folders = existsSync('/usr/lib') ? readdirSync('/usr/lib') : [];
  const found = folders
    .map((folder) => `/usr/lib/${folder}/webkit2gtk-4.1/MiniBrowser`)
    .find((file) => existsSync(file));
  if (!found) throw new Error('no MiniBrowser: install webkit2gtk-driver, or set MINIBROWSER');
  return found;
}

/** Starts a program; resolves once it runs, or rejects where it is missing. */
async function start(program, args, options) {
  const child = spawn(program, args, options);
  await once(child, 'spawn'); // rejects on 'error'
  const end = () => child.kill();
  process.once('exit', end); // when the test itself fails
  child.once('exit', () => process.off('exit', end));
  return child;
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
}

/** Xvfb picks a free display and tells its number. */
async function startScreen() {
  const args = ['-displayfd', '1', '-screen', '0', '1440x900x24', '-nolisten', 'tcp'];
  const screen = await start('Xvfb', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const told = await Promise.race([
    once(screen.stdout, 'data').then(([data]) => `:${String(data).trim()}`),
    once(screen, 'exit').then(() => undefined),
  ]);
  if (!told) throw new Error('Xvfb ended before it had a display');
  return { screen, display: told };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** One command of WebDriver; resolves to its value. Not by fetch, which gives up after five minutes. */
function command(port, method, address, body, signal) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path: address, signal };
    const outgoing = request(options, async (response) => {
      try {
        const { value } = JSON.parse(await text(response));
        if (response.statusCode === 200) resolve(value);
        else reject(new Error(`${method} ${address}: ${value?.error}: ${value?.message}`));
      } catch (error) {
        reject(error);
      }
    });
    outgoing.on('error', reject);
    outgoing.end(body && JSON.stringify(body));
  });
}

async function whenReady(port) {
  const end = Date.now() + START_TIMEOUT;
  for (;;) {
    try {
      await command(port, 'GET', '/status');
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(50);
    }
  }
}

/** Calls an async function in the page; an error of the page's becomes one here. */
const scriptOf = (body) => `
  const [given, done] = arguments;
  (async () => (${body})(...given))().then(
    (value) => done({ value }),
    (error) => done({ error: String(error?.message ?? error) }),
  );
`;

const environment = (display, home) => ({
  ...process.env,
  DISPLAY: display,
  HOME: home,
  XDG_CACHE_HOME: path.join(home, 'cache'),
  XDG_DATA_HOME: path.join(home, 'data'),
  NO_AT_BRIDGE: '1', // no accessibility bus
  LIBGL_ALWAYS_SOFTWARE: '1',
  MESA_SHADER_CACHE_DISABLE: 'true',
  // Root has no user namespaces to build a sandbox from; the pages are our own.
  WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
});

/** The browser's last process may still write there while the folder is emptied, which rmSync does not try twice. */
async function removeHome(home) {
  for (let left = 40; ; left--) {
    try {
      rmSync(home, { recursive: true, force: true });
      return;
    } catch (error) {
      if (left === 0) throw error;
      await sleep(250);
    }
  }
}

const LOADED = () =>
  new Promise((resolve) => {
    if (document.readyState === 'complete') resolve();
    else addEventListener('load', () => resolve());
  });

/** Keys of more than a letter, as WebDriver writes them. */
const KEYS = { Tab: '\uE004', Enter: '\uE007', Escape: '\uE00C', Space: ' ' };

const keyActions = (keys) => {
  const codes = keys.map((key) => KEYS[key] ?? key);
  const strokes = codes.flatMap((value) => ['keyDown', 'keyUp'].map((type) => ({ type, value })));
  return { actions: [{ type: 'key', id: 'keyboard', actions: strokes }] };
};

function face(session, capabilities, close) {
  const evaluate = async (body, ...given) => {
    const asked = { script: scriptOf(body), args: [given] };
    const { value, error } = await session('POST', '/execute/async', asked);
    if (error) throw new Error(error);
    return value;
  };
  return {
    version: `WebKitGTK ${capabilities.browserVersion}`,
    async goto(url) {
      await session('POST', '/url', { url });
      await evaluate(LOADED); // the command may return before a page that replaces one of the same address
    },
    evaluate,
    press: (...keys) => session('POST', '/actions', keyActions(keys)),
    async screenshot(file) {
      writeFileSync(file, Buffer.from(await session('GET', '/screenshot'), 'base64'));
    },
    close,
  };
}

export async function launchWebkit(timeout) {
  const binary = findMiniBrowser();
  const undo = [];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const home = mkdtempSync(path.join(tmpdir(), 'pique-webkit-'));
    undo.push(() => removeHome(home));
    const { screen, display } = await startScreen();
    undo.push(() => stop(screen));
    const port = await freePort();
    const options = { stdio: 'ignore', env: environment(display, home) };
    const server = await start('WebKitWebDriver', [`--port=${port}`], options);
    undo.push(() => stop(server));
    await whenReady(port);
    const wanted = {
      'webkitgtk:browserOptions': { binary, args: ['--automation'] },
      timeouts: { script: timeout },
    };
    const asked = { capabilities: { alwaysMatch: wanted } };
    const patience = AbortSignal.timeout(START_TIMEOUT);
    const { sessionId, capabilities } = await command(port, 'POST', '/session', asked, patience);
    const session = (method, address, body) =>
      command(port, method, `/session/${sessionId}${address}`, body);
    undo.push(() => session('DELETE', ''));
    return face(session, capabilities, close);
  } catch (error) {
    await close();
    throw error;
  }
}
