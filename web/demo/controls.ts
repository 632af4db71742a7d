/** The switches beside the shelf: each changes the question to the model and nothing else. */
import type { ModelInfo } from 'pique';
import { byId, make } from './dom.ts';
import { makeRankSwitch, type RankSwitch } from './rank_switch.ts';

export type FileForm = 'full' | 'compact';

export interface Wanted {
  /** The ranker's order. */
  rank: boolean;
  /** Films of so many of the strongest interests. */
  interests: number;
  /** 0..1: at 1 a film that is like one above it falls by all that lies between the first score and the last. */
  diversity: number;
  form: FileForm;
}

/** What is told about a form of the model. */
export interface FormFacts {
  bytes: number;
  opened: number;
}

export class Controls {
  readonly #rank: RankSwitch;
  readonly #diversity = byId<HTMLInputElement>('diversity');
  readonly #most: number;
  #interests: number;
  #form: FileForm = 'full';

  constructor(
    info: ModelInfo,
    forms: Record<FileForm, FormFacts | undefined>,
    changed: () => void,
  ) {
    this.#rank = makeRankSwitch(info, changed);
    this.#most = info.interests;
    this.#interests = info.interests;
    this.#choices(changed);
    this.#files(forms, changed);
    this.#diversity.addEventListener('input', () => this.#showDiversity());
    this.#diversity.addEventListener('change', changed);
    this.#showDiversity();
  }

  wanted(): Wanted {
    return {
      rank: this.#rank.wanted(),
      interests: this.#interests,
      diversity: this.#diversity.valueAsNumber / 100,
      form: this.#form,
    };
  }

  /** Only what has something to change can be operated. */
  show(personal: boolean): void {
    this.#rank.show(personal);
    byId('controls').dataset.personal = String(personal);
    for (const input of byId('controls').querySelectorAll('input')) input.disabled = !personal;
  }

  showTiming(text: string): void {
    byId('timing').textContent = text;
  }

  #choices(changed: () => void): void {
    const numbers = Array.from({ length: this.#most }, (_, i) => i + 1);
    byId('interest-count').replaceChildren(
      ...numbers.map((number) => {
        const label = number === this.#most ? 'all' : String(number);
        return makeChoice('interest-count', label, number === this.#most, () => {
          this.#interests = number;
          changed();
        });
      }),
    );
    byId('interest-control').hidden = this.#most < 2;
  }

  #files(forms: Record<FileForm, FormFacts | undefined>, changed: () => void): void {
    const { full, compact } = forms;
    byId('file-control').hidden = !(full && compact);
    if (!full || !compact) return;
    const tell = () => {
      const { bytes, opened } = this.#form === 'full' ? full : compact;
      byId('file-hint').textContent =
        `${(bytes / 1000).toFixed(1)} kB on the way; fetched and opened in ${opened.toFixed(0)} ms. Both came before the seal.`;
    };
    const names: [FileForm, string][] = [
      ['full', 'int8'],
      ['compact', 'PQ codes'],
    ];
    byId('file-form').replaceChildren(
      ...names.map(([form, name]) =>
        makeChoice('file-form', name, form === 'full', () => {
          this.#form = form;
          tell();
          changed();
        }),
      ),
    );
    tell();
  }

  #showDiversity(): void {
    const percent = this.#diversity.value;
    byId('diversity-value').textContent = percent === '0' ? 'off' : `${percent} %`;
  }
}

/** One of several that exclude each other. */
function makeChoice(name: string, text: string, on: boolean, act: () => void): HTMLLabelElement {
  const input = make('input', { type: 'radio', name });
  input.checked = on;
  input.addEventListener('change', act);
  return make('label', {}, input, make('span', {}, text));
}
