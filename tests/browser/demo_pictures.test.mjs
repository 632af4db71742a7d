/** The pictures of docs/images: taken anew into the folder that PIQUE_PICTURES names, else only made and measured. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  openPage,
  openSite,
  PHONE,
  pickFilm,
  waitForLikes,
  waitUntil,
} from './browser_support.mjs';
import { shrink } from './small_png.mjs';

const folder = process.env.PIQUE_PICTURES;
const images = fileURLToPath(new URL('../../docs/images', import.meta.url));
const LARGEST = 200_000;
const DESK = { width: 1280, height: 800 };

const pictures = [
  { name: 'demo-landing', viewport: DESK, at: 'hero' },
  { name: 'demo-shelf', viewport: DESK, at: '#try' },
  { name: 'demo-map', viewport: DESK, at: '#map', scheme: 'dark' },
  { name: 'demo-landing-phone', viewport: PHONE, at: 'hero' },
  { name: 'demo-map-phone', viewport: PHONE, at: '#map', scheme: 'dark' },
];

let site;
before(async () => {
  site = await openSite();
});
after(() => site?.close());

for (const { name, viewport, at, scheme = 'light' } of pictures) {
  test(name, async () => {
    const media = { 'prefers-color-scheme': scheme };
    const { page, context } = await openPage(site, { viewport, media });
    await page.evaluate(() => document.getElementById('example').click());
    await waitForLikes(page, 4);
    for (const title of ['Toy Story', 'Alien', 'The Matrix']) await pickFilm(page, title);
    await waitUntil(page, () => document.querySelectorAll('#films .reason').length === 12);
    await page.evaluate((selector) => {
      document.activeElement.blur();
      const head = document.querySelector(selector)?.querySelector('h2');
      if (head)
        scrollTo({ top: head.getBoundingClientRect().top + scrollY - 96, behavior: 'instant' });
      else scrollTo({ top: 0, behavior: 'instant' });
    }, at);
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 150)));
    const picture = await shrink(site.browser, await page.screenshot({ type: 'png' }));
    assert.ok(picture.length > 10_000 && picture.length < LARGEST, `${picture.length} bytes`);
    if (folder) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, `${name}.png`), picture);
    }
    const kept = path.join(images, `${name}.png`);
    assert.ok(existsSync(kept) && statSync(kept).size < LARGEST, `${kept} is missing or too large`);
    await context.close();
  });
}
