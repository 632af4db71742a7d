/** `pique site`: checks the files by the engine that will serve them, and writes the folder. */
/* global PIQUE_VERSION -- by the build */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ELEMENT, engineFiles } from './engine_files.mjs';
import { because, Failure } from './failure.mjs';
import { headerFiles } from './headers.mjs';

export const MANIFEST = 'pique-manifest.json';
const FORMAT = 1;

const digest = (bytes, encoding) => createHash('sha256').update(bytes).digest(encoding);

async function input(file) {
  try {
    return await readFile(file);
  } catch (error) {
    throw new Failure(`${file}: ${because(error)}`);
  }
}

/** Loads the models as a page would, and asks for lists of someone unknown and of someone known. */
async function checkModels(dist, model, ranker) {
  const { load } = await import(pathToFileURL(path.resolve(dist, 'index.js')).href);
  const open = async (file, options) => {
    try {
      return await load(new Uint8Array(model.bytes), { worker: false, ...options });
    } catch (error) {
      throw new Failure(`${file}: ${error.message}`);
    }
  };
  const recommender = await open(model.file);
  const { model: name, task, items } = recommender.info;
  try {
    const { items: popular } = await recommender.recommend({ count: 1 });
    await recommender.recommend({ count: 1, context: popular.map(({ id }) => id) });
  } catch (error) {
    throw new Failure(`${model.file}: ${error.message}; models that only rank go to --ranker`);
  } finally {
    await recommender.dispose();
  }
  if (ranker) await (await open(ranker.file, { ranker: new Uint8Array(ranker.bytes) })).dispose();
  return { model: name, task, items };
}

function checkCatalog({ file, bytes }) {
  try {
    JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new Failure(`${file}: no JSON (${error.message})`);
  }
}

/** name.HASH.ext, where characters that addresses would escape become '-'. */
function hashedName({ file, bytes }) {
  const { name, ext } = path.parse(file);
  const plain = name.replace(/[^\w.-]+/g, '-');
  return `${plain}.${digest(bytes, 'hex').slice(0, 10)}${ext}`;
}

function describe(name, bytes) {
  return { file: name, bytes: bytes.length, integrity: `sha256-${digest(bytes, 'base64')}` };
}

/** The files of the manifest that stands in the folder; none when there is no manifest. */
async function filesBefore(out) {
  const file = path.join(out, MANIFEST);
  let text;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw new Failure(`${file}: ${because(error)}`);
  }
  try {
    const { format, files } = JSON.parse(text);
    if (format === FORMAT) return files.map((entry) => String(entry.file));
  } catch {
    // The same words for whatever it is.
  }
  throw new Failure(`${file}: not a manifest of this version of pique site; remove it first`);
}

/** Only what the manifest names, and nothing outside of the folder whatever it says. */
async function removeStale(out, before, files) {
  const stale = before.filter(
    (name) => !files.has(name) && /^(?:[\w-][\w.-]*\/)?[\w-][\w.-]*$/.test(name),
  );
  const folders = new Set();
  for (const name of stale) {
    await rm(path.join(out, name), { force: true });
    if (path.dirname(name) !== '.') folders.add(path.dirname(name));
  }
  for (const folder of folders) {
    await rmdir(path.join(out, folder)).catch(() => {}); // someone's own files may stand there
  }
}

/** Under another name first, so that a reader never sees a part of a file. */
async function writeOne(file, bytes) {
  const part = `${file}.part`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(part, bytes);
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    throw new Failure(`${file}: ${because(error)}`);
  }
}

function engineFolder(engine) {
  const hash = createHash('sha256');
  for (const [name, bytes] of engine) hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  return `engine-${hash.digest('hex').slice(0, 10)}`;
}

/** Escaped for an attribute between double quotes. */
const attribute = (name, value) => (value ? ` ${name}="${value.replaceAll('&', '&amp;')}"` : '');

function instructions({ out, base }, manifest) {
  const { model, ranker, catalog, element } = manifest;
  const attributes = [
    attribute('model', model.url),
    attribute('integrity', model.integrity),
    attribute('ranker', ranker?.url),
    attribute('catalog', catalog?.url),
  ].join('');
  return `${out}: ${manifest.files.length} files, served as ${base}

Paste into your pages:

<script src="${element}" defer></script>
<pique-list${attributes} count="6" exclude-seen></pique-list>

Headers for your server are in ${path.join(out, 'headers')}.
`;
}

/** Writes the site's files; resolves to what to tell the user. */
export async function writeSite(options) {
  const { out, base, dist } = options;
  const named = {};
  for (const key of ['model', 'ranker', 'catalog']) {
    if (options[key]) named[key] = { file: options[key], bytes: await input(options[key]) };
  }
  const engine = await engineFiles(dist);
  const info = await checkModels(dist, named.model, named.ranker);
  if (named.catalog) checkCatalog(named.catalog);
  const before = await filesBefore(out);

  const folder = engineFolder(engine);
  const files = new Map([...engine].map(([name, bytes]) => [`${folder}/${name}`, bytes]));
  const manifest = { format: FORMAT, version: PIQUE_VERSION, base };
  const hashed = [];
  for (const [key, input] of Object.entries(named)) {
    const name = hashedName(input);
    files.set(name, input.bytes);
    hashed.push(name);
    manifest[key] = { url: base + name, ...describe(name, input.bytes) };
  }
  Object.assign(manifest.model, info);
  for (const [name, text] of headerFiles(base, folder, hashed)) files.set(name, Buffer.from(text));
  manifest.element = `${base}${folder}/${ELEMENT}`;
  manifest.files = [...files].map(([name, bytes]) => describe(name, bytes));

  for (const [name, bytes] of files) await writeOne(path.join(out, name), bytes);
  await removeStale(out, before, files);
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeOne(path.join(out, MANIFEST), Buffer.from(text));
  return instructions(options, manifest);
}
