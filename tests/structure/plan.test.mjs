// The arithmetic of `npm test` itself: stages are complete and failures cannot be counted away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countCtest, countNodeTests, planStages, total } from '../../scripts/test-plan.mjs';

const stages = { a: {}, b: { needs: ['a'] }, c: {}, d: { needs: ['b', 'c'] } };

test('a plan holds what is wanted and what that needs, in the order of the table', () => {
  assert.deepEqual(planStages(stages, []), ['a', 'b', 'c', 'd']);
  assert.deepEqual(planStages(stages, ['d']), ['a', 'b', 'c', 'd']);
  assert.deepEqual(planStages(stages, ['c', 'b']), ['a', 'b', 'c']);
  assert.throws(() => planStages(stages, ['x']), /no stage 'x'; there are a, b, c, d/);
});

test('ctest is counted from its JUnit file', () => {
  const xml =
    '<?xml?>\n<testsuite name="x"\n tests="7"\n failures="2"\n disabled="0"\n skipped="1">';
  assert.deepEqual(countCtest(xml), { passed: 4, failed: 2, skipped: 1 });
  assert.throws(() => countCtest(''), /does not tell/);
});

test('node:test is counted from its summary, the last one where tests print one', () => {
  const summary = (pass, fail) =>
    `ℹ tests 9\nℹ suites 0\nℹ pass ${pass}\nℹ fail ${fail}\nℹ cancelled 1\nℹ skipped 2\nℹ todo 0\n`;
  const text = `${summary(1, 0)}\n${summary(5, 3)}`;
  assert.deepEqual(countNodeTests(text), { passed: 5, failed: 4, skipped: 2 });
  assert.deepEqual(countNodeTests(text.replaceAll('ℹ', '#')), { passed: 5, failed: 4, skipped: 2 });
  assert.throws(() => countNodeTests('Segmentation fault'), /does not tell/);
});

test('totals add up', () => {
  const one = { passed: 1, failed: 2, skipped: 3 };
  assert.deepEqual(total([one, one]), { passed: 2, failed: 4, skipped: 6 });
});
