// The parts of scripts/test.mjs that have no side effects: which stages to run, how to count tests.
import { existsSync, readdirSync } from 'node:fs';
import { inRoot } from './run.mjs';

/** The test files of a folder, as paths from the project's folder. */
export function testFiles(folder) {
  const path = inRoot(folder);
  const names = existsSync(path) ? readdirSync(path) : [];
  return names
    .filter((name) => name.endsWith('.test.mjs'))
    .sort()
    .map((name) => `${folder}/${name}`);
}

/** The names of the stages to run, in the order of the table: `wanted` with all that they need. */
export function planStages(stages, wanted) {
  const chosen = new Set();
  const choose = (name) => {
    if (!(name in stages)) {
      throw new Error(`no stage '${name}'; there are ${Object.keys(stages).join(', ')}`);
    }
    chosen.add(name);
    for (const need of stages[name].needs ?? []) {
      choose(need);
    }
  };
  for (const name of wanted.length > 0 ? wanted : Object.keys(stages)) {
    choose(name);
  }
  return Object.keys(stages).filter((name) => chosen.has(name));
}

/** A number that must be there: a run that does not say what it did has failed. */
function counted(match, what) {
  if (!match) {
    throw new Error(`the output does not tell the number of ${what} tests`);
  }
  return Number(match[1]);
}

/** Counts from the JUnit file of ctest. */
export function countCtest(xml) {
  const head = /<testsuite\b[^>]*>/.exec(xml)?.[0] ?? '';
  const number = (key, what) => counted(new RegExp(`\\b${key}="(\\d+)"`).exec(head), what);
  const failed = number('failures', 'failed');
  const skipped = number('skipped', 'skipped') + number('disabled', 'disabled');
  return { passed: number('tests', 'all') - failed - skipped, failed, skipped };
}

/** Counts from the summary that node --test prints, in its spec or its TAP form. */
export function countNodeTests(output) {
  const number = (key) =>
    counted([...output.matchAll(new RegExp(`^(?:ℹ|#) ${key} (\\d+)$`, 'gm'))].at(-1), key);
  return {
    passed: number('pass'),
    failed: number('fail') + number('cancelled'),
    skipped: number('skipped') + number('todo'),
  };
}

export function total(results) {
  const sum = (key) => results.reduce((before, result) => before + result[key], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}
