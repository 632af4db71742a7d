// Which room may include which. The rooms and the reasons stand in docs/architecture.md.
import { posix } from 'node:path';

const below = ['src/base', 'src/kernels', 'src/graph', 'src/layers'];
const core = [...below, 'src/models'];

/** What a room may include beside itself and src/pique.h. */
export const arrows = {
  'src/base': [],
  'src/kernels': ['src/base'],
  'src/graph': ['src/base', 'src/kernels'],
  'src/layers': ['src/base', 'src/kernels', 'src/graph'],
  'src/models': below,
  'src/file': ['src/base'],
  'src/retrieval': ['src/base', 'src/kernels'],
  'src/api': [...core, 'src/file', 'src/retrieval'],
  'native/quant': ['src/base'],
  'native/data': [...core, 'src/file', 'pique_train.h'],
  'native/eval': [...core, 'src/file', 'src/retrieval', 'pique_train.h', 'native/data'],
  'native/train': [
    ...[...core, 'src/file', 'pique_train.h'],
    ...['native/data', 'native/eval', 'native/quant'],
  ],
  'native/export': [
    ...[...core, 'src/file', 'pique_train.h'],
    ...['native/data', 'native/eval', 'native/quant'],
  ],
  'native/content': [...core, 'pique_train.h', 'native/data', 'native/train'],
  'native/pretrain': [
    ...[...core, 'pique_train.h', 'native/data', 'native/eval', 'native/train'],
    ...['native/content', 'src/file'],
  ],
  'native/report': ['src/base', 'pique_train.h'],
  'native/api': [
    ...[...core, 'src/file', 'src/retrieval', 'src/api', 'pique_train.h'],
    ...['native/data', 'native/eval', 'native/train', 'native/export', 'native/report'],
    ...['native/content', 'native/pretrain'],
  ],
  'native/cli': ['pique_train.h'],
  wasm: [],
};

/** Single files that reach further than their room, each for one reason. */
export const exceptions = {
  // Runs every kernel against known answers before the page trusts the module.
  'wasm/selftest.c': ['src/kernels'],
};

const headersOfAll = { 'src/pique.h': null, 'src/pique_train.h': 'pique_train.h' };

function roomOf(path) {
  const parts = path.split('/');
  return parts[0] === 'wasm' ? 'wasm' : parts.slice(0, 2).join('/');
}

function resolve(from, name, paths) {
  const candidates = [posix.join(posix.dirname(from), name), `src/${name}`, name];
  return candidates.find((path) => paths.has(path));
}

function judge(file, target, name) {
  const room = roomOf(file.path);
  if (!target) {
    return `includes "${name}", which is not in the tree (outside headers go between < and >)`;
  }
  const allowed = [...(arrows[room] ?? []), ...(exceptions[file.path] ?? [])];
  if (target in headersOfAll) {
    const needed = headersOfAll[target];
    return needed === null || allowed.includes(needed) || file.path === target
      ? null
      : `${room} must not include ${target}`;
  }
  const targetRoom = roomOf(target);
  return targetRoom === room || allowed.includes(targetRoom)
    ? null
    : `${room} must not include ${targetRoom} (${target})`;
}

/** Problems of all includes in src, native and wasm, as "path:line: what". */
export function checkArrows(files) {
  const paths = new Set(files.map((file) => file.path));
  const problems = [];
  for (const file of files) {
    if (!/^(src|native|wasm)\/.*\.(c|h|def|inc)$/.test(file.path) || file.path in headersOfAll) {
      continue;
    }
    if (!(roomOf(file.path) in arrows)) {
      problems.push(`${file.path}: ${roomOf(file.path)} is not a room of the house`);
      continue;
    }
    for (const [index, line] of file.text.split('\n').entries()) {
      const include = /^\s*#\s*include\s*([<"])([^>"]+)[>"]/.exec(line);
      if (!include) {
        continue;
      }
      const [, quote, name] = include;
      if (name.startsWith('simde/')) {
        if (file.path !== 'src/kernels/vec.h') {
          problems.push(`${file.path}:${index + 1}: only src/kernels/vec.h may include SIMDe`);
        }
      } else if (quote === '"') {
        const problem = judge(file, resolve(file.path, name, paths), name);
        if (problem) {
          problems.push(`${file.path}:${index + 1}: ${problem}`);
        }
      }
    }
  }
  return problems;
}
