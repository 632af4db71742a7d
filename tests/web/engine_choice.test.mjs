/** The self-test picks the build: an engine that computes wrongly is not trusted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importDist, modelBytes, readDist } from './web_support.mjs';

const { load } = await importDist('index.js');

/** Every engine of this process answers the self-test with what `answer` says. */
async function withSelfTest(answer, use) {
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (...args) => {
    const made = await instantiate(...args);
    const real = made.instance?.exports.pique_js_self_test;
    if (!real) return made; // Node itself has engines of other kinds
    const pique_js_self_test = () => answer(args[0].byteLength, real);
    return { ...made, instance: { exports: { ...made.instance.exports, pique_js_self_test } } };
  };
  try {
    return await use();
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}

test('both builds know the answers', async () => {
  for (const name of ['core.wasm', 'core-nosimd.wasm']) {
    const imports = { env: { emscripten_notify_memory_growth() {} } };
    const { instance } = await WebAssembly.instantiate(readDist(name), imports);
    instance.exports._initialize?.();
    assert.equal(instance.exports.pique_js_self_test(), 1, name);
  }
});

test('the engine asks for nothing but a note when memory grows', async () => {
  for (const name of ['core.wasm', 'core-nosimd.wasm']) {
    const imports = WebAssembly.Module.imports(await WebAssembly.compile(readDist(name)));
    assert.deepEqual(
      imports.map((entry) => `${entry.module}.${entry.name}`),
      ['env.emscripten_notify_memory_growth'],
    );
  }
});

test('a SIMD build that fails is replaced by the other one', async () => {
  const size = readDist('core.wasm').length;
  const pique = await withSelfTest(
    (bytes, real) => (bytes === size ? 0 : real()),
    () => load(modelBytes()),
  );
  assert.equal(pique.info.isa, 'scalar');
  await pique.dispose();
});

test('a SIMD build that traps is replaced as well', async () => {
  const size = readDist('core.wasm').length;
  const trap = () => {
    throw new WebAssembly.RuntimeError('unreachable');
  };
  const pique = await withSelfTest(
    (bytes, real) => (bytes === size ? trap() : real()),
    () => load(modelBytes()),
  );
  assert.equal(pique.info.isa, 'scalar');
  await pique.dispose();
});

test('when both fail there is no engine', async () => {
  await withSelfTest(
    () => 0,
    () => assert.rejects(load(modelBytes()), { name: 'PiqueError', code: 'WASM_FAILED' }),
  );
});

test('a policy that forbids WebAssembly is told apart', async () => {
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async () => {
    throw new WebAssembly.CompileError(
      'Refused to compile: violates the following Content Security Policy directive: script-src',
    );
  };
  try {
    await assert.rejects(load(modelBytes()), { code: 'CSP_BLOCKED' });
  } finally {
    WebAssembly.instantiate = instantiate;
  }
});

test('without SIMD the other build is taken at once', async () => {
  const { validate } = WebAssembly;
  WebAssembly.validate = () => false;
  try {
    const pique = await load(modelBytes());
    assert.equal(pique.info.isa, 'scalar');
    await pique.dispose();
  } finally {
    WebAssembly.validate = validate;
  }
});
