/** The map: the catalogue on a plane, with the visitor's films, their interests, and what those found. */
import { byId, make } from './dom.ts';
import { type Film, filmLine } from './films.ts';
import type { Fed } from './interest_list.ts';
import {
  type Centre,
  type Focus,
  type Palette,
  paintCatalogue,
  paintVisitor,
  type Shown,
} from './map_paint.ts';
import { type MapFile, type Place, Plane } from './map_plane.ts';
import { interestClass } from './shelf.ts';

interface Visitor {
  liked: string[];
  found: { id: string; interest: number; because: string[] }[];
  interests: { number: number; name: string; fed: Fed[] }[];
}

/** Pixels within which a film is meant; a finger is thicker. */
const REACH = { mouse: 14, touch: 24 };
/** Films that take less than this part of an interest are not joined to it. */
const LEAST_SHARE = 0.08;

export class InterestMap {
  readonly #plane: Plane;
  readonly #frame = byId('map-frame');
  readonly #below = byId<HTMLCanvasElement>('map-catalogue');
  readonly #above = byId<HTMLCanvasElement>('map-visitor');
  readonly #marks = byId('map-marks');
  readonly #tip = byId('map-tip');
  #shown: Shown = { liked: [], found: [], centres: [] };
  #names = new Map<number, string>();
  #focus: Focus = {};
  /** An interest that was chosen to be alone. */
  #pinned: number | undefined;
  #choose: (film: Film) => void = () => {};

  constructor(films: Film[], file: MapFile) {
    this.#plane = new Plane(films, file);
    new ResizeObserver(() => this.#paint()).observe(this.#frame);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#paint());
    this.#frame.addEventListener('pointermove', (event) => this.#point(event));
    this.#frame.addEventListener('pointerleave', () => this.#look({}));
    this.#frame.addEventListener('click', (event) => this.#click(event as PointerEvent));
  }

  /** What a click on a film does. */
  choose(act: (film: Film) => void): void {
    this.#choose = act;
  }

  show({ liked, found, interests }: Visitor): void {
    const placeOf = (id: string) => this.#plane.byId.get(id) ?? [];
    this.#names = new Map(interests.map(({ number, name }) => [number, name]));
    if (this.#pinned !== undefined && !this.#names.has(this.#pinned)) this.#pinned = undefined;
    const centres: Centre[] = interests.flatMap(({ number, fed }) => {
      const weighed = fed.map(({ film, share }) => ({ id: film.id, weight: share }));
      const middle = this.#plane.middle(weighed);
      const joined = fed.filter(({ share }) => share >= LEAST_SHARE);
      return middle ? [{ number, ...middle, fed: joined.flatMap((f) => placeOf(f.film.id)) }] : [];
    });
    this.#shown = {
      liked: liked.flatMap(placeOf),
      found: found.flatMap((one) =>
        [placeOf(one.id)].flat().map((place) => ({ ...place, ...one })),
      ),
      centres,
    };
    this.#marks.replaceChildren(...centres.map((centre) => this.#mark(centre)));
    this.#moveApart();
    this.#above.setAttribute('aria-label', this.#describe());
    byId('map-legend').hidden = liked.length === 0;
    this.#look({});
  }

  /** A film card of the shelf that shows its place here. */
  followFilm(element: HTMLElement, film: string): void {
    for (const type of ['pointerenter', 'focusin']) {
      element.addEventListener(type, () => this.#look({ film }));
    }
    for (const type of ['pointerleave', 'focusout']) {
      element.addEventListener(type, () => this.#look({}));
    }
  }

  /** An interest of the list beside the map; its button shows it alone until it is pressed again. */
  followInterest(element: HTMLElement, interest: number): void {
    const button = element.querySelector('button');
    button?.setAttribute('aria-pressed', String(this.#pinned === interest));
    for (const type of ['pointerenter', 'focusin']) {
      element.addEventListener(type, () => this.#look({ interest }));
    }
    for (const type of ['pointerleave', 'focusout']) {
      element.addEventListener(type, () => this.#look({}));
    }
    button?.addEventListener('click', () => {
      this.#pinned = this.#pinned === interest ? undefined : interest;
      for (const other of byId('interests').querySelectorAll('button')) {
        other.setAttribute('aria-pressed', String(other === button && this.#pinned === interest));
      }
      this.#look({});
    });
  }

  #mark({ number, x, y }: Centre): HTMLElement {
    const place = `left: ${(100 * x).toFixed(2)}%; top: ${(100 * y).toFixed(2)}%`;
    return make(
      'span',
      { class: `mark${interestClass(number)}`, style: place, 'data-interest': String(number) },
      this.#names.get(number) ?? '',
    );
  }

  /** Marks below each other where they would cover one another, and none beyond the edge. */
  #moveApart(): void {
    const { left, width } = this.#frame.getBoundingClientRect();
    const placed: DOMRect[] = [];
    for (const mark of this.#marks.children as HTMLCollectionOf<HTMLElement>)
      mark.style.translate = '';
    const marks = [...this.#marks.children] as HTMLElement[];
    const sorted = marks.sort((a, b) => a.offsetTop - b.offsetTop);
    for (const mark of sorted) {
      const box = mark.getBoundingClientRect();
      const aside = Math.max(left + 4 - box.left, 0) + Math.min(left + width - 4 - box.right, 0);
      let down = 0;
      for (const other of placed) {
        const crossing = box.left + aside < other.right && other.left < box.right + aside;
        if (crossing && box.top + down < other.bottom + 3) down = other.bottom + 3 - box.top;
      }
      mark.style.translate = `${aside}px ${down}px`;
      placed.push(mark.getBoundingClientRect());
    }
  }

  #describe(): string {
    const { liked, found, centres } = this.#shown;
    const all = `Map of ${this.#plane.places.length} films.`;
    if (liked.length === 0) return `${all} Films that are liked by the same people stand together.`;
    return `${all} On it ${liked.length} films of yours, ${centres.length} interests and ${found.length} recommendations, which the list of interests names.`;
  }

  /** `focus` for as long as something is pointed at. */
  #look(focus: Focus): void {
    const none = focus.film === undefined && focus.interest === undefined;
    this.#focus = none ? { interest: this.#pinned } : focus;
    if (focus.film === undefined) this.#tip.hidden = true;
    for (const mark of this.#marks.children as HTMLCollectionOf<HTMLElement>) {
      const { interest } = this.#focus;
      const other = interest !== undefined && String(interest) !== mark.dataset.interest;
      mark.classList.toggle('faint', other);
    }
    paintVisitor(this.#above, this.#shown, this.#palette(), this.#focus);
  }

  #paint(): void {
    if (this.#frame.clientWidth === 0) return; // not shown yet
    const palette = this.#palette();
    this.#moveApart();
    paintCatalogue(this.#below, this.#plane, palette);
    paintVisitor(this.#above, this.#shown, palette, this.#focus);
  }

  /** Canvases know no custom properties: the colours of now, as the style sheet has them. */
  #palette(): Palette {
    const style = getComputedStyle(this.#frame);
    const tones = [...byId('map-tones').children].map((probe) => getComputedStyle(probe).color);
    return {
      dark: matchMedia('(prefers-color-scheme: dark)').matches,
      paper: style.backgroundColor,
      ink: style.color,
      soft: getComputedStyle(this.#tip).color,
      tone: (interest) => tones[Math.max(interest, 0) % tones.length] ?? style.color,
    };
  }

  #under(event: PointerEvent): Place | undefined {
    const box = this.#frame.getBoundingClientRect();
    const point = { x: event.clientX - box.left, y: event.clientY - box.top };
    const reach = event.pointerType === 'touch' ? REACH.touch : REACH.mouse;
    const near = (among: Place[], within: number) =>
      this.#plane.nearest(point, within, box.width, box.height, among);
    const own = near([...this.#shown.liked, ...this.#shown.found], reach);
    return own ?? near(this.#plane.places, reach / 2);
  }

  #point(event: PointerEvent): void {
    const place = this.#under(event);
    this.#frame.style.cursor = place ? 'pointer' : '';
    if (!place) {
      this.#look({});
      return;
    }
    const own = [...this.#shown.liked, ...this.#shown.found].some(
      ({ film }) => film.id === place.film.id,
    );
    this.#look(own ? { film: place.film.id } : {});
    this.#showTip(place);
  }

  #click(event: PointerEvent): void {
    const place = this.#under(event);
    if (!place) return;
    // A finger has to see first what it is on.
    const seen = this.#tip.dataset.film === place.film.id && !this.#tip.hidden;
    if (event.pointerType === 'touch' && !seen) this.#point(event);
    else this.#choose(place.film);
  }

  #showTip({ film, x, y }: Place): void {
    this.#tip.dataset.film = film.id;
    this.#tip.replaceChildren(
      make('strong', {}, film.title),
      make('span', {}, filmLine(film)),
      make('span', {}, this.#why(film)),
    );
    this.#tip.style.cssText = `left: ${100 * x}%; top: ${100 * y}%`;
    this.#tip.classList.toggle('left', x > 0.6);
    this.#tip.classList.toggle('up', y > 0.6);
    this.#tip.hidden = false;
  }

  #why(film: Film): string {
    const found = this.#shown.found.find((place) => place.film.id === film.id);
    if (found) {
      const because = found.because.length
        ? `, because you like ${found.because.join(' and ')}`
        : '';
      return `Recommended by your interest ${this.#names.get(found.interest) ?? ''}${because}`;
    }
    const liked = this.#shown.liked.some((place) => place.film.id === film.id);
    return liked ? 'You like it: click to take it back' : 'Click to like it';
  }
}
