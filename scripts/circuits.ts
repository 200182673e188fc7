// SPDX-License-Identifier: Apache-2.0
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ARTIFACT_FILES } from "../src/proving/circuitArtifacts.ts";
import { buildCircuit, isBuilt } from "./lib/circuits/buildCircuit.ts";
import { circuitFingerprint } from "./lib/circuits/fingerprint.ts";
import { type CircuitInstance, readCircuitInstances } from "./lib/circuits/instances.ts";
import { verifierContract } from "./lib/circuits/verifierContract.ts";

const HELP = `Usage: node scripts/circuits.ts [--check] [--force]

Compiles every circuit of circuits/circuits.json, makes its development key (build/circuits) and its verifier
(contracts/verifiers). Development keys have known secrets: for development chains only. Real keys: scripts/ceremony.ts.
What is up to date is left alone.

  --check   change no contract; exit with 1 if a committed verifier is not what the circuits give
  --force   build again even if nothing changed
  --help    this text
`;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const directory = join(root, "build/circuits");

/** Progress goes to stderr, one line for each step. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function build(instance: CircuitInstance, force: boolean): Promise<void> {
  const fingerprint = circuitFingerprint(root, instance);
  if (!force && (await isBuilt(instance, directory, fingerprint))) say(`${instance.name}: up to date`);
  else await buildCircuit(root, instance, directory, fingerprint, say);
}

/** Writes the instance's verifier if it differs. @returns whether it differed. */
async function updateVerifier(instance: CircuitInstance, check: boolean): Promise<boolean> {
  const { name, params, publicSignals } = instance;
  const zkey = new Uint8Array(await readFile(join(directory, name, ARTIFACT_FILES.zkey)));
  const source = await verifierContract(zkey, {
    contract: name,
    circuit: name,
    capacity: params[0] as number,
    publicSignals,
    development: true,
  });
  const file = join(root, "contracts/verifiers", `${name}.sol`);
  const present = await readFile(file, "utf8").catch(() => undefined);
  if (present === source) return false;
  if (check) {
    say(
      `contracts/verifiers/${name}.sol is not the verifier of the circuit. Run \`node scripts/circuits.ts\` and commit the file.`,
    );
  } else {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, source);
    say(`${name}: wrote contracts/verifiers/${name}.sol`);
  }
  return true;
}

const { values } = parseArgs({
  options: { check: { type: "boolean" }, force: { type: "boolean" }, help: { type: "boolean" } },
});
if (values.help) {
  process.stdout.write(HELP);
} else {
  const instances = readCircuitInstances(root);
  // The compiler uses one core each, so two cores take two instances in the time of one.
  await Promise.all(instances.map((instance) => build(instance, values.force ?? false)));
  let differing = 0;
  for (const instance of instances) if (await updateVerifier(instance, values.check ?? false)) differing++;
  if (values.check && differing > 0) process.exitCode = 1;
}
