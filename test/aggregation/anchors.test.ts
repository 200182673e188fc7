// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { measure } from "../../src/aggregation/measure.ts";
import { referenceKernels } from "../../src/aggregation/reference/referenceKernels.ts";
import { spansOf } from "../../src/aggregation/spans.ts";
import { openCpuKernels } from "../../src/kernels/cpu/cpuKernels.ts";
import { modelLayout } from "../../src/protocol/layout.ts";
import { keyedRandom } from "../../src/protocol/random.ts";
import type { WideKernels } from "../../src/protocol/wideKernels.ts";
import { cloud, rootOf, updatesOf } from "./fixtures.ts";

const LAYOUT = modelLayout([
  { name: "a", shape: [3], fractionBits: 18, group: 0 },
  { name: "b", shape: [5], fractionBits: 16, group: 1 },
  { name: "c", shape: [2], fractionBits: 18, group: 0 },
]);
/** Which group and how much longer each coordinate is, by hand. */
const GROUP = [0, 0, 0, 1, 1, 1, 1, 1, 0, 0];
const LONGER = [1, 1, 1, 4, 4, 4, 4, 4, 1, 1];
const dot = (a: ArrayLike<number>, b: ArrayLike<number>, group?: number): bigint =>
  GROUP.reduce(
    (sum, of, j) =>
      group === undefined || of === group
        ? sum + BigInt((a[j] as number) * (LONGER[j] as number)) * BigInt((b[j] as number) * (LONGER[j] as number))
        : sum,
    0n,
  );

describe("what is measured of updates", () => {
  let cpu: WideKernels;
  before(async () => {
    cpu = await openCpuKernels({ threads: 1 });
  });
  after(() => cpu.close());

  const rows = cloud(keyedRandom("anchors"), 6, LAYOUT.size, 3_000, 200_000);
  (rows[1] as Int32Array).fill(16_777_215);
  (rows[4] as Int32Array).fill(-16_777_215);
  const root = cloud(keyedRandom("anchor"), 1, LAYOUT.size, 0, 9_000)[0] as Int32Array;
  /** Twice the median, as sorted by hand. */
  const middle = Int32Array.from(root, (_, j) => {
    const column = rows.map((row) => row[j] as number).sort((a, b) => a - b);
    return (column[2] as number) + (column[3] as number);
  });

  for (const backend of ["reference", "cpu"] as const) {
    it(`${backend}: norms by group alone, for a rule that asks for no more`, async () => {
      const kernels = backend === "cpu" ? cpu : referenceKernels;
      for (const limit of [1, 2, 100]) {
        const input = { updates: updatesOf(rows), layout: LAYOUT, facts: {} };
        const { gram, groups } = await measure(input, { usesGram: false }, spansOf(LAYOUT, limit), kernels);
        assert.deepEqual(gram, []);
        assert.deepEqual(
          groups.map(({ norms }) => norms),
          groups.map((_, group) => rows.map((row) => dot(row, row, group))),
        );
      }
    });
    for (const [anchor, vector] of [
      ["root", root],
      ["coordinate-median", middle],
    ] as const) {
      it(`${backend}: inner products by group and in all, and with the ${anchor}, for any span`, async () => {
        const kernels = backend === "cpu" ? cpu : referenceKernels;
        for (const limit of [1, 2, 100]) {
          const input = { updates: updatesOf(rows), layout: LAYOUT, facts: { root: rootOf(root) } };
          const { gram, groups } = await measure(input, { anchor, usesGram: true }, spansOf(LAYOUT, limit), kernels);
          assert.deepEqual(
            gram,
            rows.map((a) => rows.map((b) => dot(a, b))),
          );
          for (const [group, { norms, anchored, anchorNorm }] of groups.entries()) {
            assert.deepEqual(
              norms,
              rows.map((row) => dot(row, row, group)),
            );
            assert.deepEqual(
              anchored,
              rows.map((row) => dot(row, vector, group)),
            );
            assert.equal(anchorNorm, dot(vector, vector, group));
          }
        }
      });
    }
  }
});
