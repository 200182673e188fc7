// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { network } from "hardhat";
import { FIELD_ORDER } from "../../src/protocol/field.ts";
import type { LossProof } from "../../src/protocol/ledger.ts";
import { ReportedLossProver } from "../../src/proving/proveReportedLoss.ts";
import { loadSnarkjs } from "../../src/proving/snarkjsDoor.ts";
import { type ReportedLossSignals, verifyReportedLoss } from "../../src/proving/verifyReportedLoss.ts";
import { type BindingCase, bindingCase } from "../fixtures/bindingVectors.ts";

/** One suite for both verifiers: each damage is judged by TypeScript and by the contract, and they must agree. */

interface Sample {
  readonly proof: LossProof;
  readonly publicSignals: ReportedLossSignals;
}

const BASE_FIELD_ORDER = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;

/** A point of the curve over the extension that lies outside the subgroup: pairing it means nothing. Found by trial of x = 1, 2, … */
const OUTSIDE_SUBGROUP: LossProof["b"] = findPointOutsideSubgroup();

const DAMAGES: [string, (sample: Sample) => Sample][] = [
  [
    "A replaced by its negative",
    ({ proof, ...rest }) => ({ ...rest, proof: { ...proof, a: [proof.a[0], BASE_FIELD_ORDER - proof.a[1]] } }),
  ],
  ["A and C exchanged", ({ proof, ...rest }) => ({ ...rest, proof: { ...proof, a: proof.c, c: proof.a } })],
  [
    "halves of B's coordinates exchanged",
    ({ proof, ...rest }) => ({
      ...rest,
      proof: { ...proof, b: [proof.b[0].toReversed(), proof.b[1].toReversed()] as unknown as LossProof["b"] },
    }),
  ],
  ["A off the curve", ({ proof, ...rest }) => ({ ...rest, proof: { ...proof, a: [proof.a[0], proof.a[1] + 1n] } })],
  ["A at infinity", ({ proof, ...rest }) => ({ ...rest, proof: { ...proof, a: [0n, 0n] } })],
  [
    "a coordinate of A not reduced",
    ({ proof, ...rest }) => ({ ...rest, proof: { ...proof, a: [proof.a[0] + BASE_FIELD_ORDER, proof.a[1]] } }),
  ],
  [
    "B on the curve but outside the subgroup",
    ({ proof, ...rest }) => ({ ...rest, proof: { ...proof, b: OUTSIDE_SUBGROUP } }),
  ],
  ...(["D", "r", "E", "L"] as const).flatMap((name, i): [string, (sample: Sample) => Sample][] => [
    [
      `${name} + 1`,
      ({ proof, publicSignals }) => ({
        proof,
        publicSignals: withSignal(publicSignals, i, publicSignals[i] as bigint, 1n),
      }),
    ],
    [
      `${name} + p, the same residue`,
      ({ proof, publicSignals }) => ({
        proof,
        publicSignals: withSignal(publicSignals, i, publicSignals[i] as bigint, FIELD_ORDER),
      }),
    ],
  ]),
];

function withSignal(signals: ReportedLossSignals, i: number, value: bigint, plus: bigint): ReportedLossSignals {
  return signals.with(i, value + plus) as unknown as ReportedLossSignals;
}

/** Gas that verifying may take beyond the 21 000 and the calldata of a transaction; the pairing alone is 181 000. */
const GAS_LIMIT = 225_000n;

for (const [capacity, name] of [
  [8, "three of eight, a mean that is rounded up"],
  [32, "twenty of thirty-two"],
] as const) {
  describe(`verifiers of capacity ${capacity}`, () => {
    const prover = new ReportedLossProver({ threads: 1 });
    let sample: Sample;
    let onChain: (sample: Sample) => Promise<boolean>;
    let gas: (sample: Sample) => Promise<bigint>;
    let facts: () => Promise<[bigint, boolean]>;

    before(async () => {
      const vectors: BindingCase = bindingCase(name);
      sample = await prover.prove({ ...vectors, openings: vectors.slots, challenge: () => vectors.challenge });
      const { ethers } = await network.connect();
      const contract = await ethers.deployContract(`ReportedLoss${capacity}`);
      const call = contract.getFunction("verify");
      onChain = ({ proof: { a, b, c }, publicSignals }) => call(a, b, c, publicSignals) as Promise<boolean>;
      gas = async ({ proof: { a, b, c }, publicSignals }) => {
        const data = contract.interface.encodeFunctionData("verify", [a, b, c, publicSignals]);
        const bytes = Buffer.from(data.slice(2), "hex");
        const calldata = bytes.reduce((sum, byte) => sum + (byte === 0 ? 4n : 16n), 0n);
        return (await call.estimateGas(a, b, c, publicSignals)) - 21_000n - calldata;
      };
      facts = async () => [
        (await contract.getFunction("capacity")()) as bigint,
        (await contract.getFunction("developmentKey")()) as boolean,
      ];
    });
    after(() => prover.close());

    it("accept the proof", async () => {
      assert.ok(await verifyReportedLoss({ capacity, ...sample }));
      assert.ok(await onChain(sample));
    });

    for (const [damage, apply] of DAMAGES) {
      it(`refuse: ${damage}`, async () => {
        const damaged = apply(sample);
        assert.equal(await verifyReportedLoss({ capacity, ...damaged }), false, "TypeScript accepts");
        assert.equal(await onChain(damaged), false, "the contract accepts");
      });
    }

    it("the contract says what it is", async () => assert.deepEqual(await facts(), [BigInt(capacity), true]));

    it(`the contract verifies for less than ${GAS_LIMIT} gas`, async () => {
      const used = await gas(sample);
      assert.ok(used < GAS_LIMIT, `${used} gas`);
    });
  });
}

it("the point outside the subgroup lies on the curve, so that it tests what it says", async () => {
  const snarkjs = await loadSnarkjs();
  const { G2 } = await snarkjs.curves.getCurveFromName("bn128");
  const point = G2.fromObject([...OUTSIDE_SUBGROUP.map((pair) => pair.toReversed()), [1n, 0n]]);
  assert.ok(G2.isValid(point));
  assert.ok(!G2.isZero(G2.timesScalar(point, FIELD_ORDER)));
});

it("a proof of one capacity is none of another", async () => {
  const prover = new ReportedLossProver({ threads: 1 });
  const vectors = bindingCase("everything at its smallest");
  const made = await prover.prove({ ...vectors, openings: vectors.slots, challenge: () => vectors.challenge });
  await prover.close();
  assert.equal(await verifyReportedLoss({ capacity: 32, ...made }), false);
});

describe("development verifiers", () => {
  it("deploy on chain 1337", async () => {
    const { ethers } = await network.connect({ override: { chainId: 1337 } });
    await ethers.deployContract("ReportedLoss8");
  });

  it("ReportedLoss8DevelopmentChainsOnly: refuse any other chain", async () => {
    const { ethers } = await network.connect({ override: { chainId: 10 } });
    await assert.rejects(ethers.deployContract("ReportedLoss8"), /ReportedLoss8DevelopmentChainsOnly/);
  });
});

/**
 * y² = x³ + 3/(9 + u) over F_q[u]/(u² + 1) has a group of order p·(2q − p), so a point found by trial is almost never in the subgroup of
 * order p. Square roots as q = 3 mod 4: √(a + bu) from the norm a² + b².
 */
function findPointOutsideSubgroup(): LossProof["b"] {
  const q = BASE_FIELD_ORDER;
  const mod = (value: bigint): bigint => ((value % q) + q) % q;
  const power = (base: bigint, exponent: bigint): bigint => {
    let result = 1n;
    for (let square = mod(base), rest = exponent; rest > 0n; rest >>= 1n, square = mod(square * square))
      if (rest & 1n) result = mod(result * square);
    return result;
  };
  const root = (value: bigint): bigint | undefined => {
    const candidate = power(value, (q + 1n) / 4n);
    return mod(candidate * candidate - value) === 0n ? candidate : undefined;
  };
  const inverse = (value: bigint): bigint => power(value, q - 2n);
  // 3/(9 + u) = 3·(9 − u)/82.
  const constant: [bigint, bigint] = [mod(27n * inverse(82n)), mod(-3n * inverse(82n))];
  for (let x = 1n; ; x++) {
    const [a, b]: [bigint, bigint] = [mod(x * x * x + constant[0]), constant[1]];
    const norm = root(mod(a * a + b * b));
    if (norm === undefined) continue;
    for (const sign of [1n, -1n]) {
      const real = root(mod((a + sign * norm) * inverse(2n)));
      if (real === undefined || real === 0n) continue;
      const imaginary = mod(b * inverse(2n * real));
      return [
        [0n, x],
        [imaginary, real],
      ];
    }
  }
}
