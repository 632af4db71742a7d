/** The demo page: pick films, see what the model makes of them. Everything happens on this device. */
import type { Recommender } from 'pique';
import { Controls } from './controls.ts';
import { byId } from './dom.ts';
import { showFailure } from './failure.ts';
import { type Catalogue, type Film, fetchFilms, makeCatalogue } from './films.ts';
import { InterestMap } from './interest_map.ts';
import { KeptHistory } from './kept_history.ts';
import {
  builtWith,
  loadCompact,
  loadFull,
  showFacts,
  showProvenance,
  showWorkerSeal,
} from './models.ts';
import { NetworkPanel } from './network_panel.ts';
import { keepOffline } from './offline.ts';
import { openPrivacy } from './privacy_choice.ts';
import { makeSearchBox } from './search_box.ts';
import { Visit } from './visit.ts';

/** The films that the model knows, in its order of popularity. */
async function matchTitles(pique: Recommender, films: Film[]): Promise<Catalogue> {
  const byId = new Map(films.map((film) => [film.id, film]));
  const query = { context: [], count: pique.info.items, rank: false };
  const { items } = await pique.recommend(query);
  return makeCatalogue(items.map(({ id }) => byId.get(id)).filter((film) => film !== undefined));
}

/** The plane that the films were laid out on; a page without it goes without a map. */
async function openMap(films: Film[]): Promise<InterestMap | undefined> {
  const address = builtWith('pique-map');
  const response = address ? await fetch(address).catch(() => undefined) : undefined;
  byId('map').hidden = !response?.ok;
  return response?.ok ? new InterestMap(films, await response.json()) : undefined;
}

async function main(): Promise<void> {
  const network = new NetworkPanel();
  network.watch();
  const history = await KeptHistory.open();
  const kept = keepOffline();
  const [full, films] = await Promise.all([loadFull(history), fetchFilms('films.json')]);
  const [compact, map] = await Promise.all([loadCompact(history), openMap(films)]);
  const { info } = full.pique;
  showFacts(info);
  showProvenance(info);
  const catalogue = await matchTitles(full.pique, films);
  const forms = { full, compact };
  const visit = new Visit(forms, history, catalogue, map);
  const search = makeSearchBox(
    catalogue,
    (id) => visit.likes(id),
    (film) => visit.toggle(film),
  );
  map?.choose((film) => visit.toggle(film));
  await visit.start(new Controls(info, forms, () => visit.refresh()));
  search.enable();
  byId('loading').hidden = true;
  byId('content').hidden = false;
  // Whatever the switches and panels may need is here before the page gives up the network; an export brings the
  // package's rarer parts along.
  await Promise.all([openPrivacy(history), history.export(), showWorkerSeal(info), kept]);
  network.seal();
  document.body.dataset.state = 'ready';
}

main().catch(showFailure);
