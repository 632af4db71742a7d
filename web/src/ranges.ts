/** A part of the file that was opened before. */
import { PiqueError } from './errors.ts';
import { type Opened, Reader, readBody, request } from './source.ts';

/**
 * Bytes `from` to `to` (included) of a file of `total`; `whole` when the server sends all of it instead.
 *
 * @throws PiqueError `HTTP`, `MODEL_CHANGED` when it is not the file that was opened, `ABORTED`
 */
export async function openRange(
  file: Opened,
  from: number,
  to: number,
  total: number,
  signal: AbortSignal,
): Promise<{ reader: Reader; whole: boolean }> {
  const url = file.url as string;
  const response = await request(url, signal, {
    headers: { range: `bytes=${from}-${to}` },
  }).catch((error: PiqueError) => {
    if (error.status !== 416) throw error;
    throw new PiqueError('MODEL_CHANGED', `${url} has become shorter`, { url, status: 416 });
  });
  const { headers, status } = response;
  const reader = new Reader(readBody(response, url, signal));
  const whole = status !== 206;
  const part = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  const size = whole ? headers.get('content-length') : part?.[3];
  const same = (now: string | null, then: string | null | undefined) =>
    !now || !then || now === then;
  try {
    if (
      !same(headers.get('etag'), file.etag) ||
      !same(headers.get('last-modified'), file.modified) ||
      (size && size !== '*' && Number(size) !== total)
    ) {
      const message = `${url} changed while it was being loaded`;
      throw new PiqueError('MODEL_CHANGED', message, { url, status });
    }
    if (!whole && (Number(part?.[1]) !== from || Number(part?.[2]) !== to)) {
      const message = `${url} answered other bytes than the asked ${from} to ${to}`;
      throw new PiqueError('HTTP', message, { url, status });
    }
  } catch (error) {
    reader.close();
    throw error;
  }
  return { reader, whole };
}
