/** The switch between the order of retrieval and that of the ranker; without a ranker it is not there. */
import type { ModelInfo } from 'pique';
import { byId } from './dom.ts';

/** How many films the ranker is given. */
export const RETRIEVED = 100;

export interface RankSwitch {
  /** Whether the visitor wants the ranker's order. */
  wanted(): boolean;
  /** Shows the switch where it has something to change. */
  show(useful: boolean): void;
}

export function makeRankSwitch(info: ModelInfo, changed: () => void): RankSwitch {
  const { ranker } = info;
  if (!ranker) return { wanted: () => false, show() {} };
  const [first, second] = [info.model.toUpperCase(), ranker.model.toUpperCase()];
  const input = byId<HTMLInputElement>('rank');
  const explain = () => {
    const two = `${first} retrieves ${RETRIEVED} films, ${second} puts them in order.`;
    const one = `${first} alone: the films closest to one of your interests come first.`;
    byId('rank-hint').textContent = input.checked ? two : one;
  };
  byId('rank-label').textContent = `Ranked by ${second}`;
  explain();
  input.addEventListener('change', () => {
    explain();
    changed();
  });
  return {
    wanted: () => input.checked,
    show(useful) {
      byId('rank-switch').hidden = !useful;
      byId('rank-hint').hidden = !useful;
    },
  };
}
