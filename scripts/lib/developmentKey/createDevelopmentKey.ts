// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { FIELD_ORDER } from "../../../src/protocol/field.ts";
import { encodeBinaryFile, littleEndian32, uint32s, writeLittleEndian32 } from "../circuits/binaryFile.ts";
import { MATRIX, type R1cs } from "../circuits/r1cs.ts";
import { FixedBasePool } from "./fixedBasePool.ts";
import { inverse, lagrangeBasisAt } from "./scalarField.ts";

/** Order of the field that BN254's coordinates live in. */
const BASE_FIELD_ORDER = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;

/** `.zkey` stores matrix coefficients multiplied by R² (R = 2^256), so that one Montgomery product with a witness value gives value·R. */
const MONTGOMERY_SQUARED = (1n << 512n) % FIELD_ORDER;

/**
 * The secrets of the development set-up, which anybody can compute: with them one proves any statement, true or false. That is the price
 * of keys in seconds, without download, and of equal bytes on every machine.
 */
function toxicWaste(name: string): bigint {
  const digest = createHash("sha256").update(`foedus development key, known to everybody: ${name}`).digest("hex");
  return BigInt(`0x${digest}`) % FIELD_ORDER;
}

/** A∘(w) etc.: for each wire the three QAP polynomials at τ. */
interface WirePolynomials {
  readonly a: bigint[];
  readonly b: bigint[];
  readonly c: bigint[];
  /** Section 4 of the file: the A and B matrices for the prover. */
  readonly coefficients: Uint8Array;
}

/**
 * A Groth16 proving key (bytes of a snarkjs `.zkey`) for `r1cs`, made from known toxic waste. For development chains only.
 *
 * Deterministic: equal constraint systems give equal bytes. snarkjs's own set-up reaches the same form of key from a powers-of-tau file,
 * where nobody knows τ; knowing it, all points are multiples of the two generators.
 *
 * Sources: Groth, "On the Size of Pairing-based Non-interactive Arguments", EUROCRYPT 2016 (eprint 2016/260), §3.2, with γ = 1 as
 * snarkjs's set-up has it before contributions; file layout: snarkjs src/zkey_utils.js, src/zkey_new.js.
 */
export async function createDevelopmentKey(r1cs: R1cs, options: { threads?: number } = {}): Promise<Uint8Array> {
  const [tau, alpha, beta, delta] = ["tau", "alpha", "beta", "delta"].map(toxicWaste) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  // snarkjs adds one row for each public signal and the constant, which keeps their polynomials independent.
  const log2Size = log2Ceiling(r1cs.constraints + r1cs.publicSignals + 1);
  const wires = evaluateWires(r1cs, lagrangeBasisAt(log2Size, tau));

  const deltaInverse = inverse(delta);
  const inputPoints: bigint[] = [];
  const witnessPoints: bigint[] = [];
  for (let wire = 0; wire < r1cs.wires; wire++) {
    const value = (beta * at(wires.a, wire) + alpha * at(wires.b, wire) + at(wires.c, wire)) % FIELD_ORDER;
    if (wire <= r1cs.publicSignals) inputPoints.push(value);
    else witnessPoints.push((value * deltaInverse) % FIELD_ORDER);
  }
  // h·t = A·B − C vanishes on the domain, so it is fixed by its values on the other half of the doubled domain, which is what snarkjs's
  // prover computes: h(τ)·t(τ)/δ = Σ value_i · L_{2i+1}(τ)/δ over the doubled domain's basis.
  const quotientPoints = lagrangeBasisAt(log2Size + 1, tau, deltaInverse).filter((_, i) => i % 2 === 1);

  const pool = new FixedBasePool(options.threads ?? Math.min(4, availableParallelism()));
  try {
    const [alpha1, beta1, delta1] = thirds(await pool.multiply(1, [alpha, beta, delta]));
    const [beta2, gamma2, delta2] = thirds(await pool.multiply(2, [beta, 1n, delta]));
    const header = [
      ...[uint32s(32), littleEndian32(BASE_FIELD_ORDER), uint32s(32), littleEndian32(FIELD_ORDER)],
      uint32s(r1cs.wires, r1cs.publicSignals, 2 ** log2Size),
      ...[alpha1, beta1, beta2, gamma2, delta1, delta2],
    ];
    // No contributions: the hash of the circuit that a ceremony would check stays zero, and snarkjs's `zkey verify` refuses this key.
    const noContributions = [new Uint8Array(64), uint32s(0)];
    return encodeBinaryFile("zkey", 1, [
      { id: 1, parts: [uint32s(1)] },
      { id: 2, parts: header },
      { id: 3, parts: [await pool.multiply(1, inputPoints)] },
      { id: 4, parts: [wires.coefficients] },
      { id: 5, parts: [await pool.multiply(1, wires.a)] },
      { id: 6, parts: [await pool.multiply(1, wires.b)] },
      { id: 7, parts: [await pool.multiply(2, wires.b)] },
      { id: 8, parts: [await pool.multiply(1, witnessPoints)] },
      { id: 9, parts: [await pool.multiply(1, quotientPoints)] },
      { id: 10, parts: noContributions },
    ]);
  } finally {
    await pool.close();
  }
}

/** Σ over constraints of coefficient · L_constraint(τ), for each wire and matrix. */
function evaluateWires(r1cs: R1cs, basis: readonly bigint[]): WirePolynomials {
  const values = [MATRIX.A, MATRIX.B, MATRIX.C].map(() => new Array<bigint>(r1cs.wires).fill(0n));
  const publicRows = r1cs.publicSignals + 1;
  const count = r1cs.coefficientCounts[MATRIX.A] + r1cs.coefficientCounts[MATRIX.B] + publicRows;
  const coefficients = new CoefficientWriter(count);

  r1cs.forEachCoefficient((matrix, constraint, wire, value) => {
    const polynomial = values[matrix] as bigint[];
    polynomial[wire] = (at(polynomial, wire) + at(basis, constraint) * value) % FIELD_ORDER;
    if (matrix !== MATRIX.C) coefficients.push(matrix, constraint, wire, value);
  });
  const a = values[MATRIX.A] as bigint[];
  for (let wire = 0; wire < publicRows; wire++) {
    a[wire] = (at(a, wire) + at(basis, r1cs.constraints + wire)) % FIELD_ORDER;
    coefficients.push(MATRIX.A, r1cs.constraints + wire, wire, 1n);
  }
  return { a, b: values[MATRIX.B] as bigint[], c: values[MATRIX.C] as bigint[], coefficients: coefficients.bytes };
}

/** count u32, then for each coefficient matrix u32, constraint u32, wire u32, value · R² (32 bytes). */
class CoefficientWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  // Poseidon's matrices repeat the same few hundred constants, and the product is the expensive part.
  readonly #converted = new Map<bigint, bigint>();
  #offset = 4;

  constructor(count: number) {
    this.bytes = new Uint8Array(4 + 44 * count);
    this.#view = new DataView(this.bytes.buffer);
    this.#view.setUint32(0, count, true);
  }

  push(matrix: number, constraint: number, wire: number, value: bigint): void {
    this.#view.setUint32(this.#offset, matrix, true);
    this.#view.setUint32(this.#offset + 4, constraint, true);
    this.#view.setUint32(this.#offset + 8, wire, true);
    let converted = this.#converted.get(value);
    if (converted === undefined) {
      converted = (value * MONTGOMERY_SQUARED) % FIELD_ORDER;
      this.#converted.set(value, converted);
    }
    writeLittleEndian32(this.bytes, this.#offset + 12, converted);
    this.#offset += 44;
  }
}

function log2Ceiling(value: number): number {
  let exponent = 0;
  while (2 ** exponent < value) exponent++;
  return exponent;
}

function at(values: readonly bigint[], index: number): bigint {
  return values[index] as bigint;
}

type Triple<T> = readonly [T, T, T];

function thirds(bytes: Uint8Array): Triple<Uint8Array> {
  const size = bytes.length / 3;
  return [bytes.subarray(0, size), bytes.subarray(size, 2 * size), bytes.subarray(2 * size)];
}
