// What do people see of whom training knows nothing, not even that they exist? Every fifth person of MovieLens 100K is
// kept out of training, then the next fifth, and so on; each of them gets a list by the profile alone.
//
//   PIQUE_DATA=... node tests/bench/new_people.mjs [KEY=VALUE ...]    settings of the training, such as history_dropout=0.1
//
// Counted is how often the person's last film stands in the list, and which share of the list the person took. The same for
// the most popular films, which is the list of a person without a profile.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cli, inRoot, run } from '../../scripts/run.mjs';

const FOLDS = 5;
const CUTS = [10, 50];
const FIELDS = ['age', 'gender', 'occupation']; // a zip code is nearly a name: by it people are learnt by heart
const source = join(process.env.PIQUE_DATA ?? '', 'ml-100k');
const folder = inRoot('build', 'new-people', process.pid.toString());
const settings = process.argv.slice(2).flatMap((setting) => ['--set', setting]);

const read = (part) =>
  readFileSync(join(source, `ml-100k.${part}`), 'latin1')
    .trimEnd()
    .split('\n');
const [header, ...events] = read('inter');
const users = read('user').map((line) => line.split('\t').slice(0, FIELDS.length + 1));
const people = new Map(users.slice(1).map(([user, ...about]) => [user, about]));
const taken = new Map([...people.keys()].map((user) => [user, []]));
for (const [user, item] of events.map((line) => line.split('\t')).sort((a, b) => a[3] - b[3])) {
  taken.get(user).push(item);
}

/** The ids of a list. */
async function list(model, ...more) {
  const options = ['--history', '', '-k', `${CUTS.at(-1)}`, '--json', ...more];
  const { items } = JSON.parse(await run(cli, ['recommend', model, ...options], { capture: true }));
  return items.map(({ id }) => id);
}

/** Adds what a list is worth to a person. */
function count(sums, ids, films) {
  const last = films.at(-1);
  const own = new Set(films);
  for (const k of CUTS) {
    const top = ids.slice(0, k);
    sums[`last@${k}`] = (sums[`last@${k}`] ?? 0) + top.includes(last);
    sums[`share@${k}`] = (sums[`share@${k}`] ?? 0) + top.filter((id) => own.has(id)).length / k;
  }
}

const sums = { profile: {}, popular: {} };
for (let fold = 0; fold < FOLDS; fold++) {
  const isNew = (user) => user % FOLDS === fold;
  const data = join(folder, 'ml-100k');
  const out = join(folder, 'run');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(data, { recursive: true });
  const known = events.filter((line) => !isNew(line.split('\t')[0]));
  writeFileSync(join(data, 'ml-100k.inter'), `${[header, ...known].join('\n')}\n`);
  writeFileSync(join(data, 'ml-100k.user'), users.map((line) => `${line.join('\t')}\n`).join(''));
  copyFileSync(join(source, 'ml-100k.item'), join(data, 'ml-100k.item'));
  const training = ['train', '--model', 'mind', '--data', data, '--threads', '1', '--out', out];
  await run(cli, [...training, ...settings], { capture: true });
  const model = join(out, 'model.pique');
  const popular = await list(model);
  for (const [user, films] of taken) {
    if (!isNew(user)) continue;
    const about = FIELDS.map((name, i) => `${name}=${people.get(user)[i]}`);
    count(sums.profile, await list(model, '--profile', about.join(',')), films);
    count(sums.popular, popular, films);
  }
}
for (const [name, found] of Object.entries(sums)) {
  const shown = Object.entries(found).map(
    ([what, sum]) => `${what} ${(sum / taken.size).toFixed(4)}`,
  );
  console.log(`${name.padEnd(8)} ${shown.join('  ')}`);
}
