/** The elements and the React hook without a browser: on a server, in the types, and in their manifest. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { dist, importDist, readDist, root } from './web_support.mjs';

const source = (name) => readFileSync(path.join(root, 'web/src/element', name), 'utf8');

for (const name of ['element.js', 'element.auto.iife.js', 'element.privacy.js']) {
  test(`${name} stays within 8 KB gzip`, () => {
    const size = gzipSync(readDist(name), { level: 9 }).length;
    assert.ok(size <= 8192, `${size} bytes`);
  });
}

describe('on a server', () => {
  test('importing the elements leaves no traces, and defining them does nothing', async () => {
    const traces = Object.keys(globalThis).join();
    const { define, PiqueList, PiquePrivacy, setStrings } = await importDist('element.js');
    assert.equal(Object.keys(globalThis).join(), traces);
    assert.deepEqual([typeof PiqueList, typeof PiquePrivacy], ['function', 'function']);
    define();
    setStrings('fr', { label: 'Pour vous' });
  });

  test('define defines once, and what somebody else defined stays', async () => {
    const { define, PiqueList, PiquePrivacy } = await importDist('element.js');
    const other = class {};
    const defined = new Map([['pique-list', other]]);
    const registry = {
      get: (name) => defined.get(name),
      define: (name, owner) => defined.set(name, owner),
    };
    define(registry);
    define(registry);
    assert.equal(defined.get('pique-list'), other);
    assert.equal(defined.get('pique-privacy'), PiquePrivacy);
    assert.notEqual(PiqueList, other);
  });

  test('the hook renders what it is given to begin with', async () => {
    const { useRecommendations } = await importDist('react.js');
    const List = () => {
      const { items, status, personal } = useRecommendations('/films.pique', {
        initial: [{ id: 'served', score: 0, interest: -1 }],
      });
      return createElement('p', null, `${status} ${personal} ${items.map(({ id }) => id)}`);
    };
    assert.equal(renderToString(createElement(List)), '<p>loading false served</p>');
  });
});

describe('the manifest', () => {
  const { modules } = JSON.parse(readDist('custom-elements.json'));
  const declarations = Object.fromEntries(modules[0].declarations.map((each) => [each.name, each]));
  const files = {
    PiqueList: ['pique_list.ts'],
    PiquePrivacy: ['pique_privacy.ts', 'privacy_panel.ts'],
  };

  for (const [name, names] of Object.entries(files)) {
    test(`tells the attributes, events and parts of ${name}`, async () => {
      const owner = (await importDist('element.js'))[name];
      const told = declarations[name];
      const list = (key) => told[key].map((one) => one.name).sort();
      // What the element only reads when it begins, or writes itself, it does not observe.
      const unobserved = name === 'PiqueList' ? ['state'] : ['loading'];
      assert.deepEqual(list('attributes'), [...owner.observedAttributes, ...unobserved].sort());
      const text = names.map(source).join('\n');
      const events = new Set(
        [...text.matchAll(/emit\('(pique-[a-z]+)'/g)].map(([, event]) => event),
      );
      assert.deepEqual(list('events'), [...events].sort());
      const named = text.matchAll(/(?:part: '|styled\(')([a-z ]+)'/g);
      const buttons = text.matchAll(/#button\('([a-z]+)'/g);
      const parts = [...named, ...buttons].flatMap(([, part]) => part.split(' '));
      const fixed = name === 'PiqueList' ? ['like', 'hide'] : ['button'];
      assert.deepEqual(list('cssParts'), [...new Set([...parts, ...fixed])].sort());
      for (const { fieldName } of told.attributes) {
        if (fieldName) assert.ok(fieldName in owner.prototype, fieldName);
      }
    });
  }
});

describe('the types', () => {
  let folder;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'pique-types-'));
    mkdirSync(path.join(folder, 'node_modules/pique'), { recursive: true });
    for (const name of ['dist', 'package.json']) {
      const from = name === 'dist' ? dist : path.join(root, name);
      symlinkSync(path.resolve(from), path.join(folder, 'node_modules/pique', name));
    }
    writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(
      path.join(folder, 'use.ts'),
      `import { define, type ErrorDetail, type PiqueList, setStrings } from 'pique/element';
       import { type Recommendations, useRecommendations } from 'pique/react';
       define();
       setStrings('fr', { label: 'Pour vous' });
       const list = document.createElement('pique-list');
       const same: PiqueList = list;
       list.count = 6;
       list.excludeSeen = true;
       list.filter = (id) => id !== '50';
       list.addEventListener('pique-results', ({ detail }) => console.log(detail.items[0]?.item.title));
       list.addEventListener('pique-error', ({ detail }: CustomEvent<ErrorDetail>) => console.log(detail.error));
       document.querySelector('pique-privacy')?.addEventListener('pique-change', ({ detail }) => {
         const action: 'remove' | 'clear' | 'pause' | 'resume' | 'export' | 'import' = detail.action;
         console.log(action);
       });
       // @ts-expect-error a count is a number
       list.count = '6';
       // @ts-expect-error there is no such text
       setStrings('fr', { lable: 'Pour vous' });
       export const use = (): Recommendations => useRecommendations('/films.pique', { count: 6 });
       export { same };`,
    );
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ]) {
    test(`check under ${resolution}`, () => {
      const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
      const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom'];
      const kind = ['--module', module, '--moduleResolution', resolution, '--types', ''];
      const args = [tsc, ...options, ...kind, '--preserveSymlinks', 'use.ts', '--ignoreConfig'];
      try {
        execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
      } catch (error) {
        assert.fail(error.stdout);
      }
    });
  }
});
