// The scans as the WebAssembly module holds them, timed under Node: links bench_scan.c with the objects that
// pique.wasm is made of (build/wasm, with its flags) and runs it. Same output as bench_scan.
//
//   node tests/bench/scan_wasm.mjs [rows] [interests]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WASI } from 'node:wasi';

const root = new URL('../..', import.meta.url).pathname;
const core = 'build/wasm/CMakeFiles/pique_core.dir/src';
const folder = mkdtempSync(join(tmpdir(), 'pique-scan-'));
let bytes;
try {
  const program = join(folder, 'bench_scan.wasm');
  const objects = readdirSync(join(root, core), { recursive: true })
    .filter((name) => name.endsWith('.o'))
    .map((name) => join(core, name));
  const options = ['-O2', '-msimd128', '-D_POSIX_C_SOURCE=200809L', '-Isrc'];
  const link = ['-sSTANDALONE_WASM', '-sINITIAL_MEMORY=1GB', '-o', program];
  execFileSync('emcc', [...options, 'tests/bench/bench_scan.c', ...objects, ...link], {
    cwd: root,
    stdio: 'inherit',
  });
  bytes = readFileSync(program);
} finally {
  rmSync(folder, { recursive: true });
}
const wasi = new WASI({ version: 'preview1', args: ['bench_scan', ...process.argv.slice(2)] });
const { instance } = await WebAssembly.instantiate(bytes, wasi.getImportObject());
process.exitCode = wasi.start(instance);
