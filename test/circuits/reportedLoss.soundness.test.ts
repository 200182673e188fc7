// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { inverse } from "../../scripts/lib/developmentKey/scalarField.ts";
import { bindingDigest, bindingVector, evaluateBinding } from "../../src/protocol/binding.ts";
import { FIELD_ORDER } from "../../src/protocol/field.ts";
import { LOSS_COMMITMENT_TAG, lossCommitment } from "../../src/protocol/lossCommitment.ts";
import { poseidon } from "../../src/protocol/poseidon.ts";
import { reportedLoss } from "../../src/protocol/reportedLoss.ts";
import { type ConstraintSystem, firstViolation, modulo, readConstraintSystem } from "./support/constraints.ts";
import { type Solution, solve } from "./support/solve.ts";
import { compileTemporary } from "./support/temporaryCircuit.ts";

/**
 * What a prover that obeys nothing but the constraints can do: the template with two slots, its constraints solved from the inputs. Shown:
 * every other signal follows from the inputs (nothing is left to the prover), and inputs that break the statement have no witness at all.
 * Whoever breaks the statement here chooses losses, salts, ranges, slots and public signals freely, consistent with each other.
 */

interface Inputs {
  digest: bigint;
  challenge: bigint;
  evaluation: bigint;
  reportedLoss: bigint;
  run: bigint;
  round: bigint;
  slots: { memberId: bigint; samples: bigint; loss: bigint; salt: bigint }[];
}

const CHALLENGE = 0x1234567890abcdefn;
const SLOTS = [
  { memberId: 2n, samples: 3n, loss: 10n, salt: 77n },
  { memberId: 9n, samples: 1n, loss: 11n, salt: 78n },
];

/** Poseidon commitment to residues: what a dishonest member can sign as well as an honest one, unlike `lossCommitment` without ranges. */
function commitmentOf(run: bigint, round: bigint, { memberId, samples, loss, salt }: Inputs["slots"][number]): bigint {
  return poseidon([LOSS_COMMITMENT_TAG, run, round, memberId, samples, loss, salt].map(modulo));
}

/** v′ as the circuit computes it from residues. */
function vectorOf({ run, round, slots }: Pick<Inputs, "run" | "round" | "slots">): bigint[] {
  const element = (slot: Inputs["slots"][number]): bigint => modulo(slot.memberId * 2n ** 32n + slot.samples);
  return [
    modulo(run * 2n ** 32n + round),
    ...slots.flatMap((slot) => (element(slot) === 0n ? [0n, 0n] : [commitmentOf(run, round, slot), element(slot)])),
  ];
}

/** Inputs whose D and E are right for the given parts, as a prover would send them; L as asked for. */
function inputsFor(parts: { run?: bigint; round?: bigint; slots?: Inputs["slots"]; reportedLoss?: bigint }): Inputs {
  const base = { run: parts.run ?? 3n, round: parts.round ?? 7n, slots: parts.slots ?? SLOTS };
  const vector = vectorOf(base);
  return {
    ...base,
    digest: bindingDigest(2, vector),
    challenge: CHALLENGE,
    evaluation: evaluateBinding(vector, CHALLENGE),
    reportedLoss: parts.reportedLoss ?? 11n,
  };
}

function signals(inputs: Inputs): Record<string, bigint> {
  const { digest, challenge, evaluation, reportedLoss, run, round, slots } = inputs;
  const main: Record<string, bigint> = { digest, challenge, evaluation, reportedLoss, run, round };
  slots.forEach((slot, i) => {
    for (const [name, value] of Object.entries(slot)) main[`${name}[${i}]`] = value;
  });
  return Object.fromEntries(Object.entries(main).map(([name, value]) => [`main.${name}`, value]));
}

describe("ReportedLoss, constraints of two slots", () => {
  let system: ConstraintSystem;
  before(async () => {
    const source = [
      "pragma circom 2.1.6;",
      'include "circuits/aggregate/reportedLoss.circom";',
      "component main {public [digest, challenge, evaluation, reportedLoss]} = ReportedLoss(2);",
    ];
    const { r1cs, sym } = await compileTemporary(source.join("\n"), "O1");
    system = await readConstraintSystem(r1cs, sym);
  });

  const solved = (inputs: Inputs, forced: Record<string, bigint> = {}): Solution =>
    solve(system, { ...signals(inputs), ...forced });

  function assertRefused(solution: Solution, because: RegExp): void {
    assert.ok(!solution.satisfiable, "a witness exists");
    assert.match(solution.because, because);
  }

  it("true statement, both slots used: one witness, no signal free", () => {
    const solution = solved(inputsFor({}));
    assert.ok(solution.satisfiable);
    assert.deepEqual(solution.free, []);
    assert.equal(firstViolation(system, solution.values as bigint[]), undefined);
  });

  it("the helpers here agree with src/protocol", () => {
    const { digest, evaluation, reportedLoss: loss } = inputsFor({});
    const updates = SLOTS.map((slot) => {
      const opening = {
        memberId: Number(slot.memberId),
        samples: Number(slot.samples),
        loss: Number(slot.loss),
        salt: slot.salt,
      };
      return { ...opening, lossCommitment: lossCommitment({ run: 3n, round: 7, ...opening }) };
    });
    const vector = bindingVector(3n, 7, updates);
    assert.deepEqual(
      [digest, evaluation, loss],
      [bindingDigest(2, vector), evaluateBinding(vector, CHALLENGE), BigInt(reportedLoss(updates))],
    );
  });

  it("an empty slot leaves free only the inverse inside IsZero, which is multiplied by 0", () => {
    const solution = solved(
      inputsFor({
        slots: [SLOTS[0], { memberId: 0n, samples: 0n, loss: 0n, salt: 0n }] as Inputs["slots"],
        reportedLoss: 10n,
      }),
    );
    assert.ok(solution.satisfiable);
    assert.equal(solution.free.length, 1);
    assert.match(solution.free[0] as string, /^main\.IsZero_.*\.inv$/);
    const completed = solution.values.map((value) => value ?? 123_456n);
    assert.equal(firstViolation(system, completed), undefined);
  });

  it("a loss in an empty slot has no weight", () => {
    const slots = [SLOTS[0], { memberId: 0n, samples: 0n, loss: 4_000_000_000n, salt: 5n }] as Inputs["slots"];
    assert.ok(solved(inputsFor({ slots, reportedLoss: 10n })).satisfiable);
    assertRefused(solved(inputsFor({ slots, reportedLoss: 11n })), /bits|cannot hold|both/);
  });

  describe("the active flag is not the prover's", () => {
    it("a used slot called empty", () =>
      assertRefused(solved(inputsFor({}), { "main.empty[0]": 1n }), /both|cannot hold/));
    it("an empty slot called used", () => {
      const slots = [SLOTS[0], { memberId: 0n, samples: 0n, loss: 0n, salt: 0n }] as Inputs["slots"];
      assertRefused(solved(inputsFor({ slots, reportedLoss: 10n }), { "main.empty[1]": 0n }), /both|cannot hold/);
    });
    it("a used slot with its commitment left out of v′", () =>
      assertRefused(solved(inputsFor({}), { "main.vector[1]": 0n }), /both|cannot hold/));
  });

  describe("false public signals", () => {
    it("another D", () =>
      assertRefused(solved({ ...inputsFor({}), digest: inputsFor({}).digest + 1n }), /cannot hold|both/));
    it("another E", () => assertRefused(solved({ ...inputsFor({}), evaluation: 5n }), /cannot hold|both/));
    it("another r", () => assertRefused(solved({ ...inputsFor({}), challenge: CHALLENGE + 1n }), /cannot hold|both/));
    it("L one too small", () => assertRefused(solved(inputsFor({ reportedLoss: 10n })), /does not fit/));
    it("L one too large", () => assertRefused(solved(inputsFor({ reportedLoss: 12n })), /does not fit/));
    it("L that solves L·N = S + excess modulo p", () => {
      // S = 41, N = 4: 41/4 exists in the field, and (41 + 2)/4 too. Neither is a uint32.
      for (const excess of [0n, 1n, 2n])
        assertRefused(
          solved(inputsFor({ reportedLoss: modulo((41n + excess) * inverse(4n)) })),
          /does not fit the 32 bits/,
        );
    });
  });

  describe("false openings under the caller's v", () => {
    const honest = inputsFor({});
    const damaged = (change: Partial<Inputs["slots"][number]>): Inputs => ({
      ...honest,
      slots: [{ ...SLOTS[0], ...change }, SLOTS[1]] as Inputs["slots"],
    });
    // (3·11 + 11) / 4 is 11 as well, so nothing but the commitment speaks against it.
    it("another loss", () => assertRefused(solved(damaged({ loss: 11n })), /cannot hold|both/));
    it("another salt", () => assertRefused(solved(damaged({ salt: 76n })), /cannot hold|both/));
    it("other samples", () => assertRefused(solved(damaged({ samples: 4n })), /cannot hold|both|fit/));
    it("another member", () => assertRefused(solved(damaged({ memberId: 3n })), /cannot hold|both/));
    it("another run", () => assertRefused(solved({ ...honest, run: 4n }), /cannot hold|both/));
    it("another round", () => assertRefused(solved({ ...honest, round: 8n }), /cannot hold|both/));
    it("slots exchanged", () => assertRefused(solved({ ...honest, slots: SLOTS.toReversed() }), /cannot hold|both/));
  });

  describe("values out of range, with commitments, D and E that fit them", () => {
    const withFirst = (change: Partial<Inputs["slots"][number]>, loss?: bigint): Inputs =>
      inputsFor({
        slots: [{ ...SLOTS[0], ...change }, SLOTS[1]] as Inputs["slots"],
        ...(loss === undefined ? {} : { reportedLoss: loss }),
      });

    // (3·(−1) + 11) / 4 = 2: with a negative loss the mean is whatever the prover wants.
    it("a negative loss", () =>
      assertRefused(solved(withFirst({ loss: FIELD_ORDER - 1n }, 2n)), /does not fit the 32 bits/));
    it("a loss of 2^32", () => {
      const L = (3n * 2n ** 32n + 11n + 3n) / 4n;
      assertRefused(solved(withFirst({ loss: 2n ** 32n }, L)), /does not fit the 32 bits/);
    });
    // The element of v′ is the same as for (2, 3).
    it("samples moved by 2^32 against the member", () => {
      const L = ((3n + 2n ** 32n) * 10n + 11n + 3n + 2n ** 32n) / (4n + 2n ** 32n);
      assertRefused(solved(withFirst({ memberId: 1n, samples: 3n + 2n ** 32n }, L)), /does not fit the 32 bits/);
    });
    // With 2^32 − 1 samples in the other slot both sums are positive again: N = 2.
    it("samples negative and member increased", () => {
      const slots = [
        { ...SLOTS[0], memberId: 3n, samples: 3n - 2n ** 32n },
        { ...SLOTS[1], samples: 2n ** 32n - 1n },
      ] as Inputs["slots"];
      const L = ((3n - 2n ** 32n) * 10n + (2n ** 32n - 1n) * 11n + 1n) / 2n;
      assertRefused(solved(inputsFor({ slots, reportedLoss: L })), /does not fit the 32 bits/);
    });
    it("member and samples that cancel, a slot that counts and looks empty", () => {
      const slots = [{ ...SLOTS[0], memberId: FIELD_ORDER - 1n, samples: 2n ** 32n }, SLOTS[1]] as Inputs["slots"];
      assertRefused(solved(inputsFor({ slots, reportedLoss: 11n })), /does not fit the 32 bits/);
    });
    it("member of 2^32", () => assertRefused(solved(withFirst({ memberId: 2n ** 32n })), /does not fit the 32 bits/));
    // run·2^32 + round is the same as for (3, 7), the commitments are those of another round.
    it("round moved by 2^32 against the run", () =>
      assertRefused(solved(inputsFor({ run: 2n, round: 7n + 2n ** 32n })), /does not fit the 32 bits/));
    it("a negative round and the next run", () =>
      assertRefused(solved(inputsFor({ run: 4n, round: 7n - 2n ** 32n })), /does not fit the 32 bits/));
    it("run of 2^64", () => assertRefused(solved(inputsFor({ run: 2n ** 64n })), /does not fit the 64 bits/));
  });

  it("no samples at all: no L has a witness", () => {
    const slots = [0n, 0n].map(() => ({ memberId: 0n, samples: 0n, loss: 0n, salt: 0n }));
    for (const L of [0n, 1n, 2n ** 32n - 1n])
      assertRefused(solved(inputsFor({ slots, reportedLoss: L })), /does not fit/);
  });

  it("the largest values that fit: one witness", () => {
    const top = 2n ** 32n - 1n;
    const slots = SLOTS.map((slot) => ({ ...slot, memberId: top, samples: top, loss: top, salt: FIELD_ORDER - 1n }));
    const solution = solved(inputsFor({ run: 2n ** 64n - 1n, round: top, slots, reportedLoss: top }));
    assert.ok(solution.satisfiable);
    assert.deepEqual(solution.free, []);
    assertRefused(
      solved(inputsFor({ run: 2n ** 64n - 1n, round: top, slots, reportedLoss: top - 1n })),
      /does not fit/,
    );
  });
});
