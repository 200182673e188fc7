// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bindingChallenge, CapacityExceededError } from "../../src/protocol/binding.ts";
import { FIELD_ORDER, FieldRangeError } from "../../src/protocol/field.ts";
import {
  ARTIFACT_FILES,
  type CircuitMetadata,
  DEFAULT_ARTIFACTS_DIRECTORY,
} from "../../src/proving/circuitArtifacts.ts";
import {
  CircuitArtifactsError,
  OpeningMismatchError,
  ProofRejectedError,
  ProverError,
} from "../../src/proving/errors.ts";
import {
  type ReportedLossProof,
  ReportedLossProver,
  type ReportedLossStatement,
} from "../../src/proving/proveReportedLoss.ts";
import { verifyReportedLoss } from "../../src/proving/verifyReportedLoss.ts";
import { type BindingCase, bindingCase } from "../fixtures/bindingVectors.ts";

function statementOf(vectors: BindingCase): ReportedLossStatement {
  return {
    ...vectors,
    openings: vectors.slots,
    challenge: (digest) => bindingChallenge(vectors, vectors.vector, digest),
  };
}

const THREE = bindingCase("three of eight, a mean that is rounded up");

describe("proveReportedLoss", () => {
  const prover = new ReportedLossProver({ threads: 1 });
  after(() => prover.close());
  let three: ReportedLossProof;
  before(async () => {
    three = await prover.prove(statementOf(THREE));
  });

  it("gives D, r, E and L of the vectors and a proof that verifies", async () => {
    assert.equal(three.bindingDigest, THREE.digest);
    assert.equal(three.challenge, THREE.challenge);
    assert.equal(three.evaluation, THREE.evaluation);
    assert.equal(three.reportedLoss, THREE.reportedLoss);
    assert.deepEqual(three.publicSignals, [
      THREE.digest,
      THREE.challenge,
      THREE.evaluation,
      BigInt(THREE.reportedLoss),
    ]);
    assert.ok(await verifyReportedLoss({ capacity: 8, ...three }));
  });

  for (const name of [
    "full capacity of eight",
    "everything at its largest",
    "everything at its smallest",
    "everything at its largest, thirty-two",
  ]) {
    it(`proves: ${name}`, async () => {
      const vectors = bindingCase(name);
      const made = await prover.prove(statementOf(vectors));
      assert.equal(made.reportedLoss, vectors.reportedLoss);
      assert.ok(await verifyReportedLoss({ capacity: vectors.capacity, ...made }));
    });
  }

  it("several at once share the threads and do not mix", async () => {
    const cases = [
      THREE,
      bindingCase("one sample moves the mean by less than one unit"),
      bindingCase("everything at its smallest"),
    ];
    const made = await Promise.all(cases.map((vectors) => prover.prove(statementOf(vectors))));
    assert.deepEqual(
      made.map((proof) => proof.evaluation),
      cases.map((vectors) => vectors.evaluation),
    );
  });

  it("leaves the caller's thread free while it proves", async () => {
    const beats: number[] = [];
    const timer = setInterval(() => beats.push(performance.now()), 5);
    await prover.prove(statementOf(THREE));
    clearInterval(timer);
    const gaps = beats.slice(1).map((beat, i) => beat - (beats[i] as number));
    // Proving on this thread would be one gap of some 900 ms.
    assert.ok(Math.max(...gaps) < 450, `a gap of ${Math.max(...gaps).toFixed(0)} ms`);
  });

  describe("damaged statements", () => {
    const damaged = (change: Partial<BindingCase["slots"][number]>): ReportedLossStatement => {
      const statement = statementOf(THREE);
      return {
        ...statement,
        openings: [
          { ...statement.openings[0], ...change },
          ...statement.openings.slice(1),
        ] as ReportedLossStatement["openings"],
      };
    };
    const mismatched: [string, ReportedLossStatement][] = [
      ["loss", damaged({ loss: 65_537 })],
      ["salt", damaged({ salt: 1n })],
      ["samples", damaged({ samples: 101 })],
      ["commitment", damaged({ lossCommitment: 5n })],
      ["run", { ...statementOf(THREE), run: 4n }],
      ["round", { ...statementOf(THREE), round: 8 }],
    ];
    for (const [what, statement] of mismatched) {
      it(`OPENING_MISMATCH: ${what}`, async () => {
        await assert.rejects(prover.prove(statement), (error) => {
          assert.ok(error instanceof OpeningMismatchError);
          assert.equal(error.values.memberId, 2);
          assert.doesNotMatch(
            JSON.stringify({ message: error.message, values: Object.keys(error.values) }),
            /65536|65537|"loss"/,
            "the error tells the loss",
          );
          return true;
        });
      });
    }

    it("OUT_OF_RANGE: loss of 2^32", () => assert.rejects(prover.prove(damaged({ loss: 2 ** 32 })), FieldRangeError));
    it("OUT_OF_RANGE: challenge not below p", () =>
      assert.rejects(prover.prove({ ...statementOf(THREE), challenge: () => FIELD_ORDER }), FieldRangeError));
    it("CAPACITY_EXCEEDED: nine openings for eight slots", () => {
      const statement = { ...statementOf(bindingCase("twenty of thirty-two")), capacity: 8 };
      return assert.rejects(prover.prove(statement), CapacityExceededError);
    });
    it("no openings: no loss to speak of", () =>
      assert.rejects(prover.prove({ ...statementOf(THREE), openings: [] }), RangeError));
    it("CIRCUIT_ARTIFACTS: a capacity without circuit", () => {
      return assert.rejects(
        prover.prove({ ...statementOf(THREE), capacity: 9 }),
        (error) => error instanceof CircuitArtifactsError && /ReportedLoss9/.test(error.message),
      );
    });
  });

  it("a process that has proved ends by itself", () => {
    const module = new URL("../../src/proving/proveReportedLoss.ts", import.meta.url).href;
    const fixture = new URL("../fixtures/bindingVectors.ts", import.meta.url).href;
    const program = `
      import { proveReportedLoss } from ${JSON.stringify(module)};
      import { bindingCase } from ${JSON.stringify(fixture)};
      const vectors = bindingCase("everything at its smallest");
      const { reportedLoss } = await proveReportedLoss({ ...vectors, openings: vectors.slots, challenge: () => 5n });
      console.log("L", reportedLoss);`;
    const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
    const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      env,
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.deepEqual({ stdout, status }, { stdout: "L 0\n", status: 0 });
  });
});

describe("ReportedLossProver, lifetime", () => {
  it("closing rejects the proof under way and those waiting", async () => {
    const prover = new ReportedLossProver({ threads: 1 });
    const proofs = [prover.prove(statementOf(THREE)), prover.prove(statementOf(THREE))];
    const outcomes = Promise.allSettled(proofs);
    setTimeout(() => void prover.close(), 300);
    for (const outcome of await outcomes) {
      assert.equal(outcome.status, "rejected");
      assert.ok((outcome as PromiseRejectedResult).reason instanceof ProverError);
    }
    await assert.rejects(prover.prove(statementOf(THREE)), /closed/);
    await prover.close();
  });
});

describe("damaged artifacts", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "foedus-circuits-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  /** A folder whose ReportedLoss8 has `change` done to it. */
  async function withDamage(name: string, change: (folder: string) => Promise<void>): Promise<ReportedLossProver> {
    const folder = join(directory, name, "ReportedLoss8");
    await cp(join(DEFAULT_ARTIFACTS_DIRECTORY, "ReportedLoss8"), folder, { recursive: true });
    await change(folder);
    return new ReportedLossProver({ artifactsDirectory: join(directory, name), threads: 1 });
  }

  it("CIRCUIT_ARTIFACTS: one byte of the proving key changed", async () => {
    const prover = await withDamage("key", async (folder) => {
      const bytes = await readFile(join(folder, ARTIFACT_FILES.zkey));
      bytes[5_000_000] = (bytes[5_000_000] as number) ^ 1;
      await writeFile(join(folder, ARTIFACT_FILES.zkey), bytes);
    });
    await assert.rejects(
      prover.prove(statementOf(THREE)),
      (error) => error instanceof CircuitArtifactsError && error.values.file === "proving.zkey",
    );
  });

  it("CIRCUIT_ARTIFACTS: the folder of another circuit", async () => {
    const prover = await withDamage("other", (folder) =>
      cp(join(DEFAULT_ARTIFACTS_DIRECTORY, "ReportedLoss32"), folder, { recursive: true, force: true }),
    );
    await assert.rejects(
      prover.prove(statementOf(THREE)),
      (error) => error instanceof CircuitArtifactsError && /"ReportedLoss32"/.test(error.message),
    );
  });

  it("PROOF_REJECTED: a verification key that is not the proving key's, digest and all", async () => {
    const prover = await withDamage("pair", async (folder) => {
      const foreign = await readFile(
        join(DEFAULT_ARTIFACTS_DIRECTORY, "ReportedLoss32", ARTIFACT_FILES.verificationKey),
      );
      await writeFile(join(folder, ARTIFACT_FILES.verificationKey), foreign);
      const file = join(folder, ARTIFACT_FILES.metadata);
      const metadata = JSON.parse(await readFile(file, "utf8")) as CircuitMetadata;
      const other = JSON.parse(
        await readFile(join(DEFAULT_ARTIFACTS_DIRECTORY, "ReportedLoss32", ARTIFACT_FILES.metadata), "utf8"),
      ) as CircuitMetadata;
      const files = {
        ...metadata.files,
        [ARTIFACT_FILES.verificationKey]: other.files[ARTIFACT_FILES.verificationKey],
      };
      await writeFile(file, JSON.stringify({ ...metadata, files }));
    });
    await assert.rejects(prover.prove(statementOf(THREE)), ProofRejectedError);
    await prover.close();
  });
});
