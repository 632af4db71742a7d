// A link between browser and server that carries so many Mbit/s to the browser and takes so many milliseconds there and
// back, for what visitors wait who are not beside the server. Connections share it piece by piece.
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const PIECE_BYTES = 4096;

class Link {
  #bytesPerMillisecond;
  #free = 0;

  constructor(megabits) {
    this.#bytesPerMillisecond = (megabits * 1e6) / 8 / 1000;
  }

  /** Until the link has carried so many bytes, behind what it has to carry already. */
  async carry(bytes) {
    this.#free = Math.max(this.#free, performance.now()) + bytes / this.#bytesPerMillisecond;
    await sleep(this.#free - performance.now());
  }
}

/** To the browser, as fast as the link carries and half a round trip later. */
async function answer(server, browser, link, roundTrip) {
  for await (const chunk of server) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PIECE_BYTES);
      await link.carry(piece.length);
      setTimeout(() => browser.destroyed || browser.write(piece), roundTrip / 2);
    }
  }
  setTimeout(() => browser.end(), roundTrip / 2);
}

/** Requests are small: they only take time; the first of a connection waits until it would be open. */
function ask(browser, server, roundTrip) {
  const open = performance.now() + roundTrip;
  browser.on('data', (chunk) => {
    const wait = Math.max(open - performance.now(), 0) + roundTrip / 2;
    setTimeout(() => server.destroyed || server.write(chunk), wait);
  });
}

/** A port that leads to `port` by such a link; `text` is MBIT/MILLISECONDS. */
export async function openLink(port, text) {
  const [megabits, roundTrip] = text.split('/').map(Number);
  if (!(megabits > 0 && roundTrip >= 0)) throw new Error(`--link takes MBIT/MILLISECONDS: ${text}`);
  const link = new Link(megabits);
  const proxy = net.createServer((browser) => {
    const server = net.connect(port, 'localhost');
    browser.on('error', () => server.destroy());
    browser.on('close', () => server.destroy());
    ask(browser, server, roundTrip);
    answer(server, browser, link, roundTrip).catch(() => browser.destroy());
  });
  await new Promise((resolve) => proxy.listen(0, 'localhost', resolve));
  return proxy;
}
