/** Painting the map: the catalogue as it is on one canvas, the visitor's part of it on another above. */
import { mainGenre } from './films.ts';
import type { Place, Plane, Point } from './map_plane.ts';
import { genreHue } from './shelf.ts';

export interface Palette {
  dark: boolean;
  paper: string;
  ink: string;
  soft: string;
  /** Of an interest. */
  tone(interest: number): string;
}

export interface Found extends Place {
  interest: number;
  because: string[];
}
export interface Centre extends Point {
  number: number;
  fed: Place[];
}
export interface Shown {
  liked: Place[];
  found: Found[];
  centres: Centre[];
}
/** What is looked at: a film, or an interest. */
export interface Focus {
  film?: string | undefined;
  interest?: number | undefined;
}

/** Clears the canvas for its present size on the screen, and gives the size. */
export function prepare(canvas: HTMLCanvasElement): {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
} {
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const { clientWidth: width, clientHeight: height } = canvas;
  const density = Math.min(devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  context.scale(density, density);
  return { context, width, height };
}

export function paintCatalogue(canvas: HTMLCanvasElement, plane: Plane, palette: Palette): void {
  const { context, width, height } = prepare(canvas);
  const radius = width < 500 ? 1.3 : 1.9;
  for (const { film, x, y } of plane.places) {
    const light = palette.dark ? 64 : 46;
    context.fillStyle = `hsl(${genreHue(mainGenre(film))} 46% ${light}% / ${palette.dark ? 0.5 : 0.42})`;
    disc(context, x * width, y * height, radius);
  }
  const size = width < 500 ? 11 : 13;
  context.font = `600 ${size}px ${getComputedStyle(canvas).fontFamily}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineWidth = 4;
  context.lineJoin = 'round';
  context.strokeStyle = palette.paper;
  context.fillStyle = palette.soft;
  for (const { genre, x, y } of plane.regions) {
    const half = context.measureText(genre).width / 2 + 6;
    const left = Math.max(half, Math.min(width - half, x * width));
    context.strokeText(genre, left, y * height);
    context.fillText(genre, left, y * height);
  }
}

export function paintVisitor(
  canvas: HTMLCanvasElement,
  { liked, found, centres }: Shown,
  palette: Palette,
  focus: Focus,
): void {
  const { context, width, height } = prepare(canvas);
  const at = ({ x, y }: Point): [number, number] => [x * width, y * height];
  const inFocus = (interest: number, films: string[]) =>
    (focus.interest === undefined || focus.interest === interest) &&
    (focus.film === undefined || films.includes(focus.film));
  const any = focus.film !== undefined || focus.interest !== undefined;
  const strength = (on: boolean) => (on || !any ? 1 : 0.13);
  for (const centre of centres) {
    const tone = palette.tone(centre.number);
    for (const place of centre.fed) {
      context.globalAlpha = 0.75 * strength(inFocus(centre.number, [place.film.id]));
      line(context, at(place), at(centre), tone, [3, 4]);
    }
    const own = found.filter(({ interest }) => interest === centre.number);
    for (const place of own) {
      context.globalAlpha = 0.55 * strength(inFocus(centre.number, [place.film.id]));
      line(context, at(centre), at(place), tone, []);
    }
  }
  for (const place of found) {
    context.globalAlpha = strength(inFocus(place.interest, [place.film.id]));
    const radius = place.film.id === focus.film ? 9 : 5.5;
    ring(context, at(place), radius, palette.tone(place.interest), palette.paper);
  }
  for (const place of liked) {
    const feeds = centres.some(
      ({ number, fed }) => number === focus.interest && fed.includes(place),
    );
    const on = focus.interest === undefined ? focus.film === place.film.id : feeds;
    context.globalAlpha = strength(on);
    ring(context, at(place), place.film.id === focus.film ? 9 : 6.5, palette.paper, palette.ink);
  }
  context.globalAlpha = 1;
}

function disc(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function ring(
  context: CanvasRenderingContext2D,
  [x, y]: [number, number],
  radius: number,
  inside: string,
  edge: string,
): void {
  context.fillStyle = edge;
  disc(context, x, y, radius + 2);
  context.fillStyle = inside;
  disc(context, x, y, radius);
}

function line(
  context: CanvasRenderingContext2D,
  from: [number, number],
  to: [number, number],
  colour: string,
  dash: number[],
): void {
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
  context.setLineDash([]);
}
