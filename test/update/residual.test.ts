// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { errorFeedbackSchema } from "../../src/protocol/recipe/codecConfig.ts";
import { agedResidual, ERROR_FEEDBACK, emptyResidual } from "../../src/update/residual.ts";

describe("agedResidual", () => {
  const residual = Float64Array.of(8, -4, 0);
  it("is kept whole for fifty rounds, and then dropped", () => {
    assert.deepEqual(errorFeedbackSchema.parse(ERROR_FEEDBACK), ERROR_FEEDBACK);
    assert.deepEqual(agedResidual(residual, 1), residual);
    assert.deepEqual(agedResidual(residual, 50), residual);
    assert.deepEqual(agedResidual(residual, 51), new Float64Array(3));
  });
  it("decays once for every round that it waits", () => {
    const decaying = { decay: 0.5, maxAge: 3 };
    assert.deepEqual([...agedResidual(residual, 1, decaying)], [4, -2, 0]);
    assert.deepEqual([...agedResidual(residual, 3, decaying)], [1, -0.5, 0]);
    assert.deepEqual([...agedResidual(residual, 4, decaying)], [0, 0, 0]);
    assert.deepEqual([...residual], [8, -4, 0]);
  });
  it("starts empty", () => assert.deepEqual(emptyResidual({ size: 2 }), new Float64Array(2)));
});
