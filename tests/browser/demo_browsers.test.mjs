/** The demo site in all browsers: it recommends, seals itself, and counts no request. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveSite } from './browser_support.mjs';
import { BROWSERS, launch } from './drivers.mjs';

let site;
before(async () => {
  site = await serveSite();
});
after(() => site?.close());

/** In the page: the example's four films, and what is seen of them. */
async function visit() {
  const until = async (so) => {
    const ends = Date.now() + 60_000;
    while (!so() && Date.now() < ends) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  const count = (selector) => document.querySelectorAll(selector).length;
  const text = (id) => document.getElementById(id).textContent;
  await until(() => document.body.dataset.state !== 'loading');
  document.getElementById('example').click();
  await until(() => count('#films .reason') === 12);
  const sent = await fetch('films.json').then(
    () => 'sent',
    () => 'refused',
  );
  await until(() => text('network-blocked') !== '0');
  return {
    state: document.body.dataset.state,
    reasons: count('#films .reason'),
    interests: count('.mark'),
    offline: text('offline-note'),
    requests: text('network-count'),
    refused: text('network-blocked'),
    sent,
  };
}

for (const name of BROWSERS) {
  test(name, async () => {
    const browser = await launch(name);
    try {
      await browser.goto(site.url);
      assert.deepEqual(await browser.evaluate(visit), {
        state: 'ready',
        reasons: 12,
        interests: 2,
        offline: 'Available offline',
        requests: '0',
        refused: '1',
        sent: 'refused',
      });
    } finally {
      await browser.close();
    }
  });
}
