// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

/**
 * `deepEqual` for results of a million numbers, in lists of lists: says where they first differ and how often. Node's own makes a picture of
 * both first, which takes minutes and gigabytes, so that a failing test would look like one that hangs.
 */
export function sameResult(actual: unknown, expected: unknown, what = "result"): void {
  if (!isList(actual) || !isList(expected)) {
    assert.deepEqual(actual, expected, what);
    return;
  }
  assert.equal(actual.length, expected.length, `${what}: length`);
  let first = -1;
  let differing = 0;
  for (let i = 0; i < expected.length; i++) {
    if (isList(expected[i])) sameResult(actual[i], expected[i], `${what}[${i}]`);
    else if (!Object.is(actual[i], expected[i])) {
      if (first < 0) first = i;
      differing++;
    }
  }
  assert.ok(
    differing === 0,
    `${what}: ${differing} of ${expected.length} differ; [${first}] is ${actual[first]}, not ${expected[first]}`,
  );
}
