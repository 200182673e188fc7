// SPDX-License-Identifier: Apache-2.0
import { inverse } from "../../../scripts/lib/developmentKey/scalarField.ts";
import { type ConstraintSystem, type LinearForm, modulo } from "./constraints.ts";

/** What the constraints say when some signals are given. */
export type Solution =
  /** No witness with these values exists, whatever program computes it. `because`: the constraint that cannot hold. */
  | { readonly satisfiable: false; readonly because: string }
  /** Every signal outside `free` has exactly one value; `values` has them by wire. */
  | { readonly satisfiable: true; readonly values: readonly (bigint | undefined)[]; readonly free: readonly string[] };

/**
 * All witnesses of a constraint system in which the given signals have the given values.
 *
 * The witness calculator that circom makes shows what an honest prover does. A dishonest one writes any numbers it likes, so this works on
 * the constraints alone, by two rules that lose no solution:
 *
 *   1. a constraint with one unknown wire, in which it is linear, gives that wire;
 *   2. wires that satisfy b·(b − 1) = 0 are bits, and bits whose weights are 1, 2, 4, … 2^(n−1) in one linear constraint have exactly one
 *      value for each sum below 2^n and none for any other.
 *
 * A constraint without unknowns that does not hold is the contradiction. Systems compiled with --O1 keep their linear constraints and
 * are solved by these rules; --O2 merges them and would need Gaussian elimination.
 */
export function solve(system: ConstraintSystem, given: Readonly<Record<string, bigint>>): Solution {
  return new Solver(system).run(given);
}

class Contradiction extends Error {}

class Solver {
  readonly #system: ConstraintSystem;
  readonly #values: (bigint | undefined)[];
  readonly #constraintsOf: number[][];
  readonly #bits: ReadonlySet<number>;
  readonly #queue: number[] = [];

  constructor(system: ConstraintSystem) {
    this.#system = system;
    this.#values = new Array<bigint | undefined>(system.wires).fill(undefined);
    this.#constraintsOf = Array.from({ length: system.wires }, () => []);
    system.constraints.forEach(({ a, b, c }, index) => {
      for (const wire of new Set([...a.keys(), ...b.keys(), ...c.keys()])) this.#constraintsOf[wire]?.push(index);
      this.#queue.push(index);
    });
    this.#bits = findBits(system);
  }

  run(given: Readonly<Record<string, bigint>>): Solution {
    try {
      this.#assign(0, 1n);
      for (const [signal, value] of Object.entries(given)) this.#assign(this.#system.wireOf(signal), modulo(value));
      for (let index = this.#queue.pop(); index !== undefined; index = this.#queue.pop()) this.#apply(index);
    } catch (error) {
      if (error instanceof Contradiction) return { satisfiable: false, because: error.message };
      throw error;
    }
    const free = this.#values.flatMap((value, wire) => (value === undefined ? [this.#system.nameOf(wire)] : []));
    return { satisfiable: true, values: this.#values, free };
  }

  #assign(wire: number, value: bigint): void {
    const known = this.#values[wire];
    if (known === value) return;
    if (known !== undefined)
      throw new Contradiction(`${this.#system.nameOf(wire)} would be both ${known} and ${value}`);
    this.#values[wire] = value;
    this.#queue.push(...(this.#constraintsOf[wire] as number[]));
  }

  #apply(index: number): void {
    const { a, b, c } = this.#system.constraints[index] as { a: LinearForm; b: LinearForm; c: LinearForm };
    const [left, right, out] = [this.#split(a), this.#split(b), this.#split(c)];
    const unknown = new Set([...left.unknown.keys(), ...right.unknown.keys(), ...out.unknown.keys()]);
    if (left.unknown.size > 0 && right.unknown.size > 0) return; // Quadratic in what is unknown: waits for more.
    // With one factor known: Σ coefficient · unknown = rest.
    const coefficients = [...unknown].map((wire): [number, bigint] => {
      const product = (left.unknown.get(wire) ?? 0n) * right.constant + (right.unknown.get(wire) ?? 0n) * left.constant;
      return [wire, modulo(product - (out.unknown.get(wire) ?? 0n))];
    });
    const terms = coefficients.filter(([, coefficient]) => coefficient !== 0n);
    const rest = modulo(out.constant - left.constant * right.constant);
    if (terms.length === 0) {
      if (rest !== 0n) throw new Contradiction(`constraint ${index} on ${this.#describe(a, b, c)} cannot hold`);
    } else if (terms.length === 1) {
      const [wire, coefficient] = terms[0] as [number, bigint];
      this.#assign(wire, modulo(rest * inverse(coefficient)));
    } else if (terms.every(([wire]) => this.#bits.has(wire))) {
      this.#decompose(terms, rest, index);
    }
  }

  /** Rule 2. */
  #decompose(terms: readonly (readonly [number, bigint])[], sum: bigint, index: number): void {
    for (const sign of [1n, -1n]) {
      const weights = new Map(terms.map(([wire, coefficient]) => [modulo(sign * coefficient), wire]));
      const places = Array.from({ length: terms.length }, (_, i) => 1n << BigInt(i));
      if (!places.every((place) => weights.has(place))) continue;
      const value = modulo(sign * sum);
      if (value >> BigInt(terms.length) !== 0n) {
        throw new Contradiction(
          `${value} does not fit the ${terms.length} bits of ${this.#system.nameOf(terms[0]?.[0] as number)} (constraint ${index})`,
        );
      }
      for (const place of places) this.#assign(weights.get(place) as number, value & place ? 1n : 0n);
      return;
    }
  }

  #split(form: LinearForm): { constant: bigint; unknown: Map<number, bigint> } {
    let constant = 0n;
    const unknown = new Map<number, bigint>();
    for (const [wire, coefficient] of form) {
      const value = this.#values[wire];
      if (value === undefined) unknown.set(wire, coefficient);
      else constant += coefficient * value;
    }
    return { constant: modulo(constant), unknown };
  }

  #describe(...forms: readonly LinearForm[]): string {
    const wires = new Set(forms.flatMap((form) => [...form.keys()]).filter((wire) => wire !== 0));
    return [...wires]
      .slice(0, 4)
      .map((wire) => this.#system.nameOf(wire))
      .join(", ");
  }
}

/** Wires with a constraint w·(w − 1) = 0 of their own. */
function findBits({ constraints }: ConstraintSystem): Set<number> {
  const bits = new Set<number>();
  for (const { a, b, c } of constraints) {
    const wires = new Set([...a.keys(), ...b.keys(), ...c.keys()]);
    wires.delete(0);
    if (wires.size !== 1) continue;
    const [wire] = wires as Set<number> & Iterable<number>;
    const at = (form: LinearForm, value: bigint): bigint =>
      (form.get(0) ?? 0n) + (form.get(wire as number) ?? 0n) * value;
    const residual = (value: bigint): bigint => modulo(at(a, value) * at(b, value) - at(c, value));
    // A quadratic with roots 0 and 1 has no third one; a·b must really be quadratic.
    const quadratic = modulo((a.get(wire as number) ?? 0n) * (b.get(wire as number) ?? 0n)) !== 0n;
    if (quadratic && residual(0n) === 0n && residual(1n) === 0n) bits.add(wire as number);
  }
  return bits;
}
