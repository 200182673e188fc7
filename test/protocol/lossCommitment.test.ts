// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FIELD_ORDER, FieldRangeError } from "../../src/protocol/field.ts";
import { LOSS_COMMITMENT_TAG, type LossOpening, lossCommitment } from "../../src/protocol/lossCommitment.ts";
import { poseidon } from "../../src/protocol/poseidon.ts";
import { BINDING_CASES, BINDING_TAGS } from "../fixtures/bindingVectors.ts";

const opening: LossOpening = { run: 3n, round: 7, memberId: 5, samples: 250, loss: 98_305, salt: 42n };

describe("lossCommitment", () => {
  it("the tag", () => assert.equal(LOSS_COMMITMENT_TAG, BINDING_TAGS.lossCommitment));

  it("vectors", () => {
    for (const { run, round, slots } of BINDING_CASES) {
      for (const slot of slots) assert.equal(lossCommitment({ run, round, ...slot }), slot.lossCommitment);
    }
  });

  it("every part of the opening changes it", () => {
    const altered = [
      opening,
      { ...opening, run: 4n },
      { ...opening, round: 8 },
      { ...opening, memberId: 6 },
      { ...opening, samples: 251 },
      { ...opening, loss: 98_306 },
      { ...opening, salt: 43n },
    ];
    assert.equal(new Set(altered.map(lossCommitment)).size, altered.length);
  });

  const damaged: Partial<LossOpening>[] = [
    { run: 2n ** 64n },
    { round: 2 ** 32 },
    { memberId: -1 },
    { samples: 0.5 },
    { loss: 2 ** 32 },
    { salt: FIELD_ORDER },
    { salt: -1n },
  ];
  for (const damage of damaged) {
    const [quantity, value] = Object.entries(damage)[0] as [string, bigint | number];
    it(`OUT_OF_RANGE: ${quantity} = ${value}`, () => {
      assert.throws(
        () => lossCommitment({ ...opening, ...damage }),
        (error) =>
          error instanceof FieldRangeError && error.code === "OUT_OF_RANGE" && error.values.quantity === quantity,
      );
    });
  }
});

describe("poseidon", () => {
  it("circomlib's own test value", () => {
    assert.equal(poseidon([1n, 2n]), 7853200120776062878684798364095072458815029376092732009249414926327459813530n);
  });

  it("refuses an input that is not below p, which the permutation would reduce silently", () => {
    assert.throws(() => poseidon([1n, FIELD_ORDER + 2n]), FieldRangeError);
  });

  it("refuses widths that the protocol does not use", () => assert.throws(() => poseidon([1n, 2n, 3n]), TypeError));
});
