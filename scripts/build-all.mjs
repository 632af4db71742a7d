// npm run build: what a release consists of: the native command line and libraries, both WebAssembly
// modules, and the npm package's files in dist/.
import { buildPackage, buildPreset, run } from './run.mjs';

await run('bash', ['scripts/setup.sh', 'demo']);
await buildPreset('native');
await buildPackage();
