// Recommendations in the page beside other engines, in real browsers. README.md beside this file tells what each row
// includes and what must be installed.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BROWSERS, launch } from '../../browser/drivers.mjs';
import { makeSite, openBenchSite, version, writeSiteFile } from './bench_site.mjs';
import { Catalogues, INTERESTS, WIDTH } from './catalogue.mjs';
import { scanGraph } from './onnx_file.mjs';
import { interestsOf, readModel } from './page/model_file.js';
import { tableOf } from './report.mjs';

const HELP = `node tests/bench/web/compare.mjs [--browser chromium|firefox|webkit|all] [--parts scan,cold,heap,million]
    [--without 'hnswlib 100,tfjs rows,…'] [--rounds 30] [--repeats 7] [--link MBIT/MS] [--json FILE]

  --browser   which browsers, one after the other (chromium)
  --parts     scan:    100,000 items of width ${WIDTH}, ${INTERESTS} interests, the best 20, every engine in turns in one page
              cold:    10,000 items: from navigation to the first recommendations, fresh profiles, and bytes sent
              heap:    100,000 items: what each engine alone keeps in memory
              million: 1,000,000 items with int8 rows beside 100,000, and the memory beside the file
  --without   rows to leave out (the index of hnswlib takes minutes to build)
  --rounds    timed queries of each engine
  --repeats   cold starts of each engine
  --link      everything comes by a link of so many Mbit/s to the browser and so many milliseconds there and back
  --json      where the figures go, too

Needs: npm run build; npm ci --prefix tests/bench/web; Debian's chromium, firefox-esr, webkit2gtk-driver with xvfb.`;

const TOP = 20;
const [SMALL, MIDDLE, LARGE] = [10_000, 100_000, 1_000_000];
/** Kinds of item rows that \`pique export\` is asked for; one that it does not have is told and left out. */
const SCHEMES = ['f32', 'int8', 'int4', 'pq16', 'pq16+int8'];
const FORMS = ['rows', 'columns'];
const PEERS = [
  ...['onnxruntime', 'tfjs'].flatMap((engine) => FORMS.map((form) => `${engine} ${form}`)),
  ...['hnswlib 100', 'hnswlib 400', 'javascript'],
];
/** Engines that are exact on float rows: each must give the same list. */
const EXACT = [
  'Pique f32',
  'javascript',
  ...PEERS.filter((name) => FORMS.includes(name.split(' ')[1])),
];
const COLD = [
  ...['Pique f32', 'Pique int8', 'Pique blocks', 'onnxruntime columns'],
  ...['fetched int8', 'empty page'],
];
/** Rows of a block of the file that is loaded partially. */
const BLOCK_ROWS = 512;
/** Until a browser that was started has done what it does after its start. */
const SETTLED_MILLISECONDS = 2000;

const tell = (text) => process.stderr.write(`${text}\n`);

/** Model files of a size below models/ of the site; which kinds there are, and bytes of each. */
function makeFiles(catalogues, folder, count, schemes) {
  const catalogue = catalogues.make(count);
  const files = {};
  const missing = [];
  for (const quant of schemes) {
    const out = path.join(folder, 'models', `${quant}-${count}.pique`);
    const exported = catalogues.export(catalogue, quant, out, TOP);
    if (exported.missing) {
      missing.push(quant);
      tell(exported.missing);
    } else {
      files[quant] = exported;
    }
  }
  return { ...catalogue, files, missing };
}

const given = ({ count, histories }, site) => ({
  count,
  width: WIDTH,
  histories,
  top: TOP,
  site,
});

function checkSame(name, lists, wanted) {
  for (const [visitor, list] of lists.entries()) {
    if (list.join() !== wanted[visitor].join()) {
      throw new Error(`${name} gives visitor ${visitor} ${list}, not ${wanted[visitor]}`);
    }
  }
}

/** Everything that is measured on 100,000 items in one page. */
async function measureScan({ browser, site, middle, options }) {
  const pique = Object.keys(middle.files).map((quant) => `Pique ${quant}`);
  const names = [...pique, ...PEERS].filter((name) => !options.without.includes(name));
  await browser.goto(`${site.url}page/bench.html`);
  const ask = (...args) => globalThis.scan(...args);
  const rows = await browser.evaluate(ask, given(middle, site.url), names, options.rounds);
  const wanted = rows.find(({ name }) => EXACT.includes(name)).lists;
  for (const row of rows) {
    const found = row.lists.flatMap((list, n) => list.filter((item) => wanted[n].includes(item)));
    row.recall = found.length / wanted.flat().length;
    if (EXACT.includes(row.name)) checkSame(row.name, row.lists, wanted);
    const native = middle.files[row.name.split(' ')[1]];
    if (native) checkSame(`${row.name} beside the command line`, row.lists, native.lists);
    delete row.lists;
  }
  return rows;
}

/**
 * Each engine in a browser that was just started, in turns. The browser has shown an empty page of the same site, so
 * that its processes run, and rested; nothing that the engines need is there. The last rows are a page that fetches engine
 * and file and does nothing with them, and one that does nothing.
 */
async function measureCold({ name, site, small, options }) {
  const file = (quant) => `${site.url}models/${quant}-${SMALL}.pique`;
  const query = {
    pique: (quant) => ({
      file: file(quant),
      history: small.histories[0].join(),
      top: TOP,
      partial: quant === 'blocks' || '',
    }),
    fetched: (quant) => ({ file: file(quant) }),
    empty: () => ({}),
    onnxruntime: () => ({ count: SMALL, width: WIDTH, interests: JSON.stringify(small.interests) }),
  };
  const wanted = COLD.filter((engine) => !options.without.includes(engine));
  const rows = wanted.map((engine) => ({ name: engine, times: [] }));
  for (let repeat = 0; repeat < options.repeats; repeat++) {
    for (const row of rows) {
      const [kind, value] = row.name.toLowerCase().split(' ');
      const browser = await launch(name);
      try {
        await browser.goto(`${site.url}page/blank.html`);
        await sleep(SETTLED_MILLISECONDS);
        site.takeSent();
        const text = new URLSearchParams(query[kind](value));
        await browser.goto(`${site.url}page/cold_${kind}.html?${text}`);
        const { milliseconds, items } = await browser.evaluate(() => globalThis.finished);
        Object.assign(row, { bytes: site.takeSent(), items });
        row.times.push(milliseconds);
      } finally {
        await browser.close();
      }
    }
  }
  const [float, other] = ['Pique f32', 'onnxruntime columns'].map((engine) =>
    rows.find((row) => row.name === engine),
  );
  if (float && other && float.items.join() !== other.items.join())
    throw new Error('cold starts end in other lists');
  return rows;
}

/** Bytes of a model file as it is sent, and unpacked. */
function sizesOf({ files }, quant) {
  const { file, unpacked } = files[quant] ?? {};
  return { file, unpacked };
}

async function measureHeap({ browser, site, middle, options }) {
  const pique = Object.keys(middle.files).map((quant) => `Pique ${quant}`);
  const apart = (name) => name.endsWith(' columns') || name === 'hnswlib 100';
  const peers = PEERS.filter((name) => apart(name) && !options.without.includes(name));
  const rows = [];
  for (const name of [...pique, ...peers]) {
    await browser.goto(`${site.url}page/bench.html`);
    const ask = (...args) => globalThis.heap(...args);
    const bytes = await browser.evaluate(ask, given(middle, site.url), name);
    rows.push({ name, ...bytes, ...sizesOf(middle, name.split(' ')[1]) });
  }
  return rows;
}

async function measureMillion({ browser, site, middle, large, options }) {
  const tasks = [middle, large].map((each) => given(each, site.url));
  await browser.goto(`${site.url}page/bench.html`);
  const ask = (...args) => globalThis.sizes(...args);
  const rows = await browser.evaluate(ask, tasks, 'int8', options.rounds);
  await browser.goto(`${site.url}page/bench.html`);
  const keep = (...args) => globalThis.heap(...args);
  const bytes = await browser.evaluate(keep, tasks[1], 'Pique int8');
  return { rows, heap: { ...bytes, ...sizesOf(large, 'int8') } };
}

const MEASURES = {
  scan: measureScan,
  cold: measureCold,
  heap: measureHeap,
  million: measureMillion,
};

/** Flags that let a page of Chromium tell what its JavaScript keeps. */
const HEAP_FLAGS = ['--enable-precise-memory-info', '--js-flags=--expose-gc'];

async function measureBrowser(name, state) {
  const result = { name, missing: state.middle.missing };
  for (const part of state.options.parts) {
    tell(`${name}: ${part}`);
    const browser = await launch(name, { flags: HEAP_FLAGS });
    try {
      result.version = browser.version;
      result[part] = await MEASURES[part]({ ...state, name, browser });
    } finally {
      await browser.close();
    }
  }
  return result;
}

/** The interests of a catalogue's history, for the pages that do not have the model to find them in. */
async function addInterests(catalogue, file) {
  const numbers = catalogue.histories[0].map((id) => Number(id.slice(1)) + 1);
  catalogue.interests = interestsOf(await readModel(readFileSync(file)), numbers);
}

async function prepare(folder, options) {
  const at = (name) => path.join(folder, 'site', name);
  makeSite(at(''));
  mkdirSync(at('models'));
  const catalogues = new Catalogues(path.join(folder, 'catalogues'));
  const make = (count, schemes) => makeFiles(catalogues, at(''), count, schemes);
  const shape = { width: WIDTH, interests: INTERESTS, top: TOP };
  const graph = ({ count, rows }) => {
    for (const form of FORMS) {
      writeSiteFile(at('models'), `scan-${form}-${count}.onnx`, scanGraph(form, rows, shape));
    }
  };
  const state = { options, middle: make(MIDDLE, SCHEMES) };
  graph(state.middle);
  if (options.parts.includes('cold')) {
    state.small = make(SMALL, ['f32', 'int8']);
    const inBlocks = at(`models/blocks-${SMALL}.pique`);
    catalogues.export(state.small, 'int8', inBlocks, TOP, '--blocks', BLOCK_ROWS);
    graph(state.small);
    await addInterests(state.small, at(`models/f32-${SMALL}.pique`));
  }
  if (options.parts.includes('million')) state.large = make(LARGE, ['int8']);
  return state;
}

function readOptions() {
  const text = (value) => ({ type: 'string', default: value });
  const { values } = parseArgs({
    options: {
      browser: text('chromium'),
      parts: text(Object.keys(MEASURES).join()),
      without: text(''),
      rounds: text('30'),
      repeats: text('7'),
      link: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const list = (given) => given.split(',').filter(Boolean);
  const parts = list(values.parts);
  const browsers = values.browser === 'all' ? BROWSERS : list(values.browser);
  const check = (what, given, known) => {
    const wrong = given.find((name) => !known.includes(name));
    if (wrong) throw new Error(`no ${what} '${wrong}'; there are ${known.join(', ')}`);
  };
  check('part', parts, Object.keys(MEASURES));
  check('browser', browsers, BROWSERS);
  return {
    ...values,
    parts,
    browsers,
    without: list(values.without),
    rounds: Number(values.rounds),
    repeats: Number(values.repeats),
  };
}

const options = readOptions();
const folder = mkdtempSync(path.join(tmpdir(), 'pique-bench-web-'));
let site;
try {
  const state = await prepare(folder, options);
  site = await openBenchSite(path.join(folder, 'site'), options.link);
  const report = {
    peers: Object.fromEntries(
      ['onnxruntime-web', '@tensorflow/tfjs-core', 'hnswlib-wasm'].map((name) => [
        name,
        version(name),
      ]),
    ),
    rounds: options.rounds,
    repeats: options.repeats,
    link: options.link,
    browsers: [],
  };
  for (const name of options.browsers) {
    const result = await measureBrowser(name, { ...state, site });
    report.browsers.push(result);
    console.log(tableOf(result));
    if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  }
} finally {
  site?.close();
  rmSync(folder, { recursive: true });
}
