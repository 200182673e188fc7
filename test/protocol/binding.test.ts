// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  BINDING_DIGEST_TAG,
  bindingChallenge,
  bindingDigest,
  bindingVector,
  CapacityExceededError,
  evaluateBinding,
} from "../../src/protocol/binding.ts";
import { FIELD_ORDER, FieldRangeError } from "../../src/protocol/field.ts";
import { BINDING_CASES, BINDING_TAGS, bindingCase } from "../fixtures/bindingVectors.ts";

const element = fc.bigInt({ min: 0n, max: FIELD_ORDER - 1n });

describe("binding", () => {
  it("the tag of the digest", () => assert.equal(BINDING_DIGEST_TAG, BINDING_TAGS.bindingDigest));

  for (const vectors of BINDING_CASES) {
    describe(`vector: ${vectors.name}`, () => {
      it("v", () => assert.deepEqual(bindingVector(vectors.run, vectors.round, vectors.slots), vectors.vector));
      it("D", () => assert.equal(bindingDigest(vectors.capacity, vectors.vector), vectors.digest));
      it("r", () => assert.equal(bindingChallenge(vectors, vectors.vector, vectors.digest), vectors.challenge));
      it("E", () => assert.equal(evaluateBinding(vectors.vector, vectors.challenge), vectors.evaluation));
    });
  }

  it("r depends on everything that it is computed from", () => {
    const vectors = bindingCase("three of eight, a mean that is rounded up");
    const altered: [string, bigint][] = [
      ["chainId", bindingChallenge({ ...vectors, chainId: vectors.chainId + 1n }, vectors.vector, vectors.digest)],
      [
        "contract",
        bindingChallenge({ ...vectors, proofOfTraining: `0x${"11".repeat(20)}` }, vectors.vector, vectors.digest),
      ],
      ["run", bindingChallenge({ ...vectors, run: vectors.run + 1n }, vectors.vector, vectors.digest)],
      ["round", bindingChallenge({ ...vectors, round: vectors.round + 1 }, vectors.vector, vectors.digest)],
      ["head", bindingChallenge({ ...vectors, head: `0x${"22".repeat(32)}` }, vectors.vector, vectors.digest)],
      ["L", bindingChallenge({ ...vectors, reportedLoss: vectors.reportedLoss + 1 }, vectors.vector, vectors.digest)],
      ["v", bindingChallenge(vectors, vectors.vector.with(1, 5n), vectors.digest)],
      ["length of v", bindingChallenge(vectors, [...vectors.vector, 0n], vectors.digest)],
      ["D", bindingChallenge(vectors, vectors.vector, vectors.digest + 1n)],
    ];
    const seen = new Set([vectors.challenge]);
    for (const [what, challenge] of altered) {
      assert.ok(!seen.has(challenge), `r does not depend on ${what}`);
      seen.add(challenge);
    }
  });

  it("E is the sum of v_j r^j, term by term", () => {
    fc.assert(
      fc.property(fc.array(element, { maxLength: 65 }), element, (vector, r) => {
        let sum = 0n;
        let power = 1n;
        for (const value of vector) {
          sum = (sum + value * power) % FIELD_ORDER;
          power = (power * r) % FIELD_ORDER;
        }
        assert.equal(evaluateBinding(vector, r), sum);
        assert.equal(evaluateBinding([...vector, 0n, 0n], r), sum, "padding changes E");
      }),
      { seed: 11, numRuns: 50 },
    );
  });

  it("D distinguishes capacities although both pad with zeros, and every position", () => {
    const { vector } = bindingCase("three of eight, a mean that is rounded up");
    const digests = [
      bindingDigest(8, vector),
      bindingDigest(9, vector),
      ...vector.map((value, i) => bindingDigest(8, vector.with(i, value + 1n))),
    ];
    assert.equal(new Set(digests).size, digests.length);
  });

  it("CAPACITY_EXCEEDED names both numbers", () => {
    const vector = bindingVector(1n, 1, bindingCase("full capacity of eight").slots);
    assert.throws(
      () => bindingDigest(7, vector),
      (error) => error instanceof CapacityExceededError && error.values.updates === 8 && error.values.capacity === 7,
    );
  });

  it("values that do not fit their type are refused, not reduced", () => {
    const update = { memberId: 1, samples: 1, lossCommitment: 1n };
    assert.throws(() => bindingVector(2n ** 64n, 1, [update]), FieldRangeError);
    assert.throws(() => bindingVector(1n, 2 ** 32, [update]), FieldRangeError);
    assert.throws(() => bindingVector(1n, 1, [{ ...update, samples: 2 ** 32 }]), FieldRangeError);
    assert.throws(() => bindingVector(1n, 1, [{ ...update, lossCommitment: FIELD_ORDER }]), FieldRangeError);
    assert.throws(() => evaluateBinding([1n], FIELD_ORDER), FieldRangeError);
    assert.throws(() => bindingDigest(8, [FIELD_ORDER]), FieldRangeError);
  });
});
