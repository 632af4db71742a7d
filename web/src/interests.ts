/** What the engine tells of interests, for people. */
import type { Shares } from './engine.ts';
import type { Interest } from './types.ts';

/** Together the items of {@link Interest.because} hold at least this part of the interest. */
const BECAUSE_SHARE = 0.8;

export function describeInterests({ ids, live, shares }: Shares): Interest[] {
  return interestWeights(shares, live, ids.length).map((weight, k) => {
    const row = shares.subarray(k * ids.length, (k + 1) * ids.length);
    return { weight, ...strongest(row, ids) };
  });
}

/** How much of the history each interest holds: every item counts one, divided by its shares. */
function interestWeights(shares: Float32Array, live: number, count: number): number[] {
  const weights = new Array<number>(live).fill(0);
  for (let j = 0; j < count; j++) {
    let column = 0;
    for (let k = 0; k < live; k++) column += shares[k * count + j] as number;
    for (let k = 0; k < live && column > 0; k++) {
      weights[k] = (weights[k] as number) + (shares[k * count + j] as number) / column;
    }
  }
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  return all > 0 ? weights.map((weight) => weight / all) : weights;
}

function strongest(row: Float32Array, ids: string[]): Pick<Interest, 'because' | 'shares'> {
  const byId = new Map<string, number>();
  row.forEach((share, j) => {
    const id = ids[j] as string;
    byId.set(id, (byId.get(id) ?? 0) + share);
  });
  const ranked = [...byId].filter(([, share]) => share > 0).sort((a, b) => b[1] - a[1]);
  const goal = BECAUSE_SHARE * ranked.reduce((sum, [, share]) => sum + share, 0);
  let sum = 0;
  const top = ranked.filter(([, share]) => {
    const wanted = sum < goal;
    sum += share;
    return wanted;
  });
  return { because: top.map(([id]) => id), shares: top.map(([, share]) => share) };
}
