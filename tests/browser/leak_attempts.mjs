/**
 * An engine that tries to talk: its text is appended to the worker's script, leans on nothing outside, and is started
 * by a message on a channel of its own, since the package gives nobody the worker.
 */

/** The channel between the page and the script of {@link leak}. */
export const CHANNEL = 'leaks';

/** Every way out of a worker that the three browsers know; `absent` where this one has it not. */
export function leak(channelName) {
  const channel = new BroadcastChannel(channelName);
  const violations = new Set();
  addEventListener('securitypolicyviolation', (event) => violations.add(event.effectiveDirective));
  /** 'sent' when anything came back, 'blocked' by an error. */
  const until = (target, good) =>
    new Promise((resolve, reject) => {
      target.addEventListener(good, resolve);
      target.addEventListener('error', () => reject(new Error(`${target} failed`)));
    });
  const nested = (url) =>
    new Promise((resolve, reject) => {
      const text = `fetch('${url}').then(() => postMessage('sent'), () => postMessage('blocked'))`;
      const worker = new Worker(URL.createObjectURL(new Blob([text])));
      worker.onerror = () => reject(new Error('no worker'));
      worker.onmessage = ({ data }) => (data === 'sent' ? resolve() : reject(new Error(data)));
    });
  const ways = {
    fetch: (url) => fetch(url),
    beacon: globalThis.navigator?.sendBeacon && ((url) => navigator.sendBeacon(url, 'x')),
    keepalive: (url) => fetch(url, { method: 'POST', mode: 'no-cors', keepalive: true, body: 'x' }),
    XMLHttpRequest(url) {
      const request = new XMLHttpRequest();
      request.open('GET', url);
      request.send();
      return until(request, 'load');
    },
    WebSocket: (url) => until(new WebSocket(url.replace('http', 'ws')), 'open'),
    EventSource: globalThis.EventSource && ((url) => until(new EventSource(url), 'open')),
    WebTransport:
      globalThis.WebTransport && ((url) => new WebTransport(url.replace('http:', 'https:')).ready),
    import: (url) => import(url),
    importScripts: async (url) => importScripts(url),
    Worker: (url) => until(new Worker(url, { type: 'module' }), 'message'),
    nested,
    cache: globalThis.caches && (async (url) => (await caches.open('leaks')).add(url)),
    wasm: (url) => WebAssembly.compileStreaming(fetch(url)),
    font: globalThis.FontFace && ((url) => new FontFace('leak', `url(${url})`).load()),
    RTCPeerConnection:
      globalThis.RTCPeerConnection &&
      (async (url) => {
        const urls = url.replace(/http:\/\/([^/]+).*/, 'stun:$1');
        const peer = new RTCPeerConnection({ iceServers: [{ urls }] });
        peer.createDataChannel('leak');
        await peer.setLocalDescription(await peer.createOffer());
      }),
  };
  const tryOne = async (way, url) => {
    if (!way) return 'absent';
    const late = new Promise((resolve) => setTimeout(resolve, 3000, 'no answer'));
    const ended = (async () => way(url))().then(
      () => 'sent',
      () => 'blocked',
    );
    return Promise.race([ended, late]);
  };
  channel.onmessage = async ({ data: { origins } }) => {
    if (!origins) return;
    const tries = origins.flatMap((origin) =>
      Object.entries(ways).map(async ([name, way]) => [
        `${name} ${origin}`,
        await tryOne(way, `${origin}/leak/${name}`),
      ]),
    );
    const outcomes = Object.fromEntries(await Promise.all(tries));
    channel.postMessage({ outcomes, violations: [...violations] });
  };
}
