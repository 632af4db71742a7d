/**
 * The program of the npm package: `npx pique site`. The native program starts it, too. Exit codes: 0
 * success, 1 failure at run time, 2 wrong usage.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Failure } from './failure.mjs';
import { writeSite } from './site.mjs';

const HELP = `usage: pique site FILE.pique --out DIR [options]

Writes what a static site serves: model, engine, element, manifest, headers.

  -o, --out DIR          folder of the site's output, or of what it copies as it is
      --ranker FILE      a model that ranks what FILE finds
      --catalog FILE     JSON with titles and addresses of the items, for the element
      --base PATH        where the site serves DIR (default /pique/)
      --dist DIR         the package's dist/ (default: beside this program, or PIQUE_DIST)
      --help             show this text

Files whose names bear a hash may be cached for ever; the manifest names them. Hashed files of the
manifest that stood there before are removed.
`;

const OPTIONS = {
  out: { type: 'string', short: 'o' },
  ranker: { type: 'string' },
  catalog: { type: 'string' },
  base: { type: 'string', default: '/pique/' },
  dist: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
};

function usage(message) {
  return new Failure(`${message}\n\`pique site --help\` tells how it is used`, 2);
}

/** What the arguments ask for; nothing when they ask for help. */
function read(args) {
  let parsed;
  try {
    parsed = parseArgs({ args, allowPositionals: true, options: OPTIONS });
  } catch (error) {
    throw usage(error.message);
  }
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  if (positionals.length !== 1) throw usage('FILE.pique is missing, or there are several');
  if (!values.out) throw usage('--out DIR is missing');
  if (!/^\/(?:[\w.~-]+\/)*$/.test(values.base)) {
    throw usage(`--base: "${values.base}" is no path that begins and ends with /`);
  }
  const own = path.dirname(fileURLToPath(import.meta.url));
  const dist = values.dist ?? process.env.PIQUE_DIST ?? own;
  return { ...values, dist, model: positionals[0] };
}

async function run([command, ...args]) {
  if (!command || ['--help', '-h', 'help'].includes(command)) return process.stdout.write(HELP);
  if (command !== 'site') {
    const rest = 'site is the only command of the npm package; the native program has the others';
    throw usage(`there is no command "${command}" (${rest})`);
  }
  const options = read(args);
  return process.stdout.write(options ? await writeSite(options) : HELP);
}

try {
  await run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`pique site: ${error.message}\n`);
  process.exitCode = error.code;
}
