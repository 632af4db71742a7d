// npm test: installs what is missing, then runs every check and test of the project. A failed stage
// does not end the run: what does not depend on it still runs, so that one run shows all failures.
//
//   node scripts/test.mjs [stage…]   only these stages and what they need
//
// Stages run two at a time. Each writes its output to build/test-logs/<stage>.log; the output of a
// failed stage is shown. The last line counts tests: programs of ctest, tests of node:test, and one
// for each remaining check.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { inRoot, root, run } from './run.mjs';
import { countCtest, countNodeTests, planStages, testFiles, total } from './test-plan.mjs';

const LANES = 2;
const LOG_TAIL = 200; // lines shown of a failed stage
const logs = inRoot('build', 'test-logs');
const site = 'build/test-site';

const preset = (name) => [
  ['cmake', '--preset', name, '-DPIQUE_TESTS=ON'],
  ['cmake', '--build', `build/${name}`, '--parallel', '2'],
];
const ctest = (name) => ({
  needs: [`build-${name}`],
  commands: [
    [
      ...['ctest', '--test-dir', `build/${name}`, '--output-on-failure', '--no-tests=error'],
      ...['--output-junit', `${logs}/ctest-${name}.xml`],
    ],
  ],
  count: () => countCtest(readFileSync(`${logs}/ctest-${name}.xml`, 'utf8')),
});
const nodeTests = (folder, needs, { skip, before = [] } = {}) => {
  const files = testFiles(`tests/${folder}`);
  // Without files node would look for tests everywhere.
  const test =
    files.length > 0
      ? ['node', '--test', '--test-reporter=spec', ...files]
      : ['bash', '-c', `echo "tests/${folder} holds no tests"; exit 1`];
  return { needs, skip, commands: [...before, test], count: countNodeTests };
};

// In the order in which free lanes take them; needs come first.
const stages = {
  'build-native': { commands: preset('native') },
  'build-wasm': { commands: [...preset('wasm'), ...preset('wasm-nosimd')] },
  format: { commands: [['bash', 'scripts/check.sh', 'format']] },
  lint: { commands: [['bash', 'scripts/check.sh', 'web']] },
  'ctest-native': ctest('native'),
  'build-native-asan': { commands: preset('native-asan') },
  package: { needs: ['build-wasm'], commands: [['node', 'web/build.mjs']] },
  'build-native-scalar': { commands: preset('native-scalar') },
  real: nodeTests(
    'real',
    ['build-native', 'package'],
    process.env.PIQUE_DATA ? {} : { skip: 'PIQUE_DATA names no folder of real data sets' },
  ),
  films: {
    needs: ['build-native'],
    commands: [['node', 'scripts/build-films.mjs', '--check']],
  },
  tidy: { needs: ['build-native'], commands: [['bash', 'scripts/check.sh', 'tidy']] },
  'ctest-native-asan': ctest('native-asan'),
  'ctest-native-scalar': ctest('native-scalar'),
  structure: nodeTests('structure', ['build-native']),
  cli: nodeTests('cli', ['build-native']),
  compilers: nodeTests('compilers', ['build-native']),
  web: nodeTests('web', ['build-native', 'package']),
  bundlers: nodeTests('package', ['package'], { before: [['node', 'tests/package/install.mjs']] }),
  site: {
    needs: ['build-native', 'package'],
    commands: [['node', 'web/build.mjs', '--site', site]],
  },
  browser: nodeTests('browser', ['build-native', 'site']),
  guides: nodeTests('guides', ['build-native', 'package']),
};

/** Runs one command with its output in the log; resolves to whether it succeeded. */
function runLogged(command, log) {
  return new Promise((resolve) => {
    const [program, ...args] = command;
    const child = spawn(program, args, {
      cwd: root,
      env: {
        ...process.env,
        PIQUE_CLI: inRoot('build', 'native', 'pique'),
        PIQUE_BUILD: inRoot('build'),
        PIQUE_SITE: inRoot(site),
      },
      stdio: ['ignore', log, log],
    });
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
}

async function runStage(name) {
  const stage = stages[name];
  const path = `${logs}/${name}.log`;
  const started = performance.now();
  const log = openSync(path, 'w');
  let ok = true;
  for (const command of stage.commands) {
    ok = await runLogged(command, log);
    if (!ok) {
      break;
    }
  }
  closeSync(log);
  const seconds = (performance.now() - started) / 1000;
  return { name, seconds, ...outcome(stage, path, ok), log: path };
}

/** The counts of a finished stage. A stage that failed without a failed test counts as one. */
function outcome(stage, path, ok) {
  const none = { passed: 0, failed: 0, skipped: 0 };
  let counts = ok ? { ...none, passed: 1 } : none;
  if (stage.count) {
    try {
      counts = stage.count(readFileSync(path, 'utf8'));
    } catch (error) {
      return { ...none, failed: 1, note: error.message };
    }
  }
  return !ok && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

function report(result) {
  const counts = ['passed', 'failed', 'skipped']
    .filter((key) => result[key] > 0)
    .map((key) => `${result[key]} ${key}`)
    .join(', ');
  const note = result.note ? ` (${result.note})` : '';
  console.log(
    `${result.name.padEnd(22)} ${result.seconds.toFixed(1).padStart(6)} s  ${counts}${note}`,
  );
  if (result.failed > 0 && result.log && existsSync(result.log)) {
    const lines = readFileSync(result.log, 'utf8').trimEnd().split('\n');
    console.log(
      lines
        .slice(-LOG_TAIL)
        .map((line) => `    ${line}`)
        .join('\n'),
    );
  }
}

async function runAll(names) {
  const results = new Map();
  const waiting = [...names];
  const running = new Map();
  const finish = (result) => {
    results.set(result.name, result);
    report(result);
  };
  const leaveOut = (name, note) =>
    finish({ name, seconds: 0, passed: 0, failed: 0, skipped: 1, note });

  while (waiting.length > 0 || running.size > 0) {
    for (const name of [...waiting]) {
      const needs = stages[name].needs ?? [];
      const broken = needs.find((need) => results.get(need)?.passed === 0);
      if (stages[name].skip || broken) {
        waiting.splice(waiting.indexOf(name), 1);
        leaveOut(name, stages[name].skip ?? `not run: ${broken} failed`);
      } else if (running.size < LANES && needs.every((need) => results.has(need))) {
        waiting.splice(waiting.indexOf(name), 1);
        running.set(name, runStage(name));
      }
    }
    if (running.size > 0) {
      const result = await Promise.race(running.values());
      running.delete(result.name);
      finish(result);
    }
  }
  return [...results.values()];
}

let plan;
try {
  plan = planStages(stages, process.argv.slice(2));
} catch (error) {
  console.error(`test: ${error.message}`);
  process.exit(2);
}
const started = performance.now();
await run('bash', ['scripts/setup.sh', 'test']);
mkdirSync(logs, { recursive: true });
const results = await runAll(plan);
const sums = total(results);
const minutes = ((performance.now() - started) / 60000).toFixed(1);
console.log(`\n${results.length} stages in ${minutes} minutes`);
const skipped = sums.skipped > 0 ? `, ${sums.skipped} skipped` : '';
console.log(`${sums.passed} passed, ${sums.failed} failed${skipped}`);
process.exitCode = sums.failed > 0 ? 1 : 0;
