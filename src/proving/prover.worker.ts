// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import type { VerificationKey } from "snarkjs";
import type { LossProof } from "../protocol/ledger.ts";
import { toLossProof } from "./groth16Proof.ts";
import { loadSnarkjs } from "./snarkjsDoor.ts";
import { verifyProof } from "./verifyReportedLoss.ts";

/** What a prover thread is asked to do. */
export interface ProofTask {
  readonly wasm: string;
  readonly zkey: string;
  readonly verificationKey: VerificationKey;
  readonly input: Readonly<Record<string, bigint | readonly bigint[]>>;
}

/** Its answer. `stage`: where it stopped; an Error does not keep its class between threads. */
export type ProofAnswer =
  | { readonly proof: LossProof; readonly publicSignals: readonly bigint[] }
  | { readonly failed: "witness" | "prove" | "verify"; readonly cause: unknown };

/** Files stay in memory between proofs: 7 MB of key for 8 participants, 25 MB for 32. A new key has a new path or a new process. */
const files = new Map<string, Uint8Array>();

async function contents(path: string): Promise<Uint8Array> {
  let bytes = files.get(path);
  if (bytes === undefined) {
    bytes = new Uint8Array(await readFile(path));
    files.set(path, bytes);
  }
  return bytes;
}

async function answer({ wasm, zkey, verificationKey, input }: ProofTask): Promise<ProofAnswer> {
  let stage: "witness" | "prove" | "verify" = "prove";
  try {
    const snarkjs = await loadSnarkjs();
    const [calculator, key] = [await contents(wasm), await contents(zkey)];
    const witness: { type: "mem"; data?: Uint8Array } = { type: "mem" };
    stage = "witness";
    await snarkjs.wtns.calculate(input, { type: "mem", data: calculator }, witness);
    stage = "prove";
    const made = await snarkjs.groth16.prove({ type: "mem", data: key }, witness);
    stage = "verify";
    const proof = toLossProof(made.proof);
    const publicSignals = made.publicSignals.map(BigInt);
    // A prover computes something for any witness and any key; only verification tells a proof from noise.
    if (!(await verifyProof(verificationKey, proof, publicSignals))) return { failed: "verify", cause: undefined };
    return { proof, publicSignals };
  } catch (cause) {
    return { failed: stage, cause };
  }
}

if (parentPort === null) throw new Error("prover.worker.ts runs as a worker thread only.");
const port = parentPort;
port.on("message", (task: ProofTask) => {
  void answer(task).then((result) => port.postMessage(result));
});
