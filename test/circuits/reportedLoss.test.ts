// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { readCircuitInstances } from "../../scripts/lib/circuits/instances.ts";
import {
  ARTIFACT_FILES,
  type CircuitArtifacts,
  DEFAULT_ARTIFACTS_DIRECTORY,
  loadCircuitArtifacts,
} from "../../src/proving/circuitArtifacts.ts";
import { circuitInput } from "../../src/proving/proveReportedLoss.ts";
import { loadSnarkjs } from "../../src/proving/snarkjsDoor.ts";
import { BINDING_CASES, type BindingCase, bindingCase } from "../fixtures/bindingVectors.ts";
import {
  type ConstraintSystem,
  evaluate,
  firstViolation,
  modulo,
  readConstraintSystem,
} from "./support/constraints.ts";
import { ROOT } from "./support/temporaryCircuit.ts";

/** The instances as they are compiled and deployed, against the vectors. What a dishonest prover can do is in reportedLoss.soundness.test.ts. */

type Input = Record<string, bigint | bigint[]>;

/** Inputs of the circuit for a case of the vectors; D, r, E and L are the vectors' and not computed here. */
function inputOf(vectors: BindingCase): Input {
  return circuitInput({ ...vectors, openings: vectors.slots }, [
    vectors.digest,
    vectors.challenge,
    vectors.evaluation,
    BigInt(vectors.reportedLoss),
  ]);
}

async function witnessOf({ wasm }: CircuitArtifacts, input: Input): Promise<bigint[]> {
  const snarkjs = await loadSnarkjs();
  const witness: { type: "mem"; data?: Uint8Array } = { type: "mem" };
  await snarkjs.wtns.calculate(input, wasm, witness);
  return snarkjs.wtns.exportJson(witness);
}

for (const { name, params, publicSignals } of readCircuitInstances(ROOT)) {
  const capacity = params[0] as number;

  describe(name, () => {
    let artifacts: CircuitArtifacts;
    let system: ConstraintSystem;
    before(async () => {
      artifacts = await loadCircuitArtifacts(name);
      const folder = `${DEFAULT_ARTIFACTS_DIRECTORY}/${name}`;
      system = await readConstraintSystem(`${folder}/${ARTIFACT_FILES.r1cs}`, `${folder}/${ARTIFACT_FILES.sym}`);
    });

    it("public signals stand in the order of circuits.json, after the constant", () => {
      assert.deepEqual(publicSignals, ["digest", "challenge", "evaluation", "reportedLoss"]);
      assert.deepEqual(
        publicSignals.map((signal) => system.wireOf(`main.${signal}`)),
        [1, 2, 3, 4],
      );
      assert.equal(system.publicSignals, 4);
    });

    for (const vectors of BINDING_CASES.filter((candidate) => candidate.capacity === capacity)) {
      it(`vector: ${vectors.name}`, async () => {
        const witness = await witnessOf(artifacts, inputOf(vectors));
        assert.equal(firstViolation(system, witness), undefined);
        assert.deepEqual(witness.slice(1, 5), [
          vectors.digest,
          vectors.challenge,
          vectors.evaluation,
          BigInt(vectors.reportedLoss),
        ]);
      });
    }
  });
}

describe("ReportedLoss8, damaged inputs", () => {
  const vectors = bindingCase("full capacity of eight");
  const input = inputOf(vectors);
  let artifacts: CircuitArtifacts;
  before(async () => {
    artifacts = await loadCircuitArtifacts("ReportedLoss8");
  });

  const first = (name: string, change: (value: bigint) => bigint): Input => {
    const column = input[name] as bigint[];
    return { ...input, [name]: column.with(0, change(column[0] as bigint)) };
  };
  const damages: [string, Input][] = [
    ["loss does not open its commitment", first("loss", (loss) => loss + 1n)],
    ["salt does not open its commitment", first("salt", (salt) => salt + 1n)],
    ["wrong samples", first("samples", (samples) => samples + 1n)],
    ["wrong member", first("memberId", (memberId) => memberId + 1n)],
    ["wrong run", { ...input, run: 2n }],
    ["wrong round", { ...input, round: 2n }],
    ["L one too small", { ...input, reportedLoss: BigInt(vectors.reportedLoss) - 1n }],
    ["L one too large", { ...input, reportedLoss: BigInt(vectors.reportedLoss) + 1n }],
    ["wrong D", { ...input, digest: vectors.digest + 1n }],
    ["wrong r", { ...input, challenge: vectors.challenge + 1n }],
    ["wrong E", { ...input, evaluation: vectors.evaluation + 1n }],
    [
      "two slots exchanged",
      Object.fromEntries(
        Object.entries(input).map(([name, value]) => [name, Array.isArray(value) ? exchangeFirstTwo(value) : value]),
      ),
    ],
    [
      "a slot left out",
      Object.fromEntries(
        Object.entries(input).map(([name, value]) => [name, Array.isArray(value) ? value.with(7, 0n) : value]),
      ),
    ],
  ];
  for (const [damage, damaged] of damages) {
    it(damage, async (t) => {
      t.mock.method(console, "error", () => {}); // The calculator prints the constraint besides throwing it.
      await assert.rejects(witnessOf(artifacts, damaged), /Assert Failed/);
    });
  }

  function exchangeFirstTwo(values: bigint[]): bigint[] {
    const [one, two, ...rest] = values as [bigint, bigint, ...bigint[]];
    return [two, one, ...rest];
  }
});

it("ReportedLoss8: no wire can take another value by itself", async () => {
  const artifacts = await loadCircuitArtifacts("ReportedLoss8");
  const folder = `${DEFAULT_ARTIFACTS_DIRECTORY}/ReportedLoss8`;
  const system = await readConstraintSystem(`${folder}/${ARTIFACT_FILES.r1cs}`, `${folder}/${ARTIFACT_FILES.sym}`);
  const witness = await witnessOf(artifacts, inputOf(bindingCase("full capacity of eight")));

  // wire + 1 in (a + α)(b + β) = c + γ: a constraint notices if aβ + bα + αβ ≠ γ.
  const unnoticed = new Set(Array.from({ length: system.wires - 1 }, (_, i) => i + 1));
  for (const { a, b, c } of system.constraints) {
    const [valueA, valueB] = [evaluate(a, witness), evaluate(b, witness)];
    for (const wire of new Set([...a.keys(), ...b.keys(), ...c.keys()])) {
      const [alpha, beta, gamma] = [a.get(wire) ?? 0n, b.get(wire) ?? 0n, c.get(wire) ?? 0n];
      if (modulo(valueA * beta + valueB * alpha + alpha * beta - gamma) !== 0n) unnoticed.delete(wire);
    }
  }
  assert.deepEqual([...unnoticed].map(system.nameOf), []);
});
