// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ARTIFACT_FILES, type CircuitMetadata } from "../../../src/proving/circuitArtifacts.ts";
import { loadSnarkjs } from "../../../src/proving/snarkjsDoor.ts";
import { createDevelopmentKey } from "../developmentKey/createDevelopmentKey.ts";
import { compileCircuit } from "./compileCircuit.ts";
import { type CircuitInstance, mainComponent } from "./instances.ts";
import { decodeR1cs } from "./r1cs.ts";

/** Files of a circuit's folder whose digests metadata.json holds. */
const DIGESTED = [
  ARTIFACT_FILES.r1cs,
  ARTIFACT_FILES.wasm,
  ARTIFACT_FILES.sym,
  ARTIFACT_FILES.zkey,
  ARTIFACT_FILES.verificationKey,
];

/**
 * Compiles an instance, makes its development key and writes both to `<directory>/<name>/`.
 *
 * The folder appears complete or not at all: everything is made beside it and moved in at the end, so a build that is interrupted, or
 * that runs twice at once, leaves nothing half-made.
 *
 * @param directory below `root` (circom sees nothing else).
 */
export async function buildCircuit(
  root: string,
  instance: CircuitInstance,
  directory: string,
  fingerprint: string,
  say: (line: string) => void = () => {},
): Promise<CircuitMetadata> {
  const started = performance.now();
  const work = join(directory, `.${instance.name}-${process.pid}`);
  await rm(work, { recursive: true, force: true });
  try {
    say(`${instance.name}: compiling`);
    const compiled = await compileCircuit(root, instance.name, mainComponent(instance), work);
    const r1cs = decodeR1cs(await readFile(compiled.r1cs));
    say(`${instance.name}: ${r1cs.constraints} constraints; making the development key`);
    const zkey = await createDevelopmentKey(r1cs);
    await writeFile(join(work, ARTIFACT_FILES.zkey), zkey);
    const metadata = await completeFolder(work, instance, {
      development: true,
      fingerprint,
      constraints: r1cs.constraints,
      wires: r1cs.wires,
    });
    await replaceFolder(work, join(directory, instance.name));
    say(`${instance.name}: ready after ${((performance.now() - started) / 1000).toFixed(1)} s`);
    return metadata;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Adds verification key and metadata to a folder that holds a compiled circuit and its proving key. */
export async function completeFolder(
  folder: string,
  { name, template, params, publicSignals }: CircuitInstance,
  facts: Pick<CircuitMetadata, "development" | "fingerprint" | "constraints" | "wires">,
): Promise<CircuitMetadata> {
  const snarkjs = await loadSnarkjs();
  const zkey = new Uint8Array(await readFile(join(folder, ARTIFACT_FILES.zkey)));
  const verificationKey = await snarkjs.zKey.exportVerificationKey({ type: "mem", data: zkey });
  await writeFile(join(folder, ARTIFACT_FILES.verificationKey), `${JSON.stringify(verificationKey, null, 2)}\n`);
  const files: Record<string, string> = {};
  for (const file of DIGESTED) files[file] = await sha256(join(folder, file));
  const metadata: CircuitMetadata = { circuit: name, template, params, publicSignals, ...facts, files };
  await writeFile(join(folder, ARTIFACT_FILES.metadata), `${JSON.stringify(metadata, null, 2)}\n`);
  return metadata;
}

/** Whether `<directory>/<name>/` was made from inputs of this fingerprint and is undamaged. */
export async function isBuilt(instance: CircuitInstance, directory: string, fingerprint: string): Promise<boolean> {
  const folder = join(directory, instance.name);
  try {
    const metadata = JSON.parse(await readFile(join(folder, ARTIFACT_FILES.metadata), "utf8")) as CircuitMetadata;
    if (metadata.fingerprint !== fingerprint) return false;
    const digests = await Promise.all(DIGESTED.map((file) => sha256(join(folder, file))));
    return DIGESTED.every((file, i) => metadata.files[file] === digests[i]);
  } catch {
    // Missing or unreadable is not built; building says what is wrong if that fails too.
    return false;
  }
}

async function replaceFolder(from: string, to: string): Promise<void> {
  await mkdir(join(to, ".."), { recursive: true });
  await rm(to, { recursive: true, force: true });
  await rename(from, to);
}

async function sha256(file: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
}
