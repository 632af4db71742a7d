/** What every entry of the package offers besides `load`. */
export { PiqueError, type PiqueErrorCode } from './errors.ts';
export { MemoryHistory } from './history.ts';
export type {
  HistoryEvent,
  HistoryStore,
  Interest,
  ItemId,
  LoadOptions,
  ModelInfo,
  ModelSource,
  Progress,
  Query,
  Reason,
  Recommendation,
  Recommender,
  Result,
} from './types.ts';
