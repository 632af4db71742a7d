/**
 * Images in the page: a capsule network trained on drawn digits ranks the ten of them for an array of pixels as native
 * does, from both builds, float and int8, and puts the right one first as often; bad pixels reject. PIQUE_CLI names the
 * command line that trains.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { build, importDist, readDist } from './web_support.mjs';

const cli = process.env.PIQUE_CLI ?? path.join(build, 'native/pique');
const { load } = await importDist('index.js');
const IMAGES = 25;
const ids = [...'0123456789'];
let folder;
let files;
let images; // pixels as texts

const run = (...args) => execFileSync(cli, args.map(String), { encoding: 'utf8', stdio: 'pipe' });

function native(file, pixels) {
  const profile = ['--history', '', '--profile', `pixels=${pixels.join(' ')}`];
  const { items } = JSON.parse(run('rank', file, '--candidates', ids.join(), ...profile, '--json'));
  return items;
}

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pique-images-'));
  const [data, out] = [path.join(folder, 'digits'), path.join(folder, 'run')];
  run('simulate', '--digits', 500, '--size', 14, '--seed', 5, '--out', data);
  const sizes = 'height=14 width=14 filters=8 kernel=5 primary_kernel=5 types=4 type_dim=4 dim=6';
  const learning = 'hidden1=16 hidden2=16 batch=16 lr=0.005 split=time';
  const set = `${sizes} ${learning}`.split(' ').flatMap((setting) => ['--set', setting]);
  run('train', '--model', 'capsnet', '--data', data, '--out', out, '--epochs', 4, ...set);
  const small = path.join(out, 'small.pique');
  run('export', path.join(out, 'model.pique'), '--quant', 'int8', '-o', small);
  files = [path.join(out, 'model.pique'), small];
  const rows = readFileSync(path.join(data, 'users.csv'), 'utf8').trim().split('\n');
  images = rows.slice(-IMAGES).map((row) => row.split(',')[1].split(' '));
});
after(() => rmSync(folder, { recursive: true }));

async function everywhere(use) {
  for (const file of files) {
    for (const wasm of ['core.wasm', 'core-nosimd.wasm']) {
      const pique = await load(readFileSync(file), { worker: false, wasm: readDist(wasm) });
      await use(pique, file, `${path.basename(file)}, ${wasm}`);
      await pique.dispose();
    }
  }
}

test('native and page agree, in order and in scores, for texts and numbers', async () => {
  await everywhere(async (pique, file, place) => {
    for (const [n, pixels] of images.entries()) {
      const want = native(file, pixels);
      for (const given of [pixels, pixels.map(Number)]) {
        const { items, personal } = await pique.rank(ids, {
          context: [],
          profile: { pixels: given },
        });
        assert.equal(personal, true);
        assert.equal(items[0].id, want[0].id, `${place}, image ${n}`);
        const scores = new Map(items.map(({ id, score }) => [id, score]));
        for (const { id, score } of want) {
          const away = Math.abs(scores.get(id) - score) / Math.abs(score);
          assert.ok(away <= 1e-5, `${place}, image ${n}, ${id}: ${scores.get(id)}, not ${score}`);
        }
      }
    }
  });
});

test('too many pixels, too few, and what is none reject; no image is a black one', async () => {
  await everywhere(async (pique, _, place) => {
    const rank = (pixels) => pique.rank(ids, { context: [], profile: pixels ? { pixels } : {} });
    const black = Array(14 * 14).fill(0);
    const refuses = (pixels, message) =>
      assert.rejects(rank(pixels), { code: 'ARGUMENT', message }, place);
    await refuses(black.slice(1), 'profile field "pixels" takes 196 numbers, not 195');
    await refuses([...black, 0], 'profile field "pixels" takes 196 numbers, not 197');
    await refuses([...black.slice(1), 'x'], 'profile field "pixels" takes a number, not "x"');
    await refuses([...black.slice(1), Number.NaN], /"pixels" takes a number, not "NaN"/);
    await refuses([...black.slice(1), null], /"pixels" takes no null/);
    const nothing = await rank();
    assert.equal(nothing.personal, false);
    assert.deepEqual(nothing.items, (await rank(black)).items);
  });
});
