/** What an event has to be. */
import { PiqueError } from './errors.ts';
import type { HistoryEvent } from './types.ts';

const TYPES = ['view', 'like', 'hide', 'buy'];

/** @throws PiqueError `ARGUMENT` */
export function checkEvent(event: unknown, what: string): HistoryEvent {
  const { id, type, at } = (event ?? {}) as Partial<HistoryEvent>;
  if (typeof id !== 'string' || !id || !TYPES.includes(type as string) || !Number.isFinite(at)) {
    const message = `${what} needs the id of an item, a type of ${TYPES.join(', ')}, and a time`;
    throw new PiqueError('ARGUMENT', message);
  }
  return { id, type, at } as HistoryEvent;
}
