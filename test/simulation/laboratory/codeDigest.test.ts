// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { relative } from "node:path";
import { test } from "node:test";
import { codeDigest, sourcesFrom } from "../../../src/simulation/laboratory/codeDigest.ts";

test("the digest covers what runs a cell, and not what only shows it", () => {
  const paths = [...sourcesFrom("src/simulation/laboratory/cell.worker.ts").keys()].map((path) => relative(".", path));
  for (const needed of [
    "src/simulation/laboratory/simulateRound.ts",
    "src/simulation/attacks/minMax.ts",
    "src/aggregation/byzFed.ts",
    "src/learning/algorithms/scaffold.ts",
    "src/learning/onnx/tape.ts",
    "src/update/prepareUpdate.ts",
    "src/privacy/rdp.ts",
    "src/protocol/random.ts",
    "src/data/generators/mixture.ts",
  ])
    assert.ok(paths.includes(needed), needed);
  for (const other of ["src/simulation/laboratory/reportOf.ts", "src/cli/simulate.ts", "src/report/markup.ts"])
    assert.ok(!paths.includes(other), other);
  assert.match(codeDigest(), /^[0-9a-f]{16}$/);
});
