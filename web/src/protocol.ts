/** What page and worker say to each other. Answers carry the number of their request. */
import type { PlainError } from './errors.ts';
import type { Operation, Operations } from './service.ts';

export interface Request<O extends Operation = Operation> {
  id: number;
  op: O;
  input: Operations[O]['in'];
}

/** The worker's first message: its script runs and listens. */
export interface Hello {
  hello: 'pique';
}

export type Answer =
  | { id: number; output: Operations[Operation]['out'] }
  | { id: number; error: PlainError };

export function isHello(data: unknown): data is Hello {
  return (data as Hello | undefined)?.hello === 'pique';
}
