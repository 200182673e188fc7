// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { decodeR1cs, MATRIX } from "../../../scripts/lib/circuits/r1cs.ts";
import { FIELD_ORDER } from "../../../src/protocol/field.ts";

/** Σ coefficient · wire; wire 0 is the constant 1. */
export type LinearForm = ReadonlyMap<number, bigint>;

/** ⟨a, w⟩ · ⟨b, w⟩ = ⟨c, w⟩. */
export interface Constraint {
  readonly a: LinearForm;
  readonly b: LinearForm;
  readonly c: LinearForm;
}

/** A compiled circuit as tests look at it. */
export interface ConstraintSystem {
  readonly wires: number;
  readonly publicSignals: number;
  readonly constraints: readonly Constraint[];
  /** Wire of a signal, named as in the circuit: "main.loss[0]". @throws Error when it has none (simplified away, misspelt). */
  wireOf(signal: string): number;
  /** A signal's name for a wire, for messages. */
  nameOf(wire: number): string;
}

/** Reads what circom wrote: the constraints and the names of their wires. */
export async function readConstraintSystem(r1csFile: string, symFile: string): Promise<ConstraintSystem> {
  const r1cs = decodeR1cs(await readFile(r1csFile));
  const constraints = Array.from(
    { length: r1cs.constraints },
    () => [new Map(), new Map(), new Map()] as [Map<number, bigint>, Map<number, bigint>, Map<number, bigint>],
  );
  r1cs.forEachCoefficient((matrix, constraint, wire, value) =>
    (constraints[constraint] as Map<number, bigint>[])[matrix]?.set(wire, value),
  );

  const wireByName = new Map<string, number>();
  const nameByWire = new Map<number, string>();
  for (const line of (await readFile(symFile, "utf8")).trimEnd().split("\n")) {
    const [, wire, , name] = line.split(",") as [string, string, string, string];
    wireByName.set(name, Number(wire));
    if (!nameByWire.has(Number(wire))) nameByWire.set(Number(wire), name);
  }
  return {
    wires: r1cs.wires,
    publicSignals: r1cs.publicSignals,
    constraints: constraints.map((matrices) => ({
      a: matrices[MATRIX.A],
      b: matrices[MATRIX.B],
      c: matrices[MATRIX.C],
    })),
    wireOf: (signal) => {
      const wire = wireByName.get(signal);
      if (wire === undefined || wire < 0) throw new Error(`The circuit has no wire for the signal ${signal}.`);
      return wire;
    },
    nameOf: (wire) => (wire === 0 ? "1" : (nameByWire.get(wire) ?? `wire ${wire}`)),
  };
}

/** Canonical residue. */
export function modulo(value: bigint): bigint {
  const residue = value % FIELD_ORDER;
  return residue < 0n ? residue + FIELD_ORDER : residue;
}

/** ⟨form, witness⟩. */
export function evaluate(form: LinearForm, witness: readonly bigint[]): bigint {
  let sum = 0n;
  for (const [wire, coefficient] of form) sum += coefficient * (witness[wire] as bigint);
  return modulo(sum);
}

/** Index of the first constraint that the witness violates; undefined when it satisfies all. */
export function firstViolation({ constraints }: ConstraintSystem, witness: readonly bigint[]): number | undefined {
  const index = constraints.findIndex(
    ({ a, b, c }) => modulo(evaluate(a, witness) * evaluate(b, witness)) !== evaluate(c, witness),
  );
  return index < 0 ? undefined : index;
}
