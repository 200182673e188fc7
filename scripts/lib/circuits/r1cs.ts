// SPDX-License-Identifier: Apache-2.0
import { FIELD_ORDER } from "../../../src/protocol/field.ts";
import { decodeBinaryFile, readLittleEndian32 } from "./binaryFile.ts";

/** The three matrices of a rank-1 constraint system: ⟨A,w⟩ · ⟨B,w⟩ = ⟨C,w⟩ for each constraint. */
export const MATRIX = { A: 0, B: 1, C: 2 } as const;
export type Matrix = (typeof MATRIX)[keyof typeof MATRIX];

/** A constraint system as circom writes it; wire 0 is the constant 1, public wires follow. */
export interface R1cs {
  readonly wires: number;
  /** Public outputs and inputs, without the constant. */
  readonly publicSignals: number;
  readonly constraints: number;
  /** Non-zero coefficients of the three matrices. */
  readonly coefficientCounts: readonly [number, number, number];
  /** Calls `visit` for each non-zero coefficient, constraint by constraint, A before B before C. */
  forEachCoefficient(visit: (matrix: Matrix, constraint: number, wire: number, value: bigint) => void): void;
}

const HEADER_SECTION = 1;
const CONSTRAINTS_SECTION = 2;
const MATRICES: readonly Matrix[] = [MATRIX.A, MATRIX.B, MATRIX.C];

/** Reads circom's `.r1cs` (format: iden3/r1csfile). @throws Error for another curve or a damaged file. */
export function decodeR1cs(bytes: Uint8Array): R1cs {
  const sections = decodeBinaryFile("r1cs", bytes);
  const header = requireSection(sections, HEADER_SECTION);
  const body = requireSection(sections, CONSTRAINTS_SECTION);
  if (header.getUint32(0, true) !== 32 || readLittleEndian32(header, 4) !== FIELD_ORDER) {
    throw new Error("The constraint system is not over BN254's scalar field. Compile it with circom's default prime.");
  }
  const constraints = header.getUint32(60, true);
  return {
    wires: header.getUint32(36, true),
    publicSignals: header.getUint32(40, true) + header.getUint32(44, true),
    constraints,
    coefficientCounts: countCoefficients(body, constraints),
    forEachCoefficient: (visit) => visitCoefficients(body, constraints, visit),
  };
}

function requireSection(sections: Map<number, DataView>, id: number): DataView {
  const section = sections.get(id);
  if (section === undefined) throw new Error(`The constraint system has no section ${id}. Compile the circuit again.`);
  return section;
}

function countCoefficients(body: DataView, constraints: number): [number, number, number] {
  const counts: [number, number, number] = [0, 0, 0];
  let offset = 0;
  for (let constraint = 0; constraint < constraints; constraint++) {
    for (const matrix of MATRICES) {
      const count = body.getUint32(offset, true);
      counts[matrix] += count;
      offset += 4 + 36 * count;
    }
  }
  return counts;
}

function visitCoefficients(
  body: DataView,
  constraints: number,
  visit: (matrix: Matrix, constraint: number, wire: number, value: bigint) => void,
): void {
  let offset = 0;
  for (let constraint = 0; constraint < constraints; constraint++) {
    for (const matrix of MATRICES) {
      const count = body.getUint32(offset, true);
      offset += 4;
      for (let i = 0; i < count; i++, offset += 36) {
        visit(matrix, constraint, body.getUint32(offset, true), readLittleEndian32(body, offset + 4));
      }
    }
  }
}
