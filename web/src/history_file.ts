/** The history as a file that its owner takes along. */
import { PiqueError } from './errors.ts';
import { checkEvent } from './event.ts';
import type { HistoryEvent } from './types.ts';

const FORMAT = 'pique-history';

export function toFile(events: HistoryEvent[]): Blob {
  const text = JSON.stringify({ format: FORMAT, version: 1, events });
  return new Blob([text], { type: 'application/json' });
}

/**
 * All of its events.
 *
 * @throws PiqueError `ARGUMENT`
 */
export async function parseFile(file: unknown): Promise<HistoryEvent[]> {
  if (typeof (file as Blob | undefined)?.text !== 'function') {
    throw new PiqueError('ARGUMENT', 'import takes a Blob, such as a file');
  }
  const text = await (file as Blob).text();
  let parsed: { format?: unknown; version?: unknown; events?: unknown } | null;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = null;
  }
  if (parsed?.format !== FORMAT || parsed.version !== 1 || !Array.isArray(parsed.events)) {
    throw new PiqueError('ARGUMENT', 'This is no exported history');
  }
  return parsed.events.map((event, i) => checkEvent(event, `Event ${i}`));
}

/** The events that have to go when no more than `most` are kept: the oldest ones, hidden items last. */
export function surplus(events: HistoryEvent[], most: number): HistoryEvent[] {
  const isHidden = ({ type }: HistoryEvent) => Number(type === 'hide');
  return [...events]
    .sort((a, b) => isHidden(a) - isHidden(b))
    .slice(0, Math.max(events.length - most, 0));
}
