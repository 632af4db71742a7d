/** What every entry of the package offers besides `load`. */
export { PiqueError, type PiqueErrorCode } from './errors.ts';
export { MemoryHistory, openHistory } from './history.ts';
export type {
  Filter,
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
