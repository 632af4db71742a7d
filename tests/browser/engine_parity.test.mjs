/**
 * A model file gives the same recommendations and the same ranking in every browser as natively, through the package
 * as a page uses it: the models and the assertions of tests/web/native_parity.test.mjs, and the films' ranker.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  askNative,
  assertAllSame,
  COUNT,
  prepareInvented,
  QUANTS,
  run,
} from '../web/parity_support.mjs';
import { runInPage, serveSite } from './browser_support.mjs';
import { BROWSERS, launch } from './drivers.mjs';

let site;
let histories;
/** Films for the ranker. */
const films = {};
/** What the command line says, by kind of rows: a list for each history. */
const expected = {};
const at = (name) => path.join(site.folder, name);

before(async () => {
  site = await serveSite();
  mkdirSync(at('invented'));
  histories = prepareInvented(at('invented'), 'comirec');
  for (const quant of QUANTS) {
    expected[quant] = askNative(at('invented'), quant, 'scalar');
    copyFileSync(at(`invented/${quant}.pique`), at(`${quant}.pique`));
  }
  const ids = JSON.parse(readFileSync(at('films.json'), 'utf8')).map(({ id }) => id);
  films.candidates = ids.filter((_, i) => i % 29 === 3).slice(0, 100);
  // Histories of one to thirty films.
  films.histories = Array.from({ length: 30 }, (_, n) =>
    Array.from({ length: n + 1 }, (_, i) => ids[(n * 331 + i * (17 + n) * 7) % ids.length]),
  );
  expected.ranked = films.histories.map((history) => {
    const given = ['--history', history.join(), '--candidates', films.candidates.join()];
    const ranked = run(['rank', at('films-ranker.pique'), ...given, '--json'], {
      PIQUE_ISA: 'v128',
    });
    return JSON.parse(ranked).items;
  });
});
after(() => site?.close());

const RECOMMEND = `
  const pique = await load(given.quant + '.pique');
  const lists = [];
  for (const context of given.histories) {
    lists.push((await pique.recommend({ context, count: given.count })).items);
  }
  await pique.dispose();
  return lists;
`;
const RANK = `
  const pique = await load('films-ranker.pique');
  const lists = [];
  for (const context of given.histories) {
    lists.push((await pique.rank(given.candidates, { context })).items);
  }
  await pique.dispose();
  return lists;
`;

for (const name of BROWSERS) {
  describe(name, () => {
    let browser;
    before(async () => {
      browser = await launch(name);
    });
    after(() => browser?.close());

    for (const quant of QUANTS) {
      test(`recommends from ${quant} rows as natively`, async () => {
        const given = { quant, histories, count: COUNT };
        const found = await runInPage(site, browser, RECOMMEND, { given });
        for (const list of found) assert.equal(list.length, COUNT);
        assertAllSame(expected[quant], found, `${name}, ${quant}`);
      });
    }

    test('ranks as natively', async () => {
      const found = await runInPage(site, browser, RANK, { given: films });
      for (const list of found) assert.ok(list.length > COUNT); // the ranker does not know all films
      assertAllSame(expected.ranked, found, `${name}, ranker`);
    });
  });
}
