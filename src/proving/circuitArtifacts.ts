// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { VerificationKey } from "snarkjs";
import { CircuitArtifactsError } from "./errors.ts";

/** Where `scripts/circuits.ts` puts its output: one folder for each circuit. */
export const DEFAULT_ARTIFACTS_DIRECTORY = join(dirname(fileURLToPath(import.meta.url)), "../../build/circuits");

/** Names of the files in a circuit's folder. */
export const ARTIFACT_FILES = {
  metadata: "metadata.json",
  r1cs: "circuit.r1cs",
  wasm: "circuit.wasm",
  sym: "circuit.sym",
  zkey: "proving.zkey",
  verificationKey: "verification.json",
} as const;

/** metadata.json: what these files are, and their digests. */
export interface CircuitMetadata {
  readonly circuit: string;
  readonly template: string;
  readonly params: readonly number[];
  readonly publicSignals: readonly string[];
  /** True: the key's secrets are known to everybody, and so its proofs prove nothing. For development chains only. */
  readonly development: boolean;
  /** Digest of everything the files were made from. */
  readonly fingerprint: string;
  readonly constraints: number;
  readonly wires: number;
  /** SHA-256, hexadecimal, by file name. */
  readonly files: Readonly<Record<string, string>>;
}

/** A circuit ready to prove and verify with. */
export interface CircuitArtifacts {
  readonly metadata: CircuitMetadata;
  /** Path of the witness calculator. */
  readonly wasm: string;
  /** Path of the proving key. */
  readonly zkey: string;
  readonly verificationKey: VerificationKey;
}

/** Name of the reported-loss circuit with `capacity` slots. */
export function reportedLossCircuit(capacity: number): string {
  return `ReportedLoss${capacity}`;
}

/**
 * Reads a circuit's folder and compares every file that proving uses with its digest in metadata.json.
 *
 * @param directory folder that holds one folder for each circuit.
 * @throws CircuitArtifactsError when a file is missing or is not the one described.
 */
export async function loadCircuitArtifacts(
  circuit: string,
  directory: string = DEFAULT_ARTIFACTS_DIRECTORY,
): Promise<CircuitArtifacts> {
  const folder = join(directory, circuit);
  const metadata = await readMetadata(circuit, folder);
  const [verificationKey] = await Promise.all([
    readVerificationKey(folder, metadata),
    readVerified(folder, ARTIFACT_FILES.wasm, metadata),
    readVerified(folder, ARTIFACT_FILES.zkey, metadata),
  ]);
  return {
    metadata,
    wasm: join(folder, ARTIFACT_FILES.wasm),
    zkey: join(folder, ARTIFACT_FILES.zkey),
    verificationKey,
  };
}

/** The verification key alone: 4 KB, where the proving key has up to 25 MB. @throws CircuitArtifactsError as above. */
export async function loadVerificationKey(
  circuit: string,
  directory: string = DEFAULT_ARTIFACTS_DIRECTORY,
): Promise<VerificationKey> {
  const folder = join(directory, circuit);
  return readVerificationKey(folder, await readMetadata(circuit, folder));
}

async function readMetadata(circuit: string, folder: string): Promise<CircuitMetadata> {
  const file = ARTIFACT_FILES.metadata;
  const metadata = parse<CircuitMetadata>(folder, file, await read(folder, file));
  if (metadata.circuit !== circuit) {
    throw new CircuitArtifactsError(`${folder} describes the circuit "${metadata.circuit}", not "${circuit}".`, {
      directory: folder,
      file,
    });
  }
  return metadata;
}

async function readVerificationKey(folder: string, metadata: CircuitMetadata): Promise<VerificationKey> {
  const file = ARTIFACT_FILES.verificationKey;
  return parse<VerificationKey>(folder, file, await readVerified(folder, file, metadata));
}

async function readVerified(folder: string, file: string, metadata: CircuitMetadata): Promise<Buffer> {
  const bytes = await read(folder, file);
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== metadata.files[file]) {
    throw new CircuitArtifactsError(
      `${join(folder, file)} has digest ${digest}, but metadata.json says ${metadata.files[file]}. Run \`node scripts/circuits.ts --force\`, or fetch the key again.`,
      { directory: folder, file },
    );
  }
  return bytes;
}

async function read(folder: string, file: string): Promise<Buffer> {
  return readFile(join(folder, file)).catch((cause: unknown) => {
    throw new CircuitArtifactsError(
      `${join(folder, file)} cannot be read. Run \`node scripts/circuits.ts\` first.`,
      { directory: folder, file },
      cause,
    );
  });
}

function parse<T>(folder: string, file: string, bytes: Buffer): T {
  try {
    return JSON.parse(bytes.toString("utf8")) as T;
  } catch (cause) {
    throw new CircuitArtifactsError(
      `${join(folder, file)} is not JSON. Run \`node scripts/circuits.ts --force\`.`,
      { directory: folder, file },
      cause,
    );
  }
}
