/** The plane of the map: where each film stands, in parts of width and height, and which is near a point. */
import { type Film, mainGenre } from './films.ts';

export interface Point {
  x: number;
  y: number;
}
export interface Place extends Point {
  film: Film;
}
/** What the build writes: pairs of whole numbers from 0 to `size`, in the order of the films. */
export interface MapFile {
  size: number;
  points: (number | null)[];
}
export interface Region extends Point {
  genre: string;
}

/** Genres are named where most of their films stand, on a grid of so many cells a side. */
const CELLS = 9;
const NAMED_GENRES = 11;
/** Room at the edges, as a part of the side. */
const MARGIN = 0.04;

export class Plane {
  readonly places: Place[];
  readonly byId: Map<string, Place>;
  readonly regions: Region[];

  constructor(films: Film[], { size, points }: MapFile) {
    const scale = (value: number) => MARGIN + (1 - 2 * MARGIN) * (value / size);
    this.places = films.flatMap((film, i) => {
      const [x, y] = [points[2 * i] ?? null, points[2 * i + 1] ?? null];
      return x === null || y === null ? [] : [{ film, x: scale(x), y: scale(y) }];
    });
    this.byId = new Map(this.places.map((place) => [place.film.id, place]));
    this.regions = nameRegions(this.places);
  }

  /** The nearest of `among` within `reach` of a point; all in pixels of a map of that width and height. */
  nearest(point: Point, reach: number, width: number, height: number, among: Iterable<Place>) {
    let best: Place | undefined;
    let least = reach ** 2;
    for (const place of among) {
      const distance = (place.x * width - point.x) ** 2 + (place.y * height - point.y) ** 2;
      if (distance <= least) {
        least = distance;
        best = place;
      }
    }
    return best;
  }

  /** The middle of some films, by their weights; undefined when none of them stands on the map. */
  middle(films: { id: string; weight: number }[]): Point | undefined {
    let [x, y, sum] = [0, 0, 0];
    for (const { id, weight } of films) {
      const place = this.byId.get(id);
      if (!place) continue;
      x += weight * place.x;
      y += weight * place.y;
      sum += weight;
    }
    return sum > 0 ? { x: x / sum, y: y / sum } : undefined;
  }
}

/** The names of the most common genres, each in the middle of its fullest cell, none on top of another. */
function nameRegions(places: Place[]): Region[] {
  const genres = new Map<string, Place[]>();
  for (const place of places) {
    if (!place.film.genre) continue;
    const genre = mainGenre(place.film);
    genres.set(genre, [...(genres.get(genre) ?? []), place]);
  }
  const common = [...genres].sort((a, b) => b[1].length - a[1].length).slice(0, NAMED_GENRES);
  const regions: Region[] = [];
  for (const [genre, members] of common) {
    const { x, y } = fullestCell(members);
    const apart = (other: Region) => Math.abs(other.x - x) > 0.13 || Math.abs(other.y - y) > 0.06;
    if (regions.every(apart)) regions.push({ genre, x, y });
  }
  return regions;
}

function fullestCell(members: Place[]): Point {
  const cells = new Map<string, Place[]>();
  for (const place of members) {
    const key = `${Math.floor(place.x * CELLS)} ${Math.floor(place.y * CELLS)}`;
    cells.set(key, [...(cells.get(key) ?? []), place]);
  }
  const fullest = [...cells.values()].sort((a, b) => b.length - a.length)[0] ?? [];
  const mean = (axis: 'x' | 'y') => fullest.reduce((sum, p) => sum + p[axis], 0) / fullest.length;
  return { x: mean('x'), y: mean('y') };
}
