/** The panel of `<pique-privacy>`, a part of its own that only pages with one fetch. */
import { adopt, make } from './element_markup.ts';
import type { StringKey } from './element_strings.ts';
import { remembered, type Store } from './engine_import.ts';
import { type Catalog, titleOf } from './item_catalog.ts';
import type { ChangeDetail } from './pique_privacy.ts';
import { PANEL } from './privacy_styles.ts';

export { panelStrings } from './privacy_strings.ts';

/** What the element around the panel gives it. */
interface Around {
  say(key: StringKey, values?: Record<string, string>): string;
  locale(): string;
  direction(): string;
  done(action: ChangeDetail['action']): void;
}

/** Rows shown at first, and with each wish for more. */
const PAGE = 50;

export class Panel {
  readonly #store: Store;
  readonly #catalog: Catalog | undefined;
  readonly #around: Around;
  #limit = PAGE;

  readonly #frame = make('section', { part: 'frame', 'aria-labelledby': 'heading' });
  readonly #heading = make('h2', { part: 'heading', id: 'heading', tabindex: '-1' });
  readonly #about = make('p', { part: 'about' });
  readonly #stays = make('p', { part: 'about' });
  readonly #remember = make('input', { type: 'checkbox', role: 'switch', part: 'switch' });
  readonly #rememberLabel = make('span');
  readonly #switch = make('label', { class: 'switch' }, this.#remember, this.#rememberLabel);
  readonly #count = make('p', { part: 'count' });
  readonly #rows = make('ul', {
    part: 'rows',
    class: 'rows',
    role: 'list',
    'aria-labelledby': 'heading',
  });
  readonly #more = this.#button('more', () => this.#showMore());
  readonly #export = this.#button('export', () => this.#save());
  readonly #import = this.#button('import', () => this.#file.click());
  readonly #file = make('input', { type: 'file', accept: '.json,application/json', hidden: '' });
  readonly #clear = this.#button('clear', () => this.#ask(true));
  readonly #sure = make('p', { id: 'sure' });
  readonly #yes = this.#button('yes', () => this.#clearAll());
  readonly #no = this.#button('no', () => this.#ask(false));
  readonly #question = make(
    'div',
    { part: 'question', role: 'group', 'aria-labelledby': 'sure', hidden: '' },
    this.#sure,
    make('div', { class: 'tools' }, this.#yes, this.#no),
  );
  readonly #status = make('p', { part: 'status', role: 'status' });

  constructor(store: Store, catalog: Catalog | undefined, around: Around) {
    this.#store = store;
    this.#catalog = catalog;
    this.#around = around;
    const tools = make(
      'div',
      { part: 'tools', class: 'tools' },
      ...[this.#export, this.#import, this.#file, this.#clear],
    );
    this.#frame.append(
      ...[
        this.#heading,
        this.#about,
        this.#stays,
        this.#switch,
        this.#count,
        this.#rows,
        this.#more,
      ],
      ...[tools, this.#question, this.#status],
    );
    this.#remember.addEventListener('change', () => this.#pause(!this.#remember.checked));
    this.#file.addEventListener('change', () => this.#read());
    this.#question.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#ask(false);
    });
    this.#rows.addEventListener('click', (event) => {
      const id = (event.target as Element).closest('button')?.dataset.id;
      if (id !== undefined) this.#try(this.#remove(id));
    });
  }

  open(root: ShadowRoot): void {
    adopt(root, PANEL);
    root.append(this.#frame);
  }

  close(): void {
    this.#frame.remove();
  }

  /** Shows what is remembered now, in the language of now. */
  async renew(): Promise<void> {
    const store = this.#store;
    this.#words();
    const items = [...remembered(await store.list()).values()].reverse();
    this.#count.textContent =
      items.length > 0 ? this.#number('count', items.length) : this.#say('empty');
    this.#clear.disabled = this.#export.disabled = items.length === 0;
    this.#more.hidden = items.length <= this.#limit;
    this.#remember.checked = !store.paused;
    this.#place(items.slice(0, this.#limit).map((event) => this.#row(event)));
  }

  /** All that is said, in the language of now. */
  #words(): void {
    const store = this.#store;
    this.#frame.dir = this.#around.direction();
    const texts: [HTMLElement, StringKey][] = [
      ...([
        [this.#heading, 'heading'],
        [this.#about, 'about'],
      ] as [HTMLElement, StringKey][]),
      ...([
        [this.#rememberLabel, 'remember'],
        [this.#sure, 'sure'],
      ] as [HTMLElement, StringKey][]),
      ...([
        [this.#more, 'more'],
        [this.#export, 'export'],
      ] as [HTMLElement, StringKey][]),
      ...([
        [this.#import, 'import'],
        [this.#clear, 'clear'],
      ] as [HTMLElement, StringKey][]),
      ...([
        [this.#yes, 'yes'],
        [this.#no, 'no'],
      ] as [HTMLElement, StringKey][]),
      [this.#stays, store.persistent ? 'stays' : 'goes'],
    ];
    for (const [element, key] of texts) element.textContent = this.#say(key);
    this.#switch.hidden = !store.pause;
    this.#export.hidden = !store.export;
    this.#import.hidden = !store.import;
  }

  #say(key: StringKey, values?: Record<string, string>): string {
    return this.#around.say(key, values);
  }

  #number(key: StringKey, n: number): string {
    return this.#say(key, { n: n.toLocaleString(this.#around.locale()) });
  }

  #button(part: StringKey, act: () => void | Promise<void>): HTMLButtonElement {
    const button = make('button', { type: 'button', part: `button ${part}` });
    button.addEventListener('click', () => this.#try(act()));
    return button;
  }

  #try(work: void | Promise<void>): void {
    work?.catch(() => {
      this.#status.textContent = this.#say('failed');
    });
  }

  #row({ id, type, at }: { id: string; type: string; at: number }): HTMLElement {
    const title = titleOf(this.#catalog, id);
    const names = { like: 'liked', hide: 'hidden', buy: 'buy', view: 'view' } as const;
    const done = this.#say(names[type as keyof typeof names]);
    const time = make('time', Number.isFinite(at) ? { datetime: new Date(at).toISOString() } : {});
    if (Number.isFinite(at)) {
      const format = { dateStyle: 'medium', timeStyle: 'short' } as const;
      time.textContent = new Date(at).toLocaleString(this.#around.locale(), format);
    }
    const button = make(
      'button',
      { type: 'button', part: 'button remove', 'aria-label': this.#say('remove', { title }) },
      '✕',
    );
    button.dataset.id = id;
    const name = make('bdi', { part: 'title' }, title);
    return make(
      'li',
      { part: 'row' },
      make('span', {}, name, make('small', { part: 'when' }, `${done} · `, time)),
      button,
    );
  }

  /** Rows anew; the button that had the focus has it again, or the one in its place. */
  #place(rows: HTMLElement[]): void {
    const focused = (this.#rows.getRootNode() as Document | ShadowRoot)
      .activeElement as HTMLElement | null;
    const buttons = () => [...this.#rows.querySelectorAll('button')];
    const at = buttons().indexOf(focused as HTMLButtonElement);
    this.#rows.replaceChildren(...rows);
    if (at < 0) return;
    const same = buttons().find((button) => button.dataset.id === focused?.dataset.id);
    const next = same ?? buttons()[Math.min(at, rows.length - 1)] ?? this.#heading;
    next.focus({ preventScroll: true });
  }

  #done(action: ChangeDetail['action'], told: string): void {
    this.#status.textContent = told;
    this.#around.done(action);
  }

  async #remove(id: string): Promise<void> {
    await this.#store.remove(id);
    await this.renew();
    this.#done('remove', this.#say('didRemove', { title: titleOf(this.#catalog, id) }));
  }

  /** Shows more, and goes on with the first that is new. */
  async #showMore(): Promise<void> {
    const first = this.#limit;
    this.#limit += PAGE;
    await this.renew();
    this.#rows.querySelectorAll('button')[first]?.focus();
  }

  #pause(on: boolean): void {
    this.#store.pause?.(on);
    this.#done(on ? 'pause' : 'resume', this.#say(on ? 'didPause' : 'didResume'));
  }

  async #save(): Promise<void> {
    const file = await this.#store.export?.();
    if (!file) return;
    const href = URL.createObjectURL(file);
    make('a', { href, download: 'pique-history.json' }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
    this.#done('export', this.#say('didExport'));
  }

  async #read(): Promise<void> {
    const file = this.#file.files?.[0];
    this.#file.value = ''; // the same file may be chosen again
    if (!file) return;
    try {
      const added = (await this.#store.import?.(file)) ?? 0;
      await this.renew();
      this.#done('import', this.#number('didImport', added));
    } catch {
      this.#status.textContent = this.#say('badFile');
    }
  }

  #ask(open: boolean): void {
    this.#question.hidden = !open;
    (open ? this.#no : this.#clear).focus();
  }

  async #clearAll(): Promise<void> {
    await this.#store.clear();
    await this.renew();
    this.#question.hidden = true;
    this.#heading.focus();
    this.#done('clear', this.#say('didClear'));
  }
}
