// How often what `pique content` relates is of the same kind: one-line descriptions of Debian's packages, and the section
// of the archive that each is in, which the model does not see. Takes a system with apt's lists.
//
//   node tests/bench/content_related.mjs
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cli, run } from '../../scripts/run.mjs';
import { randomNumbers } from '../cli/cli_harness.mjs';

const VAGUE = new Set(['doc', 'libdevel', 'debug', 'oldlibs', 'libs', 'misc', 'localization']);
const LARGE = 300; // packages of a section that readers are drawn from
const random = randomNumbers(1);
const draw = (list) => list[Math.floor(random() * list.length)];

/** Name, section and description, one package of each description, so that parts of one source do not find each other. */
function packages() {
  const options = { encoding: 'utf8', maxBuffer: 1 << 30 };
  const { stdout } = spawnSync('apt-cache', ['dumpavail'], options);
  const seen = new Set();
  const found = new Map();
  for (const stanza of stdout.split('\n\n')) {
    const field = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1];
    const [id, text] = [field('Package'), field('Description')];
    const section = field('Section')?.split('/').at(-1);
    const key = text
      ?.replace(/\(.*?\)|- .*/g, '')
      .trim()
      .toLowerCase();
    if (!id || !text || !section || VAGUE.has(section) || seen.has(key)) continue;
    seen.add(key);
    found.set(id, { section, text });
  }
  return found;
}

async function lists(file, histories) {
  const batch = join(folder, 'histories.txt');
  writeFileSync(batch, histories.map((ids) => `${ids.join(',')}\n`).join(''));
  const args = ['recommend', file, '--batch', batch, '-k', '10', '--exclude-seen', '--json'];
  const text = await run(cli, args, { capture: true });
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).items.map(({ id }) => found.get(id).section));
}

const share = (values) => `${((100 * values.filter(Boolean).length) / values.length).toFixed(1)}%`;
const folder = mkdtempSync(join(tmpdir(), 'pique-related-'));
const found = packages();
const ids = [...found.keys()];
const sections = new Map();
for (const [id, { section }] of found) {
  if (!sections.has(section)) sections.set(section, []);
  sections.get(section).push(id);
}

const table = join(folder, 'packages.csv');
const rows = ids.map((id) => `${id},"${found.get(id).text.replaceAll('"', '""')}"`);
writeFileSync(table, ['id,text', ...rows, ''].join('\n'));
const chance = [...sections.values()].reduce(
  (sum, { length }) => sum + (length / ids.length) ** 2,
  0,
);
console.log(`${ids.length} packages; of the same section by chance ${(100 * chance).toFixed(1)}%`);

const asked = Array.from({ length: 2000 }, () => draw(ids));
const large = [...sections.keys()].filter((name) => sections.get(name).length >= LARGE);
const readers = Array.from({ length: 400 }, () => {
  const one = draw(large);
  const other = draw(large.filter((name) => name !== one));
  const history = [one, other, one, one, other, one].map((name) => draw(sections.get(name)));
  return { both: [one, other], history };
});
const either =
  readers.reduce(
    (sum, { both }) => sum + both.reduce((n, name) => n + sections.get(name).length, 0),
    0,
  ) /
  (readers.length * ids.length);

for (const interests of ['1', '4']) {
  const file = join(folder, 'packages.pique');
  await run(cli, ['content', table, '--interests', interests, '-o', file], { capture: true });
  const related = await lists(
    file,
    asked.map((id) => [id]),
  );
  const same = related.map((list, i) => list.map((name) => name === found.get(asked[i]).section));
  const read = await lists(
    file,
    readers.map(({ history }) => history),
  );
  const hits = read.flatMap((list, i) => list.map((name) => readers[i].both.includes(name)));
  console.log(
    `${interests} interests: the first related ${share(same.map(([first]) => first))}, first ten ${share(same.flat())}; ` +
      `readers of two sections ${share(hits)} (by chance ${(100 * either).toFixed(1)}%)`,
  );
}
rmSync(folder, { recursive: true });
