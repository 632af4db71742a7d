/**
 * Recommendations for React: `useRecommendations(source, options)`. React is the page's own; on a server the hook
 * gives what it is given as `initial`, and loads nothing.
 *
 * @packageDocumentation
 * @module pique/react
 */
import type {
  HistoryEvent,
  ItemId,
  LoadOptions,
  ModelSource,
  Query,
  Recommendation,
  Recommender,
  Result,
} from 'pique';
import { useCallback, useEffect, useRef, useState } from 'react';
import { imports } from '../element/engine_import.ts';
import { identify, lease } from '../element/shared_models.ts';

export interface RecommendationOptions extends Omit<Query, 'signal'> {
  /** How to load the model; read when loading begins. */
  load?: Omit<LoadOptions, 'signal'>;
  /** What to show until there are results, on a server too. Empty unless given. */
  initial?: readonly Recommendation[];
  /** false: wait with loading, for example until the list is seen. */
  enabled?: boolean;
}

export interface Recommendations {
  status: 'loading' | 'ready' | 'failed';
  items: readonly Recommendation[];
  /** false while `initial` or popular items stand in. */
  personal: boolean;
  /** All of the last answer. */
  result: Result | undefined;
  /** Why `status` is `failed`: a PiqueError where the package raised it. The items of before stay. */
  error: unknown;
  recommender: Recommender | undefined;
  /** Adds to the history, `'view'` unless told otherwise; lists change with it. Before the model is there it does nothing. */
  record(id: ItemId, type?: HistoryEvent['type']): Promise<void>;
  /** Asks anew. */
  refresh(): void;
}

type Source = ModelSource | Recommender;
type Answer = Pick<Recommendations, 'status' | 'items' | 'personal' | 'result' | 'error'>;

const isRecommender = (source: Source): source is Recommender =>
  typeof (source as Recommender).recommend === 'function';

/** Two sources of the same key are the same model. */
function keyOf(
  source: Source | undefined,
  { ranker, history }: RecommendationOptions['load'] = {},
) {
  const name = (value: unknown) =>
    typeof value === 'object' && value !== null && !(value instanceof URL)
      ? identify(value)
      : value && String(value);
  return JSON.stringify([name(source), name(ranker), name(history)]);
}

/**
 * Recommendations of a model: an address or anything else that `load` takes, or a recommender of the page's own,
 * which the hook does not dispose of. Hooks with the same address share one model, which goes with the last of
 * them. They ask anew when the history changes or the options do; of a `filter` that is a function they do not see
 * that it has changed: `refresh()`.
 *
 * @param source - the model; undefined: not known yet
 * @example
 * const { items, record } = useRecommendations('/models/films.pique', { count: 6 });
 * return items.map(({ id }) => <Film key={id} id={id} onClick={() => record(id)} />);
 */
export function useRecommendations(
  source: Source | undefined,
  options: RecommendationOptions = {},
): Recommendations {
  const { load, initial, enabled = true, ...query } = options;
  const [recommender, setRecommender] = useState<Recommender>();
  const [turn, setTurn] = useState(0);
  const [answer, setAnswer] = useState<Answer>(() => ({
    status: 'loading',
    items: initial ?? [],
    personal: false,
    result: undefined,
    error: undefined,
  }));
  const latest = useRef({ source, load, query });
  useEffect(() => {
    latest.current = { source, load, query };
  });

  const key = keyOf(source, load);
  const wanted = enabled && source !== undefined;
  useEffect(() => {
    if (!wanted) return;
    return connect(latest.current.source as Source, key, latest.current.load, (state) => {
      if ('recommender' in state) setRecommender(state.recommender);
      else setAnswer((before) => ({ ...before, ...state }));
    });
  }, [key, wanted]);

  const asked = JSON.stringify(query);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked stands for the query, turn for another go
  useEffect(() => {
    if (!recommender) return;
    return follow(
      recommender,
      () => latest.current.query,
      (state) => setAnswer((before) => ({ ...before, ...state })),
    );
  }, [recommender, asked, turn]);

  const record = useCallback(
    async (id: ItemId, type: HistoryEvent['type'] = 'view') =>
      recommender?.history.add({ id, type }),
    [recommender],
  );
  const refresh = useCallback(() => setTurn((before) => before + 1), []);
  return { ...answer, recommender, record, refresh };
}

/** Takes the model for as long as the effect lives; effects that run twice in one task load it once. */
function connect(
  source: Source,
  key: string,
  options: RecommendationOptions['load'],
  tell: (state: { recommender: Recommender | undefined } | Partial<Answer>) => void,
): () => void {
  let over = false;
  const say: typeof tell = (state) => {
    if (!over) tell(state);
  };
  const held = isRecommender(source)
    ? { recommender: Promise.resolve(source), release() {} }
    : lease(key, async (signal) => (await imports.pique()).load(source, { ...options, signal }));
  say({ status: 'loading', error: undefined });
  held.recommender.then(
    (recommender) => say({ recommender }),
    (error) => say({ status: 'failed', error }),
  );
  return () => {
    say({ recommender: undefined });
    over = true;
    held.release();
  };
}

/** Asks now and with every change of the history; a newer question ends the one before. */
function follow(
  recommender: Recommender,
  query: () => Query,
  tell: (state: Partial<Answer>) => void,
): () => void {
  let current = new AbortController();
  const ask = async () => {
    current.abort();
    current = new AbortController();
    const { signal } = current;
    try {
      const result = await recommender.recommend({ ...query(), signal });
      const { items, personal } = result;
      if (!signal.aborted) tell({ status: 'ready', items, personal, result, error: undefined });
    } catch (error) {
      if (!signal.aborted) tell({ status: 'failed', error });
    }
  };
  const unsubscribe = recommender.history.subscribe(ask);
  void ask();
  return () => {
    unsubscribe();
    current.abort();
  };
}
