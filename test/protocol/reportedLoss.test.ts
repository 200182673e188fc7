// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FieldRangeError } from "../../src/protocol/field.ts";
import { reportedLoss } from "../../src/protocol/reportedLoss.ts";
import { BINDING_CASES } from "../fixtures/bindingVectors.ts";

const uint32 = fc.nat({ max: 2 ** 32 - 1 });

describe("reportedLoss", () => {
  for (const vectors of BINDING_CASES)
    it(`vector: ${vectors.name}`, () => assert.equal(reportedLoss(vectors.slots), vectors.reportedLoss));

  it("rounds up: (3·10 + 1·11) / 4 = 10.25 gives 11", () => {
    const losses = [
      { samples: 3, loss: 10 },
      { samples: 1, loss: 11 },
    ];
    assert.equal(reportedLoss(losses), 11);
  });

  it("does not round an exact mean: (1·10 + 3·14) / 4 = 13", () => {
    const losses = [
      { samples: 1, loss: 10 },
      { samples: 3, loss: 14 },
    ];
    assert.equal(reportedLoss(losses), 13);
  });

  it("is the least integer that is not below the mean", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ samples: uint32, loss: uint32 }), { minLength: 1, maxLength: 32 }), (losses) => {
        fc.pre(losses.some(({ samples }) => samples > 0));
        const L = BigInt(reportedLoss(losses));
        let lossSum = 0n;
        let sampleSum = 0n;
        for (const { samples, loss } of losses) {
          lossSum += BigInt(samples) * BigInt(loss);
          sampleSum += BigInt(samples);
        }
        assert.ok(L * sampleSum >= lossSum && (L - 1n) * sampleSum < lossSum);
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  it("no samples: no mean", () => {
    assert.throws(() => reportedLoss([]), RangeError);
    assert.throws(() => reportedLoss([{ samples: 0, loss: 5 }]), RangeError);
  });

  it("a loss beyond uint32 is refused", () =>
    assert.throws(() => reportedLoss([{ samples: 1, loss: 2 ** 32 }]), FieldRangeError));
});
