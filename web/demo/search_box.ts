/** The search field: an ARIA combobox with a list of films below it. */
import { byId, make } from './dom.ts';
import { type Catalogue, type Film, filmLine } from './films.ts';

const LIMIT = 8;

export interface SearchBox {
  enable(): void;
}

/** `liked` tells which films are ticked; `choose` is called with the film that was picked. */
export function makeSearchBox(
  catalogue: Catalogue,
  liked: (id: string) => boolean,
  choose: (film: Film) => void,
): SearchBox {
  const input = byId<HTMLInputElement>('search-input');
  const list = byId('search-list');
  let found: Film[] = [];
  let active = -1;

  const show = (open: boolean) => {
    list.hidden = !open;
    input.setAttribute('aria-expanded', String(open));
    if (!open) activate(-1);
  };

  const activate = (index: number) => {
    list.children[active]?.setAttribute('aria-selected', 'false');
    active = index;
    const option = list.children[index];
    if (!option || option.getAttribute('role') !== 'option') {
      active = -1;
      input.removeAttribute('aria-activedescendant');
      return;
    }
    option.setAttribute('aria-selected', 'true');
    option.scrollIntoView({ block: 'nearest' });
    input.setAttribute('aria-activedescendant', option.id);
  };

  const pick = (index: number) => {
    const film = found[index];
    if (!film) return;
    input.value = '';
    show(false);
    choose(film);
  };

  const update = () => {
    found = catalogue.search(input.value, LIMIT);
    const options = found.map((film, index) => {
      const mark = liked(film.id) ? make('span', { class: 'tick' }, 'liked') : null;
      const option = make(
        'li',
        { role: 'option', id: `option-${index}`, 'aria-selected': 'false' },
        make('span', { class: 'option-title' }, film.title),
        make('span', { class: 'option-line' }, filmLine(film)),
        mark,
      );
      option.addEventListener('pointerdown', (event) => event.preventDefault());
      option.addEventListener('click', () => pick(index));
      return option;
    });
    const text = input.value.trim();
    const nothing = make(
      'li',
      { class: 'nothing', role: 'presentation' },
      `No film like “${text}”`,
    );
    list.replaceChildren(...(options.length ? options : [nothing]));
    active = -1;
    show(text !== '');
    if (found.length) activate(0);
  };

  const keys: Record<string, () => void> = {
    ArrowDown: () => (list.hidden ? update() : activate((active + 1) % found.length)),
    ArrowUp: () => activate((active - 1 + found.length) % found.length),
    Enter: () => pick(active),
    Escape: () => {
      if (list.hidden) input.value = '';
      show(false);
    },
  };

  input.addEventListener('input', update);
  input.addEventListener('focus', () => input.value.trim() && update());
  input.addEventListener('blur', () => show(false));
  input.addEventListener('keydown', (event) => {
    const act = keys[event.key];
    if (!act || event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
  return {
    enable() {
      input.disabled = false;
    },
  };
}
