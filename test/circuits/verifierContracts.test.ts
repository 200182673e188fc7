// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { findCircuitInstance, readCircuitInstances } from "../../scripts/lib/circuits/instances.ts";
import { verifierContract } from "../../scripts/lib/circuits/verifierContract.ts";
import { ARTIFACT_FILES, DEFAULT_ARTIFACTS_DIRECTORY } from "../../src/proving/circuitArtifacts.ts";
import { ROOT } from "./support/temporaryCircuit.ts";

async function generate(name: string, directory: string): Promise<string> {
  const { params, publicSignals } = findCircuitInstance(ROOT, name);
  const zkey = new Uint8Array(await readFile(join(directory, name, ARTIFACT_FILES.zkey)));
  return verifierContract(zkey, {
    contract: name,
    circuit: name,
    capacity: params[0] as number,
    publicSignals,
    development: true,
  });
}

describe("contracts/verifiers", () => {
  for (const { name } of readCircuitInstances(ROOT)) {
    it(`${name}.sol is what the script generates`, async () => {
      const committed = await readFile(join(ROOT, "contracts/verifiers", `${name}.sol`), "utf8");
      assert.equal(
        await generate(name, DEFAULT_ARTIFACTS_DIRECTORY),
        committed,
        "run `node scripts/circuits.ts` and commit contracts/verifiers",
      );
    });
  }

  it("a verifier without development key has no guard and says so", async () => {
    const { params, publicSignals } = findCircuitInstance(ROOT, "ReportedLoss8");
    const zkey = new Uint8Array(
      await readFile(join(DEFAULT_ARTIFACTS_DIRECTORY, "ReportedLoss8", ARTIFACT_FILES.zkey)),
    );
    const source = await verifierContract(zkey, {
      contract: "Real",
      circuit: "ReportedLoss8",
      capacity: params[0] as number,
      publicSignals,
      development: false,
    });
    assert.doesNotMatch(source, /constructor|DEVELOPMENT|31337/);
    assert.match(source, /contract Real is IProofVerifier \{\n {4}\/\/\/ @inheritdoc/);
    assert.match(source, /function developmentKey\(\) external pure returns \(bool\) \{\n {8}return false;/);
  });
});
