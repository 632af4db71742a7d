// Rules on single files: length of files and functions, unique names, paths of machines, calls that
// the core must not make, where public functions are defined.
import { posix } from 'node:path';
import { stripC } from './tree.mjs';

export const MAX_FILE_LINES = 1000;
export const MAX_FUNCTION_LINES = 120;

const isC = (path) => /\.[ch]$/.test(path);
const isScript = (path) => /\.(ts|mjs|js)$/.test(path);
const isSource = (path) => /\.(c|h|def|inc|ts|mjs|js|py|sh|css|html|md|cmake)$/.test(path);

export function checkFileLengths(files) {
  return files
    .filter((file) => isSource(file.path))
    .map((file) => ({ path: file.path, lines: file.text.trimEnd().split('\n').length }))
    .filter((file) => file.lines > MAX_FILE_LINES)
    .map((file) => `${file.path}: ${file.lines} lines`);
}

/** Functions of C as clang-format leaves it: a body opens on an unindented line (or on the last line
 * of an unindented head) and closes with an unindented brace. */
export function functionsOfC(text) {
  const functions = [];
  const lines = stripC(text).split('\n');
  let head = null;
  for (const [index, line] of lines.entries()) {
    if (head === null || head.body === undefined) {
      if (/^[A-Za-z_].*\(/.test(line)) {
        head = { start: index, name: /(\w+)\s*\(/.exec(line)[1] };
      } else if (/^\S/.test(line) && !line.startsWith('{')) {
        head = null;
      }
      if (head !== null && line.endsWith(';')) {
        head = null; // a declaration
      } else if (head !== null && line.endsWith('{') && !line.endsWith('= {')) {
        head.body = index;
      }
    } else if (line.startsWith('}')) {
      functions.push({ name: head.name, line: head.start + 1, lines: index - head.start + 1 });
      head = null;
    }
  }
  return functions;
}

const scriptHeads = [
  /\bfunction\b\s*\*?\s*(\w*)\s*[(<]/,
  /\b(\w+)(?:\s*:[^=]*)?\s*=\s*(?:async\s*)?(?:\(|\w+\s*=>)/,
  /^\s+(?:(?:static|async|get|set|private|public|protected|override)\s+)*\*?(#?\w+)\s*[(<]/,
];
const notFunctions =
  /^\s*(?:\/\/|\*|\/\*)|^\s*(?:\}\s*)?(?:if|else|for|while|switch|catch|return|await)\b/;

/** Functions of JavaScript and TypeScript as Biome leaves them: a body ends with a brace that is
 * indented like its head. Callbacks count as part of the function around them. */
export function functionsOfScript(text) {
  const functions = [];
  const lines = text.split('\n');
  for (const [start, line] of lines.entries()) {
    const head = notFunctions.test(line) ? undefined : scriptHeads.find((each) => each.test(line));
    if (!head) {
      continue;
    }
    const indent = /^\s*/.exec(line)[0];
    // The body opens on the line of the head, or on the line that ends the parameters.
    let opens = start;
    if (/[(<]$/.test(line)) {
      opens = lines.findIndex((other, at) => at > start && other.startsWith(`${indent})`));
    }
    if (opens < 0 || !lines[opens].endsWith('{') || /\b(?:test|describe|it)\(/.test(line)) {
      continue;
    }
    const end = lines.findIndex((other, at) => at > opens && other.startsWith(`${indent}}`));
    if (end > 0) {
      const name = head.exec(line)[1] || 'function';
      functions.push({ name, line: start + 1, lines: end - start + 1 });
    }
  }
  return functions;
}

export function checkFunctionLengths(files) {
  const problems = [];
  for (const file of files) {
    const functions = isC(file.path)
      ? functionsOfC(file.text)
      : isScript(file.path)
        ? functionsOfScript(file.text)
        : [];
    for (const found of functions.filter((each) => each.lines > MAX_FUNCTION_LINES)) {
      problems.push(`${file.path}:${found.line}: ${found.name} has ${found.lines} lines`);
    }
  }
  return problems;
}

/** Names that a folder gives its files by custom. */
const customary = new Set([
  ...['README.md', 'CMakeLists.txt', 'index.html', '.clang-tidy'],
  ...['package.json', 'package-lock.json'],
]);

export function checkUniqueNames(files) {
  const places = new Map();
  for (const { path } of files) {
    const name = posix.basename(path);
    if (!customary.has(name) && !/\/(corpus|fixtures)\//.test(path)) {
      places.set(name, [...(places.get(name) ?? []), path]);
    }
  }
  return [...places.values()]
    .filter((paths) => paths.length > 1)
    .map((paths) => `same name: ${paths.join(', ')}`);
}

export function checkMachinePaths(files) {
  const path = /(?<![\w.~@)}*-])\/(?:home|root|work|Users)\/[\w.]/;
  const problems = [];
  for (const file of files) {
    for (const [index, line] of file.text.split('\n').entries()) {
      if (path.test(line)) {
        problems.push(`${file.path}:${index + 1}: names a place of one machine`);
      }
    }
  }
  return problems;
}

const forbidden =
  /(?<![\w.>])(exit|_exit|abort|assert|v?(?:f|sn?)?printf|qsort|puts|putchar|fputs|fopen|fread|fwrite|perror|system|getenv|time|clock|rand|malloc|calloc|realloc|free)\s*\(/g;

/** The allocator that contexts have when the caller gives none. */
const allowedCalls = { 'src/api/api_context.c': ['realloc', 'free'] };

/** The core neither prints nor ends the program nor reads clocks, and allocates through the context. */
export function checkCoreCalls(files) {
  const problems = [];
  for (const file of files.filter((each) => /^src\/.*\.[ch]$/.test(each.path))) {
    for (const [index, line] of stripC(file.text).split('\n').entries()) {
      for (const [, name] of line.matchAll(forbidden)) {
        if (!allowedCalls[file.path]?.includes(name)) {
          problems.push(`${file.path}:${index + 1}: the core must not call ${name}`);
        }
      }
    }
  }
  return problems;
}

const formatting =
  /(?<!#define )\b(?:pq_fail|PQ_FAIL|pq_tape_fail|PQ_MISFIT|pq_text_add|pq_builder_log|pq_format)\s*\(/g;
const conversion = /%(?:s|u|lu|d|%|\.\*s|\.\d+s|([^"]{0,6}))/g;

/** The strings within the brackets of a call that opens at `from`, each with its place. */
function stringsOfCall(text, from) {
  const strings = [];
  const parts = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[()]/g;
  parts.lastIndex = from;
  let depth = 0;
  for (let part = parts.exec(text); part; part = parts.exec(text)) {
    depth += part[0] === '(' ? 1 : part[0] === ')' ? -1 : 0;
    if (depth === 0) {
      break;
    }
    if (part[0].startsWith('"')) {
      strings.push({ text: part[0], at: part.index });
    }
  }
  return strings;
}

/** Messages keep to the forms of src/base/format.h: the compiler accepts all of printf's. */
export function checkFormats(files) {
  const problems = [];
  for (const file of files.filter((each) => /^(src|native)\/.*\.[ch]$/.test(each.path))) {
    for (const call of file.text.matchAll(formatting)) {
      const open = call.index + call[0].length - 1;
      for (const string of stringsOfCall(file.text, open)) {
        for (const [found, unknown] of string.text.matchAll(conversion)) {
          if (unknown === undefined) {
            continue;
          }
          const line = file.text.slice(0, string.at).split('\n').length;
          problems.push(`${file.path}:${line}: pq_format does not know "${found}"`);
        }
      }
    }
  }
  return problems;
}

/** Public functions are defined in src/api and native/api, and nowhere else. */
export function checkPublicDefinitions(files) {
  const problems = [];
  for (const file of files.filter((each) => /^(src|native)\/.*\.c$/.test(each.path))) {
    for (const found of functionsOfC(file.text).filter((each) => each.name.startsWith('pique_'))) {
      if (!/^(src|native)\/api\//.test(file.path)) {
        problems.push(
          `${file.path}:${found.line}: ${found.name} belongs into src/api or native/api`,
        );
      }
    }
  }
  return problems;
}
