// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { buildCircuit } from "../../scripts/lib/circuits/buildCircuit.ts";
import { readCircuitInstances } from "../../scripts/lib/circuits/instances.ts";
import { verifierContract } from "../../scripts/lib/circuits/verifierContract.ts";
import { ARTIFACT_FILES, loadCircuitArtifacts } from "../../src/proving/circuitArtifacts.ts";
import { ROOT, temporaryFolder } from "../circuits/support/temporaryCircuit.ts";

/** Circuit, key and verifier from nothing: the same bytes as those in use. About 20 seconds. */
describe("circuit build", () => {
  for (const instance of readCircuitInstances(ROOT)) {
    it(`${instance.name}: the same bytes again`, async () => {
      const { name, params, publicSignals } = instance;
      const directory = await temporaryFolder();
      const built = await buildCircuit(ROOT, instance, directory, "from nothing");
      assert.deepEqual(built.files, (await loadCircuitArtifacts(name)).metadata.files);
      const zkey = new Uint8Array(await readFile(join(directory, name, ARTIFACT_FILES.zkey)));
      const specification = {
        contract: name,
        circuit: name,
        capacity: params[0] as number,
        publicSignals,
        development: true,
      };
      assert.equal(
        await verifierContract(zkey, specification),
        await readFile(join(ROOT, "contracts/verifiers", `${name}.sol`), "utf8"),
      );
    });
  }
});
