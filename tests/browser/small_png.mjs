/** Screenshots for the documentation: the browser's PNGs are several times as large as they need to be. */
import { deflateSync } from 'node:zlib';

/** Levels of a channel that are kept; a browser dithers its gradients between neighbouring ones. */
const STEP = 4;

/** The pixels of a PNG, three bytes each, read by a page of the browser that no policy seals. */
async function readPixels(browser, png) {
  const page = await browser.newPage();
  const read = async (text) => {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    let pixels = '';
    for (let i = 0; i < data.length; i += 4) {
      pixels += String.fromCharCode(data[i], data[i + 1], data[i + 2]);
    }
    return { width, height, pixels: btoa(pixels) };
  };
  const { pixels, ...size } = await page.evaluate(read, Buffer.from(png).toString('base64'));
  await page.close();
  return { ...size, pixels: Buffer.from(pixels, 'base64') };
}

/** CRC-32, which zlib itself has in newer versions of Node only. */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** Each row as its differences from the row above, or as it is, whichever has the smaller ones. */
function filterRows(pixels, width) {
  const length = 3 * width;
  const out = [];
  for (let start = 0; start < pixels.length; start += length) {
    const row = pixels.subarray(start, start + length);
    const variants = [0, 1, 2].map((kind) => {
      const other = (i) =>
        kind === 0
          ? 0
          : kind === 1
            ? (row[i - 3] ?? 0)
            : start > 0
              ? pixels[start + i - length]
              : 0;
      const line = Buffer.alloc(length + 1, kind);
      for (let i = 0; i < length; i++) line[i + 1] = row[i] - other(i);
      const size = line.reduce((sum, value) => sum + (value === 0 ? 0 : 1), 0);
      return { line, size };
    });
    out.push(variants.sort((a, b) => a.size - b.size)[0].line);
  }
  return Buffer.concat(out);
}

/** The same picture as a smaller PNG. */
export async function shrink(browser, png) {
  const { width, height, pixels } = await readPixels(browser, png);
  const fewer = pixels.map((value) => Math.min(255, Math.round(value / STEP) * STEP));
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(filterRows(fewer, width), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
