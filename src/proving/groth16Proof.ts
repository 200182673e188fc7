// SPDX-License-Identifier: Apache-2.0
import type { Groth16Proof } from "snarkjs";
import type { LossProof } from "../protocol/ledger.ts";

/**
 * Two forms of one proof. A coordinate of B is a pair (x₀, x₁) of the quadratic extension, x₀ + x₁·u: snarkjs writes x₀ first, the EVM's
 * pairing precompile (EIP-197) and so `LossProof` takes x₁ first.
 */
export function toLossProof({ pi_a: a, pi_b: b, pi_c: c }: Groth16Proof): LossProof {
  return {
    a: [BigInt(a[0]), BigInt(a[1])],
    b: [
      [BigInt(b[0][1]), BigInt(b[0][0])],
      [BigInt(b[1][1]), BigInt(b[1][0])],
    ],
    c: [BigInt(c[0]), BigInt(c[1])],
  };
}

export function toSnarkjsProof({ a, b, c }: LossProof): Groth16Proof {
  return {
    pi_a: [`${a[0]}`, `${a[1]}`, "1"],
    pi_b: [
      [`${b[0][1]}`, `${b[0][0]}`],
      [`${b[1][1]}`, `${b[1][0]}`],
      ["1", "0"],
    ],
    pi_c: [`${c[0]}`, `${c[1]}`, "1"],
    protocol: "groth16",
    curve: "bn128",
  };
}
