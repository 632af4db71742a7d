/**
 * Chromium, Firefox and WebKit behind one face, for tests and measurements:
 *
 *   const browser = await launch('firefox');
 *   await browser.goto(url);                        // resolves when the page has loaded
 *   await browser.evaluate(async (x) => …, x);      // in the page; arguments and result are JSON
 *   await browser.press('Tab', 'Enter');            // keys, one after the other
 *   await browser.screenshot('page.png');
 *   await browser.close();
 *
 * A browser has one page and a profile of its own that ends with it. Debian's packages: chromium, firefox-esr, and
 * webkit2gtk-driver with xvfb; CHROME, FIREFOX and MINIBROWSER name other programs.
 */
import puppeteer from 'puppeteer-core';
import { launchWebkit } from './webkit_driver.mjs';

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** No start page, no updates, no pings: a test talks to its own server alone. */
const FIREFOX_PREFERENCES = {
  'browser.startup.page': 0,
  'app.update.enabled': false,
  'browser.safebrowsing.downloads.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.enabled': false,
};
/** Longest wait for one call into a page. */
const TIMEOUT = 900_000;

/** Chromium as puppeteer's browser, for tests that need more than the common face. */
export const launchChromium = (flags = []) =>
  puppeteer.launch({
    executablePath: process.env.CHROME ?? '/usr/bin/chromium',
    args: [...CHROMIUM_FLAGS, ...flags],
    protocolTimeout: TIMEOUT,
  });

const launchFirefox = () =>
  puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    extraPrefsFirefox: FIREFOX_PREFERENCES,
    protocolTimeout: TIMEOUT,
  });

async function withPuppeteer(starting) {
  const browser = await starting;
  const page = await browser.newPage();
  return {
    version: (await browser.version()).replace('/', ' '),
    goto: async (url) => {
      await page.goto(url);
    },
    evaluate: (body, ...given) => page.evaluate(body, ...given),
    press: async (...keys) => {
      for (const key of keys) await page.keyboard.press(key === 'Space' ? ' ' : key);
    },
    screenshot: (file) => page.screenshot({ path: file }),
    close: () => browser.close(),
  };
}

const launchers = {
  chromium: ({ flags }) => withPuppeteer(launchChromium(flags)),
  firefox: () => withPuppeteer(launchFirefox()),
  webkit: () => launchWebkit(TIMEOUT),
};

export const BROWSERS = Object.keys(launchers);

/** Starts one of {@link BROWSERS}; `flags` are more arguments for Chromium. */
export function launch(name, { flags = [] } = {}) {
  const start = launchers[name];
  if (!start) throw new Error(`no browser '${name}'; there are ${BROWSERS.join(', ')}`);
  return start({ flags });
}
