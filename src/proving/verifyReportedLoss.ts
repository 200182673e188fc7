// SPDX-License-Identifier: Apache-2.0
import type { Curve, Groth16Proof, VerificationKey } from "snarkjs";
import { FIELD_ORDER } from "../protocol/field.ts";
import type { LossProof } from "../protocol/ledger.ts";
import { loadVerificationKey, reportedLossCircuit } from "./circuitArtifacts.ts";
import { toSnarkjsProof } from "./groth16Proof.ts";
import { loadSnarkjs } from "./snarkjsDoor.ts";

/** Order of the field that the proof's coordinates live in. */
const BASE_FIELD_ORDER = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;

/** D, r, E, L: the public signals in their order. */
export type ReportedLossSignals = readonly [
  digest: bigint,
  challenge: bigint,
  evaluation: bigint,
  reportedLoss: bigint,
];

/**
 * Whether the proof holds for the public signals, decided as the verifier contract decides it.
 *
 * @returns false for a proof that does not hold and for one that is not a proof at all (coordinates out of range, points off the curve
 *   or outside the subgroup, signals not below p).
 * @throws CircuitArtifactsError when the verification key of this capacity is not there.
 */
export async function verifyReportedLoss(
  {
    capacity,
    proof,
    publicSignals,
  }: { readonly capacity: number; readonly proof: LossProof; readonly publicSignals: ReportedLossSignals },
  options: { readonly artifactsDirectory?: string | undefined } = {},
): Promise<boolean> {
  const key = await loadVerificationKey(reportedLossCircuit(capacity), options.artifactsDirectory);
  return verifyProof(key, proof, publicSignals);
}

/**
 * Groth16 verification as strict as the EVM's.
 *
 * snarkjs reduces coordinates instead of refusing them, and checks that B lies on the curve but not that it lies in the subgroup of order
 * p, where alone the pairing means anything; the precompile (EIP-197) checks both. So both are checked here first.
 */
export async function verifyProof(
  key: VerificationKey,
  proof: LossProof,
  publicSignals: readonly bigint[],
): Promise<boolean> {
  const coordinates = [...proof.a, ...proof.b.flat(), ...proof.c];
  if (!coordinates.every((value) => value >= 0n && value < BASE_FIELD_ORDER)) return false;
  if (publicSignals.length !== key.nPublic || !publicSignals.every((value) => value >= 0n && value < FIELD_ORDER))
    return false;
  const snarkjs = await loadSnarkjs();
  const converted = toSnarkjsProof(proof);
  const curve = await snarkjs.curves.getCurveFromName("bn128");
  if (!isInSubgroup(curve, converted)) return false;
  return snarkjs.groth16.verify(key, publicSignals.map(String), converted);
}

/** Whether B is a point of the curve whose order divides p. (Every point of A's and C's curve is: its cofactor is 1.) */
function isInSubgroup({ G2 }: Curve, { pi_b }: Groth16Proof): boolean {
  const point = G2.fromObject(pi_b.map((pair) => pair.map(BigInt)));
  return G2.isValid(point) && G2.isZero(G2.timesScalar(point, FIELD_ORDER));
}
