/** The catalogue: titles for the ids that the model knows, and the search over them. */

export interface Film {
  id: string;
  title: string;
  year: number | null;
  /** Several are joined by "|". */
  genre: string | null;
  director: string | null;
}

export interface Catalogue {
  /** The most popular first. */
  films: Film[];
  byId: Map<string, Film>;
  search(text: string, limit: number): Film[];
}

export async function fetchFilms(url: string): Promise<Film[]> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return (await response.json()) as Film[];
}

export function makeCatalogue(films: Film[]): Catalogue {
  const entries = films.map((film) => ({
    film,
    title: fold(film.title),
    words: fold(`${film.title} ${film.director ?? ''} ${film.year ?? ''}`).split(' '),
  }));
  return {
    films,
    byId: new Map(films.map((film) => [film.id, film])),
    search(text, limit) {
      const wanted = fold(text);
      if (!wanted) return [];
      const parts = wanted.split(' ');
      const found = entries.filter(({ words }) =>
        parts.every((part) => words.some((word) => word.startsWith(part))),
      );
      // Titles that begin with the text come first; within both groups the popular ones.
      const begins = found.filter(({ title }) => title.startsWith(wanted));
      const others = found.filter(({ title }) => !title.startsWith(wanted));
      return [...begins, ...others].slice(0, limit).map(({ film }) => film);
    },
  };
}

/** Lower case, without accents and punctuation. */
export function fold(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/['’]/g, '')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

/** "1986 · Action" */
export function filmLine(film: Film): string {
  return [film.year, film.genre && mainGenre(film)].filter(Boolean).join(' · ');
}

/** The first of genres such as "Action|Thriller". */
export function mainGenre(film: Film): string {
  return film.genre?.split('|')[0] || 'Film';
}
