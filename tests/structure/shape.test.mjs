import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkCoreCalls,
  checkFileLengths,
  checkFormats,
  checkFunctionLengths,
  checkMachinePaths,
  checkPublicDefinitions,
  checkUniqueNames,
  functionsOfC,
  functionsOfScript,
  MAX_FILE_LINES,
  MAX_FUNCTION_LINES,
} from './shape.mjs';
import { readTree } from './tree.mjs';

const project = readTree();
const file = (path, text) => ({ path, text });
const body = (lines) => '    x();\n'.repeat(lines);

test('no file of the project is too long', () => {
  assert.deepEqual(checkFileLengths(project), []);
});

test('no function of the project is too long', () => {
  assert.deepEqual(checkFunctionLengths(project), []);
});

test('file names are unique in the project', () => {
  assert.deepEqual(checkUniqueNames(project), []);
});

test('no file of the project names a place of one machine', () => {
  assert.deepEqual(checkMachinePaths(project), []);
});

test('the core makes no forbidden call', () => {
  assert.deepEqual(checkCoreCalls(project), []);
});

test('messages use only forms that pq_format knows', () => {
  assert.deepEqual(checkFormats(project), []);
});

test('public functions are defined in the api rooms', () => {
  assert.deepEqual(checkPublicDefinitions(project), []);
});

test('a form that pq_format does not know is found', () => {
  const calls =
    'x = 5 %d;\nprintf("%5.2f", x);\nPQ_FAIL(ctx, CODE, f(")", \')\'), "%s %u %lu %d %%"\n' +
    '        "%.*s %.20s and %.0f", x);\npq_text_add(t, "%ld", 1);\npq_fail(c, d, "%zu%5d", 1, 2);\n';
  assert.deepEqual(checkFormats([file('native/data/a.c', calls)]), [
    'native/data/a.c:4: pq_format does not know "%.0f"',
    'native/data/a.c:5: pq_format does not know "%ld"',
    'native/data/a.c:6: pq_format does not know "%zu%5d"',
  ]);
});

test('a long file is found', () => {
  const files = [
    file('src/base/long.c', 'x;\n'.repeat(MAX_FILE_LINES + 1)),
    file('src/base/fits.c', 'x;\n'.repeat(MAX_FILE_LINES)),
    file('models/data.json', 'x\n'.repeat(MAX_FILE_LINES + 1)),
  ];
  assert.deepEqual(checkFileLengths(files), ['src/base/long.c: 1001 lines']);
});

test('functions of C are measured from head to closing brace', () => {
  const text =
    'static const int table[] = {\n    1,\n};\n\nvoid declared(int a,\n              int b);\n\n' +
    'struct thing {\n    int (*call)(int);\n};\n\n' +
    'static int first(int a,\n                 int b) {\n    /* } */\n    return a;\n}\n\n' +
    'int second(void) {\n    if (x) {\n        y();\n    }\n    return 0;\n}\n';
  assert.deepEqual(functionsOfC(text), [
    { name: 'first', line: 12, lines: 5 },
    { name: 'second', line: 18, lines: 6 },
  ]);
});

test('functions of scripts are measured from head to closing brace', () => {
  const text =
    'export async function first(\n  a,\n  b,\n) {\n  return [a].map((x) => {\n    return x;\n  });\n}\n\n' +
    'const second = (a) => {\n  return a;\n};\n\nconst short = (a) => a;\n\n' +
    'class Thing {\n  async third(a) {\n    if (a) {\n      b();\n    }\n  }\n}\n';
  assert.deepEqual(functionsOfScript(text), [
    { name: 'first', line: 1, lines: 8 },
    { name: 'second', line: 10, lines: 3 },
    { name: 'third', line: 17, lines: 5 },
  ]);
});

test('a long function is found, in C and in scripts', () => {
  const files = [
    file('src/base/a.c', `int fits(void) {\n${body(MAX_FUNCTION_LINES - 2)}}\n`),
    file('src/base/b.c', `int long_one(void) {\n${body(MAX_FUNCTION_LINES - 1)}}\n`),
    file('web/src/c.ts', `function longOne(a: string): void {\n${body(MAX_FUNCTION_LINES - 1)}}\n`),
  ];
  assert.deepEqual(checkFunctionLengths(files), [
    'src/base/b.c:1: long_one has 121 lines',
    'web/src/c.ts:1: longOne has 121 lines',
  ]);
});

test('a name used twice is found', () => {
  const files = [
    file('src/a/x.c', ''),
    file('src/b/x.c', ''),
    file('a/README.md', ''),
    file('README.md', ''),
  ];
  assert.deepEqual(checkUniqueNames(files), ['same name: src/a/x.c, src/b/x.c']);
});

test('a path of a machine is found, a route of a site is not', () => {
  const place = ['', 'home', 'someone', 'x'].join('/');
  const files = [file('a.md', `see\n${place}\n`), file('b.md', `https://example.org${place}\n`)];
  assert.deepEqual(checkMachinePaths(files), ['a.md:2: names a place of one machine']);
});

test('forbidden calls of the core are found, in code only', () => {
  const files = [
    file('src/base/a.c', '/* free(x) */\nconst char *s = "exit(1)";\n    x = malloc(3);\n'),
    file(
      'src/base/b.c',
      '    ctx->allocator.free(p);\n    pq_free(ctx, p);\n    snprintf(a, 1, "x");\n',
    ),
    file('src/api/api_context.c', '    free(block);\n    abort();\n'),
    file('native/cli/c.c', '    exit(1);\n'),
  ];
  assert.deepEqual(checkCoreCalls(files), [
    'src/base/a.c:3: the core must not call malloc',
    'src/base/b.c:3: the core must not call snprintf',
    'src/api/api_context.c:2: the core must not call abort',
  ]);
});

test('a public function outside the api rooms is found', () => {
  const text = 'pique_status pique_do(pique_context *ctx) {\n    return PIQUE_OK;\n}\n';
  const files = [
    file('src/api/a.c', text),
    file('native/api/b.c', text),
    file('src/file/c.c', text),
  ];
  assert.deepEqual(checkPublicDefinitions(files), [
    'src/file/c.c:1: pique_do belongs into src/api or native/api',
  ]);
});
